"""``fetch`` in actions: only to hosts that the user allows, wherever a redirect leads."""

from __future__ import annotations

import base64
from typing import Any
from urllib.parse import urljoin, urlsplit

from supavex.errors import missing_extra

SECONDS = 30.0
MAX_BODY_BYTES = 20 << 20
_MAX_REDIRECTS = 20


def fetch(request: dict[str, Any], hosts: frozenset[str]) -> dict[str, Any]:
    """The response to a request as JSON data, its body in base64; ``{"error": …}`` where there is none."""
    try:
        import urllib3
    except ImportError:
        raise missing_extra("urllib3", "serve", "fetch()") from None
    url, method = str(request["url"]), str(request["method"])
    body = None if request.get("body") is None else base64.b64decode(request["body"])
    headers = [(str(name), str(value)) for name, value in request["headers"]]
    with urllib3.PoolManager(retries=False, timeout=SECONDS) as pool:
        for hop in range(_MAX_REDIRECTS + 1):
            problem = _problem(url, hosts)
            if problem:
                return {"error": problem}
            try:
                sent = urllib3.HTTPHeaderDict(headers)  # a name may come more than once
                response = pool.request(method, url, body=body, headers=sent, redirect=False, preload_content=False)
                data = response.read(MAX_BODY_BYTES + 1)
                response.release_conn()
            except urllib3.exceptions.HTTPError as error:
                return {"error": f"fetch failed: {type(error).__name__}: {url}"}
            if len(data) > MAX_BODY_BYTES:
                return {"error": f"fetch failed: the response has more than {MAX_BODY_BYTES >> 20} MiB"}
            location = response.headers.get("location")
            if response.status not in (301, 302, 303, 307, 308) or location is None or request["redirect"] != "follow":
                if request["redirect"] == "error" and location is not None:
                    return {"error": "fetch failed: a redirect"}
                return {
                    "status": response.status,
                    "statusText": response.reason or "",
                    "headers": [[name, value] for name, value in response.headers.items()],
                    "body": base64.b64encode(data).decode(),
                    "url": url,
                    "redirected": hop > 0,
                }
            if response.status == 303 or (response.status in (301, 302) and method == "POST"):
                method, body = "GET", None
            before, url = urlsplit(url).netloc, urljoin(url, location)
            if urlsplit(url).netloc != before:
                headers = [(name, value) for name, value in headers if name.lower() != "authorization"]
    return {"error": "fetch failed: too many redirects"}


def _problem(url: str, hosts: frozenset[str]) -> str | None:
    """Why an address may not be fetched; None where it may."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return f"fetch failed: {url} is no http address"
    if "*" in hosts or parts.hostname in hosts or parts.netloc in hosts:
        return None
    name = parts.hostname
    return f"fetch failed: {name} is not allowed here. Allow it by `supavex serve --allow-fetch {name}`."
