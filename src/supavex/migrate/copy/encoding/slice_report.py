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

#: The fix for a value that the schema does not allow.
MEANT = "Correct the row, or say what should become of it in schema.py or supavex.toml."


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a row is rejected: the column, a code, one sentence, and the fix."""

    column: str
    code: str
    reason: str
    fix: str


@dataclass(slots=True)
class SliceReport:
    """The report about the rows of a slice. Rows are counted from the first of the slice."""

    #: The first reason of each rejected row.
    rejected: dict[int, Reason] = field(default_factory=dict)
    #: By column, the rows with a filled NULL, and those whose JSON holds a rounded number.
    filled: dict[str, list[int]] = field(default_factory=dict)
    rounded: dict[str, list[int]] = field(default_factory=dict)

    def reject(self, row: int, field: FieldPlan, code: str, reason: str, fix: str) -> None:
        """Rejects a row because of a field, unless it is already rejected."""
        self.rejected.setdefault(row, Reason(field.place, code, reason, fix))

    def reject_where(self, mask: Any, reason: Reason) -> None:
        """Rejects the rows with a true ``mask`` (booleans, NULL as false), unless they are already rejected."""
        if mask.null_count:
            mask = pc.fill_null(mask, json_columns.FALSE)
        if not mask.true_count:
            return
        for index in np.flatnonzero(mask.to_numpy(zero_copy_only=False)):
            self.rejected.setdefault(int(index), reason)

    def going(self, rows: Mapping[str, list[int]]) -> Counter[str]:
        """By column, how many of some rows are accepted."""
        gone = self.rejected
        return +Counter({name: len(found) - sum(row in gone for row in found if gone) for name, found in rows.items()})
