"""Which rule a value breaks, at any level of its validator."""

from typing import Any

import pytest

from supavex.convex.broken_rules import field_rules, may_break_rules, rules_problem
from supavex.convex.field_rules import Rules
from supavex.convex.schema import v
from supavex.convex.validators import Validator

SCORE = v.number(ge=0, le=5)


@pytest.mark.parametrize(
    ("validator", "good", "bad"),
    [
        (SCORE, [0.0, 5.0, None], [-1.0, 6.0]),
        (v.optional(SCORE), [1.0, None], [6.0]),
        (v.array(SCORE), [[], [1.0, 2.0], None], [[1.0, 6.0]]),
        (v.object({"score": v.optional(SCORE)}), [{}, {"score": 1.0}], [{"score": 6.0}]),
        (v.record(v.string(), SCORE), [{}, {"a": 1.0}], [{"a": 1.0, "b": 6.0}]),
        (v.union(SCORE, v.null()), [None, 1.0], [6.0]),
        # A value breaks a union's rules where it breaks those of every member that it fits.
        (v.union(v.number(le=1), v.number(ge=5)), [0.0, 9.0], [3.0]),
        (v.union(v.number(le=1), v.string(pattern="^a")), [0.0, "ab"], [3.0, "b"]),
        (v.union(v.id("users"), v.number(le=1)), ["any text"], [3.0]),
    ],
)
def test_which_values_break_a_rule(validator: Validator, good: list[Any], bad: list[Any]) -> None:
    assert [value for value in good if rules_problem(validator, value)] == []
    assert [value for value in bad if not rules_problem(validator, value)] == []
    assert may_break_rules(validator)


def test_defaults_and_uniqueness_are_not_rules_of_one_value() -> None:
    plain = v.object({"a": v.optional(v.array(v.string(unique=True, default="none")))})
    assert not may_break_rules(plain)


def test_the_first_broken_rule_is_said() -> None:
    assert rules_problem(v.object({"a": v.array(SCORE)}), {"a": [1.0, 7.0, 8.0]}) == "7 is not at most 5"


def test_the_rules_of_a_field_that_may_be_null_are_those_of_its_value() -> None:
    assert field_rules(v.optional(v.union(v.number(ge=0), v.null(), default=1))) == Rules(ge=0, default=1.0)
    assert field_rules(v.union(v.number(ge=0), v.string())) == Rules()
