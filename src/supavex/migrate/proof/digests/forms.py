"""Canonical forms: the source's text and the document's value of a field become the same number or text.

The rules are those of :mod:`supavex.migrate.proof.comparison`, and a form is as strict: two values get one number or
text only if the comparison says that they agree. A field without a fast form goes through the comparison's own
functions, value by value.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, TypeAlias

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from supavex.convex.ids import INTERNAL_ID_BYTES, InvalidId, decode_id
from supavex.convex.values import to_export_json
from supavex.mapping.conversions.conversion import same_value
from supavex.mapping.conversions.json import numbers_as_doubles
from supavex.mapping.conversions.numbers import decimal
from supavex.mapping.large_values import LargeValues
from supavex.mapping.plan import FieldPlan, IdFile, Reference
from supavex.migrate.keys.hashing import Numbers
from supavex.migrate.proof.comparison import RowComparison
from supavex.migrate.proof.digests import text_columns
from supavex.migrate.proof.digests.document_columns import decode_ids, finite
from supavex.migrate.proof.digests.special_values import Special, byte_strings, int64s
from supavex.migrate.proof.digests.text_columns import NotComparable
from supavex.migrate.proof.source_sql import field_sql
from supavex.postgres.catalog import Column

#: Numbers, or texts as an Arrow column of bytes.
Made: TypeAlias = Numbers | pa.Array
#: Decimals of at most this many digits have different doubles (DBL_DIG).
_EXACT_DIGITS = 15
#: Values that no key has. A missing key or a missing new id becomes one of them, on one side only.
_NO_KEY, _NO_ID = b"", b"\xff"


@dataclass(frozen=True, slots=True)
class CanonicalForm:
    """The canonical form of one field."""

    #: SQL for the source's text.
    sql: str
    #: Makes the form from the source's texts, without NULLs.
    of_texts: Callable[[pa.Array], Made]
    #: The type of the Arrow column of the document's values; None for a list.
    type: pa.DataType | None
    #: Makes the form from the document's values, without nulls.
    of_values: Callable[[Any], Made]
    #: The values are int64 or bytes, in the form of special_values' texts.
    special: Special | None = None
    #: Whether the field is JSON whose text may equal PostgreSQL's. Equal texts are equal values, and most are equal,
    #: because the copy writes what it reads.
    verbatim: bool = False


def of_bytes(column: pa.Array) -> pa.Array:
    """Texts as bytes."""
    return column.cast(pa.binary())


def _file_ids(large: LargeValues) -> Callable[[pa.Array], pa.Array]:
    """A function from the keys of rows to the ids of their files."""
    return lambda column: pa.array([large.file_id(key).encode() for key in column.to_pylist()], pa.binary())


def canonical_form(planned: FieldPlan, comparison: RowComparison) -> CanonicalForm:
    """The fastest form of a field. Raises :class:`NotComparable` if only both sides together decide what is right."""
    sql = field_sql(planned)
    match planned.value:
        case LargeValues() as large:
            return CanonicalForm(sql, _file_ids(large), pa.string(), of_bytes)
        case IdFile(ids=ids):
            return CanonicalForm(sql, _mapped(ids), pa.string(), of_bytes)
        case Reference() as reference:
            return _reference(sql, reference, comparison)
    return _converted(sql, planned)


def _converted(sql: str, planned: FieldPlan) -> CanonicalForm:
    """The form of a converted value. ``sql``: the source's text."""
    conversion = planned.conversion
    if conversion.special and conversion.kind not in ("int64", "bytes"):
        raise NotComparable
    plain = conversion.decode is same_value and conversion.parse is same_value
    type_ = planned.value.type if isinstance(planned.value, Column) else None
    if conversion.kind == "string" and plain:
        return CanonicalForm(sql, of_bytes, pa.string(), of_bytes)
    if conversion.kind == "boolean" and conversion.decode is same_value:
        return CanonicalForm(sql, lambda column: _flags(pc.equal(column, "true")), pa.bool_(), _flags)
    if conversion.kind == "micros" and type_ is not None and type_.base in ("timestamptz", "timestamp"):
        sql = f"({planned.source})::timestamptz::text"
        return CanonicalForm(sql, lambda column: text_columns.micros(column).view(np.uint64), pa.float64(), _micros)
    if conversion.kind == "number" and not conversion.makes_null and type_ is not None:
        if type_.base in ("int2", "int4", "int8") and conversion.decode is not same_value:
            return CanonicalForm(sql, text_columns.integers, pa.float64(), _doubles)
        small = type_.precision is not None and max(type_.precision, abs(type_.scale or 0)) <= _EXACT_DIGITS
        if type_.base == "float8" or (type_.base == "numeric" and small and conversion.parse is decimal):
            return CanonicalForm(sql, text_columns.doubles, pa.float64(), _doubles)
    if conversion.kind == "json" and conversion.parse is numbers_as_doubles and conversion.decode is same_value:
        verbatim = type_ is not None and type_.base == "jsonb"
        return CanonicalForm(sql, _json_of_texts, None, _json_of_values, verbatim=verbatim)
    if conversion.kind == "int64":
        return _int64(sql, planned)
    if conversion.kind == "bytes" and type_ is not None and type_.base == "bytea":
        return CanonicalForm(sql, _bytes_of_texts, pa.string(), byte_strings, special="bytes")
    return CanonicalForm(
        sql,
        lambda column: _canonical(map(conversion.parse, column.to_pylist())),
        None,
        lambda values: _canonical(map(conversion.decode, _floats(values))),
    )


def _int64(sql: str, planned: FieldPlan) -> CanonicalForm:
    conversion = planned.conversion
    if conversion.parse is int and conversion.decode is same_value:
        return CanonicalForm(sql, _whole_numbers, pa.string(), int64s, special="int64")

    def of_texts(column: pa.Array) -> pa.Array:
        return _canonical(map(conversion.parse, column.to_pylist()))

    def of_values(column: pa.Array) -> pa.Array:
        return _canonical(map(conversion.decode, int64s(column).view(np.int64).tolist()))

    return CanonicalForm(sql, of_texts, pa.string(), of_values, special="int64")


def _whole_numbers(column: pa.Array) -> Numbers:
    return np.asarray(column.cast(pa.int64()).to_numpy(zero_copy_only=False)).view(np.uint64)


def _bytes_of_texts(column: pa.Array) -> pa.Array:
    """Bytes from PostgreSQL's notation: hexadecimal, after ``\\x``."""
    return pa.array([bytes.fromhex(text[2:]) for text in column.to_pylist()], pa.binary())


def _reference(sql: str, reference: Reference, comparison: RowComparison) -> CanonicalForm:
    number = comparison.numbers.get(reference.target)
    if number is None and not reference.existing:
        raise NotComparable
    if reference.is_array:
        return _references(sql, reference, number, comparison)
    if reference.existing:
        return CanonicalForm(sql, _mapped(comparison.existing[reference.target]), pa.string(), of_bytes)
    form, internal_id = reference.key.form, reference.key.internal_id
    assert number is not None
    target = number
    return CanonicalForm(
        sql,
        lambda column: _sixteen(text_columns.bytes_of_keys(column, form, internal_id)),
        pa.string(),
        lambda column: _keys_of_ids(column, target),
    )


def _references(sql: str, reference: Reference, number: int | None, comparison: RowComparison) -> CanonicalForm:
    """The form of an array of references, value by value: of keys, or of the ids of existing documents."""
    ids = comparison.existing[reference.target] if reference.existing else None

    def of_text(text: str) -> list[str]:
        if ids is None:
            return [reference.key.internal_id(text).hex()]
        return [ids[text]] if text in ids else []  # As for a missing id

    def of_id(value: Any) -> list[Any]:
        if ids is not None:
            return [value]
        assert number is not None
        return [_key_of_id(value, number).hex()]

    def of_texts(column: pa.Array) -> pa.Array:
        arrays = map(orjson.loads, column.to_pylist())
        return _arrays([[None if text is None else of_text(text) for text in array] for array in arrays])

    def of_values(values: list[Any]) -> pa.Array:
        if not all(isinstance(value, list) for value in values):
            raise NotComparable
        return _arrays([[None if item is None else of_id(item) for item in value] for value in values])

    return CanonicalForm(sql, of_texts, None, of_values)


def _arrays(values: list[list[Any]]) -> pa.Array:
    return pa.array([orjson.dumps(value) for value in values], pa.binary())


def micros_of(milliseconds: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Microseconds from milliseconds, rounded as the comparison does. Raises :class:`NotComparable` if that is not
    certain.

    A double holds microseconds within 2**43 milliseconds of 1970. Multiplied by a thousand, it would be rounded twice,
    but its whole milliseconds and its fraction are each exact. A thousandfold fraction is exact if the fraction has at
    most 43 binary places, as each time since 1970 has after the first second: then half a microsecond is just that.
    """
    if (np.abs(milliseconds) > 1 << 43).any():
        raise NotComparable
    whole = np.floor(milliseconds)
    fraction = milliseconds - whole
    part = fraction * 1000
    rounded = np.rint(part)
    halves = fraction[np.abs(np.abs(part - rounded) - 0.5) < 1e-6] * float(1 << 43)
    if (halves != np.rint(halves)).any():
        raise NotComparable
    return np.asarray(whole.astype(np.int64) * 1000 + rounded.astype(np.int64))


def _micros(column: pa.Array) -> Numbers:
    return micros_of(finite(column)).view(np.uint64)


def _doubles(column: pa.Array) -> Numbers:
    return finite(column).view(np.uint64)


def _flags(column: pa.Array) -> Numbers:
    return np.asarray(column.cast(pa.uint8()).to_numpy(zero_copy_only=False)).astype(np.uint64)


def _mapped(mapping: Mapping[str, str]) -> Callable[[pa.Array], pa.Array]:
    olds, news = pa.array(list(mapping), pa.string()), pa.array(list(mapping.values()), pa.binary())

    def new(column: pa.Array) -> pa.Array:
        return pc.fill_null(news.take(pc.index_in(column, value_set=olds)), _NO_ID)

    return new


def _sixteen(keys: np.ndarray[Any, Any]) -> pa.Array:
    """16-byte keys as a column of bytes."""
    data = pa.py_buffer(np.ascontiguousarray(keys))
    return pa.FixedSizeBinaryArray.from_buffers(pa.binary(INTERNAL_ID_BYTES), len(keys), [None, data]).cast(pa.binary())


def _keys_of_ids(column: pa.Array, number: int) -> pa.Array:
    """The keys of ids of table ``number``. An id of another table becomes a value that no key has."""
    try:
        return _sixteen(decode_ids(column, number))
    except NotComparable:
        return pa.array([_key_of_id(value, number) for value in column.to_pylist()], pa.binary())


def _key_of_id(value: str, number: int) -> bytes:
    try:
        found, internal_id = decode_id(value)
    except InvalidId:
        return _NO_KEY
    return internal_id if found == number else _NO_KEY


# JSON


def _json_of_texts(column: pa.Array) -> pa.Array:
    texts = column.cast(pa.binary()).to_pylist()
    values = orjson.loads(b"[" + b",".join(texts) + b"]")
    if len(values) != len(texts):
        raise NotComparable
    return _json_of_values(values)


def _json_of_values(values: list[Any]) -> pa.Array:
    """JSON in one form: keys sorted, and 1.0 as 1."""
    texts = [orjson.dumps(value, option=orjson.OPT_SORT_KEYS) for value in values]
    whole = [b".0" in text for text in texts]
    if any(whole):
        texts = [
            orjson.dumps(_whole(value), option=orjson.OPT_SORT_KEYS) if look else text
            for text, value, look in zip(texts, values, whole, strict=True)
        ]
    return pa.array(texts, pa.binary())


def _whole(value: Any) -> Any:
    """Doubles that are whole numbers as integers, so that 1 and 1.0 are equal."""
    if isinstance(value, float):
        return int(value) if value.is_integer() and abs(value) < 2**53 and str(value) != "-0.0" else value
    if isinstance(value, list):
        return [_whole(item) for item in value]
    return {key: _whole(item) for key, item in value.items()} if isinstance(value, dict) else value


# Value by value


def _canonical(values: Iterable[Any]) -> pa.Array:
    return pa.array([_canonical_text(value).encode("utf-8", "surrogatepass") for value in values], pa.binary())


def _canonical_text(value: Any) -> str:
    """A text that is the same only for equal values of one type, by the comparison's rules."""
    if isinstance(value, Decimal):
        sign, digits, exponent = value.as_tuple()
        shown = "".join(map(str, digits)).lstrip("0")
        short = shown.rstrip("0")
        assert isinstance(exponent, int)
        return f"Decimal {sign if short else 0} {short} {exponent + len(shown) - len(short) if short else 0}"
    if isinstance(value, float | list | dict):
        return f"{type(value).__name__} {to_export_json(value)}"
    return f"{type(value).__name__} {value}"


def _floats(values: list[Any]) -> list[Any]:
    """JSON values as Convex reads them: every number is a double."""
    return [float(value) if type(value) is int else _doubled(value) for value in values]


def _doubled(value: Any) -> Any:
    if isinstance(value, list):
        return _floats(value)
    if isinstance(value, dict):
        return dict(zip(value, _floats(list(value.values())), strict=True))
    return value
