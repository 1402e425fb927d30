"""Tables that are in Convex already: old key to the id that Convex chose, by matching rows with documents.

A key that several rows or several documents share, or that is NULL, matches nothing; how many is reported.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import psycopg

from supavex.convex.values import Document
from supavex.mapping.plan import ALIAS, TablePlan
from supavex.postgres.connection import quoted


@dataclass(frozen=True, slots=True)
class Matched:
    """What matching a table found: rows, documents, pairs, and keys that are unusable because they are not unique."""

    table: str
    target: str
    rows: int
    documents: int
    matched: int
    ambiguous: int


def match_documents(
    connection: psycopg.Connection, table: TablePlan, documents: Iterable[Document]
) -> tuple[dict[str, str], Matched]:
    """Key text of each source row to the ``_id`` of the document that it matches."""
    assert table.key is not None
    assert table.rule.existing is not None
    by_match: dict[tuple[str, ...], str | None] = {}
    count = 0
    for document in documents:
        count += 1
        values = [document.get(field) for field in table.rule.existing]
        if any(value is None for value in values):
            continue
        match = tuple(map(_text, values))
        by_match[match] = None if match in by_match else str(document["_id"])
    columns = ", ".join(f"{ALIAS}.{quoted(column)}::text" for column in table.rule.existing.values())
    key = table.key.text_sql(table.key.own(ALIAS))
    sql = f"SELECT {key}, {columns} FROM {quoted(table.source.schema, table.source.name)} AS {ALIAS}"
    ids: dict[str, str] = {}
    rows_of: dict[tuple[str, ...], str | None] = {}
    rows = ambiguous = 0
    for old, *values in connection.execute(sql.encode()):
        rows += 1
        if any(value is None for value in values):
            continue
        match = tuple(values)
        if match in rows_of:
            ambiguous += 1
            previous = rows_of[match]
            if previous is not None:
                ids.pop(previous, None)
            rows_of[match] = None
            continue
        rows_of[match] = old
        found = by_match.get(match)
        if found is not None:
            ids[old] = found
    ambiguous += sum(1 for id_ in by_match.values() if id_ is None)
    return ids, Matched(table.name, table.target, rows, count, len(ids), ambiguous)


def _text(value: object) -> str:
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)
