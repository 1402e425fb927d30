"""The users of Supabase Auth: the rows of ``auth.users``, with their rows of ``auth.identities``.

Older projects lack some of the columns, and their ``auth.identities`` has another shape. A missing column is read as
NULL.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import psycopg

from supavex.errors import UsageError
from supavex.postgres.connection import quoted

#: Users read at once.
_BATCH = 2000
#: The least distance of a ban's end at which the ban counts as permanent: Supabase writes "for ever" as a hundred
#: years.
_LASTING = "interval '10 years'"
#: Keys of ``raw_user_meta_data`` for the first name, last name and whole name. The first key with a text counts.
_FIRST, _LAST, _WHOLE = (
    ("first_name", "given_name"),
    ("last_name", "family_name"),
    ("display_name", "full_name", "name"),
)


@dataclass(frozen=True, slots=True)
class AuthUser:
    """One user of Supabase Auth. A text is never empty: it is None if the row has none."""

    #: The uuid of ``auth.users``.
    id: str
    #: The email as the row has it.
    email: str | None
    #: Whether ``email_confirmed_at`` is set.
    email_confirmed: bool
    #: The id of the user who owns the email. Among users with the same email (in any case), a user without SSO comes
    #: first, then a user with a confirmed email, then the oldest.
    email_owner: str | None
    #: E.164 without its plus sign, as Supabase stores it.
    phone: str | None
    #: Whether ``phone_confirmed_at`` is set.
    phone_confirmed: bool
    #: When the user was created (ISO 8601, UTC).
    created: str | None
    #: The end of a ban that is in force, or ``infinity``.
    ban: str | None
    #: Whether ``deleted_at`` is set: the row of a deleted user stays.
    deleted: bool
    #: Whether the user signed in without an identity.
    anonymous: bool
    #: Whether the user signs in by single sign-on (SAML).
    sso: bool
    #: Whether the row has the hash of a password.
    has_password: bool
    #: None unless the caller asked for hashes.
    password_hash: str | None = field(repr=False)
    #: The first name, from ``raw_user_meta_data``.
    first_name: str | None
    #: The family name, from ``raw_user_meta_data``.
    last_name: str | None
    #: The name in one piece, from ``raw_user_meta_data``.
    whole_name: str | None
    #: A JSON object as text, without the providers.
    app_metadata: str | None
    #: A JSON object as text.
    user_metadata: str | None
    #: Whether the app's or the user's metadata are JSON, but not an object.
    odd_metadata: bool
    #: The providers of the user's identities, in order.
    providers: tuple[str, ...]


def read_users(connection: psycopg.Connection, *, hashes: bool = False) -> Iterator[AuthUser]:
    """Every user, the oldest first, over a connection that is in a transaction. Memory is bounded by one batch.

    ``hashes``: read the password hashes too. Raises :class:`~supavex.errors.UsageError` if the source has no
    auth.users.
    """
    sql = _users_sql(connection, hashes=hashes)
    with connection.cursor(name="supavex_users") as cursor:
        cursor.itersize = _BATCH
        cursor.execute(sql.encode())
        for row in cursor:
            yield AuthUser(*row[:-1], tuple(row[-1] or ()))  # type: ignore[call-arg]


def count_left(connection: psycopg.Connection) -> dict[str, int]:
    """The number of rows that no import of users takes: second factors, and sessions."""
    found = {}
    for name, table in (("mfaFactors", "mfa_factors"), ("sessions", "sessions")):
        if _columns(connection, table):
            row = connection.execute(f"SELECT count(*) FROM auth.{quoted(table)}".encode()).fetchone()
            found[name] = int(row[0]) if row else 0
    return found


def _columns(connection: psycopg.Connection, table: str) -> set[str]:
    """The columns of a table of the schema ``auth``; empty if the table does not exist."""
    rows = connection.execute(
        "SELECT a.attname FROM pg_catalog.pg_attribute a WHERE a.attrelid = pg_catalog.to_regclass(%s) "
        "AND a.attnum > 0 AND NOT a.attisdropped",
        (f"auth.{table}",),
    )
    return {row[0] for row in rows}


def _users_sql(connection: psycopg.Connection, *, hashes: bool) -> str:
    there = _columns(connection, "users")
    if "id" not in there:
        raise UsageError(
            "NoAuthUsers",
            "the source has no auth.users.",
            hint="It is a Supabase project's table: name its database in [source], or the folder of its migrations.",
        )

    def column(name: str, type_: str) -> str:
        return f"u.{quoted(name)}" if name in there else f"NULL::{type_}"

    def text(name: str) -> str:
        return f"NULLIF({column(name, 'text')}::text, '')"

    def flag(name: str) -> str:
        return f"COALESCE({column(name, 'bool')}, false)"

    user_meta, app_meta = column("raw_user_meta_data", "jsonb"), column("raw_app_meta_data", "jsonb")

    def name_of(keys: tuple[str, ...]) -> str:
        texts = (
            f"CASE jsonb_typeof({value}) WHEN 'string' THEN NULLIF(btrim(({value}) #>> '{{}}'), '') END"
            for value in (f"{user_meta} -> '{key}'" for key in keys)
        )
        return f"COALESCE({', '.join(texts)})"

    def object_of(value: str, without: str = "") -> str:
        return f"CASE jsonb_typeof({value}) WHEN 'object' THEN NULLIF({value}{without}, '{{}}'::jsonb)::text END"

    created, ban = column("created_at", "timestamptz"), column("banned_until", "timestamptz")
    email, password = text("email"), text("encrypted_password")
    # A deleted user's address is scrambled, and an anonymous user has none, so neither owns an email.
    rival = f"{email} IS NOT NULL AND {column('deleted_at', 'timestamptz')} IS NULL AND NOT {flag('is_anonymous')}"
    confirmed = column("email_confirmed_at", "timestamptz")
    owner = (
        f"first_value(u.id::text) OVER (PARTITION BY CASE WHEN {rival} THEN lower({email}) ELSE u.id::text END "
        f"ORDER BY {flag('is_sso_user')}, {confirmed} IS NULL, {created}, u.id)"
    )
    odd = " OR ".join(
        f"COALESCE(jsonb_typeof({meta}) NOT IN ('object', 'null'), false)" for meta in (user_meta, app_meta)
    )
    identities = "NULL::text[]"
    join = ""
    if {"user_id", "provider"} <= _columns(connection, "identities"):
        identities = "i.providers"
        join = (
            "LEFT JOIN (SELECT user_id, array_agg(DISTINCT provider::text ORDER BY provider::text) AS providers "
            "FROM auth.identities GROUP BY user_id) AS i ON i.user_id = u.id "
        )
    columns = [
        "u.id::text",
        email,
        f"{confirmed} IS NOT NULL",
        f"CASE WHEN {email} IS NOT NULL THEN {owner} END",
        text("phone"),
        f"{column('phone_confirmed_at', 'timestamptz')} IS NOT NULL",
        f"CASE WHEN {created} >= '0001-01-01 00:00+00' AND {created} < '10000-01-01 00:00+00' THEN {_iso(created)} END",
        f"CASE WHEN {ban} > now() + {_LASTING} THEN 'infinity' WHEN {ban} > now() THEN {_iso(ban)} END",
        f"{column('deleted_at', 'timestamptz')} IS NOT NULL",
        flag("is_anonymous"),
        flag("is_sso_user"),
        f"{password} IS NOT NULL",
        password if hashes else "NULL::text",
        *map(name_of, (_FIRST, _LAST, _WHOLE)),
        object_of(app_meta, " - 'provider' - 'providers'"),
        object_of(user_meta),
        odd,
        identities,
    ]
    return f"SELECT {', '.join(columns)} FROM auth.users AS u {join}ORDER BY {created}, u.id"


def _iso(moment: str) -> str:
    return f"""to_char({moment} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')"""
