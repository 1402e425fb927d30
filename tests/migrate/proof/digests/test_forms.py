"""Times become microseconds in columns as they do one by one."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from supavex.mapping.conversions.datetimes import micros
from supavex.migrate.proof.digests.forms import micros_of
from supavex.migrate.proof.digests.text_columns import NotComparable

#: Times with the fractions that doubles have today, of which one in 512 is half a microsecond, and any other times.
TIMES = st.builds(lambda whole, part: whole + part / 4096, st.integers(-(1 << 42), 1 << 42), st.integers(0, 4095))


@given(TIMES | st.floats(-1e13, 1e13) | st.builds(lambda n: n / 16, st.integers(-1000, 1000)))
def test_microseconds_are_the_nearest_and_of_two_the_even_one(milliseconds: float) -> None:
    expected = round(Fraction(milliseconds) * 1000)
    assert micros(milliseconds) == expected
    try:
        assert micros_of(np.array([milliseconds])).tolist() == [expected]
    except NotComparable:
        assert abs(milliseconds) > 1 << 43 or abs(milliseconds) < 1000


@pytest.mark.parametrize("whole", [1000, 1_764_556_800_000, -1_764_556_800_000])
def test_half_a_microsecond_is_certain(whole: int) -> None:
    halves = np.arange(1, 16, 2) / 16
    assert micros_of(whole + halves).tolist() == [round(Fraction(whole + half) * 1000) for half in halves.tolist()]
