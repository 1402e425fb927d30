"""Values as a Python author writes them become those that Convex knows."""

from typing import Any

import pytest

from supavex.convex.coercion import coerce
from supavex.convex.schema import v
from supavex.convex.validators import Validator
from supavex.convex.values import same


@pytest.mark.parametrize(
    ("value", "validator", "expected"),
    [
        (60, v.number(), 60.0),
        (60, v.int64(), 60),
        (60.0, v.int64(), 60.0),
        (True, v.number(), True),
        (None, v.number(), None),
        ("a", v.string(), "a"),
        (60, v.optional(v.number()), 60.0),
        ((1, 2), v.array(v.number()), [1.0, 2.0]),
        ({"a": 1, "b": 1}, v.object({"a": v.number()}), {"a": 1.0, "b": 1}),
        ({"a": 1, "b": 1}, v.object({"a": v.optional(v.number()), "b": v.int64()}), {"a": 1.0, "b": 1}),
        ({"a": 1}, v.record(v.string(), v.number()), {"a": 1.0}),
        ({"a": [1, True, (2,)], "b": None}, v.any(), {"a": [1.0, True, [2.0]], "b": None}),
        (1, v.union(v.string(), v.number()), 1.0),
        (1, v.union(v.int64(), v.number()), 1),
        (1, v.union(v.number(), v.int64()), 1.0),
        ([1], v.union(v.null(), v.array(v.number())), [1.0]),
        ("x", v.union(v.null(), v.number()), "x"),
        (1, v.union(v.literal(1), v.literal(2)), 1.0),
        (1, v.union(v.literal("a"), v.literal_int64(1)), 1),
        ({"n": 1}, v.object({"n": v.literal(1)}), {"n": 1.0}),
    ],
)
def test_coerce(value: Any, validator: Validator, expected: Any):
    assert same(coerce(value, validator), expected)
