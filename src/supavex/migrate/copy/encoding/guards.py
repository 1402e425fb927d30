"""Guards that the copy checks in the column it has read anyway: those of moments, and of decimals as text.

PostgreSQL's own evaluation of them costs more than sending the value; a look at a column's least and greatest costs
next to nothing.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from supavex.mapping.conversions.datetimes import (
    LAST,
    NEAREST_FUTURE,
    NEAREST_PAST,
    NEGATIVE_INFINITY,
    POSITIVE_INFINITY,
)
from supavex.migrate.copy.encoding.json_columns import FALSE, scalar, without_dot


def unfit(column: pa.Array) -> Iterator[tuple[int, int]]:
    """The rows of a column (timestamps in microseconds, or decimals as text) that break a guard of its conversion.

    Each with the number of the first guard that it breaks.
    """
    return _unfit_moments(column) if pa.types.is_timestamp(column.type) else _unfit_decimals(column)


def _unfit_moments(column: pa.Array) -> Iterator[tuple[int, int]]:
    """0: infinity. 1: a moment that no double holds."""
    micros = column.view(pa.int64())
    bounds = pc.min_max(micros)
    least, greatest = bounds["min"].as_py(), bounds["max"].as_py()
    if least is None or (least >= NEAREST_PAST and greatest <= NEAREST_FUTURE):
        return
    values = pc.fill_null(micros, 0).to_numpy()
    infinite = (values == POSITIVE_INFINITY) | (values == NEGATIVE_INFINITY)
    near = (values >= NEAREST_PAST) & (values <= NEAREST_FUTURE)
    whole = (values % 1000 == 0) & (values < LAST) & (values > NEGATIVE_INFINITY)
    for row in np.flatnonzero(infinite | ~(near | whole)):
        yield int(row), 0 if infinite[row] else 1


def _unfit_decimals(column: pa.Array) -> Iterator[tuple[int, int]]:
    """0: NaN, which a numeric of declared digits takes; it takes no infinity."""
    if not without_dot(column).true_count:
        return
    for row in np.flatnonzero(pc.fill_null(pc.equal(column, scalar("NaN")), FALSE).to_numpy(zero_copy_only=False)):
        yield int(row), 0
