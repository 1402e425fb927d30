"""Copies tables of Supabase's services that rules read (``auth.mfa_factors``, ``storage.objects``)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import psycopg

from supavex.postgres.inspection import SYSTEM_SCHEMAS
from supavex.rules.proof.asked import Text, texts

#: Tables that are copied, with the columns that are left out because they hold secrets.
_COPIED: dict[tuple[str, str], tuple[str, ...]] = {
    ("auth", "identities"): (),
    ("auth", "sessions"): ("refresh_token_hmac_key",),
    ("auth", "mfa_factors"): ("secret", "web_authn_credential", "last_webauthn_challenge_data"),
    ("auth", "mfa_amr_claims"): (),
    ("auth", "sso_providers"): (),
    ("auth", "sso_domains"): (),
    ("storage", "buckets"): (),
    ("storage", "objects"): (),
    ("storage", "prefixes"): (),
}
#: The columns of auth.users that rules and claims read. Passwords and tokens are left out.
OF_USERS = (
    "id", "aud", "role", "email", "phone", "email_confirmed_at", "phone_confirmed_at", "last_sign_in_at",
    "raw_app_meta_data", "raw_user_meta_data", "is_super_admin", "is_sso_user", "is_anonymous", "banned_until",
    "created_at", "updated_at", "deleted_at",
)  # fmt: skip
_USERS = ("auth", "users")

_TABLES = """
SELECT n.nspname, c.relname, c.relkind,
  pg_catalog.has_table_privilege(c.oid, 'SELECT') AND NOT pg_catalog.row_security_active(c.oid),
  (SELECT pg_catalog.array_agg(a.attname::text ORDER BY a.attnum) FROM pg_catalog.pg_attribute a
   WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '')
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND n.nspname = ANY(%s) ORDER BY 1, 2
"""
_COLUMNS = """
SELECT a.attname FROM pg_catalog.pg_attribute a WHERE a.attrelid = pg_catalog.to_regclass(%s) AND a.attnum > 0
  AND NOT a.attisdropped AND a.attgenerated = ''
"""


def asked_of(live: psycopg.Connection, schemas: list[str], also: Sequence[str]) -> tuple[list[Text], list[str]]:
    """The texts that may read tables, and the services' tables (``schema.table``) with a policy among these texts.

    A policy of a table that rules read may read further tables.
    """
    tables = sorted({"auth.users", "auth.identities", *also})
    while True:
        found = texts(live, schemas, tables)
        asked = {".".join(one) for one in _COPIED if any(text.names_in(*one) for text in found)}
        if asked <= set(tables):
            return found, tables
        tables = sorted(asked.union(tables))


@dataclass(frozen=True, slots=True)
class Needed:
    """A service's table that is copied with ``columns``. ``missing``: why the copy lacks something that rules read."""

    schema: str
    name: str
    columns: list[str]
    missing: str = ""
    reached: bool = True


def needed(
    live: psycopg.Connection, made: psycopg.Connection, found: Sequence[Text], own: Sequence[str], also: Sequence[str]
) -> Iterator[Needed]:
    """The services' tables that texts read, and ``also`` (``schema.table``); none of the schemas ``own``."""
    schemas = [name for name in SYSTEM_SCHEMAS if name not in own and name not in ("information_schema", "extensions")]
    for schema, name, kind, readable, columns in live.execute(_TABLES, (schemas,)).fetchall():
        asking = [text for text in found if text.names_in(schema, name)]
        if not asking and f"{schema}.{name}" not in also:
            continue
        reached = any(text.reached for text in asking)
        there = {one for (one,) in made.execute(_COLUMNS, (f'"{schema}"."{name}"',))}
        if (schema, name) == _USERS:
            left = [column for column in columns if column not in OF_USERS]
            taken: list[str] = []
        elif (schema, name) not in _COPIED or kind not in "rp" or not there or not readable:
            why = "its rows are not copied" if readable else "the role may not read it"
            yield Needed(schema, name, [], f"{_asked_by(asking, 'it')}, and {why}", reached)
            continue
        else:
            taken = [column for column in columns if column in there and column not in _COPIED[schema, name]]
            left = [column for column in columns if column not in taken]
        for column in left:
            readers = [text for text in asking if text.names(column)]
            if readers:
                said = f"{_asked_by(readers, f'its {column}')}, which is not copied"
                yield Needed(schema, name, [], said, any(text.reached for text in readers))
        if taken:
            yield Needed(schema, name, taken)


def _asked_by(texts: Sequence[Text], what: str) -> str:
    """The texts that read something, in words."""
    first = next((text for text in texts if text.reached), texts[0] if texts else None)
    if first is None:
        return f"[users] asks for {what}"
    of = f" of {first.table}" if first.table else ""
    return f"{f'the {first.kind} {first.name}' if first.name else f'a {first.kind}{of}'} asks for {what}"
