"""Finds reasons for which Convex's import would refuse an archive as a whole, before a row is copied.

Source: ``snapshot_import`` of convex-backend, for an import that replaces the tables of the archive. Its other errors
(``ImportConflict``, ``DuplicateId``) are about ids. The copy computes these from the archive's numbers, so they can't
occur.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from supavex.convex import validators as kinds
from supavex.convex.limits import MAX_TABLES
from supavex.convex.schema import Schema
from supavex.errors import SupavexError


class Held(Protocol):
    """The content of a target; see :class:`~supavex.migrate.target.documents.Documents`."""

    def table_numbers(self) -> dict[str, int]:
        """Table name to number."""

    def count(self, table: str) -> int:
        """The number of documents in a table."""


def check_conflicts(schema: Schema, numbers: Mapping[str, int], held: Held) -> None:
    """Raises :class:`~supavex.errors.SupavexError` for the first reason to refuse an archive with the table numbers
    ``numbers``.
    """
    target = held.table_numbers()
    surviving = {name: number for name, number in target.items() if name not in numbers}
    by_number = {number: name for name, number in surviving.items()}
    for name, number in numbers.items():
        if number in by_number:
            raise SupavexError(
                "TableConflict",
                f"{name} would get the number {number}, which is that of {by_number[number]} in the target.",
                where=name,
                hint="Give --existing an export of the target itself: its numbers are used then.",
            )
    changed = {name for name, number in numbers.items() if target.get(name, number) != number}
    for name in sorted(surviving):
        broken = sorted(changed & _referenced(schema, name))
        if broken and held.count(name):
            raise SupavexError(
                "ImportForeignKey",
                f"the import would change the number of {broken[0]}, and the documents of {name} refer to it by id.",
                where=broken[0],
                hint=f"Give --existing an export of the target itself, or move {name} too.",
            )
    for name in sorted(numbers):
        referenced = _referenced(schema, name) - numbers.keys() - target.keys()
        missing = sorted(table for table in referenced if not table.startswith("_"))  # every deployment has these
        if missing:
            raise SupavexError(
                "TableMissing",
                f"{name} refers to {missing[0]}, which is neither in the archive nor in the target: "
                "its ids would be those of no table.",
                where=name,
                hint=f"Move {missing[0]} too, or deploy the schema first, which makes the table.",
            )
    count = len(numbers.keys() | target.keys())
    if count > MAX_TABLES:
        raise SupavexError("TooManyTables", f"the target would have {count:,} tables; Convex allows {MAX_TABLES:,}.")


def _referenced(schema: Schema, table: str) -> set[str]:
    definition = schema.tables.get(table)
    if definition is None:
        return set()
    return {inner.table for _, inner in definition.document.walk() if isinstance(inner, kinds.Id)}
