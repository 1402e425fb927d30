"""An OpenID Connect provider on 127.0.0.1, and tokens that it signs."""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa

INSIDE = "https://keys.inside"


def _public(key: Any, algorithm: str, kid: str) -> dict[str, Any]:
    jwk = jwt.get_algorithm_by_name(algorithm).to_jwk(key.public_key(), as_dict=True)
    return {**jwk, "kid": kid, "alg": algorithm, "use": "sig"}


@dataclass
class Issuer:
    """The provider. ``url`` is what tokens name as ``iss``."""

    url: str = ""
    rsa_key: Any = field(default_factory=lambda: rsa.generate_private_key(65537, 2048))
    ec_key: Any = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    other_key: Any = field(default_factory=lambda: rsa.generate_private_key(65537, 2048))
    #: The keys that it publishes.
    keys: list[dict[str, Any]] = field(default_factory=list)
    #: How often its keys were asked for.
    asked: int = 0

    @property
    def data_uri(self) -> str:
        """The elliptic key as an address that holds it."""
        text = json.dumps({"keys": [_public(self.ec_key, "ES256", "inside")]})
        return f"data:application/json;base64,{base64.b64encode(text.encode()).decode()}"

    def token(self, *, key: Any = None, algorithm: str = "RS256", kid: str | None = "first", **claims: Any) -> str:
        """A token of this issuer's that is valid for an hour, apart from what ``claims`` say otherwise."""
        now = int(time.time())
        payload = {"iss": self.url, "aud": "app", "sub": "user-1", "iat": now, "exp": now + 3600, **claims}
        payload = {name: value for name, value in payload.items() if value is not None}
        return jwt.encode(payload, key or self.rsa_key, algorithm, headers={} if kid is None else {"kid": kid})

    def inside(self, **claims: Any) -> str:
        """A token that the key in :attr:`data_uri` is for."""
        return self.token(key=self.ec_key, algorithm="ES256", kid="inside", **{"iss": INSIDE, **claims})


@contextmanager
def running() -> Iterator[Issuer]:
    """An issuer that answers, while the block runs."""
    issuer = Issuer()
    issuer.keys = [_public(issuer.rsa_key, "RS256", "first")]

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/.well-known/openid-configuration":
                answer: Any = {"issuer": issuer.url, "jwks_uri": f"{issuer.url}/keys"}
            else:
                issuer.asked += 1
                answer = {"keys": issuer.keys}
            body = json.dumps(answer).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        issuer.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield issuer
        finally:
            server.shutdown()
            thread.join(5)
