"""Removes unknown types and functions from a statement, so that the rest of its table can be created."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from supavex.postgres.statement_kinds import parsed
from supavex.postgres.without_foreign_keys import printed

_EXPRESSIONS = ("CONSTR_CHECK", "CONSTR_DEFAULT", "CONSTR_GENERATED")


@dataclass(frozen=True, slots=True)
class Reduced:
    """A reduced CREATE TABLE or ALTER TABLE, and the affected columns (``table.column``)."""

    #: Empty if nothing of the statement is left.
    sql: str
    #: Columns that stay, with the unknown type or without a check or a default.
    kept: tuple[str, ...]
    #: Generated columns that are left out.
    left_out: tuple[str, ...]
    #: The number of table constraints that are left out.
    constraints: int = 0


def of_type(sql: str, schema: str, name: str) -> Reduced | None:
    """``sql`` with columns of the type ``schema.name`` without modifiers. Generated columns are left out.

    None if ``sql`` defines no such column.
    """

    def has(column: Any) -> bool:
        names = [str(part.sval) for part in column.typeName.names or ()]
        return names[-1:] == [name] and names[:-1] in ([schema] if schema else [], [schema])

    def plain(column: Any) -> bool:
        if not has(column):
            return False
        column.typeName.typmods = None
        return True

    return _reduced(sql, plain, lambda column, _: has(column))


def without_calls(sql: str, called: Callable[[str], bool]) -> Reduced | None:
    """``sql`` without checks, defaults and generated columns that call a function for which ``called`` is true.

    None if ``sql`` has none of these.
    """

    def stripped(column: Any) -> bool:
        before = tuple(column.constraints or ())
        kept = tuple(each for each in before if not _calls(each, called))
        column.constraints = kept or None
        return len(kept) < len(before)

    return _reduced(sql, stripped, lambda _, constraint: _calls(constraint, called), called)


def uses_schema(sql: str, schema: str) -> bool:
    """Whether a CREATE TABLE or ALTER TABLE outside ``schema`` has a column with a type of ``schema``."""
    tree: Any = parsed(sql)
    kind = type(tree).__name__
    if kind not in ("CreateStmt", "AlterTableStmt") or tree.relation.schemaname == schema:
        return False
    elements = (tree.tableElts if kind == "CreateStmt" else [command.def_ for command in tree.cmds]) or ()
    columns = [element for element in elements if type(element).__name__ == "ColumnDef"]
    return any([str(part.sval) for part in column.typeName.names or ()][:-1] == [schema] for column in columns)


def _calls(constraint: Any, called: Callable[[str], bool]) -> bool:
    return constraint.contype.name in _EXPRESSIONS and any(map(called, _functions(constraint.raw_expr)))


def _functions(tree: Any) -> Iterator[str]:
    from pglast.ast import FuncCall
    from pglast.visitors import Visitor

    found: list[str] = []

    class Functions(Visitor):
        def visit_FuncCall(self, _: Any, node: FuncCall) -> None:
            name: Any = (node.funcname or ())[-1]
            found.append(str(name.sval))

    if tree is not None:
        Functions()(tree)
    yield from found


def _reduced(
    sql: str,
    change: Callable[[Any], bool],
    generates: Callable[[Any, Any], bool],
    called: Callable[[str], bool] = lambda name: False,
) -> Reduced | None:
    tree: Any = parsed(sql)
    kind = type(tree).__name__
    if kind not in ("CreateStmt", "AlterTableStmt"):
        return None
    table = ".".join(filter(None, (tree.relation.schemaname, tree.relation.relname)))
    elements = list((tree.tableElts if kind == "CreateStmt" else tree.cmds) or ())
    stays: list[Any] = []
    kept, left_out, constraints = list[str](), list[str](), 0
    for element in elements:
        defined = element if kind == "CreateStmt" else element.def_
        if type(defined).__name__ == "ColumnDef":
            generated = [c for c in defined.constraints or () if c.contype.name == "CONSTR_GENERATED"]
            if any(generates(defined, constraint) for constraint in generated):
                left_out.append(f"{table}.{defined.colname}")
                continue
            if change(defined):
                kept.append(f"{table}.{defined.colname}")
        elif type(defined).__name__ == "Constraint" and _calls(defined, called):
            constraints += 1
            continue
        stays.append(element)
    if not (kept or left_out or constraints):
        return None
    if not stays and kind == "AlterTableStmt":
        return Reduced("", tuple(kept), tuple(left_out), constraints)
    if kind == "CreateStmt":
        tree.tableElts = tuple(stays) or None
    else:
        tree.cmds = tuple(stays)
    text = printed(tree)
    return None if text is None else Reduced(text, tuple(kept), tuple(left_out), constraints)
