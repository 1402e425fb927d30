"""Converts a user of Supabase Auth for Clerk's import, or says why Clerk can't have the user.

The fields are those of the import schema of Clerk's CLI (``clerk migrate import FILE --source clerk``, 3.3) and of its
earlier migration tool. Both write ``userId`` to the new user's ``external_id`` and send the rest to ``POST /v1/users``
of the Backend API.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

from supavex.postgres.auth import AuthUser

#: Clerk's limit for each kind of metadata, in bytes.
MAX_METADATA = 8 << 10
#: Patterns of hashes, with Clerk's names of the hashers.
_HASHERS = (
    (re.compile(r"\$2[abxy]\$\d\d\$[./A-Za-z0-9]{53}\Z"), "bcrypt"),
    (re.compile(r"\$argon2i\$v=\d+\$m=\d+,t=\d+,p=\d+\$[^$]+\$[^$]+\Z"), "argon2i"),
    (re.compile(r"\$argon2id\$v=\d+\$m=\d+,t=\d+,p=\d+\$[^$]+\$[^$]+\Z"), "argon2id"),
)


@dataclass(frozen=True, slots=True)
class Remark:
    """A remark on a user: a stable code, the reason, and what to do. It never contains a user's data."""

    code: str
    reason: str
    fix: str


def hasher_of(password_hash: str) -> str | None:
    """Clerk's name of the hasher that made a hash; None if Clerk does not know it."""
    return next((name for pattern, name in _HASHERS if pattern.match(password_hash)), None)


def why_not(user: AuthUser) -> Remark | None:
    """Why Clerk can't have a user; None if it can."""
    if user.deleted:
        return Remark("Deleted", "the user was deleted in Supabase", "Nothing: it is meant to be gone.")
    if user.anonymous:
        return Remark(
            "Anonymous", "the user is anonymous: Clerk has none", "Nothing: it signs in again, as somebody new."
        )
    if user.email is None and user.phone is None:
        return Remark("NoIdentifier", "the user has neither email nor phone", "Give it one of them in Supabase.")
    if user.email is not None and user.email_owner != user.id:
        reason = f"the user {user.email_owner} has the same email, which Clerk takes once"
        return Remark("EmailTaken", reason, "Map its old id to that user's Clerk id in the id file, or fix the email.")
    return None


def clerk_user(user: AuthUser, *, hashes: bool) -> tuple[str, list[Remark]]:
    """A user for Clerk as one JSON object, and remarks on the data that are left out or changed."""
    remarks: list[Remark] = []
    record: dict[str, object] = {"userId": user.id}
    if user.email is not None:
        record["email" if user.email_confirmed else "unverifiedEmailAddresses"] = _single(user.email)
    if user.phone is not None:
        # Supabase stores E.164 without its +.
        number = f"+{user.phone}" if user.phone.isdigit() else user.phone
        record["phone" if user.phone_confirmed else "unverifiedPhoneNumbers"] = number
    if "email" not in record and "phone" not in record:
        reason = "no email or phone of the user is confirmed"
        fix = "Import with --reserve-unverified, or let the user sign up."
        remarks.append(Remark("Unconfirmed", reason, fix))
    record.update(_names(user))
    if hashes and user.password_hash is not None:
        hasher = hasher_of(user.password_hash)
        if hasher is None:
            reason = "the password's hash is of no kind that Clerk knows"
            remarks.append(Remark("UnknownHash", reason, "The user sets a new password."))
        else:
            record["password"], record["passwordHasher"] = user.password_hash, hasher
    if user.ban is not None:
        record["banned"] = True
        if user.ban != "infinity":
            record["banEndsAt"] = user.ban
            remarks.append(Remark("BanWithEnd", "the ban has an end, and Clerk's has none", "Lift it in Clerk then."))
    if user.sso:
        fix = "Set up its connection in Clerk: it is linked by the email."
        remarks.append(Remark("SsoUser", "the user signs in by SSO only", fix))
    if user.created is not None:
        record["createdAt"] = user.created
    text = json.dumps(record, ensure_ascii=False)
    # One kind of metadata can be changed by the user and one only by the server, both in Supabase and in Clerk.
    for name, metadata in (("unsafeMetadata", user.user_metadata), ("publicMetadata", user.app_metadata)):
        if metadata is None:
            continue
        if len(metadata.encode()) > MAX_METADATA:
            reason = f"its {name} is over the {MAX_METADATA:,} bytes that Clerk takes, and is left out"
            remarks.append(Remark("MetadataTooLarge", reason, "Keep it in a table of your own."))
        else:
            text = f'{text[:-1]}, "{name}": {metadata}}}'
    if user.odd_metadata:
        remarks.append(Remark("OddMetadata", "its metadata is not a JSON object, and is left out", "Nothing, mostly."))
    return text, remarks


def _single(email: str) -> str | list[str]:
    """The email; as a list if it contains a separator of Clerk's."""
    return [email] if "," in email or "|" in email else email


def _names(user: AuthUser) -> dict[str, str]:
    first, last = user.first_name, user.last_name
    if first is None and user.whole_name is not None:
        # Discord's names end in #0 or #1234, which Clerk takes for an address.
        first, _, rest = re.sub(r"#\d+\Z", "", user.whole_name).strip().partition(" ")
        last = last or rest.strip()
    return {key: name for key, name in (("firstName", first), ("lastName", last)) if name}
