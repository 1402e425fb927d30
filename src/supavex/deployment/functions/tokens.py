"""Users' tokens: JSON Web Tokens, verified by the providers of the app's ``auth.config.ts``.

Source: ``authentication/src/lib.rs`` of convex-backend; OpenID Connect Discovery 1.0.
"""

from __future__ import annotations

import base64
import threading
import time
from typing import Any
from urllib.parse import unquote_to_bytes, urljoin

from supavex.convex.json_bounds import parse_bounded
from supavex.deployment.functions.identity import Identity, user_of
from supavex.deployment.functions.outgoing import BadAddress, checked_address, exchange
from supavex.errors import SupavexError, missing_extra

#: The algorithms that Convex accepts of OpenID Connect's providers, and of ``customJwt``. None uses a secret key.
_ALGORITHMS, _CUSTOM_ALGORITHMS = ("RS256", "EdDSA"), ("RS256", "ES256")
#: The types of keys of these algorithms. A key of type ``oct`` is a secret.
_KEY_TYPES = ("RSA", "EC", "OKP")
_MAX_TOKEN_CHARACTERS = 64 << 10
_MAX_REDIRECTS = 5
_CACHE_SECONDS = 600.0
_FETCH_SECONDS = 5.0
_MAX_KEYS_BYTES = 1 << 20
_MAX_KEYS_VALUES = 10_000
_LEEWAY_SECONDS = 5


class Tokens:
    """Verifies tokens, and caches the providers' keys for some time. Thread-safe.

    ``hosts``: the hosts from which keys are fetched, in the form of ``--allow-fetch``. An address that contains its
    keys (``data:``) is always read.
    """

    def __init__(self, hosts: frozenset[str] = frozenset()) -> None:
        self._hosts = hosts
        self._lock = threading.Lock()
        self._keys: dict[str, tuple[float, Any]] = {}

    def identity(self, token: str, providers: list[dict[str, Any]]) -> Identity:
        """The identity of a token's bearer. Raises :class:`SupavexError` with Convex's code and message."""
        try:
            import jwt
        except ImportError:
            raise missing_extra("pyjwt", "serve", "ctx.auth") from None
        try:
            if len(token) > _MAX_TOKEN_CHARACTERS:
                raise jwt.InvalidTokenError("too long")
            header = jwt.get_unverified_header(token)
            claims = jwt.decode(token, options={"verify_signature": False})
        except (jwt.PyJWTError, ValueError, TypeError, RecursionError):
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
        named = str(provider.get("algorithm", "RS256"))
        algorithms = [name for name in _CUSTOM_ALGORITHMS if name == named] if custom else list(_ALGORITHMS)
        address = str(provider["jwks"]) if custom else ""
        try:
            key = self._key(address or self._discovered(issuer), header.get("kid"), fresh=False)
            if custom and header.get("kid") is None:
                raise SupavexError("InvalidAuthHeader", _not_decoded(header))
            if key is None:
                key = self._key(address or self._discovered(issuer), header.get("kid"), fresh=True)
            if key is None:
                raise SupavexError("InvalidAuthHeader", _not_decoded(header))
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
        except (jwt.PyJWTError, ValueError, TypeError, ArithmeticError) as error:
            if custom:
                raise SupavexError("InvalidAuthHeader", _not_valid(error, header, claims)) from None
            message = "Could not verify OIDC token claim. Check that the token signature is valid and the token hasn't "
            raise SupavexError("Unauthenticated", f"{message}expired.") from None
        return Identity(user=user_of(verified), token=token, expires=int(verified["exp"]) + _LEEWAY_SECONDS)

    def _discovered(self, issuer: str) -> str:
        """The address of an issuer's keys."""
        data = self._fetched(f"{issuer.rstrip('/')}/.well-known/openid-configuration", fresh=False)
        address = data.get("jwks_uri") if isinstance(data, dict) else None
        if not isinstance(address, str):
            raise SupavexError("AuthProviderDiscoveryFailed", f"Auth provider discovery of {issuer[:200]} failed")
        return address

    def _key(self, address: str, kid: object, *, fresh: bool) -> Any:
        import jwt

        data = self._fetched(address, fresh=fresh)
        try:
            public = [key for key in data["keys"] if isinstance(key, dict) and key.get("kty") in _KEY_TYPES]
            keys = jwt.PyJWKSet.from_dict({"keys": public}).keys
        except (jwt.PyJWTError, TypeError, AttributeError, KeyError, ValueError):
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
        data = _fetch(address, self._hosts)
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


def _not_decoded(header: dict[str, Any]) -> str:
    """Why no key fits a token."""
    kid = header.get("kid")
    if kid is None:
        return "Could not decode token. JWT may be missing a 'kid' (key ID) header."
    message = f"Could not decode token. The JWT's 'kid' (key ID) header is '{kid}', does this key match any key in "
    return f"{message}the provider's JWKS?"


def _not_valid(error: Exception, header: dict[str, Any], claims: dict[str, Any]) -> str:
    """Why a token of a ``customJwt`` provider is refused. The claims are only read if the signature is valid."""
    import jwt

    if isinstance(error, jwt.InvalidSignatureError | jwt.InvalidAlgorithmError):
        return _not_decoded(header)
    now = time.time()
    if isinstance(error, jwt.ExpiredSignatureError):
        return f"Could not validate token: Token expired {int(now - claims['exp'])} seconds ago"
    if isinstance(error, jwt.ImmatureSignatureError):
        begins = max(float(claims.get(name) or 0) for name in ("iat", "nbf"))
        return f"Could not validate token: Token will be valid in {round(begins - now)} seconds"
    message = "Could not verify token claim. Check that the JWT contains valid claims and matches your auth provider "
    return f"{message}configuration."


def _no_provider(providers: list[dict[str, Any]]) -> str:
    if not providers:
        message = "No auth provider found matching the given token (no providers configured). "
        return f"{message}Check convex/auth.config.ts."
    shown = ", ".join(
        f"CustomJWT(issuer={p.get('issuer')}, app_id={p.get('applicationID') or 'none'})"
        if p.get("type") == "customJwt"
        else f"OIDC(domain={p.get('domain')}, app_id={p.get('applicationID')})"
        for p in providers
    )
    message = "No auth provider found matching the given token. Check that your JWT's issuer and audience match one of "
    return f"{message}your configured providers: [{shown}]"


def _fetch(address: str, hosts: frozenset[str]) -> Any:
    if address.startswith("data:"):
        return _parsed(_held(address))
    shown = address[:200]
    url = address
    for _ in range(_MAX_REDIRECTS):
        try:
            answer = exchange("GET", checked_address(url, hosts), {}, None, _MAX_KEYS_BYTES, _FETCH_SECONDS)
        except (BadAddress, OSError) as error:
            message = f"Auth provider discovery of {shown} failed: {error}"
            raise SupavexError("AuthProviderDiscoveryFailed", message) from None
        location = answer.headers.get("location") if answer.status in (301, 302, 303, 307, 308) else None
        if location is None:
            break
        url = urljoin(url, location)
    if answer.status != 200 or len(answer.body) > _MAX_KEYS_BYTES:
        message = f"Auth provider discovery of {shown} failed: status {answer.status}, {len(answer.body)} bytes"
        raise SupavexError("AuthProviderDiscoveryFailed", message)
    return _parsed(answer.body)


def _held(address: str) -> bytes:
    """The content of a ``data:`` address."""
    head, _, body = address.partition(",")
    try:
        return base64.b64decode(body) if head.endswith(";base64") else unquote_to_bytes(body)
    except ValueError:
        return b""


def _parsed(text: bytes) -> Any:
    try:
        return parse_bounded(text, values=_MAX_KEYS_VALUES)
    except (ValueError, RecursionError):
        return None
