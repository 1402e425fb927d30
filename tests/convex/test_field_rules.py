"""The rules that came from Supabase: which values break one, and what is said of it."""

from typing import Any

import pytest

from supavex.convex.field_rules import MISSING, Rules, printed

NAN, INFINITY = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (60.0, "60"),
        (60, "60"),
        (0.5, "0.5"),
        (True, "true"),
        (None, "null"),
        ("é", '"é"'),
        (b"a", "b'a'"),
        ([1.5, {"a": None}], '[1.5, {"a": null}]'),
        ([b"a"], """["b'a'"]"""),
        (NAN, "NaN"),
        (1e15 - 1, "999999999999999"),
        (1e15, "1000000000000000.0"),
    ],
)
def test_values_as_text(value: Any, text: str):
    assert printed(value) == text


@pytest.mark.parametrize(
    ("rules", "good", "bad"),
    [
        (Rules(), [None, 1.0, "a"], []),
        (Rules(one_of=("a", "b")), ["a", "b"], ["c", "A", None]),
        (Rules(one_of=(1.0, None)), [1, 1.0, None], [True, "1", 0.0]),
        (Rules(one_of=(True,)), [True], [1, 1.0]),
        (Rules(ge=0), [0, 0.0, 5.5, INFINITY], [-0.1, -1, NAN, None, "1", True]),
        (Rules(gt=0), [0.1, 1], [0, 0.0, -1]),
        (Rules(le=5), [5, 5.0, -INFINITY], [5.1, 6]),
        (Rules(lt=5), [4.9], [5, 5.0]),
        (Rules(ge=1, lt=3), [1, 2.9], [0.9, 3]),
        (Rules(ge=2**53 + 1), [2**53 + 1], [2**53]),
        (Rules(pattern="b+"), ["abc"], ["ac", "", None, 5.0]),
        (Rules(pattern="^a$"), ["a"], ["ba", "ab"]),
        (Rules(default=1.0, unique=True), [None, 2.0], []),
    ],
    ids=lambda value: repr(value) if isinstance(value, Rules) else "",
)
def test_which_values_break_a_rule(rules: Rules, good: list[Any], bad: list[Any]):
    assert [value for value in good if rules.problem(value)] == []
    assert [value for value in bad if not rules.problem(value)] == []


@pytest.mark.parametrize(
    ("rules", "value", "problem"),
    [
        (Rules(one_of=("a", 5.0)), "c", '"c" is not one of "a", 5'),
        (Rules(ge=0), -1.0, "-1 is not at least 0"),
        (Rules(gt=0), None, "null is not above 0"),
        (Rules(le=5.5), 6, "6 is not at most 5.5"),
        (Rules(lt=5), 5, "5 is not below 5"),
        (Rules(pattern="^a"), "b", '"b" does not match ^a'),
        (Rules(one_of=("a",), pattern="^b"), "c", '"c" is not one of "a"'),
        (Rules(le=1_234_567), 1_234_568, "1234568 is not at most 1234567"),
    ],
)
def test_a_broken_rule_in_words(rules: Rules, value: Any, problem: str):
    assert rules.problem(value) == problem


@pytest.mark.parametrize(
    ("rules", "text"),
    [
        (Rules(), ""),
        (Rules(default=60.0), "default 60"),
        (Rules(default=None), "default null"),
        (Rules(default=MISSING, unique=True), "unique"),
        (Rules(one_of=("draft", "live")), '"draft" | "live"'),
        (Rules(ge=0, le=5), "0 to 5"),
        (Rules(ge=0), "at least 0"),
        (Rules(le=0.5), "at most 0.5"),
        (Rules(gt=0, lt=1), "above 0, below 1"),
        (Rules(ge=0, lt=1), "at least 0, below 1"),
        (Rules(ge=-1_234_567, le=100_000_000), "-1234567 to 100000000"),
        (Rules(default="a", one_of=("a",), pattern="^a", unique=True), 'default "a", "a", matches ^a, unique'),
    ],
)
def test_rules_in_words(rules: Rules, text: str):
    assert rules.describe() == text
