"""The text of a source value as the app saw it. The proof reads it, with SQL that the copy does not use."""

from __future__ import annotations

from supavex.mapping.conversions import Conversion
from supavex.mapping.conversions.datetimes import micros
from supavex.mapping.conversions.objects import is_object
from supavex.postgres.catalog import Type

_TEXT = "{c}::text"
#: The value's text in the row's JSON: what PostgREST, and so supabase-js, gave the app.
JSON_TEXT = "(to_jsonb({c}) #>> '{}')"
#: Types whose cast to text may differ from the row's JSON, by category or name.
_AS_JSON_CATEGORIES = "erm"
_AS_JSON = frozenset([
    "name", "citext", "char", "xml", "bpchar", "inet", "cidr", "macaddr", "macaddr8", "bit", "varbit", "tsvector",
    "tsquery", "jsonpath", "point", "line", "lseg", "box", "path", "polygon", "circle", "pg_lsn", "money", "interval",
    "timetz", "timestamp", "timestamptz",
])  # fmt: skip
#: The text of a composite value in the JSON of a whole row.
_OBJECT = "nullif((row_to_json(ROW({c})) -> 'f1')::text, 'null')"
_FINITE_NUMBER = "{c}::text NOT IN ('NaN', 'Infinity', '-Infinity')"
_FINITE_MOMENT = "{c}::text NOT IN ('infinity', '-infinity')"
#: Microseconds since 1970 as text: extract() is exact (numeric); dates are counted.
MICROS = "(extract(epoch FROM {c}) * 1000000)::numeric(30)::text"
_MICROS_OF_DAYS = "(({c} - date '1970-01-01')::numeric * 86400000000)::text"


def seen_text(type_: Type, conversion: Conversion) -> str:
    """SQL over ``{c}``, of ``type_``: the text from which ``conversion.parse`` makes the expected value."""
    if type_.element is not None:
        return _array_text(type_.element, conversion)
    if is_object(type_):
        return _OBJECT if conversion.kind == "json" else _TEXT
    if conversion.kind == "string":
        return JSON_TEXT if type_.category in _AS_JSON_CATEGORIES or type_.base in _AS_JSON else _TEXT
    if conversion.decode is micros:
        finite = _MICROS_OF_DAYS if type_.base == "date" else MICROS
        return f"CASE WHEN {_FINITE_MOMENT} THEN {finite}{f' ELSE {_TEXT}' if conversion.special else ''} END"
    text = "{c}::numeric::text" if type_.base == "money" else _TEXT
    if conversion.makes_null and type_.base in ("numeric", "float4", "float8"):
        return f"CASE WHEN {_FINITE_NUMBER} THEN {text} END"
    return text


def _array_text(type_: Type, conversion: Conversion) -> str:
    """SQL over ``{c}``, an array of ``type_``: a JSON array of its elements' texts."""
    if conversion.element is None:
        # The array's JSON is used as a whole.
        return _OBJECT if is_object(type_) else "array_to_json({c})::jsonb::text"
    if conversion.element.kind == "boolean":
        return "array_to_json({c})::text"
    text = seen_text(type_, conversion.element)
    if text == _TEXT:
        return "array_to_json({c}::text[])::text"
    if text == JSON_TEXT:
        return "to_jsonb({c})::text"
    elements = f"ARRAY(SELECT {text.replace('{c}', 'e.x')} FROM unnest({{c}}) WITH ORDINALITY AS e(x, i) ORDER BY e.i)"
    return f"CASE WHEN {{c}} IS NOT NULL THEN array_to_json({elements})::text END"
