"""Sessions: a cookie that proves knowledge of the admin key without containing it."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import time
from urllib.parse import urlsplit

from starlette.requests import Request

from supavex.deployment.deployment import Deployment
from supavex.deployment.server import security
from supavex.deployment.server.host import Host

SECONDS = 12 * 3600
#: Seconds in which a printed link can be used, once.
LINK_SECONDS = 3600
_TOKEN = re.compile(r"([0-9]{1,12})\.([0-9a-f]{32})\.([0-9a-f]{64})")


def sign_in_link(host: Host) -> str:
    """An address that signs in its first visitor within :data:`LINK_SECONDS`. It does not contain the admin key."""
    claim = f"{int(time.time()) + LINK_SECONDS}.{secrets.token_hex(16)}"
    token = f"{claim}.{_proof(_secret(host.admin_key, 'link'), claim)}"
    return f"{host.addresses.cloud}/sign-in?link={token}"


def _secret(admin_key: str, what: str) -> bytes:
    return hmac.digest(admin_key.encode(), f"supavex dashboard {what}".encode(), "sha256")


def _proof(secret: bytes, claim: str) -> str:
    return hmac.new(secret, claim.encode(), hashlib.sha256).hexdigest()


class Sessions:
    """The sessions of one deployment. They end after some time, by signing out, and when the admin key changes."""

    def __init__(self, host: Host) -> None:
        self._admin_key = host.admin_key
        self._secret = _secret(host.admin_key, "session")
        self._link_secret = _secret(host.admin_key, "link")
        #: The cookie's name. It contains the port, because browsers share cookies between the ports of a host.
        self.cookie = f"supavex_session_{urlsplit(host.addresses.cloud).port}"
        #: SHA-256 of the tokens that were signed out early. They are also in the deployment's file.
        self._ended = {token for (token,) in host.run_now(_ended_sessions)}

    def begin(self) -> str:
        """A new token: its end, random digits, and a proof of both."""
        claim = f"{int(time.time()) + SECONDS}.{secrets.token_hex(16)}"
        return f"{claim}.{_proof(self._secret, claim)}"

    def holds(self, token: str) -> bool:
        """Whether ``token`` was made by :meth:`begin`, and has not ended."""
        return self._is_of(token, self._secret)

    def _is_of(self, token: str, secret: bytes) -> bool:
        match = _TOKEN.fullmatch(token)
        if match is None:
            return False
        until, nonce, proof = match.groups()
        genuine = security.same(proof, _proof(secret, f"{until}.{nonce}"))
        return genuine and time.time() < int(until) and _digest(token) not in self._ended

    def take_link(self, token: str, deployment: Deployment) -> bool:
        """Whether ``token`` belongs to an unused :func:`sign_in_link`. It can be used once."""
        if not self._is_of(token, self._link_secret):
            return False
        self._keep_ended(token, deployment)
        return True

    def end(self, token: str, deployment: Deployment) -> None:
        """Signs ``token`` out, also for a server that starts later."""
        if self.holds(token):
            self._keep_ended(token, deployment)

    def _keep_ended(self, token: str, deployment: Deployment) -> None:
        digest = _digest(token)
        self._ended.add(digest)
        until = int(token.partition(".")[0])
        with deployment.store.transaction():
            connection = deployment.store.connection
            connection.execute("DELETE FROM ended_sessions WHERE until < ?", (int(time.time()),))
            connection.execute("INSERT OR IGNORE INTO ended_sessions VALUES (?, ?)", (digest, until))

    def allowed(self, request: Request) -> bool:
        """Whether a request has a session's cookie, or the admin key as Convex's programs send it."""
        key = security.given_key(request.headers.get("authorization", ""))
        if key:
            return security.is_admin_key(self._admin_key, key)
        return self.holds(request.cookies.get(self.cookie, ""))

    def key_is(self, given: str) -> bool:
        """Whether ``given`` is the admin key; in constant time."""
        return security.is_admin_key(self._admin_key, given)


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


def _ended_sessions(deployment: Deployment) -> list[tuple[bytes]]:
    return deployment.store.connection.execute("SELECT token FROM ended_sessions").fetchall()


def from_this_site(request: Request) -> bool:
    """Whether a request comes from these pages, from the browser's address bar, or from a program.

    SameSite and the API's CORS allow pages of other ports on this host. Apps under development may use the API with
    their own key, but not the session of the person who uses the dashboard.
    """
    origin = request.headers.get("origin")
    if origin is not None and origin.partition("://")[2] != request.headers.get("host"):
        return False
    followed_link = request.method in ("GET", "HEAD") and request.headers.get("sec-fetch-mode") == "navigate"
    return followed_link or request.headers.get("sec-fetch-site", "none") in ("none", "same-origin")
