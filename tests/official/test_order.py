"""The order of values, against compareValues of Convex's npm package."""

import itertools
import random
import struct
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from supavex.convex.order_keys import order_key
from supavex.convex.values import to_internal_json

from .node import Node
from .strategies import values

(NEGATIVE_NAN,) = struct.unpack(">d", bytes.fromhex("FFF8000000000000"))
#: Neighbours in the order, and values that another order would put elsewhere.
POOL = [
    *(None, False, True, 0, 1, -1, 127, 128, -128, -129, 32767, 32768, -32768, -32769, 2**31, -(2**31) - 1, 2**53 + 1),
    *(2**63 - 1, -(2**63), 0.0, -0.0, 1.0, -1.0, 5e-324, -5e-324, 1e308, float("inf"), float("-inf"), float("nan")),
    *(NEGATIVE_NAN, 1.5, "", "\x00", "a", "a\x00", "a\x01", "A", "_", "aa", "b", "é", "z", "\uffff", "😀"),
    *("\U0010ffff", b"", b"\x00", b"\x00\x00", b"\x01", b"a", b"\xff", b"\xff\x00", [], [None], [[]], [1], [1.0]),
    *([1, 2], ["a"], ["a", 1], ["a\x00"], [{}], {}, {"": 1}, {"a": 1}, {"a": 1.0}, {"a": {}}, {"a": 1, "b": 2}),
    *({"b": 1}, {"A": 1}, {"_": 1}, {"a": [1]}, {"ab": None}, {"a": None, "ab": None}),
]  # fmt: skip


def ours(left: Any, right: Any) -> int:
    keys = order_key(left), order_key(right)
    return (keys[0] > keys[1]) - (keys[0] < keys[1])


def judged(node: Node, pairs: list[tuple[Any, Any]]) -> list[Any]:
    return node.compare([(to_internal_json(left), to_internal_json(right)) for left, right in pairs])


def test_thousands_of_pairs(node: Node):
    pairs = list(itertools.product(POOL, repeat=2))
    assert len(pairs) > 5000
    official = judged(node, pairs)
    wrong = [(pair, said) for pair, said in zip(pairs, official, strict=True) if ours(*pair) != said]
    assert not wrong


def test_sorting_as_the_package_sorts(node: Node):
    """Whoever sorts by order keys has what the package calls sorted."""
    shuffled = random.Random(1).sample(POOL, len(POOL))
    ordered = sorted(shuffled, key=order_key)
    assert set(judged(node, list(itertools.pairwise(ordered)))) == {-1.0}


@settings(max_examples=200)
@given(batch=st.lists(st.tuples(values(), values()), min_size=1, max_size=10))
def test_any_values(node: Node, batch: list[tuple[Any, Any]]):
    assert judged(node, batch) == [ours(*pair) for pair in batch]


_words = st.text(st.sampled_from("aé\uffff😀\x00\U0010ffff"), max_size=4)


@given(batch=st.lists(st.tuples(_words, _words), min_size=1, max_size=20))
def test_strings_that_utf_16_would_sort_otherwise(node: Node, batch: list[tuple[str, str]]):
    assert judged(node, batch) == [ours(*pair) for pair in batch]
