"""Removes a statement's foreign keys to missing tables, so that the rest of its table can be created."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from supavex.postgres.statement_kinds import parsed

#: Whether a table is missing. Called with its schema (None if the statement names none) and its name.
Absent = Callable[[str | None, str], bool]
#: Clauses that may follow a column's foreign key and belong to it.
_OF_THE_KEY = (
    "CONSTR_ATTR_DEFERRABLE",
    "CONSTR_ATTR_NOT_DEFERRABLE",
    "CONSTR_ATTR_DEFERRED",
    "CONSTR_ATTR_IMMEDIATE",
    "CONSTR_ATTR_ENFORCED",
    "CONSTR_ATTR_NOT_ENFORCED",
)
#: Attributes of a node that describe its notation and not its meaning.
_OF_THE_TEXT = ("funcformat", "stmt_len", "list_start", "list_end", "rexpr_list_start", "rexpr_list_end")


def without_foreign_keys(sql: str, absent: Absent) -> str | None:
    """The CREATE TABLE or ALTER TABLE ``sql`` without its foreign keys to tables that are ``absent``.

    None if it has none of these, if nothing else of it remains, or if it is another statement. A table's foreign keys
    to itself stay.
    """
    tree: Any = parsed(sql) if "references" in sql.lower() else None
    if type(tree).__name__ not in ("CreateStmt", "AlterTableStmt"):
        return None
    own = tree.relation.schemaname, tree.relation.relname

    def goes(constraint: Any) -> bool:
        if constraint.contype.name != "CONSTR_FOREIGN":
            return False
        referenced = constraint.pktable.schemaname, constraint.pktable.relname
        return referenced != own and absent(*referenced)

    if type(tree).__name__ == "CreateStmt":
        before = list(tree.tableElts or ())
        kept = [element for element in before if not (_is_constraint(element) and goes(element))]
        columns = [element for element in kept if type(element).__name__ == "ColumnDef"]
        tree.tableElts = tuple(kept) or None
    else:
        before = list(tree.cmds)
        kept = [command for command in before if not (_is_constraint(command.def_) and goes(command.def_))]
        columns = [command.def_ for command in kept if type(command.def_).__name__ == "ColumnDef"]
        tree.cmds = tuple(kept)
    changed = [_strip(column, goes) for column in columns]
    if (len(kept) == len(before) and not any(changed)) or not kept:
        return None
    return printed(tree)


def _is_constraint(node: Any) -> bool:
    return type(node).__name__ == "Constraint"


def _strip(column: Any, goes: Callable[[Any], bool]) -> bool:
    """Removes the matching foreign keys from a column's definition. Returns whether there were any."""
    kept: list[Any] = []
    of_the_key = False
    for constraint in _constraints(column):
        of_the_key = goes(constraint) or (of_the_key and constraint.contype.name in _OF_THE_KEY)
        if not of_the_key:
            kept.append(constraint)
    found = len(kept) < len(_constraints(column))
    if found:
        column.constraints = tuple(kept) or None
    return found


def _constraints(column: Any) -> tuple[Any, ...]:
    return tuple(column.constraints or ())


def printed(tree: Any) -> str | None:
    """SQL for a tree; None if the printer does not reproduce the tree."""
    from pglast.stream import RawStream

    sql = str(RawStream()(tree))
    again = parsed(sql)
    return sql if again is not None and _shape(again) == _shape(tree) else None


def _shape(node: Any) -> Any:
    """A tree as plain data, without positions in the text."""
    if hasattr(node, "__slots__") and not isinstance(node, str | int):
        return type(node).__name__, [
            (name, _shape(getattr(node, name)))
            for name in node.__slots__
            if not name.endswith("location") and name not in _OF_THE_TEXT
        ]
    if isinstance(node, tuple | list):
        return [_shape(item) for item in node]
    return str(node)
