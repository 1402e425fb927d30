"""The index keys of stored documents, many at a time.

The keys equal those of :func:`supavex.convex.order_keys.index_key`. Here they are made from columns, so that texts and
numbers, the most common fields, need no call for each value.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import msgspec
import numpy as np
import pyarrow as pa

from supavex.convex.damage import Damaged, DamagedDocument
from supavex.convex.ids import INTERNAL_ID_BYTES, InvalidId, decode_id
from supavex.convex.order_keys import UNDEFINED, field_at, index_key, order_key
from supavex.convex.values import from_internal_json
from supavex.deployment.database.store import StoredTable, read_body
from supavex.errors import SupavexError
from supavex.migrate.proof.digests.document_columns import decode_ids
from supavex.migrate.proof.digests.text_columns import NotComparable

_SIGN = np.uint64(1 << 63)
#: The errors for documents that have to be processed one by one.
_ODD = (msgspec.DecodeError, NotComparable, SupavexError, ValueError, OverflowError, RecursionError, pa.ArrowException)
#: The fields that every key needs.
_SYSTEM = ("_id", "_creationTime")


class StoredRow(NamedTuple):
    """A row of a table of documents in SQLite. ``body``: its bytes; ``text``: whether SQLite stores it as text."""

    row: int
    internal_id: bytes
    body: bytes
    text: int


@dataclass(slots=True)
class Keys:
    """The keys of some rows. ``by_index``: for each index one key a row; ``ids``: the 16 bytes of their ids.

    ``damaged``: the left-out rows, whose documents can't be read.
    """

    rows: list[int]
    ids: list[bytes]
    by_index: dict[str, list[bytes]]
    damaged: list[Damaged]


class IndexKeys:
    """Makes the keys of one table's indexes. ``indexes``: name to fields."""

    def __init__(self, table: StoredTable, indexes: Mapping[str, tuple[str, ...]]) -> None:
        self._table, self._indexes = table, indexes
        self._paths = sorted({field for fields in indexes.values() for field in fields} - set(_SYSTEM))
        tops = sorted({path.partition(".")[0] for path in self._paths} - set(_SYSTEM))
        self._tops = {name: f"f{number}" for number, name in enumerate(tops)}
        fields: list[tuple[str, Any, Any]] = [
            ("id", str, msgspec.field(name="_id")),
            ("created", float, msgspec.field(name="_creationTime")),
            *((own, Any, msgspec.field(default=UNDEFINED, name=name)) for name, own in self._tops.items()),
        ]
        self._decoder = msgspec.json.Decoder(msgspec.defstruct("Document", fields, gc=False))

    def of(self, rows: Sequence[StoredRow]) -> Keys:
        """The keys of some rows."""
        try:
            if not all(row.text for row in rows):
                raise ValueError
            documents = self._decoder.decode_lines(b"\n".join(row.body for row in rows))
            if len(documents) != len(rows):
                raise ValueError
            return self._of_columns(rows, documents)
        except _ODD:
            return self._one_by_one(rows)

    def _of_columns(self, rows: Sequence[StoredRow], documents: Sequence[Any]) -> Keys:
        texts = [document.id for document in documents]
        data = decode_ids(pa.array(texts, pa.string()), self._table.number).tobytes()
        ids = [data[start : start + INTERNAL_ID_BYTES] for start in range(0, len(data), INTERNAL_ID_BYTES)]
        made = {"_id": _keys(texts), "_creationTime": _keys([document.created for document in documents])}
        for path in self._paths:
            top, _, rest = path.partition(".")
            values = [getattr(document, self._tops[top]) for document in documents]
            made[path] = _keys(values) if not rest else [_inner_key(value, rest) for value in values]
        end = [*map(b"".join, zip(made["_creationTime"], made["_id"], strict=True))]
        by_index = {
            name: [*map(b"".join, zip(*(made[field] for field in fields), end, strict=True))]
            for name, fields in self._indexes.items()
        }
        return Keys([row.row for row in rows], ids, by_index, [])

    def _one_by_one(self, rows: Sequence[StoredRow]) -> Keys:
        keys = Keys([], [], {name: [] for name in self._indexes}, [])
        for row in rows:
            try:
                body = row.body.decode("utf-8", "supavex.no-utf-8") if row.text else row.body
                document = read_body(body, self._table, row.internal_id, row.row)  # type: ignore[arg-type]
                number, internal_id = decode_id(str(document["_id"]))
                made = {name: index_key(document, fields) for name, fields in self._indexes.items()}
            except DamagedDocument as error:
                keys.damaged.append(error.damaged)
                continue
            except (InvalidId, KeyError, ValueError):
                problem = "its _id or its _creationTime is invalid"
                keys.damaged.append(Damaged(self._table.name, None, f"row {row.row}", problem))
                continue
            keys.rows.append(row.row)
            # An id of another table is not a key of this table.
            keys.ids.append(internal_id if number == self._table.number else b"")
            for name, key in made.items():
                keys.by_index[name].append(key)
        return keys


def _keys(values: list[Any]) -> list[bytes]:
    """The order key of each value (parsed internal JSON)."""
    kinds = set(map(type, values))
    if kinds == {str}:
        # A text that contains the end mark of texts has another encoding.
        if "\0" in "".join(values):
            return [*map(order_key, values)]
        return [b"\x10%b\x00" % value.encode() for value in values]
    if kinds and kinds <= {float, int}:
        bits = np.array(values, np.float64).view(np.uint64)
        bits = np.where(bits & _SIGN, ~bits, bits | _SIGN).astype(">u8")
        data = np.empty((len(values), 9), np.uint8)
        data[:, 0] = 0x0D
        data[:, 1:] = bits.view(np.uint8).reshape(-1, 8)
        whole = data.tobytes()
        return [whole[start : start + 9] for start in range(0, len(whole), 9)]
    return [order_key(value if value is UNDEFINED else _value(value)) for value in values]


def _inner_key(value: Any, path: str) -> bytes:
    """The order key of the value at a path inside a value (parsed internal JSON)."""
    return order_key(UNDEFINED if value is UNDEFINED else field_at({"v": from_internal_json(value)}, f"v.{path}"))


def _value(value: Any) -> Any:
    if type(value) is str or value is None or type(value) is bool:
        return value
    return from_internal_json(value)


def read_rows(cursor: sqlite3.Cursor, size: int) -> Iterator[list[StoredRow]]:
    """The rows of a cursor, in lists of ``size``."""
    while some := cursor.fetchmany(size):
        yield [*map(StoredRow._make, some)]
