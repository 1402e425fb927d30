"""The notation of TypeScript: which parts need parentheses."""

from __future__ import annotations

import pytest

from supavex.rules.typescript.notation import binds_less


@pytest.mark.parametrize("gap", [" ", "\n"])
def test_a_part_that_binds_less_has_parentheses_in_one_line_and_in_several(gap: str) -> None:
    assert binds_less(f"a ||{gap}b", " && ")
    assert binds_less(f"a &&{gap}b", " || ")
    assert not binds_less(f"a &&{gap}b", " && ")
    assert not binds_less(f"(a ||{gap}b)", " && ")
