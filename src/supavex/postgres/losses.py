"""Finds tables that are missing after all files have run, although a statement creates or needs them.

A table that a file drops, that a transaction rolls back, or that is temporary is not lost: the project has no such
table.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from supavex.postgres.inspection import SYSTEM_SCHEMAS
from supavex.postgres.report import Failure, Loss
from supavex.postgres.statement_kinds import parsed

#: A table's schema (None if the statement names none), and its name.
Name = tuple[str | None, str]
#: PostgreSQL's identifiers: letters, the underscore and characters beyond ASCII, then also digits and the dollar
#: sign. The classes are negated, because these compile a hundred times faster.
_IDENTIFIER = r'(?:"(?:[^"]|"")+"|[^\x00-@\[-^`{-\x7f][^\x00-#%-/:-@\[-^`{-\x7f]*)'
_QUALIFIED = rf"({_IDENTIFIER}(?:\s*\.\s*{_IDENTIFIER})?)"
#: The first words of statements that create, drop or rename something, or roll back.
_TOLD = re.compile(r"(?:create|drop|alter|do|begin|start|commit|end|rollback|abort|savepoint|release|select)\b", re.I)
_CREATE_IN_CODE = re.compile(
    rf"\bcreate\s+(?:unlogged\s+)?table\s+(?:if\s+not\s+exists\s+)?{_QUALIFIED}\s*(?:\(|as\b|partition\b)", re.I
)
_CREATE = re.compile(
    r"\bcreate\s+(?:or\s+replace\s+)?(?:unlogged\s+|foreign\s+|recursive\s+|materialized\s+)*(?:table|view)\s+"
    rf"(?:if\s+not\s+exists\s+)?{_QUALIFIED}",
    re.I,
)
_INTO = re.compile(rf"\binto\s+(?:unlogged\s+)?(?:table\s+)?{_QUALIFIED}", re.I)
_ALTER = re.compile(rf"alter\s+table\s+(?:if\s+exists\s+)?(?:only\s+)?{_QUALIFIED}", re.I)
_RENAME = re.compile(rf"\brename\s+to\s+{_QUALIFIED}", re.I)
_DROP_IN_CODE = re.compile(rf"\bdrop\s+table\s+(?:if\s+exists\s+)?{_QUALIFIED}", re.I)
_FUNCTION = re.compile(rf"create\s+(?:or\s+replace\s+)?(?:function|procedure)\s+{_QUALIFIED}\s*\(", re.I)
_CALL = re.compile(rf"{_QUALIFIED}\s*\(")
_NO_RELATION = re.compile(r'relation "([^"]+)" does not exist')
#: Statements that read tables and views alike.
_READERS = (
    "ViewStmt", "SelectStmt", "CreateTableAsStmt", "InsertStmt", "UpdateStmt", "DeleteStmt", "MergeStmt", "DoStmt",
    "CallStmt", "CreateFunctionStmt", "CreatePolicyStmt",
)  # fmt: skip
_UNDEFINED = ("42P01", "3F000")
_DUPLICATE = "42P07"


class SqlStatement(Protocol):
    """A statement of a file."""

    @property
    def file(self) -> str:
        """The file's name in reports."""

    @property
    def line(self) -> int:
        """The line where the statement begins."""

    @property
    def sql(self) -> str:
        """The statement's text without leading comments."""


@dataclass(slots=True)
class History:
    """The statements of all files, in order, that create, change or drop tables. Statements with rows are left out."""

    _statements: list[SqlStatement] = field(default_factory=list)
    #: The positions in ``_statements`` by file. Within a file, lines ascend.
    _places: dict[str, range] = field(default_factory=dict)
    #: Files with a rollback.
    _with_rollback: set[str] = field(default_factory=set)

    def add(self, statements: Iterable[SqlStatement]) -> None:
        """Adds the statements of the next file."""
        first = len(self._statements)
        for statement in statements:
            if _TOLD.match(statement.sql):
                self._statements.append(statement)
                if statement.sql[:8].lower().startswith(("rollback", "abort")):
                    self._with_rollback.add(statement.file)
        if len(self._statements) > first:
            self._places[self._statements[first].file] = range(first, len(self._statements))

    def _place(self, failure: Failure, sql: str) -> int:
        """The position of a statement, or else of the last recorded statement before it."""
        places = self._places.get(failure.file, range(0))
        last = places.start - 1 + bisect_right(places, failure.line, key=lambda place: self._statements[place].line)
        place = last
        while place >= places.start and self._statements[place].line == failure.line:
            if self._statements[place].sql == sql:
                return place
            place -= 1
        return last

    def losses(self, failed: Sequence[tuple[Failure, str]], there: Collection[tuple[str, str]]) -> tuple[Loss, ...]:
        """The lost tables. ``failed``: failures with their SQL. ``there``: schema and name of each existing relation.

        A CREATE TABLE that only worked without some of its foreign keys belongs to ``failed``, too.
        """
        if not failed:
            return ()
        ends = [*self._ends()]
        present = Present(there)
        lost: dict[str, Loss] = {}
        for failure, sql in failed:
            index = self._place(failure, sql)
            was_there = failure.kind == "create table" and failure.sqlstate == _DUPLICATE
            if was_there or self.rolled_back(failure, sql):
                continue
            for name in self._made_by(failure, sql):
                last = _last_name(name, index, ends)
                if last is not None and not present(last) and not _is_system(last):
                    loss = Loss(_shown(last), failure.file, failure.line, failure.error)
                    lost.setdefault(loss.table, loss)
        made = Present(_known(name) for statement in self._statements for name in _created(statement.sql))
        needed: dict[str, Loss] = {}
        for failure, sql in failed:
            if failure.sqlstate not in _UNDEFINED or self.rolled_back(failure, sql):
                continue
            # A statement that renames a table also ends the table's old name.
            index = self._place(failure, sql) - (failure.node in ("RenameStmt", "AlterObjectSchemaStmt"))
            for name, certain in _needed(failure, sql):
                last = _last_name(name, index, ends)
                if last is None or present(name) or present(last) or made(name) or _is_system(name):
                    continue
                loss = Loss(_shown(last), failure.file, failure.line, failure.error, made=False, certain=certain)
                before = needed.get(loss.table)
                if loss.table not in lost and (before is None or (certain and not before.certain)):
                    needed[loss.table] = loss
        return (*lost.values(), *needed.values())

    def columns_at_end(self, failure: Failure, sql: str) -> tuple[str, ...]:
        """The columns that a failed ALTER TABLE adds or renames, by their last names. Dropped columns are left out."""
        if not failure.columns:
            return ()
        table, index = _split(failure.tables[0]), self._place(failure, sql)
        found: dict[str, None] = {}
        for column in failure.columns:
            last: str | None = column
            for statement in self._statements[index + 1 :]:
                if last is not None and last.lower() in statement.sql.lower() and statement.sql[:5].lower() == "alter":
                    last = _column_after(parsed(statement.sql), table, last)
            if last is not None:
                found[last] = None
        return tuple(found)

    def _made_by(self, failure: Failure, sql: str) -> list[Name]:
        """The tables that a failed statement would have created."""
        if failure.kind == "create table" and failure.node != "CreateForeignTableStmt":
            tree = parsed(sql)
            # The failure's first table is the created table, with its schema resolved.
            return [] if tree is not None and _target(tree) is None else [_split(failure.tables[0])]
        if failure.kind == "code":
            return _names(_CREATE_IN_CODE, sql) + self._made_by_calls(sql)
        return self._made_by_calls(sql) if failure.node == "SelectStmt" else []

    def _made_by_calls(self, sql: str) -> list[Name]:
        """The tables that the files' functions create, for the functions that ``sql`` calls."""
        called = {name for _, name in _names(_CALL, sql)}
        found: list[Name] = []
        for statement in self._statements:
            function = _FUNCTION.match(statement.sql)
            if function and _name(function[1])[1] in called:
                found += _names(_CREATE_IN_CODE, statement.sql)
        return found

    def _ends(self) -> Iterator[tuple[int, Name, Name | None]]:
        """For each end of a table: index, table (empty name: all of the schema) and new name (None: dropped)."""
        for index, statement in enumerate(self._statements):
            sql = statement.sql
            word = sql[:5].lower()
            if word.startswith("do"):
                yield from ((index, name, None) for name in _names(_DROP_IN_CODE, sql))
            elif word.startswith("drop") or (word == "alter" and re.search(r"\brename\b|\bset\s+schema\b", sql, re.I)):
                yield from ((index, name, new) for name, new in _ends_of(parsed(sql)))

    def rolled_back(self, failure: Failure, sql: str) -> bool:
        """Whether the file itself undoes the statement's effects."""
        if failure.file not in self._with_rollback:
            return False
        after = self._place(failure, sql) + 1
        places = self._places[failure.file]
        earlier = [_words(self._statements[place].sql) for place in range(places.start, after)]
        before = {words[1] for words in earlier if words[0] == "savepoint"}
        for place in range(after, places.stop):
            words = _words(self._statements[place].sql)
            if words[0] in ("commit", "end"):
                return False
            if words[0] == "savepoint":
                before.discard(words[1])
            if words[0] in ("rollback", "abort") and ("to" not in words or words[-1] in before):
                return True
        return False


def tables_made(statements: Iterable[str]) -> list[tuple[str, str]]:
    """Schema and name of the tables that statements create, under all names that later statements give them."""
    found: list[Name] = []
    for sql in statements:
        if sql[:6].lower() == "create":
            found += _created(sql)
        elif sql[:5].lower() == "alter":
            found += [(schema, name) for schema, _ in _names(_ALTER, sql) for _, name in _names(_RENAME, sql)]
    return [_known(name) for name in found]


class Present:
    """The existing relations. A name without a schema may be in any of the project's schemas."""

    def __init__(self, names: Iterable[tuple[str, str]]) -> None:
        self._names = set(names)
        self._alone = {name for schema, name in self._names if schema not in SYSTEM_SCHEMAS}

    def __call__(self, name: Name) -> bool:
        """Whether a relation of that name exists."""
        return name in self._names if name[0] is not None else name[1] in self._alone


def _known(name: Name) -> tuple[str, str]:
    return name[0] or "public", name[1]


def _shown(name: Name) -> str:
    return ".".join(_known(name))


def _is_system(name: Name) -> bool:
    return name[0] is not None and (name[0] in SYSTEM_SCHEMAS or name[0].startswith("pg_"))


def _words(sql: str) -> list[str]:
    """The words of a statement, two or more."""
    words = [word.strip('";').lower() for word in sql.split()]
    return words if len(words) > 1 else [*words, ""]


def _names(pattern: re.Pattern[str], sql: str) -> list[Name]:
    return [_name(match[1]) for match in pattern.finditer(sql)]


def _name(text: str) -> Name:
    """A name as PostgreSQL's grammar reads it: in lower case if it is not quoted."""
    parts = [
        part[1:-1].replace('""', '"') if part.startswith('"') else part.lower()
        for part in re.findall(_IDENTIFIER, text)
    ]
    return (parts[0], parts[1]) if len(parts) == 2 else (None, parts[0])


def _created(sql: str) -> list[Name]:
    """The tables and views that a statement's text creates, including those in function bodies and blocks."""
    return _names(_CREATE, sql) + (_names(_INTO, sql) if sql[:6].lower() == "select" else [])


def _target(tree: Any) -> Any:
    """The table that a statement creates; None for a temporary table."""
    into = getattr(tree, "intoClause", None) or getattr(tree, "into", None)
    found = into.rel if into is not None else getattr(tree, "relation", None)
    temporary = found is not None and (found.relpersistence == "t" or found.schemaname == "pg_temp")
    return None if temporary else found


def _ends_of(tree: Any) -> Iterator[tuple[Name, Name | None]]:
    node = type(tree).__name__
    if node == "DropStmt" and tree.removeType.name in ("OBJECT_TABLE", "OBJECT_SCHEMA"):
        for item in tree.objects:
            parts = [part.sval for part in (item if isinstance(item, tuple) else (item,))]
            if tree.removeType.name == "OBJECT_SCHEMA":
                yield (parts[-1], ""), None
            else:
                yield (parts[-2] if len(parts) > 1 else None, parts[-1]), None
    elif node == "RenameStmt" and tree.renameType.name == "OBJECT_TABLE":
        relation = tree.relation
        yield (relation.schemaname, relation.relname), (relation.schemaname, tree.newname)
    elif node == "AlterObjectSchemaStmt" and tree.objectType.name == "OBJECT_TABLE":
        relation = tree.relation
        yield (relation.schemaname, relation.relname), (tree.newschema, relation.relname)


def _column_after(tree: Any, table: Name, column: str) -> str | None:
    """The name of a table's column after a statement; None if the statement drops it."""
    node = type(tree).__name__
    if node not in ("AlterTableStmt", "RenameStmt") or tree.relation is None:
        return column
    if not _same((tree.relation.schemaname, tree.relation.relname), table):
        return column
    if node == "RenameStmt":
        renamed = tree.renameType.name == "OBJECT_COLUMN" and tree.subname == column
        return str(tree.newname) if renamed else column
    dropped = any(command.subtype.name == "AT_DropColumn" and command.name == column for command in tree.cmds)
    return None if dropped else column


def _last_name(name: Name, index: int, ends: Iterable[tuple[int, Name, Name | None]]) -> Name | None:
    """The last name of the table that the statement at ``index`` creates; None if it is dropped."""
    for place, ended, new in ends:
        if place <= index or not (_same(name, ended) or (ended[1] == "" and ended[0] == _known(name)[0])):
            continue
        if new is None:
            return None
        name = new
    return name


def _same(one: Name, other: Name) -> bool:
    return one[1] == other[1] and (None in (one[0], other[0]) or one[0] == other[0])


def _needed(failure: Failure, sql: str) -> Iterator[tuple[Name, bool]]:
    """The tables without which a statement fails, each with whether it must be a table.

    A relation that is only read may be a view. It counts only if PostgreSQL's message names it.
    """
    if failure.kind == "data":  # There may be very many statements with rows.
        certain = [_split(table) for table in failure.tables[:1]]
    else:
        tree = parsed(sql)
        certain = [] if tree is None else [*_tables_of(tree)]
    yield from ((name, True) for name in certain)
    match = _NO_RELATION.search(failure.error) if failure.node in _READERS else None
    said = _name(match[1]) if match else None
    if said is not None and all(not _same(name, said) for name in certain):
        read = [_split(table) for table in failure.tables]
        yield from ((name, False) for name in read if _same(name, said))


def _split(table: str) -> Name:
    schema, _, name = table.partition(".")
    return schema, name


def _tables_of(tree: Any) -> Iterator[Name]:
    """The relations that must be tables for a statement to work."""
    node = type(tree).__name__
    if node == "AlterTableStmt" and tree.objtype.name != "OBJECT_TABLE":
        return
    if node == "RenameStmt" and "OBJECT_TABLE" not in (tree.relationType.name, tree.renameType.name):
        return
    changed = ("AlterTableStmt", "RenameStmt", "IndexStmt", "CreateTrigStmt")
    if node in changed and getattr(tree, "relation", None) is not None:
        yield tree.relation.schemaname, tree.relation.relname
    elif node in ("CreatePolicyStmt", "AlterPolicyStmt"):
        yield tree.table.schemaname, tree.table.relname
    elif node == "CreateStmt":
        yield from ((parent.schemaname, parent.relname) for parent in tree.inhRelations or ())
        for element in tree.tableElts or ():
            yield from _referenced(element)
    if node == "AlterTableStmt":
        for command in tree.cmds:
            yield from _referenced(command.def_)


def _referenced(element: Any) -> Iterator[Name]:
    """The tables to which a column, a constraint or a LIKE refers."""
    kind = type(element).__name__
    if kind == "TableLikeClause":
        yield element.relation.schemaname, element.relation.relname
    constraints = [element] if kind == "Constraint" else (element.constraints or ()) if kind == "ColumnDef" else ()
    for constraint in constraints:
        if constraint.contype.name == "CONSTR_FOREIGN":
            yield constraint.pktable.schemaname, constraint.pktable.relname
