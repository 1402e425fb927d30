"""Guards that the copy checks in columns that it has already read: those of times, and of decimals as text.

Evaluating them in PostgreSQL costs more than sending the value. Looking at a column's minimum and maximum costs almost
nothing.
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

    Each row comes with the number of the first broken guard.
    """
    return _unfit_timestamps(column) if pa.types.is_timestamp(column.type) else _unfit_decimals(column)


def _unfit_timestamps(column: pa.Array) -> Iterator[tuple[int, int]]:
    """Guard 0: infinity. Guard 1: a time that a double can't hold."""
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
    """Guard 0: NaN, which a numeric with a precision accepts. It does not accept infinity."""
    if not without_dot(column).true_count:
        return
    for row in np.flatnonzero(pc.fill_null(pc.equal(column, scalar("NaN")), FALSE).to_numpy(zero_copy_only=False)):
        yield int(row), 0
