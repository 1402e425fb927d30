"""Order keys: bytes that sort as Convex sorts values."""

import itertools
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supavex.convex.order_keys import UNDEFINED, field_at, index_key, order_key, successor
from supavex.convex.values import same
from tests.deployment.order import compare, compare_all
from tests.official.strategies import values

NAN, INFINITY = float("nan"), float("inf")

#: In Convex's order, which is also that of the bytes.
VECTORS = [
    (UNDEFINED, "01"),
    (None, "03"),
    (-(2**63), "04 8000000000000000"),
    (-(2**31) - 1, "04 FFFFFFFF7FFFFFFF"),
    (-(2**31), "05 80000000"),
    (-(2**15) - 1, "05 FFFF7FFF"),
    (-(2**15), "06 8000"),
    (-129, "06 FF7F"),
    (-128, "07 80"),
    (-1, "07 FF"),
    (0, "08"),
    (5, "09 05"),
    (127, "09 7F"),
    (128, "0A 0080"),
    (200, "0A 00C8"),
    (2**15 - 1, "0A 7FFF"),
    (2**15, "0B 00008000"),
    (2**31 - 1, "0B 7FFFFFFF"),
    (2**31, "0C 0000000080000000"),
    (2**63 - 1, "0C 7FFFFFFFFFFFFFFF"),
    (-INFINITY, "0D 000FFFFFFFFFFFFF"),
    (-1.5, "0D 4007FFFFFFFFFFFF"),
    (-0.0, "0D 7FFFFFFFFFFFFFFF"),
    (0.0, "0D 8000000000000000"),
    (5e-324, "0D 8000000000000001"),
    (1.5, "0D BFF8000000000000"),
    (INFINITY, "0D FFF0000000000000"),
    (NAN, "0D FFF8000000000000"),
    (False, "0E"),
    (True, "0F"),
    ("", "10 00"),
    ("\x00", "10 00FF 00"),
    ("a", "10 61 00"),
    ("a\x00b", "10 61 00FF 62 00"),
    ("aa", "10 6161 00"),
    ("é", "10 C3A9 00"),
    ("\uffff", "10 EFBFBF 00"),
    ("😀", "10 F09F9880 00"),
    (b"", "11 00"),
    (b"\x00\xff", "11 00FF FF 00"),
    (b"a", "11 61 00"),
    ([], "12 00"),
    ([None], "12 03 00"),
    ([5, "a"], "12 0905 106100 00"),
    ([[]], "12 1200 00"),
    ({}, "15 00"),
    ({"": None}, "15 00FF 03 00"),
    ({"a": None}, "15 6100 03 00"),
    ({"b": 5, "a": "x"}, "15 6100 107800 6200 0905 00"),
]


@pytest.mark.parametrize(("value", "key"), VECTORS, ids=[repr(value) for value, _ in VECTORS])
def test_known_keys(value: Any, key: str):
    assert order_key(value).hex(" ", 0) == bytes.fromhex(key).hex(" ", 0)


def test_known_keys_stand_in_convex_s_order():
    found = [value for value, _ in VECTORS]
    for (here, left), (there, right) in itertools.product(enumerate(found), repeat=2):
        expected = (here > there) - (here < there)
        keys = order_key(left), order_key(right)
        assert (keys[0] > keys[1]) - (keys[0] < keys[1]) == expected, (left, right)
        assert compare(left, right) == expected, (left, right)


@pytest.mark.parametrize("value", [2**63, -(2**63) - 1])
def test_an_integer_that_is_no_int64_has_no_key(value: int):
    with pytest.raises(ValueError, match="outside int64"):
        order_key(value)


def test_a_negative_nan_is_the_first_float():
    (negative,) = struct.unpack(">d", bytes.fromhex("FFF8000000000000"))
    assert order_key(2**63 - 1) < order_key(negative) < order_key(-INFINITY)


def sign(left: bytes, right: bytes) -> int:
    return (left > right) - (left < right)


#: Values that differ by little: what a mistake in the order would confuse.
close = st.sampled_from([value for value, _ in VECTORS])
any_value = close | values() | st.lists(close.filter(lambda value: value is not UNDEFINED), max_size=3)


@given(left=any_value, right=any_value)
def test_bytes_sort_as_the_values_do(left: Any, right: Any):
    assert sign(order_key(left), order_key(right)) == compare(left, right)


@given(left=values(), right=values())
def test_equal_bytes_are_the_same_value(left: Any, right: Any):
    assert (order_key(left) == order_key(right)) == same(left, right)


@given(left=st.lists(any_value, max_size=3), right=st.lists(any_value, max_size=3))
def test_keys_of_several_values_sort_as_the_values_do(left: list[Any], right: list[Any]):
    """What makes an index on several fields work: where one key ends, the next begins."""
    keys = [b"".join(map(order_key, side)) for side in (left, right)]
    assert sign(*keys) == compare_all(left, right)


def goes_on_with_nul(short: Any, long: Any) -> bool:
    """Whether Convex's own bytes of ``short`` begin those of ``long``: its escape of NUL starts as its end does."""
    if isinstance(short, str | bytes):
        nul = "\x00" if isinstance(short, str) else b"\x00"
        return type(long) is type(short) and long.startswith(short + nul)
    return short == {} and isinstance(long, dict) and "" in long


@given(left=any_value, right=any_value)
def test_no_key_begins_another_but_before_nul(left: Any, right: Any):
    short, long = order_key(left), order_key(right)
    begins = short != long and long.startswith(short)
    assert begins == goes_on_with_nul(left, right)


def test_successor_is_the_first_key_after_all_that_start_with_a_prefix():
    """Every byte string of up to three bytes, out of four bytes that matter."""
    every = [bytes(s) for length in range(4) for s in itertools.product((0x00, 0x01, 0xFE, 0xFF), repeat=length)]
    for prefix in every:
        after = successor(prefix)
        for key in every:
            inside = key >= prefix and (after is None or key < after)
            assert inside == key.startswith(prefix), (prefix, key)


@pytest.mark.parametrize(
    ("prefix", "after"), [("61", "62"), ("61ff", "62"), ("6100", "6101"), ("00ffff", "01"), ("ff00", "ff01")]
)
def test_successor(prefix: str, after: str):
    assert successor(bytes.fromhex(prefix)).hex() == after


@pytest.mark.parametrize("prefix", [b"", b"\xff", b"\xff\xff"])
def test_nothing_comes_after_these(prefix: bytes):
    assert successor(prefix) is None


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("a", {"b": {"c": None}, "d": [{"e": 1.0}]}),
        ("a.b", {"c": None}),
        ("a.b.c", None),
        ("a.x", UNDEFINED),
        ("x", UNDEFINED),
        ("x.y", UNDEFINED),
        ("a.b.c.d", UNDEFINED),
        ("a.d.e", UNDEFINED),
        ("a.d.0", UNDEFINED),
        ("f.g", UNDEFINED),
    ],
)
def test_the_value_at_a_path(path: str, value: Any):
    document = {"a": {"b": {"c": None}, "d": [{"e": 1.0}]}, "f.g": 2.0}
    found = field_at(document, path)
    assert found is UNDEFINED if value is UNDEFINED else same(found, value)


def test_the_key_of_an_index_ends_with_creation_and_id():
    document = {"b": {"c": "x"}, "a": 5, "_creationTime": 1.5, "_id": "j57000820c20a1g7104gm2rc1m70ynr8"}
    key = index_key(document, ["a", "missing", "b.c"])
    assert key.startswith(bytes.fromhex("0905 01 107800 0DBFF8000000000000"))
    other = index_key({**document, "_id": "j57000820c20a1g7104gm2rc1m70ynr9"}, ["a", "missing", "b.c"])
    assert key < other
