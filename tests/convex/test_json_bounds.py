"""Bounds on JSON texts hold whatever a text looks like, and let pass what has fewer values."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from supavex.convex.json_bounds import JsonTooLarge, check_bounds, parse_strict

DATA: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.integers() | st.text(st.sampled_from('a,[]{}:"\\é\n'), max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=4),
    max_leaves=30,
)


def values_of(data: Any) -> int:
    inner = data.values() if isinstance(data, dict) else data if isinstance(data, list) else ()
    return 1 + sum(map(values_of, inner))


def levels_of(data: Any) -> int:
    if not isinstance(data, dict | list):
        return 0
    return 1 + max(map(levels_of, data.values() if isinstance(data, dict) else data), default=0)


@settings(max_examples=400)
@given(data=DATA, block=st.integers(1, 40), binary=st.booleans(), ascii_only=st.booleans())
def test_what_has_more_is_refused_and_what_has_half_passes(data: Any, block: int, binary: bool, ascii_only: bool):
    text = json.dumps(data, ensure_ascii=ascii_only)
    given_text: str | bytes = text.encode() if binary else text
    values, levels = values_of(data), levels_of(data)
    # An empty array counts as two: its bracket, and the comma behind it.
    check_bounds(given_text, 2 * values, levels, block)
    if values > 2:
        with pytest.raises(JsonTooLarge):
            check_bounds(given_text, values // 2 - 1, 1000, block)
    if levels:
        with pytest.raises(JsonTooLarge):
            check_bounds(given_text, 2 * values, levels - 1, block)
    assert parse_strict(given_text) == data


@given(text=st.text(st.sampled_from('[]{},"\\a: 1'), max_size=60), block=st.integers(1, 20))
def test_any_text_is_counted(text: str, block: int):
    try:
        check_bounds(text, 5, 2, block)
        data = json.loads(text)
    except ValueError:
        return
    assert levels_of(data) <= 2
    # A text that is so short is not counted, for it can't hold so much more.
    assert values_of(data) <= 11


@pytest.mark.parametrize("text", ["NaN", "[Infinity]", "-Infinity", "1e400", "[1e999]", "1" * 5000, b"\xff", "[", ""])
def test_what_is_no_json_of_convexs(text: str | bytes):
    with pytest.raises(ValueError, match=r"."):
        parse_strict(text)
