"""Who calls: nobody, the admin, or a user with the claims of a token."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

#: What an OIDC token calls a claim, and what Convex does. Source: ``UserIdentityAttributes`` in convex-backend.
_NAMES = {
    "sub": "subject",
    "iss": "issuer",
    "given_name": "givenName",
    "family_name": "familyName",
    "preferred_username": "preferredUsername",
    "profile": "profileUrl",
    "picture": "pictureUrl",
    "email_verified": "emailVerified",
    "phone_number": "phoneNumber",
    "phone_number_verified": "phoneNumberVerified",
    "updated_at": "updatedAt",
    "zoneinfo": "timezone",
    "locale": "language",
    "birthdate": "birthday",
}
#: Claims about the token, not about the user.
_LEFT_OUT = {"aud", "exp", "iat", "nbf", "jti", "azp", "at_hash", "nonce", "auth_time", "sid"}


@dataclass(frozen=True, slots=True)
class Identity:
    """Who calls. ``user`` is what ``ctx.auth.getUserIdentity()`` gives; ``key`` tells callers apart."""

    admin: bool = False
    user: Mapping[str, Any] | None = field(default=None, hash=False)
    token: str | None = None
    #: When the token stops being valid, in seconds since 1970.
    expires: float | None = None
    #: Why what the request says of its caller is not to be believed: what an action is told that asks who calls.
    problem: str | None = None

    @property
    def key(self) -> str:
        """The same text for callers whom no function can tell apart."""
        return f"{self.admin} {sorted(self.user.items()) if self.user else ''!r}"


NOBODY = Identity()
ADMIN = Identity(admin=True)


def user_of(claims: Mapping[str, Any]) -> dict[str, Any]:
    """The user identity of an OIDC token's claims."""
    user = {_NAMES.get(name, name): value for name, value in claims.items() if name not in _LEFT_OUT}
    user.setdefault("tokenIdentifier", f"{claims.get('iss')}|{claims.get('sub')}")
    return user


def acting(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """The user that an admin acts as. Raises :class:`ValueError` where the attributes name nobody."""
    user = dict(attributes)
    if "tokenIdentifier" not in user:
        if not {"issuer", "subject"} <= user.keys():
            raise ValueError('Either "tokenIdentifier" or "issuer" and "subject" must be set')
        user["tokenIdentifier"] = f"{user['issuer']}|{user['subject']}"
    issuer, _, subject = str(user["tokenIdentifier"]).partition("|")
    user.setdefault("issuer", issuer)
    user.setdefault("subject", subject)
    return user
