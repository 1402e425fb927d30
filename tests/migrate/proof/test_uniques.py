"""Hashes of unique values never miss what is repeated."""

from __future__ import annotations

import json
from collections.abc import Generator
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supavex.convex.values import parse_export_json, to_export_json
from supavex.migrate.proof.uniques import may_repeat
from supavex.migrate.target.documents import Documents


class Lines:
    """A target of one table, in blocks of two documents."""

    def __init__(self, lines: list[str], *, uniform: bool = False) -> None:
        self._lines, self._uniform = lines, uniform

    def uniform(self, table: str) -> bool:
        return self._uniform

    def blocks(self, table: str) -> Generator[bytes]:
        for start in range(0, len(self._lines), 2):
            yield "\n".join(self._lines[start : start + 2]).encode()


def told(lines: list[str], *groups: tuple[str, ...], uniform: bool = False) -> bool:
    return may_repeat(cast(Documents, Lines(lines, uniform=uniform)), "t", list(groups))


values = st.sampled_from([None, 0.0, -0.0, 1.0, True, False, "a", "b", "é", "", 2.0**53])


@given(st.lists(st.tuples(values, values), max_size=5), st.booleans())
def test_what_repeats_is_never_missed(rows: list[tuple[Any, Any]], ascii_only: bool):
    lines = [
        json.dumps({"_id": str(n), "a": a, "b": b, "c": [1]}, ensure_ascii=ascii_only) for n, (a, b) in enumerate(rows)
    ]
    there = [to_export_json([a, b]) for a, b in rows if a is not None and b is not None]
    if len(set(there)) < len(there):
        assert told(lines, ("a", "b"))


@pytest.mark.parametrize(
    ("lines", "uniform", "repeats"),
    [
        ([], False, False),
        (['{"a": 1}', '{"a": 2}', '{"a": 3}'], False, False),
        (['{"a": 1}', '{"a": 2}', '{"a": 1.0}'], False, True),
        (['{"a": 9007199254740993}', '{"a": 9007199254740992}'], False, True),
        (['{"a": 9007199254740993}', '{"a": 9007199254740992}'], True, False),
        (['{"a": "\\u00e9"}', '{"a": "é"}'], False, True),
        (['{"a": "x"}', '{"b": "x"}', '{"a": null}', "{}"], False, False),
    ],
)
def test_equal_values_are_equal_however_they_are_written(lines: list[str], uniform: bool, repeats: bool):
    assert told(lines, ("a",), uniform=uniform) is repeats
    values = [parse_export_json(line, uniform=uniform).get("a") for line in lines]  # type: ignore[union-attr]
    there = [to_export_json(value) for value in values if value is not None]
    assert (len(set(there)) < len(there)) is repeats


@pytest.mark.parametrize("line", ['{"a": [1]}', '{"a": {"$integer": "AAAAAAAAAAA="}}', "{", "[]", "\xff"])
def test_where_it_cannot_tell_it_says_so(line: str):
    assert told(['{"a": 1}', line], ("a",))


def test_a_field_inside_another_is_not_looked_at_here():
    assert told(['{"a": {"b": 1}}'], ("a.b",))
