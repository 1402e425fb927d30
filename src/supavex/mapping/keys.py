"""Row keys: the 16 bytes of a document's id, computed from a row's key and from every foreign key to it.

- uuid: its own 16 bytes.
- int2, int4, int8: the bytes ``supavex0`` and the number in 8 bytes, big-endian two's complement (injective).
- text and other types: the first 16 bytes of SHA-256 of the key's text; of several columns, of their JSON array.
- no key: of the whole row's text; equal rows are numbered, because they are interchangeable.

PostgreSQL computes the bytes for the copy (:mod:`supavex.mapping.key_sql`). :meth:`Key.internal_id` computes them again
from text, for the proof.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from supavex.postgres.catalog import Table
from supavex.postgres.connection import quoted

INTEGER_PREFIX = b"supavex0"
_INTEGERS = ("int2", "int4", "int8")
#: The setting for a table whose rows have no key.
WHOLE_ROW = ("*",)


@dataclass(frozen=True, slots=True)
class Key:
    """The key of a table: its columns, and how they become 16 bytes."""

    columns: tuple[str, ...]
    form: Literal["uuid", "integer", "hash", "row"]
    #: Which parts are numeric. 7 and 7.00 are one key, so the text of numeric parts is normalized.
    numeric: tuple[bool, ...] = ()

    @property
    def refers(self) -> bool:
        """Whether other rows can refer to a row by this key."""
        return self.form != "row"

    def own(self, alias: str) -> list[str]:
        """SQL for the key's own columns in the table with that alias."""
        return [f"{alias}.{quoted(column)}" for column in self.columns]

    def internal_id(self, text: str) -> bytes:
        """The 16 bytes of the key with the text ``text``: its value, or the JSON array of several values."""
        if self.form == "uuid":
            return uuid.UUID(text).bytes
        if self.form == "integer":
            return INTEGER_PREFIX + int(text).to_bytes(8, "big", signed=True)
        return hashlib.sha256(text.encode()).digest()[:16]

    def text_of(self, internal_id: bytes) -> str | None:
        """The key's text from its 16 bytes; None for a hash."""
        if self.form == "uuid":
            return str(uuid.UUID(bytes=internal_id))
        if self.form == "integer" and internal_id.startswith(INTEGER_PREFIX):
            return str(int.from_bytes(internal_id[8:], "big", signed=True))
        return None


def key_of(table: Table, chosen: Sequence[str] = ()) -> Key | None:
    """The key of ``table``: the ``chosen`` columns, its primary key, or its first unique key without NULLs.

    Without such a key, or if :data:`WHOLE_ROW` is chosen: the whole row. None for a table without columns.
    """
    columns = tuple(chosen) or table.primary_key or _unique_key(table) or WHOLE_ROW
    if columns == WHOLE_ROW:
        own = tuple(column.name for column in table.columns)
        return Key(own, "row") if own else None
    if len(columns) == 1:
        column = table.column(columns[0])
        if column is not None and column.type.base == "uuid":
            return Key(columns, "uuid")
        if column is not None and column.type.base in _INTEGERS:
            return Key(columns, "integer")
    types = [table.column(name) for name in columns]
    numeric = tuple(column is not None and column.type.base == "numeric" for column in types)
    return Key(columns, "hash", numeric if any(numeric) else ())


def _unique_key(table: Table) -> tuple[str, ...]:
    for unique in table.uniques:
        columns = [table.column(name) for name in unique.columns]
        if unique.predicate is None and all(column is not None and not column.nullable for column in columns):
            return unique.columns
    return ()
