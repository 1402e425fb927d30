"""A column of JSON, one value for each row, before the columns are joined to lines."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from supavex.migrate.copy.encoding import json_columns


@dataclass(frozen=True, slots=True)
class JsonText:
    """A column of JSON. Strings (``quoted``) have no quotes yet; they get them when the line is joined."""

    column: pa.Array
    quoted: bool = False

    def filled(self, missing: pa.Array, json_text: str) -> JsonText:
        """The column with ``json_text`` where ``missing`` is true."""
        if self.quoted and json_text.startswith('"'):
            text = json_columns.scalar(json_text[1:-1])
            return JsonText(pc.if_else(missing, text, self.column), quoted=True)
        column = json_columns.joined('"', self.column, '"') if self.quoted else self.column
        return JsonText(pc.if_else(missing, json_columns.scalar(json_text), column))


def members(names: Sequence[str]) -> list[tuple[str, str]]:
    """The members of a document in byte order, including ``_creationTime`` and ``_id``, each with its name as JSON."""
    return [(name, json.dumps(name)) for name in sorted([*names, "_creationTime", "_id"])]


def json_lines(members: Sequence[tuple[str, str]], texts: Mapping[str, JsonText]) -> pa.Array:
    """Documents as JSON, each with a newline. A NULL text leaves the member out of the document.

    The text before the first value is ``{"a":``, before each later value ``,"b":``. Members before ``_creationTime``,
    which is always present, have the comma after them, because the first of them may be absent.
    """
    parts: list[Any] = []
    constant = "{"  # The text before the next column
    before = True  # No member has been written that is always present.
    for name, key in members:
        text = texts[name]
        quote = '"' if text.quoted else ""
        comma = "" if before else ","
        if name != "_creationTime" and text.column.null_count:
            member = json_columns.joined(f"{comma}{key}:{quote}", text.column, quote + "," * before)
            parts += [constant, member] if constant else [member]
            constant = ""
            continue
        parts += [f"{constant}{comma}{key}:{quote}", text.column]
        constant = quote
        if name == "_creationTime":
            before = False
        elif before:
            constant += ","
    parts.append(constant + "}\n")
    scalars = [json_columns.scalar(part) if isinstance(part, str) else part for part in parts]
    empty = json_columns.scalar("")
    return pc.binary_join_element_wise(*scalars, empty, null_handling="replace", null_replacement="")
