"""ALTER DATABASE … SET and ALTER ROLE … SET: settings that sessions begin with."""

from __future__ import annotations

import re
from dataclasses import dataclass

from supavex.postgres.statement_kinds import parsed

_SET = re.compile(r"\b(?:re)?set\b.*", re.IGNORECASE | re.DOTALL)
_STATEMENT = re.compile(r"alter\s+(?:database|role|user)\b", re.IGNORECASE)
#: The names of the files' own role and database.
_ROLE, _DATABASE = "postgres", "postgres"
#: Roles of Supabase whose settings the files' role may make there, and not here. They are not those of its sessions.
_SERVICE_ROLES = (
    "anon", "authenticated", "service_role", "authenticator", "dashboard_user", "supabase_auth_admin",
    "supabase_storage_admin", "supabase_functions_admin", "supabase_replication_admin", "supabase_read_only_user",
    "supabase_realtime_admin", "pgbouncer", "supabase_privileged_role", "supabase_etl_admin",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Setting:
    """A setting of later sessions. ``sql`` is the SET or RESET that each of them begins with."""

    sql: str
    #: Whether it is one of the files' sessions, and not of another role's alone.
    ours: bool
    #: Whether the lack of a right to make it is no failure.
    harmless: bool = True


def setting_of(sql: str) -> Setting | None:
    """What ``sql`` sets for later sessions; None where it is another statement."""
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
