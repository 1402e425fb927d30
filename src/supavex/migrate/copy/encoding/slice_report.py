"""The report about a slice: the rejected rows with the reason, and the rows that are copied with a change."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow.compute as pc

from supavex.mapping.plan import FieldPlan
from supavex.migrate.copy.encoding import json_columns
from supavex.migrate.state.rejects import Reason

#: The fix for a value that the schema does not allow.
MEANT = "Correct the row, or say what should become of it in schema.py or supavex.toml."


@dataclass(slots=True)
class SliceReport:
    """The report about the rows of a slice. Rows are counted from the first of the slice."""

    #: The reasons of each rejected row, in the order of the checks. See :meth:`add`.
    rejected: dict[int, list[Reason]] = field(default_factory=dict)
    #: By column, the rows with a filled NULL, and those whose JSON holds a rounded number.
    filled: dict[str, list[int]] = field(default_factory=dict)
    rounded: dict[str, list[int]] = field(default_factory=dict)

    def add(self, row: int, reason: Reason) -> None:
        """Rejects a row. Of each column only the first reason is kept, because later checks see the same value."""
        reasons = self.rejected.setdefault(row, [])
        if all(known.column != reason.column for known in reasons):
            reasons.append(reason)

    def reject(self, row: int, field: FieldPlan, code: str, reason: str, fix: str) -> None:
        """Rejects a row because of a field."""
        self.add(row, Reason(field.place, code, reason, fix))

    def reject_where(self, mask: Any, reason: Reason) -> None:
        """Rejects the rows with a true ``mask`` (booleans, NULL as false)."""
        if mask.null_count:
            mask = pc.fill_null(mask, json_columns.FALSE)
        if not mask.true_count:
            return
        for index in np.flatnonzero(mask.to_numpy(zero_copy_only=False)):
            self.add(int(index), reason)

    def going(self, rows: Mapping[str, list[int]]) -> Counter[str]:
        """By column, how many of some rows are accepted."""
        gone = self.rejected
        return +Counter({name: len(found) - sum(row in gone for row in found if gone) for name, found in rows.items()})
