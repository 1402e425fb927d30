"""Convex values in Python: their sizes, their limits, their two JSON encodings."""

import json
import math
import sys
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from supavex.convex import values
from supavex.convex.limits import MAX_DOCUMENT_BYTES, MAX_DOCUMENT_NESTING, MAX_VALUE_NESTING
from supavex.convex.values import (
    InvalidValue,
    from_internal_json,
    nesting,
    parse_export_json,
    plain_document,
    plain_value,
    same,
    size,
    to_export_json,
    to_internal_json,
    value_problem,
)

NAN, INFINITY = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("value", "bytes_"),
    [
        (None, 1),
        (True, 1),
        (5, 9),
        (5.0, 9),
        ("", 2),
        ("aé😀", 2 + 1 + 2 + 4),
        (b"abc", 5),
        ([], 2),
        ([1.0, "a"], 2 + 9 + 3),
        ({}, 2),
        ({"a": None, "bc": [True]}, 2 + (1 + 1 + 1) + (2 + 1 + 3)),
    ],
)
def test_size(value: Any, bytes_: int):
    assert size(value) == bytes_


@pytest.mark.parametrize(
    ("value", "depth"),
    [(None, 0), ("a", 0), ([], 1), ({}, 1), ([1.0], 1), ({"a": [], "b": 1.0}, 2), ([{"a": [[]]}], 4)],
)
def test_nesting(value: Any, depth: int):
    assert nesting(value) == depth


@pytest.mark.parametrize(
    "value",
    [None, True, 2**63 - 1, -(2**63), NAN, "é\x00", b"", [1.0] * 8192, {f"k{i}": None for i in range(1024)}, {"": 1.0}],
)
def test_values_that_convex_holds(value: Any):
    assert value_problem(value) is None


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        (2**63, "9223372036854775808 is outside int64"),
        (-(2**63) - 1, "is outside int64"),
        ("\ud800", "a string holds an unpaired surrogate"),
        ("a\udfff", "a string holds an unpaired surrogate"),
        ([1.0] * 8193, "an array has 8193 elements; Convex allows 8192"),
        ({f"k{i}": None for i in range(1025)}, "an object has 1025 fields; Convex allows 1024"),
        ({"$a": 1.0}, "key '$a': a key can't start with $"),
        ([{"a": {"é": 1.0}}], "key 'é': a key holds only printable ASCII characters"),
        ([1.0, [{"a": 2**64}]], "is outside int64"),
        ((1.0,), "tuple is not a Convex value"),
        ({"a": {1.0}}, "set is not a Convex value"),
    ],
)
def test_values_that_convex_refuses(value: Any, problem: str):
    assert problem in value_problem(value)


@pytest.mark.parametrize(
    ("value", "encoded"),
    [
        (None, "null"),
        (True, "true"),
        (1.5, "1.5"),
        ("a", '"a"'),
        (5, '{"$integer": "BQAAAAAAAAA="}'),
        (-1, '{"$integer": "//////////8="}'),
        (-0.0, '{"$float": "AAAAAAAAAIA="}'),
        (NAN, '{"$float": "AAAAAAAA+H8="}'),
        (-INFINITY, '{"$float": "AAAAAAAA8P8="}'),
        (b"\x00\xff", '{"$bytes": "AP8="}'),
        ({"a": [1, {"b": b""}]}, '{"a": [{"$integer": "AQAAAAAAAAA="}, {"b": {"$bytes": ""}}]}'),
    ],
)
def test_internal_json(value: Any, encoded: str):
    assert json.dumps(to_internal_json(value)) == encoded
    assert same(from_internal_json(json.loads(encoded)), value)


def test_every_number_in_internal_json_is_a_float():
    assert same(from_internal_json({"a": 5, "b": [10**15]}), {"a": 5.0, "b": [1e15]})


def test_python_values_that_are_no_convex_values_are_not_written():
    with pytest.raises(InvalidValue, match="tuple is not a Convex value"):
        to_internal_json([(1, 2)])


@pytest.mark.parametrize(
    "data",
    [
        {"$integer": "AAAA"},
        {"$integer": "BQAAAAAAAAA"},
        {"$integer": 5},
        {"$float": "AAAA"},
        {"$float": "AAAAAAAA8D8="},
        {"$float": "AAAAAAAAAAA="},
        {"$bytes": "*"},
        {"$bytes": None},
        {"$set": []},
        {"$": 1.0},
        {"$undefined": None},
        [[{"$map": []}]],
        1e400,
    ],
)
def test_internal_json_that_stands_for_nothing(data: Any):
    with pytest.raises(InvalidValue) as caught:
        from_internal_json(data)
    assert caught.value.code == "InvalidValue"


@pytest.mark.parametrize(
    ("value", "line"),
    [
        (5, "5"),
        (5.0, "5.0"),
        (-0.0, "-0.0"),
        (1e22, "1e+22"),
        (INFINITY, '{"$float":"AAAAAAAA8H8="}'),
        ("é\n", '"é\\n"'),
        (b"\x00\xff", '{"$bytes":"AP8="}'),
        ({"b": 1, "_id": None, "Z": [2.5]}, '{"Z":[2.5],"_id":null,"b":1}'),
    ],
)
def test_export_json(value: Any, line: str):
    assert to_export_json(value) == line
    assert same(parse_export_json(line, uniform=True), value)


def test_a_bare_integer_is_an_int64_only_in_a_uniform_table():
    line = b'{"a":5,"b":[5.0,-0,9223372036854775807]}'
    assert same(parse_export_json(line, uniform=True)["a"], 5)
    assert same(parse_export_json(line, uniform=True)["b"][2], 2**63 - 1)
    assert same(parse_export_json(line, uniform=False), {"a": 5.0, "b": [5.0, -0.0, float(2**63)]})


def test_an_integer_beyond_int64_is_a_float():
    assert same(parse_export_json("[9223372036854775808]", uniform=True), [float(2**63)])
    assert same(parse_export_json("[-9223372036854775808]", uniform=True), [-(2**63)])
    assert same(parse_export_json("[-9223372036854775809]", uniform=True), [float(-(2**63))])


@pytest.mark.parametrize("uniform", [True, False])
@pytest.mark.parametrize(
    "line", ["", "{", "NaN", "Infinity", "1e400", '{"$float":"AAAAAAAA8D8="}', "1" + "0" * 400, "1" + "0" * 5000]
)
def test_lines_that_stand_for_nothing(line: str, uniform: bool):
    with pytest.raises(InvalidValue):
        parse_export_json(line, uniform=uniform)


def test_same_tells_types_and_zeros_apart():
    assert same({"a": [1, "x", None]}, {"a": [1, "x", None]})
    assert same(NAN, NAN)
    assert same({"a": 1, "b": 2}, {"b": 2, "a": 1})
    assert not same(1, 1.0)
    assert not same(1, True)
    assert not same(0.0, -0.0)
    assert not same("a", b"a")
    assert not same([1], [1, 2])
    assert not same({"a": 1}, {"b": 1})
    assert not same([{"a": 0}], [{"a": False}])


_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text("abAB_ .0").filter(lambda key: key), inner),
    max_leaves=10,
)


@given(value=_values)
def test_an_exported_line_is_read_as_what_was_written(value: Any):
    assert same(parse_export_json(to_export_json(value), uniform=True), value)


@given(value=_values)
def test_size_and_nesting_grow_with_what_is_around(value: Any):
    assert size([value]) == size(value) + 2
    assert size({"key": value}) == size(value) + 6
    assert nesting([value]) == nesting({"key": value}) == nesting(value) + 1


@given(number=st.floats())
def test_json_of_a_float_never_reads_as_an_integer(number: float):
    assert isinstance(parse_export_json(to_export_json(number), uniform=True), float)
    assert not math.isfinite(number) or set(to_export_json(number)) & set(".e")


_KEYS = st.sampled_from(["a", "b c", "", "$x", "_x", "é", 'q"', "back\\slash", "k" * 1100]) | st.text(max_size=5)
_LEAVES = st.none() | st.booleans() | st.floats(allow_nan=False) | st.integers(-(10**25), 10**25) | st.text(max_size=20)
_DOCUMENTS = st.dictionaries(
    _KEYS,
    st.recursive(_LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_KEYS, inner, max_size=4)),
    max_size=6,
)


@settings(max_examples=400)
@given(fields=_DOCUMENTS, uniform=st.booleans(), ascii_only=st.booleans(), compact=st.booleans())
def test_a_plain_document_is_what_the_careful_reader_reads(
    fields: dict[str, Any], uniform: bool, ascii_only: bool, compact: bool
) -> None:
    document = {"_creationTime": 1.5, "_id": "x", **fields}
    separators = (",", ":") if compact else (", ", ": ")
    line = json.dumps(document, ensure_ascii=ascii_only, separators=separators).encode("utf-8", "surrogatepass")
    plain = plain_document(line, uniform=uniform)
    if plain is not None:
        found, text = plain
        assert same(found, parse_export_json(line, uniform=uniform))
        assert value_problem(found) is None
        assert nesting(found) <= MAX_DOCUMENT_NESTING
        assert size(found) <= MAX_DOCUMENT_BYTES
        assert same(from_internal_json(json.loads(text)), found), "the line is internal JSON as it is"
        assert all(not key.startswith("_") or key in ("_id", "_creationTime") for key in found)


@settings(max_examples=300)
@given(value=_DOCUMENTS | _LEAVES | st.lists(_DOCUMENTS, max_size=2), ascii_only=st.booleans(), compact=st.booleans())
def test_a_plain_value_is_what_the_careful_reader_reads(value: Any, ascii_only: bool, compact: bool) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only, separators=(",", ":") if compact else (", ", ": "))
    plain = plain_value(text)
    if plain is not None:
        (found,) = plain
        assert same(found, from_internal_json(json.loads(text)))
        assert value_problem(found) is None
        assert nesting(found) <= MAX_VALUE_NESTING


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ('[{"_id":"a","n":1,"é":"é"}]', False),
        ('[{"_id":"a","n":1,"e":"é\\n\\""}]', True),
        ('{"\\n":1}', False),
        ('{"\x7f":1}', False),
        ("1", True),
        ("1e400", False),
        ("9" * 400, False),
        ("[-Infinity]", False),
        ("NaN", False),
        ('{"$integer":"AAAAAAAAAAA="}', False),
        ('"\\ud800"', False),
        ("[" * 64 + "]" * 64, True),
        ("[" * 65 + "]" * 65, False),
        ("[" * 100_000, False),
        ('{"' + "k" * 1024 + '":1}', True),
        ('{"' + "k" * 1025 + '":1}', False),
        (json.dumps([0] * 8192), True),
        (json.dumps([0] * 8193), False),
        (json.dumps({f"k{n}": 0 for n in range(1024)}), True),
        (json.dumps({f"k{n}": 0 for n in range(1025)}), False),
        ("", False),
        ("{", False),
    ],
)
def test_which_values_are_plain(text: str, plain: bool) -> None:
    assert (plain_value(text) is not None) is plain


@pytest.mark.parametrize(
    ("line", "uniform", "plain"),
    [
        ('{"_creationTime":1.0,"_id":"a","n":1.5}', True, True),
        ('{"_creationTime":1.0,"_id":"a","n":1}', False, True),
        ('{"_creationTime":1.0,"_id":"a","n":1}', True, False),
        ('{"_creationTime":1.0,"_id":"a","n":1e400}', False, False),
        ('{"_creationTime":1.0,"_id":"a","n":' + "9" * 400 + "}", False, False),
        ('{"_creationTime":1.0,"_id":"a","n":' + "9" * 400 + ".5}", False, False),
        ('{"_creationTime":1.0,"_id":"a","n":NaN}', False, False),
        ('{"_creationTime":1.0,"_id":"a","s":"\\ud800"}', False, False),
        ('{"_creationTime":1.0,"_id":"a","s":"\\ud800","n":1}', False, False),
        ('{"_creationTime":1.0,"_id":"a","$k":1.5}', False, False),
        ('{"_creationTime":1.0,"_id":"a","é":1.5}', False, False),
        ('{"_creationTime":1.0,"_id":"a","\\"\\u001f":1.5}', False, False),
        ('{"_creationTime":1.0,"_id":"a","\x7f":1.5}', False, False),
        ('{"_creationTime":1.0,"_id":"a","' + "k" * 1025 + '":1.5}', False, False),
        ('{"_creationTime":1.0,"_id":"a","k":"' + "é" * 1025 + '"}', False, True),
        ('{"_creationTime":1.0,"_id":"a","_other":1.5}', False, False),
        ('{"_id":"a","n":1.5}', False, False),
        ("[1.5]", False, False),
        ("{", False, False),
    ],
)
def test_which_documents_are_plain(line: str, uniform: bool, plain: bool) -> None:
    assert (plain_document(line.encode(), uniform=uniform) is not None) is plain


def test_without_orjson_it_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "orjson", None)
    values._strict_loads.cache_clear()
    try:
        line = b'{"_creationTime":1.0,"_id":"a","n":1.5}'
        assert plain_document(line, uniform=True) == ({"_creationTime": 1.0, "_id": "a", "n": 1.5}, line.decode())
        assert plain_document(b'{"_creationTime":1.0,"_id":"a","n":1e400}', uniform=True) is None
    finally:
        values._strict_loads.cache_clear()
