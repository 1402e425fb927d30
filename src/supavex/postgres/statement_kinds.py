"""Determines a statement's purpose by PostgreSQL's own grammar."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from supavex.errors import missing_extra
from supavex.postgres.harmless import harmless
from supavex.postgres.report import StatementKind

_DATA = ("InsertStmt", "UpdateStmt", "DeleteStmt", "MergeStmt", "TruncateStmt")
#: Finds tables in a block of code by the words before their names, because the block's text is not an SQL statement.
_IN_CODE = re.compile(
    r"\b(?:insert\s+into|update|delete\s+from|from|join|table(?:\s+if\s+(?:not\s+)?exists)?)\s+(?:only\s+)?"
    r'(?:"?(\w+)"?\.)?"?(\w+)"?',
    re.IGNORECASE,
)
_NAMED = r'("(?:[^"]|"")+"|`[^`]+`|[^\W\d][\w$]*)'
_TABLE = rf"(?:{_NAMED}\s*\.\s*)?{_NAMED}"
_WORDS: tuple[tuple[str, StatementKind, str], ...] = (
    ("CreateStmt", "create table", r"create\s+(?:unlogged\s+)?table(?:\s+if\s+not\s+exists)?"),
    ("InsertStmt", "data", r"insert\s+into"),
    ("UpdateStmt", "data", r"update(?:\s+only)?"),
    ("DeleteStmt", "data", r"delete\s+from(?:\s+only)?"),
    ("MergeStmt", "data", r"merge\s+into(?:\s+only)?"),
    ("AlterTableStmt", "other", r"alter\s+table(?:\s+if\s+exists)?(?:\s+only)?"),
)
#: The first words of statements, with their node and kind.
_MEANT = tuple((node, kind, re.compile(rf"{words}\s+{_TABLE}", re.IGNORECASE)) for node, kind, words in _WORDS)


@dataclass(frozen=True, slots=True)
class Described:
    """A statement's kind, its node in the grammar, and the tables that it names (schema or None, and name)."""

    kind: StatementKind = "other"
    node: str = ""
    tables: tuple[tuple[str | None, str], ...] = ()
    #: For ALTER TABLE: the columns that it adds or renames, by their new names.
    columns: tuple[str, ...] = ()
    #: The words for a statement that can change neither a table of the project nor its rows; empty for others.
    harmless: str = ""


def parsed(sql: str) -> Any:
    """The one statement of ``sql`` as a tree of PostgreSQL's grammar; None if it is not SQL."""
    try:
        from pglast import parse_sql
        from pglast.parser import ParseError
    except ImportError:
        raise missing_extra("pglast", "embedded", "Reading migration files") from None
    try:
        trees = parse_sql(sql)
    except ParseError:
        return None
    return trees[0].stmt if len(trees) == 1 else None


def described(sql: str) -> Described:
    """The kind of ``sql`` and the tables that it names."""
    tree = parsed(sql)
    if tree is None:
        return _by_its_words(sql)
    node = type(tree).__name__
    if node == "DoStmt":
        return Described("code", node, _unique(_IN_CODE.findall(sql)))
    tables = _tables(tree)
    target = _target(tree)
    if target is not None:
        tables = _unique([_name(target), *tables])
    return Described(_kind(tree, node, target), node, tables, _columns(tree, node), harmless(tree))


def _by_its_words(sql: str) -> Described:
    """The purpose of a statement that is not valid SQL, by its first words."""
    for node, kind, pattern in _MEANT:
        match = pattern.match(sql)
        if match:
            names = [name.strip('"`') if name[0] in '"`' else name.lower() for name in match.groups() if name]
            return Described(kind, node, ((names[-2] if len(names) > 1 else None, names[-1]),))
    return Described()


def _kind(tree: Any, node: str, target: Any) -> StatementKind:
    if node in ("CreateStmt", "CreateForeignTableStmt", "CreateTableAsStmt") or _into(tree) is not None:
        # A temporary table does not belong to the project.
        return "create table" if target is not None and target.relpersistence != "t" else "other"
    if node in _DATA or (node == "CopyStmt" and tree.is_from):
        return "data"
    if node == "TransactionStmt":
        return "transaction"
    if node == "SelectStmt" and _writes(tree) is not None:
        return "data"
    return "code" if node in ("CallStmt", "ExecuteStmt") else "other"


def _writes(tree: Any) -> Any:
    """The first INSERT, UPDATE, DELETE or MERGE in the WITH of a query; None if it only reads."""
    queries = [each.ctequery for each in (tree.withClause.ctes if tree.withClause else ())]
    return next((query for query in queries if type(query).__name__ in _DATA), None)


def _columns(tree: Any, node: str) -> tuple[str, ...]:
    if node == "RenameStmt" and tree.renameType.name == "OBJECT_COLUMN":
        return (tree.newname,)
    if node != "AlterTableStmt" or tree.objtype.name != "OBJECT_TABLE":
        return ()
    added = (command.def_.colname if command.subtype.name == "AT_AddColumn" else "" for command in tree.cmds)
    return tuple(dict.fromkeys(name for name in added if name))


def _into(tree: Any) -> Any:
    return getattr(tree, "intoClause", None)


def _target(tree: Any) -> Any:
    """The RangeVar of the table that a statement creates or changes, if any."""
    node = type(tree).__name__
    if node == "CreateForeignTableStmt":
        return tree.base.relation if hasattr(tree, "base") else tree.relation
    if node == "CreateTableAsStmt":
        return tree.into.rel if tree.objtype.name == "OBJECT_TABLE" else None
    into = _into(tree)
    if into is not None:
        return into.rel
    if node == "TruncateStmt":
        return tree.relations[0]
    if node == "SelectStmt" and (query := _writes(tree)) is not None:
        return query.relation
    target = getattr(tree, "relation", None)
    return target if type(target).__name__ == "RangeVar" else None


def _name(relation: Any) -> tuple[str | None, str]:
    return relation.schemaname, relation.relname


def _tables(tree: Any) -> tuple[tuple[str | None, str], ...]:
    from pglast.visitors import Visitor

    found: list[tuple[str | None, str]] = []

    class Tables(Visitor):
        def visit_RangeVar(self, _: Any, relation: Any) -> None:
            found.append(_name(relation))

    Tables()(tree)
    return _unique(found)


def _unique(names: Any) -> tuple[tuple[str | None, str], ...]:
    return tuple(dict.fromkeys((schema or None, name) for schema, name in names))


def frozen_copy(tree: Any) -> str | None:
    """A COPY … FREEZE without FREEZE, which requires a table of the same savepoint; None for other COPYs."""
    options = [option for option in tree.options or () if option.defname != "freeze"] if tree is not None else []
    if tree is None or len(options) == len(tree.options or ()):
        return None
    from pglast.stream import RawStream

    tree.options = tuple(options) or None
    return str(RawStream()(tree))


def unread_file(tree: Any) -> str:
    """Why a COPY FROM a file or a program of the server is not run; empty for other COPYs."""
    if tree is None or not tree.is_from or (tree.filename is None and not tree.is_program):
        return ""
    what = "of a program" if tree.is_program else f"of the file {tree.filename}"
    return f"COPY {what} is not run: a replay reads nothing but the SQL files"
