"""The page of pushes: when each was made, and what it changed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from supavex.convex.schema_changes import SchemaChange, schema_change
from supavex.convex.schema_json import schema_from_json
from supavex.deployment.dashboard.pages import Asked

_ROWS = 25


@dataclass(frozen=True, slots=True)
class PushRow:
    """A push: its changes, and the numbers of tables and indexes after it."""

    number: int
    pushed_at: str
    change: SchemaChange
    tables: int
    indexes: int

    @property
    def changes(self) -> list[tuple[str, tuple[str, ...]]]:
        """The changes in words, each with the names; empty if nothing changed."""
        change = self.change
        every = [
            ("New tables", change.new_tables),
            ("Changed tables", change.changed_tables),
            ("Removed tables", change.removed_tables),
            ("New indexes", change.new_indexes),
            ("Removed indexes", change.removed_indexes),
        ]
        return [(words, names) for words, names in every if names]


@dataclass(frozen=True, slots=True)
class PushesPage:
    """Some pushes, the newest first."""

    template: ClassVar[str] = "deployments.html"
    section: ClassVar[str] = "deployments"
    title: ClassVar[str] = "Deployments"
    pushes: list[PushRow]
    #: The value of ``before`` for the next page; None if there is none.
    next: int | None

    def to_json(self) -> dict[str, Any]:
        """The page as JSON."""
        pushes = [
            {
                "number": push.number,
                "pushedAt": push.pushed_at,
                "change": push.change.to_json(),
                "validationChanged": push.change.validation_changed,
                "tables": push.tables,
                "indexes": push.indexes,
            }
            for push in self.pushes
        ]
        return {"pushes": pushes, "next": self.next}


def pushes_page(asked: Asked) -> PushesPage:
    """The pushes whose number is below ``before``."""
    before = asked.number("before", 2**53, most=2**53)
    sql = "SELECT id, pushed_at, schema FROM pushes WHERE component = ? AND id < ? ORDER BY id DESC LIMIT ?"
    store = asked.deployment.store
    rows = store.connection.execute(sql, (store.component, before, _ROWS + 1)).fetchall()
    schemas = [schema_from_json(text) for _, _, text in rows]
    pushes = []
    for i, (number, pushed_at, _) in enumerate(rows[:_ROWS]):
        schema = schemas[i]
        earlier = schemas[i + 1] if i + 1 < len(rows) else None
        indexes = sum(len(t.indexes) + len(t.search_indexes) + len(t.vector_indexes) for t in schema.tables.values())
        change = schema_change(earlier, schema)
        pushes.append(PushRow(number, pushed_at, change, len(schema.tables), indexes))
    return PushesPage(pushes, rows[_ROWS - 1][0] if len(rows) > _ROWS else None)
