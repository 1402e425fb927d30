"""Recognizes statements that can change neither a table of the project nor its rows, even if they succeed."""

from __future__ import annotations

from typing import Any

from supavex.postgres.inspection import SYSTEM_SCHEMAS

#: Harmless statements: the node of PostgreSQL's grammar, and the words for it in reports.
_HARMLESS = {
    "GrantStmt": "GRANT",
    "GrantRoleStmt": "GRANT",
    "AlterDefaultPrivilegesStmt": "ALTER DEFAULT PRIVILEGES",
    "AlterOwnerStmt": "ALTER … OWNER",
    "CreateRoleStmt": "CREATE ROLE",
    "AlterRoleStmt": "ALTER ROLE",
    "AlterRoleSetStmt": "ALTER ROLE",
    "DropRoleStmt": "DROP ROLE",
    "DropOwnedStmt": "DROP OWNED",
    "ReassignOwnedStmt": "REASSIGN OWNED",
    "CreateEventTrigStmt": "CREATE EVENT TRIGGER",
    "AlterEventTrigStmt": "ALTER EVENT TRIGGER",
    "CreatePublicationStmt": "CREATE PUBLICATION",
    "AlterPublicationStmt": "ALTER PUBLICATION",
    "CreateSubscriptionStmt": "CREATE SUBSCRIPTION",
    "AlterSubscriptionStmt": "ALTER SUBSCRIPTION",
    "DropSubscriptionStmt": "DROP SUBSCRIPTION",
    "CommentStmt": "COMMENT",
    "SecLabelStmt": "SECURITY LABEL",
    "NotifyStmt": "NOTIFY",
    "ListenStmt": "LISTEN",
    "UnlistenStmt": "UNLISTEN",
    "VacuumStmt": "VACUUM",
    "ReindexStmt": "REINDEX",
    "ClusterStmt": "CLUSTER",
    "CheckPointStmt": "CHECKPOINT",
    "ExplainStmt": "EXPLAIN",
    "VariableShowStmt": "SHOW",
    "DiscardStmt": "DISCARD",
    "LockStmt": "LOCK",
    "AlterSystemStmt": "ALTER SYSTEM",
    "AlterDatabaseStmt": "ALTER DATABASE",
    "AlterDatabaseSetStmt": "ALTER DATABASE",
    "CreatedbStmt": "CREATE DATABASE",
    "DropdbStmt": "DROP DATABASE",
    "CreateFdwStmt": "CREATE FOREIGN DATA WRAPPER",
    "AlterFdwStmt": "ALTER FOREIGN DATA WRAPPER",
    "CreateForeignServerStmt": "CREATE SERVER",
    "AlterForeignServerStmt": "ALTER SERVER",
    "CreateUserMappingStmt": "CREATE USER MAPPING",
    "ImportForeignSchemaStmt": "IMPORT FOREIGN SCHEMA",
    "CreateForeignTableStmt": "CREATE FOREIGN TABLE",
    "CreateStatsStmt": "CREATE STATISTICS",
    "AlterStatsStmt": "ALTER STATISTICS",
    "RefreshMatViewStmt": "REFRESH MATERIALIZED VIEW",
}
#: Subcommands of ALTER TABLE about a table's storage or owner.
_KEEPING = (
    "AT_ChangeOwner", "AT_ClusterOn", "AT_DropCluster", "AT_SetStatistics", "AT_SetStorage", "AT_SetCompression",
    "AT_SetRelOptions", "AT_ResetRelOptions", "AT_SetOptions", "AT_ResetOptions", "AT_ReplicaIdentity",
    "AT_SetTableSpace", "AT_SetLogged", "AT_SetUnLogged",
)  # fmt: skip
#: Subcommands of ALTER TABLE that a dump has for tables that are already complete.
_OF_SERVICES = (
    "AT_AddConstraint",
    "AT_EnableRowSecurity",
    "AT_ForceRowSecurity",
    "AT_ColumnDefault",
    "AT_AttachPartition",
)
#: Schemas of services with neither users nor files. None of their rows are migrated.
_SERVICES = frozenset(SYSTEM_SCHEMAS) - {"auth", "storage", "extensions", "supabase_migrations"}
#: Statements that create or change an object other than a table, with the path to the object's name. An object in a
#: schema of Supabase belongs to a service. If a statement of the project needs it, that statement fails by itself.
_MADE = {
    "CreateFunctionStmt": "funcname", "AlterFunctionStmt": "func", "CreateEnumStmt": "typeName",
    "AlterEnumStmt": "typeName", "CompositeTypeStmt": "typevar", "CreateDomainStmt": "domainname", "ViewStmt": "view",
    "CreateSeqStmt": "sequence", "AlterSeqStmt": "sequence",
}  # fmt: skip
#: Functions that notify other sessions and change no table.
_TELLING = ("pg_notify",)


def harmless(tree: Any) -> str:
    """The words for a harmless statement; empty for any other. ``tree``: the statement in PostgreSQL's grammar."""
    node = type(tree).__name__
    if node in _HARMLESS:
        return _HARMLESS[node]
    if node == "IndexStmt":
        return "" if tree.unique else "CREATE INDEX"
    if node == "AlterTableStmt":
        if tree.objtype.name != "OBJECT_TABLE" or tree.relation.schemaname in _SERVICES:
            return "ALTER of no table" if tree.objtype.name != "OBJECT_TABLE" else f"of {tree.relation.schemaname}"
        if tree.relation.schemaname in SYSTEM_SCHEMAS and all(c.subtype.name in _OF_SERVICES for c in tree.cmds):
            return f"of {tree.relation.schemaname}"
        return "ALTER … OWNER" if all(command.subtype.name in _KEEPING for command in tree.cmds) else ""
    if node in ("CreatePolicyStmt", "AlterPolicyStmt"):
        return "POLICY of Supabase's own tables" if tree.table.schemaname in SYSTEM_SCHEMAS else ""
    if node in ("InsertStmt", "UpdateStmt", "DeleteStmt"):
        schema = tree.relation.schemaname
        return f"of {schema}" if schema in _SERVICES else ""
    if node == "CreateTrigStmt":
        # A call of a function of the project may write the project's rows.
        services = tree.relation.schemaname in SYSTEM_SCHEMAS and len(tree.funcname) > 1
        return f"of {tree.relation.schemaname}" if services and tree.funcname[0].sval in SYSTEM_SCHEMAS else ""
    if node in _MADE:
        schema = _schema_of(tree, node)
        return f"of {schema}" if schema in SYSTEM_SCHEMAS else ""
    return _only_services(tree) if node == "SelectStmt" else ""


def _schema_of(tree: Any, node: str) -> str:
    """The schema of the object that a statement of :data:`_MADE` creates or changes; empty if the statement
    names none.
    """
    where = _MADE[node]
    found = getattr(tree, where)
    if where in ("relation", "view", "sequence", "typevar", "table"):
        return found.schemaname or ""
    names = found.objname if where == "func" else found
    return names[0].sval if len(names) > 1 else ""


def _only_services(tree: Any) -> str:
    """The schema of the service that a SELECT calls; empty if the SELECT calls or reads anything else."""
    from pglast.visitors import Visitor

    called: list[str] = []
    read: list[str] = []

    class Calls(Visitor):
        def visit_FuncCall(self, _: Any, call: Any) -> None:
            names = [part.sval for part in call.funcname]
            called.append("pg_notify" if names[-1] in _TELLING else names[0] if len(names) > 1 else "")

        def visit_RangeVar(self, _: Any, relation: Any) -> None:
            read.append(relation.schemaname or "")

        def visit_InsertStmt(self, _: Any, statement: Any) -> None:
            read.append("")

        visit_UpdateStmt = visit_DeleteStmt = visit_MergeStmt = visit_InsertStmt

    Calls()(tree)
    known = _SERVICES | {*_TELLING, "pg_catalog"}
    if not called or not all(schema in known for schema in called) or not all(schema in _SERVICES for schema in read):
        return ""
    return f"SELECT of {called[0]}"
