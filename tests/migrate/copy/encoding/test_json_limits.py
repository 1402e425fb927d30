"""The scan for JSON that Convex refuses finds whatever the exact check finds."""

import json
import re

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from supavex.convex.validators import Number, Object
from supavex.convex.values import value_problem
from supavex.mapping.conversions.json import escape_keys, json_problem, numbers_as_doubles, unescape_keys
from supavex.migrate.copy.encoding import json_limits

KEYS = st.text(st.characters(exclude_categories=["Cs"]), max_size=5) | st.sampled_from(["$a", "é", "ok", "\n", "\x7f"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False) | KEYS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=12,
)


@given(st.lists(VALUES, min_size=1))
def test_the_scan_misses_nothing(values: list[object]) -> None:
    texts = [json.dumps(value, ensure_ascii=False, separators=(", ", ": ")) for value in values]
    found = {problem.index for problem in json_limits.problems(pa.array(texts))}
    assert found == {index for index, text in enumerate(texts) if json_problem(text)}


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ('{"$a": 1}', "InvalidValue"),
        ('{"a": {"é": 1}}', "InvalidValue"),
        ('{"a\\nb": 1}', "InvalidValue"),
        ('{"' + "k" * 1025 + '": 1}', "InvalidValue"),
        ("[" * 16 + "]" * 16, "TooNestedError"),
        ("[" + "0, " * 8192 + "0]", "ArrayTooLong"),
        ("{" + ", ".join(f'"k{n}": 0' for n in range(1025)) + "}", "InvalidValue"),
        ("1" + "0" * 310, "InexactNumber"),
    ],
)
def test_each_limit_is_found(text: str, code: str) -> None:
    (problem,) = json_limits.problems(pa.array(["{}", text, None]))
    assert (problem.index, problem.code) == (1, code)


@pytest.mark.parametrize(
    ("text", "escaping"),
    [
        ('{"$a": 1}', True),
        ('{"' + "k" * 1025 + '": 1}', False),
        ("{" + ", ".join(f'"k{n}": 0' for n in range(1025)) + "}", False),
        (r'{"a": "\ud800"}', False),
    ],
)
def test_what_cannot_help_is_not_advised(text: str, *, escaping: bool) -> None:
    problem = json_problem(text)
    assert problem is not None
    assert ('"escape"' in problem[2], '"text"' in problem[2]) == (escaping, True)


@pytest.mark.parametrize(
    "text",
    [
        '{"": 1}',
        '{"a": "$x", "b": "é", "c\\"d": "{\\"$y\\": 1}"}',
        "[" * 15 + "]" * 15,
        '{"' + "k" * 1024 + '": 1}',
        "1e308",
        '"' + "x" * 5000 + '"',
    ],
)
def test_what_only_looks_odd_is_fine(text: str) -> None:
    assert list(json_limits.problems(pa.array([text]))) == []


def test_rows_checked_against_a_validator_are_written_anew() -> None:
    validator = Object(fields={"k": Number()})
    texts, problems = json_limits.checked_rows(
        pa.array(['{ "k" : 1 }', None, '{"k": "x"}', '{"k": 1, "$": 2}']), validator, numbers_as_doubles
    )
    assert texts.to_pylist() == ['{"k":1.0}', None, "null", "null"]
    assert [(p.index, p.code) for p in problems] == [(2, "DoesNotFitValidator"), (3, "InvalidValue")]


def test_rows_are_loaded_before_they_are_checked() -> None:
    texts, problems = json_limits.checked_rows(pa.array(["7", "-1"]), Number(), lambda text: float(text) + 0.5)
    assert (texts.to_pylist(), problems) == (["7.5", "-0.5"], [])
    texts, problems = json_limits.checked_rows(pa.array(["7"]), Number(), lambda text: {"$": text})
    assert (texts.to_pylist(), [p.code for p in problems]) == (["null"], ["InvalidValue"])


@given(VALUES)
def test_escaped_keys_are_ones_that_convex_takes_and_can_be_taken_back(value: object) -> None:
    escaped = escape_keys(value)
    assert value_problem(escaped) is None
    assert unescape_keys(escaped) == value


def test_a_document_is_weighed_as_convex_weighs_it() -> None:
    heavy = json.dumps({"a": [0] * 8000, "b": "x" * 1_000_000}).replace("0,", "0.0,")
    assert "1,0" in str(json_limits.document_problem(heavy, uniform=False))
    assert json_limits.document_problem('{"a": "x"}', uniform=False) is None


@given(st.lists(st.none() | st.lists(st.sampled_from(["a", '{"', "1234567", "9.5", "0" * 11, "7" * 16])).map("".join)))
def test_long_numbers_are_found_by_words(texts: list[str | None]) -> None:
    found = set(json_limits._with_digits(pa.array(texts, pa.string())).tolist())
    assert found >= {index for index, text in enumerate(texts) if re.search(r"[0-9.]{16}", text or "")}


def test_numbers_of_eleven_digits_are_not_read_one_by_one() -> None:
    phones = pa.array([f'{{"phone": "{6_280_000_000_000 + n}", "n": {n}}}' for n in range(1000)])
    assert len(json_limits._with_digits(phones)) <= 1, "all but the last, behind which nothing is looked at"
    assert json_limits.rounded_rows(phones, exponents=False).tolist() == []
    longer = pa.array(['{"n": 12345678901234567}', None, '{"n": 1234567890123456}', '{"n": 0.1234567890123456789}'])
    assert json_limits.rounded_rows(longer, exponents=False).tolist() == [0, 3]
