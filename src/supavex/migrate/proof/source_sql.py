"""The SQL with which the proof reads rows as text. It shares nothing with the copy, from the key to the last field.

From the plan it takes the column of each field, and the parent of each reference. It does not use the SQL with which
the copy reads a value, so that a wrong cast can't agree with itself.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from supavex.mapping.keys import Key
from supavex.mapping.large_values import LargeValues
from supavex.mapping.plan import ALIAS, FieldPlan, IdFile, KeyText, Reference, TablePlan
from supavex.mapping.seen_text import MICROS, seen_text
from supavex.postgres.connection import quoted

_COLUMN = re.compile(r'\w+\."\w+"')


def proof_sql(table: TablePlan, changed: str) -> str:
    """The SELECT of a table's rows as text: the key, each field, each creation column (microseconds), and ``changed``.

    ``changed``: SQL that is true for rows that were written since the copy. Of equal rows, these are last.
    """
    columns = [own_key_sql(table, changed)]
    columns += [field_sql(field) for field in table.fields]
    columns += [*creation_columns_sql(table), changed]
    return f"SELECT {', '.join(columns)} FROM {table.source.sql_name} AS {ALIAS}"


def own_key_sql(table: TablePlan, last: str = "") -> str:
    """SQL for the row's own key as text. For a row without a key, see :func:`key_text`."""
    assert table.key is not None
    return key_text(table.key, table.key.own(ALIAS), last)


def key_text(key: Key, parts: Sequence[str], last: str = "") -> str:
    """SQL for a key as text: the value, or a JSON array of several; NULL if any of ``parts`` is NULL.

    Without a key, the whole row is the key, and a window function numbers equal rows. Rows for which the SQL ``last``
    is true are numbered last.
    """
    if key.form == "row":
        row = f"ROW({', '.join(parts)})::text"
        return f"{row} || ' #' || row_number() OVER (PARTITION BY {row}{f' ORDER BY {last}' if last else ''})"
    numeric = key.numeric or (False,) * len(parts)
    pairs = zip(parts, numeric, strict=True)
    texts = [f"trim_scale({part}::numeric)::text" if exact else f"{part}::text" for part, exact in pairs]
    if len(texts) == 1:
        return texts[0]
    lacking = " OR ".join(f"NOT ({part} IS NOT NULL)" for part in parts)
    return f"CASE WHEN {lacking} THEN NULL ELSE jsonb_build_array({', '.join(texts)})::text END"


def field_sql(field: FieldPlan) -> str:
    """SQL for a field's value as text."""
    match field.value:
        case Reference():
            return reference_sql(field)
        case IdFile():
            return f"({field.source})::text"
        case KeyText(key):
            return key_text(key, key.own(ALIAS))
        case LargeValues() as large:
            return f"CASE WHEN {is_large_sql(large, field.source)} THEN {key_text(large.key, large.key.own(ALIAS))} END"
    text = seen_text(field.type, field.conversion).replace("{c}", field.source)
    if field.large is None:
        return text
    return f"CASE WHEN {is_large_sql(field.large, field.source)} THEN NULL ELSE {text} END"


def reference_sql(field: FieldPlan) -> str:
    """SQL for the key, as text, of the row to which a field refers; for an array field, a JSON array of keys."""
    reference = field.reference
    assert reference is not None
    if not reference.is_array:
        return named_key_sql(field)
    keys = f"ARRAY(SELECT {named_key_sql(field)} FROM unnest({field.source}) WITH ORDINALITY AS e(x, i) ORDER BY e.i)"
    return f"CASE WHEN {field.source} IS NOT NULL THEN array_to_json({keys})::text END"


def named_key_sql(field: FieldPlan) -> str:
    """SQL for the key, as text, of the row to which a field refers; for an array field, of the row that
    ``e.x`` names.
    """
    reference = field.reference
    assert reference is not None
    if reference.via_unique:
        key = key_text(reference.key, [f"p.{quoted(column)}" for column in reference.key.columns])
        parent = reference.source
        return f"(SELECT {key} FROM {parent} AS p WHERE {parent_sql(reference, reference.parts)})"
    return key_text(reference.key, named_parts(field))


def named_parts(field: FieldPlan) -> list[str]:
    """SQL for the row's value of each part of the key to which a field refers."""
    reference = field.reference
    assert reference is not None
    type_ = None if field.column is None or field.expression or reference.is_array else field.column.type.base
    if reference.key.form == "uuid" and type_ != "uuid":
        return [f"({part})::uuid" for part in reference.parts]
    # A plain column needs no cast.
    return [part if _COLUMN.fullmatch(part) else f"({part})" for part in reference.parts]


def parent_sql(reference: Reference, parts: Sequence[str]) -> str:
    """SQL that is true for the row ``p`` that ``parts`` name. It compares as the foreign key compares."""
    comparisons = reference.comparisons or (("=", ""),) * len(parts)
    pairs = zip(reference.columns, parts, comparisons, strict=True)
    return " AND ".join(f"p.{quoted(column)} {operator} {part}{cast}" for column, part, (operator, cast) in pairs)


def file_content_sql(large: LargeValues, value: str) -> str:
    """SQL for the content of the file of ``value``: text, or bytes."""
    return value if large.column.type.base == "bytea" else f"({value})::text"


def is_large_sql(large: LargeValues, value: str) -> str:
    """SQL that is true if ``value`` becomes a file; NULL or false for NULL."""
    return f"octet_length({file_content_sql(large, value)}) > {large.over}" if large.over else f"{value} IS NOT NULL"


def creation_columns_sql(table: TablePlan) -> list[str]:
    """SQL for each creation column, in microseconds since 1970 (as text); NULL for infinity."""
    moments = [f"{ALIAS}.{quoted(name)}::timestamptz" for name in table.creation.columns]
    return [f"CASE WHEN isfinite({moment}) THEN {MICROS.replace('{c}', moment)} END" for moment in moments]


def earliest_sql(table: TablePlan) -> str | None:
    """The SELECT of the earliest creation time in a table, in microseconds; None if it has no creation column."""
    if not table.creation.columns:
        return None
    moment = f"{ALIAS}.{quoted(table.creation.columns[0])}::timestamptz"
    source = table.source.sql_name
    earliest = MICROS.replace("{c}", f"min({moment})")
    return f"SELECT {earliest} FROM {source} AS {ALIAS} WHERE isfinite({moment})"
