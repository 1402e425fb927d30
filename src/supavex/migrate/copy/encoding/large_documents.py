"""Documents that are larger than Convex allows, with what to do about each."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa

from supavex.mapping.large_values import suggestion
from supavex.mapping.plan import FieldPlan, TablePlan
from supavex.migrate.copy.encoding import json_columns, json_limits
from supavex.migrate.copy.encoding.slice_report import SliceReport
from supavex.postgres.catalog import Column


def reject_large(table: TablePlan, lines: pa.Array, report: SliceReport, *, uniform: bool) -> None:
    """Rejects the rows whose document is beyond a limit of Convex. ``lines``: the documents as JSON. Short ones are not
    looked at, because they are within every limit.
    """
    offsets, _ = json_columns.buffers(lines)
    for index in map(int, np.flatnonzero(np.diff(offsets) > json_limits.LARGE)):
        line = lines[index].as_py()
        try:
            reason = json_limits.document_problem(line, uniform=uniform)
        except (ValueError, RecursionError):
            if index not in report.rejected:
                raise
            continue  # The refused value is still in the line, and Python does not read it either.
        if reason:
            heaviest = _heaviest(table, line)
            report.reject(index, heaviest, "ValueTooLargeError", reason, _lighter(table, heaviest))


def _heaviest(table: TablePlan, line: str) -> FieldPlan:
    """The field that contributes most to a document's size."""
    sizes = {name: len(json.dumps(value)) for name, value in json.loads(line).items()}
    return max(table.fields, key=lambda field: sizes.get(field.name, 0))


def _lighter(table: TablePlan, field: FieldPlan) -> str:
    """The fix for a document that is too large because of that field."""
    other = "Cut its longest text (truncate), or leave a column out."
    assert table.key is not None
    assert table.definition is not None
    if not isinstance(field.value, Column):
        return other
    if any(found.column.name == field.value.name for found in table.files):
        return f"Lower file_over of {field.place} in supavex.toml, or that of another column of the table."
    if table.key.form != "row" and field.value.name in table.key.columns:
        return other
    fields = table.definition.fields
    shared = field.value.name in table.by_name
    return suggestion(table.source, table.toml, field.value, fields, field.name, shared=shared) or other
