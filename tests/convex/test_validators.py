"""Validators: what they accept, and what they say about the rest."""

from typing import Any

import pytest

from supavex.convex.ids import encode_id
from supavex.convex.schema import v
from supavex.convex.validators import Validator, literal_text, unwrap

USER = encode_id(10_001, bytes(range(16)))
FILE = encode_id(540, bytes(16))
STRANGER = encode_id(10_099, bytes(16))
NAN, INFINITY = float("nan"), float("inf")


def tables(number: int) -> str | None:
    """The tables of the deployment that these documents are for."""
    return {10_001: "users", 540: "_storage"}.get(number)


@pytest.mark.parametrize(
    ("validator", "accepted", "refused"),
    [
        (v.null(), [None], [False, 0.0, "", [], {}]),
        (v.number(), [1.0, -0.0, NAN, INFINITY], [1, True, "1", None]),
        (v.int64(), [1, -(2**63), 2**63 - 1], [1.0, True, "1"]),
        (v.boolean(), [True, False], [0, 1.0, "true", None]),
        (v.string(), ["", "é\x00"], [b"", 1.0, None]),
        (v.bytes(), [b"", b"a"], ["a", [1.0]]),
        (v.any(), [None, 1, 1.0, "a", b"", [], {"a": [1]}], []),
        (v.id("users"), [USER], [FILE, STRANGER, USER[:-1], "", None, 5.0]),
        (v.id("_storage"), [FILE], [USER, STRANGER]),
        (v.literal("a"), ["a"], ["b", "A", b"a", None]),
        (v.literal(1), [1.0], [1, True, 2.0]),
        (v.literal_int64(1), [1], [1.0, True]),
        (v.literal(True), [True], [False, 1, 1.0]),
        (v.literal(0.0), [0.0], [-0.0, 0]),
        (v.literal(NAN), [NAN], [0.0]),
        (v.array(v.number()), [[], [1.0, 2.0]], [[1], [1.0, "a"], None, {}]),
        (v.object({}), [{}], [{"a": None}, [], None]),
        (v.object({"a": v.number()}), [{"a": 1.0}], [{}, {"a": 1}, {"a": 1.0, "b": None}, {"a": None}]),
        (v.object({"a": v.optional(v.number())}), [{}, {"a": 1.0}], [{"a": None}, {"a": "x"}]),
        (v.record(v.string(), v.number()), [{}, {"a b": 1.0, "": 2.0}], [{"a": "x"}, [], None]),
        (v.record(v.id("users"), v.null()), [{USER: None}], [{FILE: None}, {"a": None}, {USER: 1.0}]),
        (v.union(), [], [None, 1.0]),
        (v.union(v.null(), v.number()), [None, 1.0], ["a", 1]),
        (v.union(v.object({"a": v.null()}), v.object({"b": v.null()})), [{"a": None}], [{}, {"a": None, "b": None}]),
    ],
    ids=str,
)
def test_what_a_validator_accepts(validator: Validator, accepted: list[Any], refused: list[Any]):
    assert [value for value in accepted if validator.check(value, tables)] == []
    assert [value for value in refused if not validator.check(value, tables)] == []


@pytest.mark.parametrize(
    ("validator", "value", "message"),
    [
        (v.string(), 5.0, "Value 5 does not match validator v.string(). Path: (the document)"),
        (
            v.id("users"),
            FILE,
            f'Found ID "{FILE}" from table "_storage", which does not match v.id("users"). Path: (the document)',
        ),
        (
            v.id("users"),
            "x",
            'Value "x" does not match validator v.id("users"). Path: (the document)',
        ),
        (
            v.object({"a": v.array(v.object({"b": v.null()}))}),
            {"a": [{"b": None}, {"b": True}]},
            "Value true does not match validator v.null(). Path: .a[1].b",
        ),
        (
            v.object({"a": v.object({"b": v.string(), "c": v.string()})}),
            {"a": {"c": "x"}},
            "Object is missing the required field `b`. Validator: v.object({b: v.string(), c: v.string()}) Path: .a",
        ),
        (
            v.object({}),
            {"y": 1.0, "x": 1.0},
            "Object contains extra field `x` that is not in the validator. Path: (the document)",
        ),
        (
            v.record(v.id("users"), v.null()),
            {"a": None},
            'Value "a" does not match validator v.id("users"). Path: .keys()',
        ),
        (
            v.object({"a": v.record(v.string(), v.boolean())}),
            {"a": {"k": "no"}},
            'Value "no" does not match validator v.boolean(). Path: .a.values()',
        ),
        (
            v.union(v.array(v.null())),
            [1.0],
            "Value 1 does not match validator v.null(). Path: [0]",
        ),
        (
            v.union(v.array(v.null()), v.null()),
            [1.0],
            "Value [1.0] does not match validator v.union(v.array(v.null()), v.null()). Path: (the document)",
        ),
    ],
)
def test_a_mismatch_says_what_and_where(validator: Validator, value: Any, message: str):
    assert str(validator.check(value, tables)) == message


def test_fields_are_checked_in_the_order_of_their_names_and_extra_fields_last():
    """So that the message is the one that Convex would give."""
    validator = v.object({"b": v.null(), "a": v.null()})
    assert validator.check({"b": 1.0, "a": 1.0, "A": None}, tables).path == ".a"
    assert "missing the required field `a`" in validator.check({"b": 1.0, "A": None}, tables).message
    assert "extra field `A`" in validator.check({"b": None, "a": None, "A": None}, tables).message


def test_a_record_is_checked_in_the_order_of_its_keys():
    validator = v.record(v.string(), v.null())
    assert validator.check({"b": 2.0, "a": 1.0, "c": None}, tables).message.startswith("Value 1 does not match")


@pytest.mark.parametrize(
    ("validator", "text"),
    [
        (v.int64(), "v.int64()"),
        (v.id('a"b'), 'v.id("a\\"b")'),
        (v.literal("a"), 'v.literal("a")'),
        (v.literal_int64(5), "v.literal(5n)"),
        (v.optional(v.array(v.any())), "v.optional(v.array(v.any()))"),
        (v.record(v.string(), v.union(v.null(), v.bytes())), "v.record(v.string(), v.union(v.null(), v.bytes()))"),
        (
            v.object({"b": v.null(), "a": v.optional(v.boolean())}),
            "v.object({b: v.null(), a: v.optional(v.boolean())})",
        ),
    ],
    ids=str,
)
def test_a_validator_as_text(validator: Validator, text: str):
    assert str(validator) == text


def test_walk_visits_everything_with_its_path():
    validator = v.object({"a": v.optional(v.array(v.union(v.null(), v.record(v.string(), v.any())))), "b": v.id("t")})
    assert [(path, found.kind) for path, found in validator.walk()] == [
        ("", "object"),
        (".a", "optional"),
        (".a", "array"),
        (".a[]", "union"),
        (".a[]", "null"),
        (".a[]", "record"),
        (".a[].keys()", "string"),
        (".a[].values()", "any"),
        (".b", "id"),
    ]


def test_unwrap_takes_every_optional_away():
    assert unwrap(v.optional(v.optional(v.null()))) == v.null()
    assert unwrap(v.null()) == v.null()


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("a", '"a"'),
        ('é"\n\u2028\u2029', '"é\\"\\n\\u2028\\u2029"'),
        (True, "true"),
        (5, "5n"),
        (-(2**63), "-9223372036854775808n"),
        (5.0, "5"),
        (-0.0, "-0"),
        (0.5, "0.5"),
        (1e15, "1000000000000000.0"),
        (1e22, "1e+22"),
        (NAN, "NaN"),
        (INFINITY, "Infinity"),
        (-INFINITY, "-Infinity"),
    ],
)
def test_literals_as_typescript(value: Any, text: str):
    assert literal_text(value) == text
