"""Whole-column encoders against the plain, scalar way: the same text for every value."""

import base64
import json
from fractions import Fraction

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from supavex.convex.ids import encode_id
from supavex.migrate.copy.encoding import fixed_width, json_columns
from supavex.migrate.keys.sets import key_bytes

TEXT = st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=20)


def sliced(values: list[object], type_: pa.DataType) -> pa.Array:
    """The values as a column that is a slice of a longer one: offsets must not be taken for zero."""
    return pa.array([None, *values, None], type_).slice(1, len(values))


@given(st.lists(st.none() | TEXT))
def test_strings_are_json_of_the_same_text(values: list[str | None]) -> None:
    for column in (pa.array(values, pa.string()), sliced(list(values), pa.string())):
        texts = json_columns.strings(column).to_pylist()
        assert [None if text is None else json.loads(text) for text in texts] == values


def test_strings_need_no_escape_but_these() -> None:
    column = pa.array(['"', "\\", "\n", "\r", "\t", "\b", "\f", "é🎓/", "\x7f"])
    assert json_columns.escaped(column).to_pylist() == [
        '\\"', "\\\\", "\\n", "\\r", "\\t", "\\b", "\\f", "é🎓/", "\x7f"
    ]  # fmt: skip


@given(st.lists(st.none() | st.integers(-(2**52), 2**52)))
def test_micros_are_milliseconds_with_the_fraction_that_is_there(values: list[int | None]) -> None:
    texts = json_columns.micros(sliced(list(values), pa.int64())).to_pylist()
    for value, text in zip(values, texts, strict=True):
        if value is None:
            assert text is None
        else:
            assert float(text) == value / 1000
            assert "." in text
            assert round(Fraction(float(text)) * 1000) == value


def test_micros_read_timestamps_of_any_unit() -> None:
    seconds = pa.array([1, -1], pa.timestamp("s", tz="UTC"))
    assert json_columns.micros(seconds).to_pylist() == ["1000.000", "-1000.000"]


@given(st.lists(st.none() | st.floats(allow_nan=False, allow_infinity=False)))
def test_numbers_read_back_as_the_same_double_and_never_as_an_integer(values: list[float | None]) -> None:
    texts = json_columns.numbers(sliced(list(values), pa.float64())).to_pylist()
    for value, text in zip(values, texts, strict=True):
        assert (text is None) == (value is None)
        if text is not None:
            assert any(mark in text for mark in ".e")
            assert repr(json.loads(text)) == repr(value)


@given(st.lists(st.none() | st.integers(-(2**53), 2**53)))
def test_whole_numbers_are_written_as_doubles(values: list[int | None]) -> None:
    texts = json_columns.numbers(pa.array(values, pa.int64())).to_pylist()
    assert texts == [None if value is None else f"{value}.0" for value in values]


@given(st.lists(st.none() | st.lists(st.none() | TEXT, max_size=4)))
def test_arrays_of_texts_with_commas_and_quotes_inside(values: list[list[str | None] | None]) -> None:
    for column in (pa.array(values, pa.list_(pa.string())), sliced(list(values), pa.list_(pa.string()))):
        texts = json_columns.arrays(column).to_pylist()
        assert [None if text is None else json.loads(text) for text in texts] == values


def test_an_element_that_ends_like_a_separator_stays_whole() -> None:
    values = [['a","b', '"', ","], ['\\",']]
    assert [json.loads(text) for text in json_columns.arrays(pa.array(values)).to_pylist()] == values


def test_arrays_of_numbers_and_booleans() -> None:
    assert json_columns.arrays(pa.array([[1.0, 2.5], [], None])).to_pylist() == ["[1.0,2.5]", "[]", None]
    assert json_columns.arrays(pa.array([[True, None, False]])).to_pylist() == ["[true,null,false]"]


@given(st.lists(st.none() | st.binary(max_size=20)))
def test_bytes_are_marked_base64(values: list[bytes | None]) -> None:
    texts = json_columns.bytes_(pa.array(values, pa.binary())).to_pylist()
    assert [None if t is None else base64.b64decode(json.loads(t)["$bytes"]) for t in texts] == values


def test_booleans_and_integers() -> None:
    assert json_columns.booleans(pa.array([True, False, None])).to_pylist() == ["true", "false", None]
    assert json_columns.integers(pa.array([2**63 - 1, None])).to_pylist() == ["9223372036854775807", None]


@given(st.integers(1, 2**32 - 1), st.lists(st.binary(min_size=16, max_size=16), min_size=1))
def test_ids_of_a_column_are_the_ids_of_its_values(number: int, keys: list[bytes]) -> None:
    matrix = key_bytes(pa.array(keys, pa.binary(16)))
    assert fixed_width.ids(matrix, number).to_pylist() == [encode_id(number, key) for key in keys]


def test_keys_come_from_uuids_and_from_bytea_alike_and_null_is_zeros() -> None:
    keys = [bytes(range(16)), None, b"\xff" * 16]
    expected = np.array([list(key or bytes(16)) for key in keys], np.uint8)
    for type_ in (pa.binary(16), pa.binary()):
        assert (key_bytes(sliced(keys, type_)) == expected).all()
