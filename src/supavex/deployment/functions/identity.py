"""The caller of a function: nobody, the admin, or a user with a token's claims."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

#: OIDC's name of a claim to Convex's. Source: ``UserIdentityAttributes`` in convex-backend.
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
    """The caller. ``user`` is the result of ``ctx.auth.getUserIdentity()``."""

    admin: bool = False
    user: Mapping[str, Any] | None = field(default=None, hash=False)
    token: str | None = None
    #: When the token expires, in seconds since 1970.
    expires: float | None = None
    #: Why the request's token is invalid: the error of an action that asks for the identity.
    problem: str | None = None

    @property
    def key(self) -> str:
        """A text that is equal for callers whom no function can distinguish."""
        return f"{self.admin} {sorted(self.user.items()) if self.user else ''!r}"


NOBODY = Identity()
ADMIN = Identity(admin=True)


def passed_on(identity: Identity, caller: str, called: str) -> Identity:
    """Who calls a function of the component ``called``, for an action of ``caller``: the app's users end at the app.

    Source: ``model/src/components/auth.rs`` of convex-backend. Queries and mutations pass on who calls them.
    """
    admin = identity.admin and identity.user is None
    return identity if admin or (not caller and not called) else NOBODY


def user_of(claims: Mapping[str, Any]) -> dict[str, Any]:
    """The user identity of an OIDC token's claims."""
    user = {_NAMES.get(name, name): value for name, value in claims.items() if name not in _LEFT_OUT}
    user.setdefault("tokenIdentifier", f"{claims.get('iss')}|{claims.get('sub')}")
    return user


def acting(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """The user as whom an admin acts. Raises :class:`ValueError` if the attributes name no user."""
    user = dict(attributes)
    if "tokenIdentifier" not in user:
        if not {"issuer", "subject"} <= user.keys():
            raise ValueError('Either "tokenIdentifier" or "issuer" and "subject" must be set')
        user["tokenIdentifier"] = f"{user['issuer']}|{user['subject']}"
    issuer, _, subject = str(user["tokenIdentifier"]).partition("|")
    user.setdefault("issuer", issuer)
    user.setdefault("subject", subject)
    return user
