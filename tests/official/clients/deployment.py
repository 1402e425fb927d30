"""The app that the clients talk to, pushed to a deployment of its own, and tokens that it takes."""

from __future__ import annotations

import base64
import json
import shutil
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

from ..served import App, Served, served_app

CONVEX = Path(__file__).parent / "convex"
ISSUER = "https://issuer.example"


@cache
def _key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def auth_config() -> str:
    """An auth.config.ts whose provider's keys are in it."""
    public = json.loads(RSAAlgorithm.to_jwk(_key().public_key()))
    keys = {"keys": [{**public, "kid": "one", "alg": "RS256", "use": "sig"}]}
    data = f"data:application/json;base64,{base64.b64encode(json.dumps(keys).encode()).decode()}"
    provider = {"type": "customJwt", "issuer": ISSUER, "jwks": data, "algorithm": "RS256", "applicationID": "app"}
    return f"export default {{ providers: [{json.dumps(provider)}] }};\n"


def token(subject: str, *, seconds: float = 3600, **claims: Any) -> str:
    """A token for a user that is valid for so long."""
    now = int(time.time())
    payload = {"iss": ISSUER, "sub": subject, "aud": "app", "iat": now, "exp": now + int(seconds), **claims}
    return jwt.encode(payload, _key(), algorithm="RS256", headers={"kid": "one"})


@contextmanager
def pushed_app(*options: str) -> Iterator[App]:
    """The app, served with ``options`` and pushed."""
    with served_app(*options) as app:
        shutil.copytree(CONVEX, app.path / "convex", dirs_exist_ok=True)
        app.write("convex/auth.config.ts", auth_config())
        app.push()
        yield app


def runs(served: Served, identifier: str, line: str = "") -> int:
    """How often a function has run, of those runs that wrote ``line`` to the log."""
    request = urllib.request.Request(f"{served.url}/api/stream_function_logs?cursor=0")
    request.add_header("Authorization", f"Convex {served.key}")
    with urllib.request.urlopen(request, timeout=60) as answer:
        entries = json.load(answer)["entries"]
    return sum(entry["identifier"] == identifier and line in json.dumps(entry["logLines"]) for entry in entries)
