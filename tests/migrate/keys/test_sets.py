"""Looking a whole column up finds what a Python set finds."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from supavex.migrate.keys.sets import KeySet, once

#: Few different ones, so that keys meet; some that differ in one bit, and packed integers.
KEYS = st.binary(min_size=16, max_size=16) | st.integers(0, 20).map(lambda n: b"supavex0" + n.to_bytes(8, "big"))


def matrix(keys: list[bytes]) -> np.ndarray:
    return np.frombuffer(b"".join(keys), np.uint8).reshape(-1, 16)


@given(st.lists(KEYS), st.lists(KEYS))
def test_what_is_in_the_set_is_found_and_nothing_else(held: list[bytes], asked: list[bytes]) -> None:
    keys = KeySet.of_bytes(held)
    assert sorted(keys.to_list()) == sorted(held)
    assert keys.lacks(matrix(held + asked)).tolist() == [key not in held for key in held + asked]
    known, order = KeySet.ordered(matrix(held))
    for key, place in zip(held, known.find(matrix(held)).tolist(), strict=True):
        assert held[order[place]] == key


@given(st.lists(KEYS))
def test_keys_that_stand_once(keys: list[bytes]) -> None:
    alone, shared = once(matrix(keys))
    assert alone.tolist() == [keys.count(key) == 1 for key in keys]
    assert shared == len({key for key in keys if keys.count(key) > 1})


@pytest.mark.parametrize("count", [1, 1000, 50_000])
def test_integers_in_a_row_fall_into_different_slots(count: int) -> None:
    keys = KeySet.of(matrix([b"supavex0" + n.to_bytes(8, "big") for n in range(count)]))
    assert keys.longest < 12
