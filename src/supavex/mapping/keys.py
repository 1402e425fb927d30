"""Row keys: the 16 bytes of a document's id, computed from a row's key and from every foreign key to it.

    uuid                its own 16 bytes
    int2, int4, int8    the bytes ``supavex0`` and the number in 8 bytes, big-endian two's complement: injective
    text and the rest   the first 16 bytes of SHA-256 of the key's text; of several columns, of their JSON array
    none                of the whole row's text, and of equal rows their number: they are interchangeable

PostgreSQL computes them for the copy (:meth:`Key.sql`); :meth:`Key.internal_id` computes them again from text, for
the proof.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from supavex.postgres.catalog import Table
from supavex.postgres.connection import quoted

_INTEGER_PREFIX = b"supavex0"
_INTEGERS = ("int2", "int4", "int8")
#: A chosen key that says: rows have no key.
WHOLE_ROW = ("*",)


@dataclass(frozen=True, slots=True)
class Key:
    """The key of a table: its columns, and how they become 16 bytes."""

    columns: tuple[str, ...]
    form: Literal["uuid", "integer", "hash", "row"]
    #: Which parts are numeric: 7 and 7.00 are one key, so their text is made alike.
    numeric: tuple[bool, ...] = ()

    def sql(self, columns: Sequence[str]) -> str:
        """SQL for the 16 bytes (``uuid`` or ``bytea``) of the key whose parts the SQL expressions ``columns`` give.

        NULL where any part is. The parts may be the key's own columns or those of a foreign key to it.
        """
        if self.form == "uuid":
            return f"{columns[0]}"
        if self.form == "integer":
            return f"'\\x{_INTEGER_PREFIX.hex()}'::bytea || int8send({columns[0]}::int8)"
        return f"substr(sha256(convert_to({self.text_sql(columns)}, 'UTF8')), 1, 16)"

    @property
    def refers(self) -> bool:
        """Whether other rows can refer to a row by this key."""
        return self.form != "row"

    def text_sql(self, columns: Sequence[str], last: str = "") -> str:
        """SQL for the key as text, for messages and for the proof: the value, or a JSON array of several.

        Of a row without a key, its parts are the row's columns; the expression is a window function then. It numbers
        those of equal rows for which the SQL ``last`` is true behind the others.
        """
        if self.form == "row":
            row = f"ROW({', '.join(columns)})::text"
            order = f" ORDER BY {last}" if last else ""
            return f"{row} || ' #' || row_number() OVER (PARTITION BY {row}{order})"
        numeric = self.numeric or (False,) * len(columns)
        texts = [
            f"trim_scale({c}::numeric)::text" if n else f"{c}::text" for c, n in zip(columns, numeric, strict=True)
        ]
        if len(columns) == 1:
            return texts[0]
        parts = ", ".join(texts)
        whole = " AND ".join(f"{column} IS NOT NULL" for column in columns)
        return f"CASE WHEN {whole} THEN to_jsonb(ARRAY[{parts}])::text END"

    def own(self, alias: str) -> list[str]:
        """The key's own columns as SQL, of the table called ``alias``."""
        return [f"{alias}.{quoted(column)}" for column in self.columns]

    def internal_id(self, text: str) -> bytes:
        """The 16 bytes of the key whose :meth:`text_sql` is ``text``."""
        if self.form == "uuid":
            return uuid.UUID(text).bytes
        if self.form == "integer":
            return _INTEGER_PREFIX + int(text).to_bytes(8, "big", signed=True)
        return hashlib.sha256(text.encode()).digest()[:16]

    def text_of(self, internal_id: bytes) -> str | None:
        """The key's text from its 16 bytes, where that can be told; None for a hash."""
        if self.form == "uuid":
            return str(uuid.UUID(bytes=internal_id))
        if self.form == "integer" and internal_id.startswith(_INTEGER_PREFIX):
            return str(int.from_bytes(internal_id[8:], "big", signed=True))
        return None


def key_of(table: Table, chosen: Sequence[str] = ()) -> Key | None:
    """The key of ``table``: ``chosen`` columns, its primary key, or its first unique key that can't be NULL.

    Where there is none, or where :data:`WHOLE_ROW` is chosen, the whole row. None for a table without columns.
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
