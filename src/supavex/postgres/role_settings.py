"""ALTER DATABASE … SET and ALTER ROLE … SET: settings that sessions begin with."""

from __future__ import annotations

import re
from dataclasses import dataclass

from supavex.postgres.statement_kinds import parsed

_SET = re.compile(r"\b(?:re)?set\b.*", re.IGNORECASE | re.DOTALL)
_STATEMENT = re.compile(r"alter\s+(?:database|role|user)\b", re.IGNORECASE)
#: The names of the files' own role and database.
_ROLE, _DATABASE = "postgres", "postgres"
#: Supabase's roles whose settings the files' role may change at Supabase, but not here. No session of the files has
#: them.
_SERVICE_ROLES = (
    "anon", "authenticated", "service_role", "authenticator", "dashboard_user", "supabase_auth_admin",
    "supabase_storage_admin", "supabase_functions_admin", "supabase_replication_admin", "supabase_read_only_user",
    "supabase_realtime_admin", "pgbouncer", "supabase_privileged_role", "supabase_etl_admin",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Setting:
    """A setting of later sessions. ``sql`` is the SET or RESET with which each of them begins."""

    sql: str
    #: Whether it applies to the sessions of the files, and not only to another role.
    ours: bool
    #: Whether a missing right to change it is harmless.
    harmless: bool = True


def setting_of(sql: str) -> Setting | None:
    """The setting of later sessions that ``sql`` makes; None for other statements."""
    if not _STATEMENT.match(sql):
        return None
    tree = parsed(sql)
    node = type(tree).__name__
    match = _SET.search(sql)
    if node == "AlterDatabaseSetStmt" and match:
        return Setting(match[0], tree.dbname == _DATABASE)
    if node == "AlterRoleSetStmt" and match:
        role = tree.role
        ours = role is None or role.roletype.name != "ROLESPEC_CSTRING" or role.rolename == _ROLE
        return Setting(match[0], ours, ours or role.rolename in _SERVICE_ROLES)
    return None
