"""Convex's own words for what does not fit: each kind of value, of validator and of mismatch."""

import math
from typing import Any

import pytest

from supavex.convex.messages import mismatch_text, validator_text, value_text
from supavex.convex.validators import Literal, Validator
from supavex.convex.values import Value
from supavex.schema import v

POST, USER = "j57000820c20a1g7104gm2rc1m70ynr8", "j97004926d25askqh2ctneycvn720pbv"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "null"),
        (True, "true"),
        (False, "false"),
        (5, "5"),
        (-(2**63), "-9223372036854775808"),
        (5.0, "5.0"),
        (-0.0, "-0.0"),
        (0.1, "0.1"),
        (1e15, "1000000000000000.0"),
        (1e16, "1e16"),
        (1.5e300, "1.5e300"),
        (0.0001, "0.0001"),
        (0.00001, "1e-5"),
        (math.nan, "NaN"),
        (math.inf, "inf"),
        (-math.inf, "-inf"),
        ("a", '"a"'),
        ('he said "é"\n\t\\', '"he said \\"é\\"\\n\\t\\\\"'),
        ("\0\x01\x7f", '"\\0\\u{1}\\u{7f}"'),
        (b"\0\xff", 'b"AP8="'),
        ([], "[]"),
        ([1, "a", [None]], '[1, "a", [null]]'),
        ({}, "{}"),
        ({"b": 1.0, "a": {"_": 2}, "B": []}, "{B: [], a: {_: 2}, b: 1.0}"),
    ],
)
def test_values(value: Value, text: str):
    assert value_text(value) == text


@pytest.mark.parametrize(
    ("validator", "text"),
    [
        (v.null(), "v.null()"),
        (v.number(), "v.float64()"),
        (v.int64(), "v.int64()"),
        (v.boolean(), "v.boolean()"),
        (v.string(), "v.string()"),
        (v.bytes(), "v.bytes()"),
        (v.any(), "v.any()"),
        (v.id("posts"), 'v.id("posts")'),
        (v.literal("é"), 'v.literal("é")'),
        (v.literal(True), "v.literal(true)"),
        (v.literal(2.0), "v.literal(2.0)"),
        (Literal(value=5), "v.literal(<bigint>)"),
        (v.array(v.number()), "v.array(v.float64())"),
        (v.record(v.string(), v.number()), "v.record(v.string(), v.float64())"),
        (v.union(v.number(), v.null()), "v.union(v.float64(), v.null())"),
        (
            v.object({"b": v.optional(v.array(v.number())), "a": v.object({})}),
            "v.object({a: v.object({}), b: v.optional(v.array(v.float64()))})",
        ),
    ],
)
def test_validators(validator: Validator, text: str):
    assert validator_text(validator) == text


def words(validator: Validator, value: Value) -> str:
    """What Convex says of ``value``; table 10001 is posts, 10002 users."""
    mismatch = validator.check(value, {10001: "posts", 10002: "users"}.get)
    assert mismatch is not None
    return mismatch_text(mismatch)


PERSON = v.object({"name": v.string(), "age": v.optional(v.number())})
SHOWN = "v.object({age: v.optional(v.float64()), name: v.string()})"


@pytest.mark.parametrize(
    ("validator", "value", "text"),
    [
        (v.string(), 1.0, "Value does not match validator.\n\nValue: 1.0\nValidator: v.string()"),
        (PERSON, "x", f'Value does not match validator.\n\nValue: "x"\nValidator: {SHOWN}'),
        (
            PERSON,
            {},
            "Object is missing the required field `name`. Consider wrapping the field validator in `v.optional(...)` "
            f"if this is expected.\n\nObject: {{}}\nValidator: {SHOWN}",
        ),
        (
            PERSON,
            {"name": "a", "Age": 1},
            f'Object contains extra field `Age` that is not in the validator.\n\nObject: {{Age: 1, name: "a"}}\n'
            f"Validator: {SHOWN}",
        ),
        (
            v.object({"people": v.array(PERSON)}),
            {"people": [{"name": "a"}, {"name": None}]},
            "Value does not match validator.\nPath: .people[1].name\nValue: null\nValidator: v.string()",
        ),
        (
            v.object({"people": v.array(PERSON)}),
            {"people": [{}]},
            "Object is missing the required field `name`. Consider wrapping the field validator in `v.optional(...)` "
            f"if this is expected.\nPath: .people[0]\nObject: {{}}\nValidator: {SHOWN}",
        ),
        (
            v.record(v.string(), v.number()),
            {"a": 1},
            "Value does not match validator.\nPath: .values()\nValue: 1\nValidator: v.float64()",
        ),
        (
            v.record(v.id("posts"), v.any()),
            {"a": 1},
            'Value does not match validator.\nPath: .keys()\nValue: "a"\nValidator: v.id("posts")',
        ),
        (
            v.union(v.string(), v.number()),
            True,
            "Value does not match validator.\n\nValue: true\nValidator: v.union(v.string(), v.float64())",
        ),
        (v.literal("é"), "b", '`"b"` does not match literal validator `v.literal("é")`.'),
        (
            v.object({"a": Literal(value=5)}),
            {"a": 5.0},
            "`5.0` does not match literal validator `v.literal(<bigint>)`.Path: .a",
        ),
        (
            v.object({"author": v.id("users")}),
            {"author": POST},
            f'Found ID "{POST}" from table `posts`, which does not match the table name in validator '
            '`v.id("users")`.Path: .author',
        ),
        (v.id("users"), "nobody", 'Value does not match validator.\n\nValue: "nobody"\nValidator: v.id("users")'),
        (v.id("users"), 5, 'Value does not match validator.\n\nValue: 5\nValidator: v.id("users")'),
    ],
)
def test_mismatches(validator: Validator, value: Any, text: str):
    assert words(validator, value) == text


def test_what_fits_is_no_mismatch():
    assert v.id("users").check(USER, {10002: "users"}.get) is None
    assert PERSON.check({"name": "a"}, lambda number: None) is None
