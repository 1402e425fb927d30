"""Finds references without a foreign key: columns that hold keys of a table, by their values or by their names.

If such a key moved as text, it would lead nowhere, because a document's ``_id`` is a different text. So ``scaffold``
and ``check`` name these columns, with the line that makes each a reference.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from supavex.mapping.keys import Key
from supavex.mapping.names import KEY_WORDS, named_after, words
from supavex.postgres.catalog import Column, Table
from supavex.postgres.key_values import Answer, Asked, KeyColumn

#: A table's schema and name.
Place = tuple[str, str]
#: Answers from the rows, in the order of the questions.
Look = Callable[[Sequence[Asked]], Sequence[Answer]]
USERS: Place = ("auth", "users")
_SQL_TYPES = {
    "uuid": "uuid", "int2": "int8", "int4": "int8", "int8": "int8", "text": "text", "varchar": "text",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class ImpliedReference:
    """A column that holds keys of a table."""

    #: The column's table.
    table: Place
    #: The column's name.
    column: str
    #: Whether the column is an array of keys.
    many: bool
    #: The tables whose keys it may hold; several if its values are keys of each.
    parents: tuple[Place, ...]
    #: The table of the column's foreign key, if that table stays behind.
    stated: Place | None
    #: Why the column counts as a reference, as a sentence without its end.
    reason: str


def look_nowhere(asked: Sequence[Asked]) -> list[Answer]:
    """A :data:`Look` for sources whose rows can't be read. Only names count then."""
    return [Answer(problem="the rows were not looked at") for _ in asked]


def implied_references(
    columns: Iterable[tuple[Table, Column]], keys: Mapping[Place, Key], tables: Mapping[Place, Table], look: Look
) -> list[ImpliedReference]:
    """The ``columns`` that hold keys of one of the tables of ``keys``, the moving tables."""
    known = _Keys(keys, tables)
    found = [one for table, column in columns if (one := _candidate(table, column, known)) is not None]
    answers = look([one.asked for one in found]) if found else []
    judged = (_judged(one, answer) for one, answer in zip(found, answers, strict=True))
    return [reference for reference in judged if reference is not None]


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A column that may hold keys. ``likely`` are the tables that its name or its foreign key suggests."""

    asked: Asked
    likely: tuple[Place, ...]
    stated: Place | None
    named: bool


class _Keys:
    """The keys of the moving tables, by kind. Each question is computed once for all columns."""

    def __init__(self, keys: Mapping[Place, Key], tables: Mapping[Place, Table]) -> None:
        self.all, self.tables = keys, tables
        self._kinds: dict[str, dict[Place, Key]] = {}
        for place, key in keys.items():
            kind = _kind(tables[place], key) if key.refers else None
            if kind is not None:
                self._kinds.setdefault(kind, {})[place] = key
        self._referring: dict[tuple[str, Place], dict[Place, Key]] = {}

    def of_kind(self, kind: str) -> dict[Place, Key]:
        """The keys of one column whose values are compared as ``kind``."""
        return self._kinds.get(kind, {})

    def referring(self, kind: str, there: Place) -> dict[Place, Key]:
        """The keys of :meth:`of_kind` whose columns refer to the table ``there``."""
        found = self._referring.get((kind, there))
        if found is None:
            keys = self.of_kind(kind).items()
            found = {place: key for place, key in keys if _refers(self.tables[place], key, there)}
            self._referring[kind, there] = found
        return found


def _candidate(table: Table, column: Column, known: _Keys) -> _Candidate | None:
    """The question about a column; None if it can't be a key, or if its foreign key leads to a moving table."""
    own = (table.schema, table.name)
    type_ = column.type.element or column.type
    kind = _SQL_TYPES.get(type_.base)
    stated = [key for key in table.foreign_keys if column.name in key.columns]
    if kind is None or any((key.referenced_schema, key.referenced_table) in known.all for key in stated):
        return None
    alike = known.of_kind(kind)
    is_key = own in alike and alike[own].columns == (column.name,)
    single = next((key for key in stated if len(key.columns) == 1), None)
    there = None if single is None else (single.referenced_schema, single.referenced_table)
    # Small numbers and short texts occur in many tables.
    named = kind == "uuid" or bool(set(words(column.name)[-1:]) & KEY_WORDS)
    if there is not None:
        # The foreign key leads to a table that stays behind. A moving table may have the same keys.
        alike = known.referring(kind, there)
    likely = [] if kind == "int8" and not named else _named_after(column, own, alike, known.tables, is_key=is_key)
    if there is not None and not likely and not is_key:
        likely = list(alike)
    # The first keys of many tables are the same, so a key column counts only if its name names another table.
    if kind != "uuid" or is_key:
        alike = {place: alike[place] for place in likely}
    asked = tuple(KeyColumn(*place, key.columns[0], kind) for place, key in alike.items())
    many = column.type.element is not None
    return _Candidate(Asked(*own, column.name, many, asked), tuple(likely), there, named) if asked else None


def _named_after(
    column: Column, own: Place, keys: Mapping[Place, Key], tables: Mapping[Place, Table], *, is_key: bool
) -> list[Place]:
    """The tables that a column's name suggests. For a table's own key: without that table."""
    names = {place: tables[place].name for place in keys}
    found = named_after(column.name, own, names)
    return [] if is_key and own in found else found


def _kind(table: Table, key: Key) -> str | None:
    """The SQL type in which a table's key is compared; None for a key of several columns or another type."""
    column = table.column(key.columns[0]) if len(key.columns) == 1 else None
    plain = column is not None and column.type.element is None and column.deterministic
    return _SQL_TYPES.get(column.type.base) if column is not None and plain else None


def _refers(table: Table, key: Key, there: Place) -> bool:
    return any(
        other.columns == key.columns and (other.referenced_schema, other.referenced_table) == there
        for other in table.foreign_keys
    )


def _judged(candidate: _Candidate, answer: Answer) -> ImpliedReference | None:
    asked = candidate.asked
    parents = tuple((key.schema, key.table) for key in answer.keys)
    seen = answer.values > 0 and not answer.problem
    if not seen:
        parents = candidate.likely if candidate.named else ()
    elif len(parents) > 1:
        # If the values are keys of several tables, the column's name decides.
        parents = tuple(place for place in parents if place in candidate.likely) or parents
    if len(parents) > 1 and candidate.stated == USERS:
        # If several tables have the keys of users, the table named after people wins.
        parents = tuple(named_after("user", parents[0], {place: place[1] for place in parents})) or parents
    if not parents:
        return None
    shown = " and of ".join(".".join(place) for place in parents)
    reason = _seen(asked.many, answer, shown) if seen else _unseen(candidate, answer, shown)
    return ImpliedReference((asked.schema, asked.table), asked.column, asked.many, parents, candidate.stated, reason)


def _seen(many: bool, answer: Answer, shown: str) -> str:
    what = "element" if many else "value"
    if not answer.whole:
        each = f"each of {answer.values:,} different {what}s" if answer.values > 1 else f"the one {what}"
        return f"{each} in a sample of the rows is a key of {shown}; the table is large, and was not read whole"
    if answer.values == 1:
        return f"its one {what} is a key of {shown}"
    return f"all {answer.values:,} different {what}s are keys of {shown}"


def _unseen(candidate: _Candidate, answer: Answer, shown: str) -> str:
    nothing = "no row has a value in it" if answer.whole else "no row of a sample has a value in it"
    if candidate.stated is None:
        return f"it is named after {shown}; {answer.problem or nothing}"
    return f"the key of {shown} refers there, too; {answer.problem or nothing}"
