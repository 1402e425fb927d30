"""One table's documents in another format than a snapshot: CSV, JSON lines, or one JSON array.

Source: ``application/src/snapshot_import/parse.rs`` of convex-backend. These formats have no int64, bytes or special
numbers: every number is a float64.
"""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from supavex.convex.json_bounds import MAX_DOCUMENT_VALUES, MAX_VALUES, JsonTooLarge, check_bounds
from supavex.convex.names import key_problem, table_name_problem
from supavex.convex.schema import Schema
from supavex.convex.validators import Optional
from supavex.convex.values import Document, InvalidValue, parse_export_json
from supavex.errors import SupavexError

Format = Literal["csv", "jsonLines", "jsonArray"]
_MAX_ARRAY_BYTES = 16 << 20
#: No document is that long, however its text is escaped.
_MAX_LINE = 32 << 20
csv.field_size_limit(_MAX_LINE)
#: The numbers that Rust's ``parse::<f64>`` accepts.
_NUMBER = re.compile(
    r"[+-]?(?:[0-9]+\.?[0-9]*(?:[eE][+-]?[0-9]+)?|\.[0-9]+(?:[eE][+-]?[0-9]+)?|inf(?:inity)?|nan)\Z", re.I
)
_BOM = "\ufeff"


class TableFile:
    """A file of one table's documents, with the interface of :class:`~supavex.convex.snapshot.SnapshotArchive`."""

    def __init__(self, path: Path, table: str, form: Format, schema: Schema | None = None) -> None:
        problem = table_name_problem(table)
        if problem:
            raise SupavexError("InvalidName", f"{table[:80]!r} can't name a table: {problem}.")
        self.path, self.table, self.form = path, table, form
        definition = None if schema is None else schema.tables.get(table)
        fields = {} if definition is None else definition.fields
        self._optional = {name for name, validator in fields.items() if isinstance(validator, Optional)}

    @property
    def tables(self) -> list[str]:
        """The one table."""
        return [self.table]

    @property
    def numbers(self) -> dict[str, int]:
        """Empty: such a file has no table number."""
        return {}

    def documents(self, table: str) -> Iterator[Document]:
        """The documents, in the order of the file. Raises where it is not of its form, with the line."""
        return {"csv": self._csv, "jsonLines": self._lines, "jsonArray": self._array}[self.form]()

    def rows(self, table: str) -> Iterator[tuple[Document, str | None]]:
        """As :meth:`documents`; none of them has been looked at."""
        return ((document, None) for document in self.documents(table))

    def _open(self, newline: str) -> io.TextIOWrapper:
        return self.path.open(encoding="utf-8", newline=newline)

    def _invalid(self, code: str, message: str, line: int | None = None) -> SupavexError:
        return SupavexError(code, message, where=self.table if line is None else f"{self.table}, line {line}")

    def _without_mark(self, text: str) -> None:
        if text.startswith(_BOM):
            raise self._invalid("Utf8BomNotSupported", "the file begins with a byte order mark. Save it without.", 1)

    def _lines(self) -> Iterator[Document]:
        # A carriage return alone is a space of JSON's, and ends no line.
        with self._open("\n") as file:
            number = 0
            try:
                while line := file.readline(_MAX_LINE):
                    number += 1
                    if number == 1:
                        self._without_mark(line)
                    if len(line) == _MAX_LINE:
                        raise self._invalid("JsonInvalidRow", f"line {number} is longer than any document.", number)
                    yield self._object(line, number)
            except UnicodeDecodeError:
                raise self._invalid("NotUtf8", f"the file is not UTF-8 after line {number}.") from None

    def _object(self, text: str, line: int) -> Document:
        try:
            value = parse_export_json(text, uniform=False)
        except InvalidValue as error:
            code = "JsonInvalidRow" if "not JSON" in error.message else "InvalidConvexValue"
            raise self._invalid(code, f"line {line}: {error.message}", line) from None
        if not isinstance(value, dict):
            raise self._invalid("NotAnObject", f"line {line} is no JSON object.", line)
        return value

    def _array(self) -> Iterator[Document]:
        if self.path.stat().st_size > _MAX_ARRAY_BYTES:
            hint = "Use JSON lines instead: one object a line."
            message = f"a JSON array is at most {_MAX_ARRAY_BYTES >> 20} MiB. {hint}"
            raise self._invalid("JsonArrayTooLarge", message)
        try:
            text = self.path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            raise self._invalid("NotUtf8", "the file is not UTF-8.") from None
        self._without_mark(text)
        try:
            check_bounds(text, depth=len(text))
            value = parse_export_json(text, uniform=False, values=MAX_VALUES)
        except JsonTooLarge as error:
            hint = "Use JSON lines instead: one object a line."
            raise self._invalid("JsonArrayTooLarge", f"the array has {error}. {hint}") from None
        except InvalidValue as error:
            code = "NotJson" if "not JSON" in error.message else "InvalidConvexValue"
            raise self._invalid(code, error.message) from None
        if not isinstance(value, list):
            raise self._invalid("NotJsonArray", "the file holds no JSON array.")
        for number, item in enumerate(value, start=1):
            if not isinstance(item, dict):
                raise self._invalid("NotAnObject", f"element {number} is no object.")
            yield item

    def _csv(self) -> Iterator[Document]:
        with self._open("") as file:
            reader = csv.reader(self._bounded(file), strict=True)
            try:
                header = [name.strip(" ") for name in next(reader, [])]
                self._without_mark("".join(header))
                for name in header:
                    problem = key_problem(name)
                    if problem:
                        raise self._invalid("CsvInvalidHeader", f"{name[:80]!r} can't name a field: {problem}.", 1)
                for row in reader:
                    if not row:
                        continue  # Convex's CSV reader does the same.
                    if len(row) != len(header):
                        message = f"line {reader.line_num} has {len(row)} cells, the header {len(header)}."
                        raise self._invalid("CsvRowMissingFields", message, reader.line_num)
                    yield {
                        name: _cell(cell)
                        for name, cell in zip(header, row, strict=True)
                        if cell or name not in self._optional
                    }
            except UnicodeDecodeError:
                raise self._invalid("NotUtf8", f"the file is not UTF-8 after line {reader.line_num}.") from None
            except csv.Error as error:
                raise self._invalid("CsvInvalidRow", f"line {reader.line_num}: {error}.", reader.line_num) from None

    def _bounded(self, file: io.TextIOWrapper) -> Iterator[str]:
        """The lines of a CSV file. Raises for a line that is longer than any document, before its cells are split."""
        number = 0
        while line := file.readline(_MAX_LINE):
            number += 1
            if len(line) == _MAX_LINE or line.count(",") > MAX_DOCUMENT_VALUES:
                raise self._invalid("CsvInvalidRow", f"line {number} is longer than any document.", number)
            yield line


def _cell(text: str) -> str | float | None:
    if not _NUMBER.match(text):
        return text
    number = float(text)
    # Convex reads a row as JSON, which has no infinity.
    return number if math.isfinite(number) else None
