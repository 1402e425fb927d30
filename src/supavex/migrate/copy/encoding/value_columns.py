"""Columns of values, converted to columns of JSON by the kind of their conversion."""

from __future__ import annotations

import pyarrow as pa

from supavex.mapping.conversions.json import numbers_as_doubles
from supavex.mapping.plan import FieldPlan
from supavex.migrate.copy.encoding import json_columns, json_limits
from supavex.migrate.copy.encoding.json_text import JsonText
from supavex.migrate.copy.encoding.rule_columns import reject_broken_elements
from supavex.migrate.copy.encoding.slice_report import SliceReport


def value_text(field: FieldPlan, column: pa.Array, report: SliceReport, *, uniform: bool) -> JsonText:
    """The values of a column as JSON, with NULL for NULL. ``uniform``: bare integers are read as int64."""
    kind = field.conversion.kind
    if kind == "string":
        return JsonText(json_columns.escaped(column), quoted=True)
    if kind == "json":
        return JsonText(_json(field, column, report, uniform=uniform))
    if kind == "array":
        reject_broken_elements(field, column, report)
    return JsonText(json_columns.to_json(column, kind))


def _json(field: FieldPlan, column: pa.Array, report: SliceReport, *, uniform: bool) -> pa.Array:
    column = json_columns.json_texts(column)
    _count_rounded(field, column, report)
    load = field.conversion.load
    if load is not None or uniform:
        column, found = json_limits.checked_rows(
            column, field.validator, load or numbers_as_doubles, special=field.conversion.special
        )
    else:
        found = list(json_limits.problems(column))
    for problem in found:
        report.reject(problem.index, field, problem.code, problem.reason, problem.fix)
    return column


def _count_rounded(field: FieldPlan, column: pa.Array, report: SliceReport) -> None:
    """Counts or rejects the rows whose JSON holds a number that a double can't hold, by the column's rule."""
    rounding = field.conversion.rounding
    if not rounding:
        return
    rows = json_limits.rounded_rows(column, exponents=field.conversion.load is not None)
    if rounding == "counted":
        report.rounded[field.place] = rows.tolist()
        return
    for index in rows:
        reason = "a double can't hold a number inside"
        fix = "Make the field v.string(), or take lossy = false away."
        report.reject(int(index), field, "InexactNumber", reason, fix)
