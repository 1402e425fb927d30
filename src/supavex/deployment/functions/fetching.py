"""``fetch`` in actions: only to hosts that the user allows, wherever a redirect leads."""

from __future__ import annotations

import base64
from typing import Any
from urllib.parse import urljoin

from supavex.deployment.functions.outgoing import BadAddress, checked_address, exchange
from supavex.errors import missing_extra

MAX_BODY_BYTES = 20 << 20
_MAX_REDIRECTS = 20
_REDIRECTS = (301, 302, 303, 307, 308)
#: Headers that are for the server alone that they were meant for.
_SECRET = ("authorization", "cookie", "proxy-authorization")


def fetch(request: dict[str, Any], hosts: frozenset[str]) -> dict[str, Any]:
    """The response to a request as JSON data, its body in base64; ``{"error": …}`` where there is none."""
    try:
        import urllib3
    except ImportError:
        raise missing_extra("urllib3", "serve", "fetch()") from None
    url, method = str(request["url"]), str(request["method"])
    body = None if request.get("body") is None else base64.b64decode(request["body"])
    headers = [(str(name), str(value)) for name, value in request["headers"]]
    for hop in range(_MAX_REDIRECTS + 1):
        try:
            address = checked_address(url, hosts)
            sent = urllib3.HTTPHeaderDict(headers)  # a name may come more than once
            answer = exchange(method, address, sent, body, MAX_BODY_BYTES)
        except BadAddress as error:
            return {"error": f"fetch failed: {url[:200]}: {error}"}
        except OSError as error:
            return {"error": f"fetch failed: {error}"}
        if len(answer.body) > MAX_BODY_BYTES:
            return {"error": f"fetch failed: the response has more than {MAX_BODY_BYTES >> 20} MiB"}
        location = answer.headers.get("location") if answer.status in _REDIRECTS else None
        if location is not None and request["redirect"] == "error":
            return {"error": "fetch failed: a redirect"}
        if location is None or request["redirect"] != "follow":
            return {
                "status": answer.status,
                "statusText": answer.reason,
                "headers": [[name, value] for name, value in answer.headers.items()],
                "body": base64.b64encode(answer.body).decode(),
                "url": url,
                "redirected": hop > 0,
            }
        if answer.status == 303 or (answer.status in (301, 302) and method == "POST"):
            method, body = "GET", None
        url = urljoin(url, location)
        try:
            elsewhere = checked_address(url, hosts).origin != address.origin
        except BadAddress as error:
            return {"error": f"fetch failed: {url[:200]}: {error}"}
        if elsewhere:
            headers = [(name, value) for name, value in headers if name.lower() not in _SECRET]
    return {"error": "fetch failed: too many redirects"}
