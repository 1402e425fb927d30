"""Tests by hashes whether documents may repeat a unique value.

If only few documents of a table have changed, this avoids reading each document. Only if two hashes are equal, all
documents are compared one by one.
"""

from __future__ import annotations

from contextlib import closing
from typing import Any

import msgspec
import numpy as np

from supavex.migrate.target.documents import Documents


class _Unsure(Exception):
    """A document whose values can't be compared by hashes."""


def may_repeat(target: Documents, table: str, groups: list[tuple[str, ...]]) -> bool:
    """Whether two documents of ``table`` may have the same values in the fields of one of ``groups``.

    False is certain. It holds eight bytes for each document and group.
    """
    names = sorted({path.partition(".")[0] for group in groups for path in group})
    if any("." in path for group in groups for path in group):
        return True
    places = [[names.index(path) for path in group] for group in groups]
    fields = [(f"f{number}", Any, msgspec.field(default=None, name=name)) for number, name in enumerate(names)]
    decode = msgspec.json.Decoder(msgspec.defstruct("Document", fields, gc=False)).decode_lines
    uniform = target.uniform(table)
    hashes: list[list[np.ndarray[Any, Any]]] = [[] for _ in groups]
    with closing(target.blocks(table)) as blocks:
        for block in blocks:
            try:
                rows = [msgspec.structs.astuple(document) for document in decode(block)]
                for found, group in zip(hashes, places, strict=True):
                    found.append(_hashes(rows, group, uniform=uniform))
            except (msgspec.MsgspecError, ValueError, OverflowError, _Unsure):
                return True
    return any(_repeated(found) for found in hashes)


def _hashes(rows: list[tuple[Any, ...]], places: list[int], *, uniform: bool) -> np.ndarray[Any, Any]:
    """A hash for each row with all values at ``places``. As in SQL, NULL equals nothing."""
    columns = [[_plain(row[place], uniform) for row in rows] for place in places]
    values = (key for key in zip(*columns, strict=True) if None not in key)
    return np.fromiter(map(hash, values), np.int64)


def _plain(value: Any, uniform: bool) -> Any:
    """A value in a form in which equal values have equal hashes."""
    if type(value) is str or value is None or type(value) is float or type(value) is bool:
        return value
    if type(value) is int:
        return value if uniform else float(value)
    raise _Unsure


def _repeated(parts: list[np.ndarray[Any, Any]]) -> bool:
    found = np.sort(np.concatenate(parts)) if parts else np.empty(0, np.int64)
    return bool((found[1:] == found[:-1]).any())
