"""What there is to say of the rows of a slice: those that don't go and why, and those that go changed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow.compute as pc

from supavex.mapping.plan import FieldPlan
from supavex.migrate.copy.encoding import json_columns

#: What to do about a value that the schema does not allow.
MEANT = "Correct the row, or say what should become of it in schema.py or supavex.toml."


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a row does not go: the column, a code, one sentence, and what to do."""

    column: str
    code: str
    reason: str
    fix: str


@dataclass(slots=True)
class SliceReport:
    """By row, counted from the first of the slice, what there is to say."""

    #: The first reason of each row that does not go.
    rejected: dict[int, Reason] = field(default_factory=dict)
    #: By column, the rows where NULL was filled, and those whose JSON holds a number that was rounded.
    filled: dict[str, list[int]] = field(default_factory=dict)
    rounded: dict[str, list[int]] = field(default_factory=dict)

    def reject(self, row: int, field: FieldPlan, code: str, reason: str, fix: str) -> None:
        """Rejects a row for a field's sake, unless it is rejected already."""
        self.rejected.setdefault(row, Reason(field.place, code, reason, fix))

    def reject_where(self, mask: Any, reason: Reason) -> None:
        """Rejects the rows where ``mask`` (a boolean column, NULL as False) is True, unless rejected already."""
        if mask.null_count:
            mask = pc.fill_null(mask, json_columns.FALSE)
        if not mask.true_count:
            return
        for index in np.flatnonzero(mask.to_numpy(zero_copy_only=False)):
            self.rejected.setdefault(int(index), reason)

    def going(self, rows: Mapping[str, list[int]]) -> Counter[str]:
        """How many of some rows go, by column."""
        gone = self.rejected
        return +Counter({name: len(found) - sum(row in gone for row in found if gone) for name, found in rows.items()})
