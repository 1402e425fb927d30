"""Users' tokens: JSON Web Tokens, held against the providers of the app's ``auth.config.ts``.

Source: ``authentication/src/lib.rs`` of convex-backend; OpenID Connect Discovery 1.0.
"""

from __future__ import annotations

import base64
import json
import threading
import time
from typing import Any

from supavex.deployment.functions.identity import Identity, user_of
from supavex.errors import SupavexError, missing_extra

_ALGORITHMS = ["RS256", "RS384", "RS512", "ES256", "ES384", "PS256", "PS384", "PS512", "EdDSA"]
_CACHE_SECONDS = 600.0
_FETCH_SECONDS = 10.0
_MAX_KEYS_BYTES = 1 << 20
_LEEWAY_SECONDS = 5


class Tokens:
    """Verifies tokens; remembers the providers' keys for a while. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._keys: dict[str, tuple[float, Any]] = {}

    def identity(self, token: str, providers: list[dict[str, Any]]) -> Identity:
        """Who the bearer of ``token`` is. Raises :class:`SupavexError` with Convex's code and words."""
        try:
            import jwt
        except ImportError:
            raise missing_extra("pyjwt", "serve", "ctx.auth") from None
        try:
            header = jwt.get_unverified_header(token)
            claims = jwt.decode(token, options={"verify_signature": False})
        except jwt.PyJWTError:
            message = "Could not parse JWT payload. Check that the token is a valid JWT format with three "
            raise SupavexError("InvalidAuthHeader", f"{message}base64-encoded parts separated by dots.") from None
        issuer = claims.get("iss")
        if not isinstance(issuer, str):
            message = "Missing issuer claim ('iss') in JWT payload. The JWT must include an 'iss' claim that matches "
            raise SupavexError("InvalidAuthHeader", f"{message}one of your configured auth providers.")
        provider = next((p for p in providers if _matches(p, issuer, claims.get("aud"))), None)
        if provider is None:
            raise SupavexError("NoAuthProvider", _no_provider(providers))
        custom = provider.get("type") == "customJwt"
        algorithms = [str(provider.get("algorithm", "RS256"))] if custom else _ALGORITHMS
        address = str(provider["jwks"]) if custom else ""
        try:
            key = self._key(address or self._discovered(issuer), header.get("kid"), fresh=False)
            if key is None:
                key = self._key(address or self._discovered(issuer), header.get("kid"), fresh=True)
            if key is None:
                kid = header.get("kid")
                message = (
                    f"Could not decode token. The JWT's 'kid' (key ID) header is '{kid}', does this key match any "
                )
                raise SupavexError("InvalidAuthHeader", f"{message}key in the provider's JWKS?")
            audience = provider.get("applicationID")
            required = ["exp", "iss", "sub"]
            verified = jwt.decode(
                token,
                key,
                algorithms,
                issuer=issuer,
                audience=audience,
                leeway=_LEEWAY_SECONDS,
                options={"require": required, "verify_aud": audience is not None},
            )
        except jwt.PyJWTError:
            message = "Could not verify OIDC token claim. Check that the token signature is valid and the token hasn't "
            raise SupavexError("Unauthenticated", f"{message}expired.") from None
        return Identity(user=user_of(verified), token=token, expires=verified["exp"] + _LEEWAY_SECONDS)

    def _discovered(self, issuer: str) -> str:
        """The address of an issuer's keys."""
        data = self._fetched(f"{issuer.rstrip('/')}/.well-known/openid-configuration", fresh=False)
        address = data.get("jwks_uri") if isinstance(data, dict) else None
        if not isinstance(address, str):
            raise SupavexError("AuthProviderDiscoveryFailed", f"Auth provider discovery of {issuer} failed")
        return address

    def _key(self, address: str, kid: object, *, fresh: bool) -> Any:
        import jwt

        data = self._fetched(address, fresh=fresh)
        try:
            keys = jwt.PyJWKSet.from_dict(data).keys
        except (jwt.PyJWTError, TypeError, AttributeError):
            message = f"Invalid JWKS response body from '{address[:200]}'. The response is not valid JSON or doesn't "
            raise SupavexError("InvalidAuthHeader", f"{message}match the expected JWKS format.") from None
        if kid is None:
            return keys[0].key if len(keys) == 1 else None
        return next((key.key for key in keys if key.key_id == kid), None)

    def _fetched(self, address: str, *, fresh: bool) -> Any:
        with self._lock:
            kept = self._keys.get(address)
        if kept is not None and not fresh and time.monotonic() - kept[0] < _CACHE_SECONDS:
            return kept[1]
        data = _fetch(address)
        with self._lock:
            self._keys[address] = time.monotonic(), data
        return data


def _matches(provider: dict[str, Any], issuer: str, audience: object) -> bool:
    own = str(provider.get("issuer") or provider.get("domain") or "")
    if "://" not in own:
        own = f"https://{own}"
    wanted = provider.get("applicationID")
    audiences = audience if isinstance(audience, list) else [audience]
    return own.rstrip("/") == issuer.rstrip("/") and (wanted is None or wanted in audiences)


def _no_provider(providers: list[dict[str, Any]]) -> str:
    if not providers:
        message = "No auth provider found matching the given token (no providers configured). "
        return f"{message}Check convex/auth.config.ts."
    shown = ", ".join(
        f"CustomJWT(issuer={p.get('issuer')}, app_id={p.get('applicationID')})"
        if p.get("type") == "customJwt"
        else f"OIDC(domain={p.get('domain')}, app_id={p.get('applicationID')})"
        for p in providers
    )
    message = "No auth provider found matching the given token. Check that your JWT's issuer and audience match one of "
    return f"{message}your configured providers: [{shown}]"


def _fetch(address: str) -> Any:
    if address.startswith("data:"):
        head, _, body = address.partition(",")
        text = base64.b64decode(body) if head.endswith(";base64") else body.encode()
        return _parsed(text)
    try:
        import urllib3
    except ImportError:
        raise missing_extra("urllib3", "serve", "ctx.auth") from None
    failed = SupavexError("AuthProviderDiscoveryFailed", f"Auth provider discovery of {address} failed")
    if not address.startswith(("https://", "http://")):
        raise failed
    with urllib3.PoolManager(retries=False, timeout=_FETCH_SECONDS) as pool:
        try:
            response = pool.request("GET", address, redirect=True, preload_content=False)
            data = response.read(_MAX_KEYS_BYTES)
            response.release_conn()
        except urllib3.exceptions.HTTPError:
            raise failed from None
    if response.status != 200:
        raise failed
    return _parsed(data)


def _parsed(text: bytes) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None
