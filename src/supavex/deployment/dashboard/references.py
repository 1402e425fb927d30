"""References between documents: the ids in a document, and the documents that contain its id."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from supavex.convex import validators as kinds
from supavex.convex.damage import DamagedDocument
from supavex.convex.limits import STORAGE_NUMBER
from supavex.convex.schema import Schema
from supavex.convex.validators import Validator
from supavex.convex.values import Document, Value
from supavex.deployment.dashboard.pages import STORAGE
from supavex.deployment.dashboard.reading import DAMAGED, Budget, read
from supavex.deployment.dashboard.written import id_table, shortened
from supavex.deployment.database.database import Database
from supavex.deployment.database.queries import Query

#: The most references of one document that are followed, and the most documents for each field that refers to it.
MAX_FOLLOWED = 100
MAX_SHOWN = 10
_LABELS = ("name", "title", "slug", "email", "label", "subject")


def known_tables(deployment: Database) -> dict[int, str]:
    """The tables whose ids become links, by number. Stored files are among them."""
    return {**deployment.table_names(), STORAGE_NUMBER: STORAGE}


@dataclass(frozen=True, slots=True)
class Reference:
    """An id in a document: its path, its table, and the label of its document (None: there is none)."""

    path: str
    id: str
    table: str
    label: str | None

    def to_json(self) -> dict[str, Any]:
        """The reference in the page's JSON."""
        return {"path": self.path, "id": self.id, "table": self.table, "exists": self.label is not None}


@dataclass(frozen=True, slots=True)
class Referring:
    """The documents of ``table`` with an id in ``field``."""

    #: The table of the documents.
    table: str
    #: The field that holds the id.
    field: str
    #: The index that found them; None: a scan.
    index: str | None
    #: For each of the first documents: its id, and a text that describes it.
    documents: list[tuple[str, str]]
    #: Whether there are further ones.
    more: bool
    #: The number of documents read, if the table was not read to its end; else None.
    stopped_after: int | None

    @property
    def filterable(self) -> bool:
        """Whether a filter of the table's page can show all of them."""
        return _is_plain(self.field)

    def to_json(self) -> dict[str, Any]:
        """The references in the page's JSON."""
        return {
            "table": self.table,
            "field": self.field,
            "index": self.index,
            "ids": [id_ for id_, _ in self.documents],
            "more": self.more,
            "stoppedAfter": self.stopped_after,
        }


def label_of(document: Document) -> str:
    """A person's name for a document: its name or title; empty if it has none."""
    texts = (document.get(field) for field in _LABELS)
    return next((shortened(text, 60) for text in texts if isinstance(text, str) and text), "")


def ids_in(value: Value, names: Mapping[int, str], path: str = "") -> Iterator[tuple[str, str, str]]:
    """Path, id and table of every id in ``value``, if the whole text is an id. Keys are not searched."""
    if isinstance(value, list):
        for number, item in enumerate(value):
            yield from ids_in(item, names, f"{path}[{number}]")
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from ids_in(item, names, f"{path}.{key}" if path else key)
    else:
        table = id_table(value, names)
        if table is not None:
            yield path, value, table


def references(deployment: Database, document: Document, budget: Budget) -> list[Reference]:
    """The first :data:`MAX_FOLLOWED` references of ``document``, without its own id."""
    names = known_tables(deployment)
    fields = {key: value for key, value in document.items() if key != "_id"}
    found: list[Reference] = []
    for path, id_, table in ids_in(fields, names):
        if len(found) == MAX_FOLLOWED or budget.spent:
            break
        if table == STORAGE:
            found.append(Reference(path, id_, table, table))
            continue
        try:
            other = deployment.get(id_)
        except DamagedDocument:
            found.append(Reference(path, id_, table, DAMAGED))
            continue
        if other is not None:
            budget.spend(other)
        found.append(Reference(path, id_, table, None if other is None else label_of(other)))
    return found


def referring(deployment: Database, schema: Schema, id_: str, table: str, budget: Budget) -> list[Referring]:
    """The references to the document ``id_`` of ``table``: one entry for each field that may refer to it."""
    found: list[Referring] = []
    present = deployment.tables()
    for name, definition in schema.tables.items():
        if name not in present:
            continue
        query = deployment.query(name)
        fields = sorted({p for p, v in definition.document.walk() if isinstance(v, kinds.Id) and v.table == table})
        indexed = {field: index for field in fields if (index := index_for(query, field.removeprefix("."))) is not None}
        for field, index in indexed.items():
            found.append(_through_index(query, name, field, index, id_, budget))
        rest = [field for field in fields if field not in indexed]
        if rest:
            found += _by_scan(query, name, rest, definition.document, id_, budget)
    return found


def index_for(query: Query, field: str, preferred: str = "") -> str | None:
    """An index of the query's table that can be read by equality with ``field``; ``preferred`` if it is one."""
    indexes = query.store.indexes(query.table)
    names = [i.name for i in indexes.values() if not i.staged and (*i.fields, "_creationTime")[0] == field]
    return preferred if preferred in names else next(iter(names), None)


def _is_plain(field: str) -> bool:
    return not any(mark in field for mark in ("[", "("))


def _through_index(query: Query, table: str, path: str, index: str, id_: str, budget: Budget) -> Referring:
    field = path.removeprefix(".")
    if budget.spent:
        return Referring(table, field, index, [], False, 0)
    found = read(query.with_index(index, lambda q: q.eq(field, id_)), None, MAX_SHOWN, budget)
    documents = [(document["_id"], label_of(document)) for document in found.documents]
    more = found.cursor is not None
    return Referring(table, field, index, documents, more, found.read if found.stopped else None)


def _by_scan(
    query: Query, table: str, fields: list[str], validator: Validator, id_: str, budget: Budget
) -> Iterator[Referring]:
    if budget.spent:
        yield from (Referring(table, field.removeprefix("."), None, [], False, 0) for field in fields)
        return
    by_field: dict[str, list[tuple[str, str]]] = {field: [] for field in fields}

    def keep(document: Document) -> bool:
        for field in {path for path, text in _declared_ids(validator, document, "") if text == id_}:
            if field in by_field:
                by_field[field].append((document["_id"], label_of(document)))
        return False

    found = read(query, None, 1, budget, keep)
    for field, documents in by_field.items():
        more = len(documents) > MAX_SHOWN
        stopped = found.read if found.stopped else None
        yield Referring(table, field.removeprefix("."), None, documents[:MAX_SHOWN], more, stopped)


def _declared_ids(validator: Validator, value: Value, path: str) -> Iterator[tuple[str, str]]:
    """Path (in the schema) and text of every value for which ``validator`` allows an id."""
    if isinstance(validator, kinds.Id):
        if isinstance(value, str):
            yield path, value
    elif isinstance(validator, kinds.Array) and isinstance(value, list):
        for item in value:
            yield from _declared_ids(validator.element, item, f"{path}[]")
    elif isinstance(validator, kinds.Object) and isinstance(value, dict):
        for name, inner in validator.fields.items():
            if name in value:
                yield from _declared_ids(inner, value[name], f"{path}.{name}")
    elif isinstance(validator, kinds.Record) and isinstance(value, dict):
        for key, item in value.items():
            yield from _declared_ids(validator.keys, key, f"{path}.keys()")
            yield from _declared_ids(validator.values, item, f"{path}.values()")
    elif isinstance(validator, kinds.Optional | kinds.Union):
        for _, inner in validator.children():
            yield from _declared_ids(inner, value, path)
