"""The difference between two schemas, as a push reports it: new, removed and changed tables and indexes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from supavex.convex.schema import Index, Schema, SearchIndex, TableDefinition, VectorIndex


@dataclass(frozen=True, slots=True)
class SchemaChange:
    """The difference between two schemas. Indexes are named ``table.index``; each list is sorted."""

    #: The tables of the new schema only.
    new_tables: tuple[str, ...]
    #: Tables whose validator of documents differs.
    changed_tables: tuple[str, ...]
    #: The tables of the old schema only. Their documents stay.
    removed_tables: tuple[str, ...]
    #: New indexes, and changed ones.
    new_indexes: tuple[str, ...]
    #: Removed indexes, and changed ones.
    removed_indexes: tuple[str, ...]
    #: Whether ``schema_validation`` differs.
    validation_changed: bool = False

    @property
    def nothing(self) -> bool:
        """Whether the two schemas are the same."""
        lists = (self.new_tables, self.changed_tables, self.removed_tables, self.new_indexes, self.removed_indexes)
        return not any(lists) and not self.validation_changed

    def to_json(self) -> dict[str, list[str]]:
        """The change in the JSON of ``deploy --json``."""
        return {
            "newTables": list(self.new_tables),
            "changedTables": list(self.changed_tables),
            "removedTables": list(self.removed_tables),
            "newIndexes": list(self.new_indexes),
            "removedIndexes": list(self.removed_indexes),
        }


def index_definitions(name: str, table: TableDefinition) -> dict[str, dict[str, Any]]:
    """``table.index`` to the index's JSON and whether it is staged."""
    every: list[Index | SearchIndex | VectorIndex] = [*table.indexes, *table.search_indexes, *table.vector_indexes]
    return {f"{name}.{index.name}": {**index.to_json(), "staged": index.staged} for index in every}


def schema_change(old: Schema | None, new: Schema) -> SchemaChange:
    """The change from ``old`` (None if nothing was pushed yet) to ``new``. A changed index counts as removed and as
    new.
    """
    before = {} if old is None else old.tables
    old_indexes = _indexes(before)
    new_indexes = _indexes(new.tables)
    changed = [
        name
        for name, table in new.tables.items()
        if name in before and _text(before[name].document.to_json()) != _text(table.document.to_json())
    ]
    return SchemaChange(
        tuple(sorted(new.tables.keys() - before.keys())),
        tuple(sorted(changed)),
        tuple(sorted(before.keys() - new.tables.keys())),
        tuple(sorted(n for n, index in new_indexes.items() if old_indexes.get(n) != index)),
        tuple(sorted(n for n, index in old_indexes.items() if new_indexes.get(n) != index)),
        old is not None and old.schema_validation != new.schema_validation,
    )


def _indexes(tables: Mapping[str, TableDefinition]) -> dict[str, dict[str, Any]]:
    return {key: index for name, table in tables.items() for key, index in index_definitions(name, table).items()}


def _text(data: Any) -> str:
    return json.dumps(data, sort_keys=True)
