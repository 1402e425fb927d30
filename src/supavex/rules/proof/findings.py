"""What ``verify --rules`` found: what was tried, what differs, and what was not tried."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

#: The most differences that are kept. All are counted.
LISTED = 200


@dataclass(frozen=True, slots=True)
class Difference:
    """A difference between the sides."""

    kind: str
    user: str
    table: str
    detail: str
    policy: str = ""

    def to_json(self) -> dict[str, Any]:
        """The difference in ``verify --rules --json``."""
        return {"kind": self.kind, "user": self.user, "table": self.table, "detail": self.detail, "policy": self.policy}


@dataclass(slots=True)
class Findings:
    """The result of the comparison."""

    #: The users as whom it read and wrote.
    users: list[str] = field(default_factory=list)
    #: The compared tables.
    tables: list[str] = field(default_factory=list)
    #: Documents that were read as some user.
    reads: int = 0
    #: Attempted writes.
    writes: int = 0
    #: Accepted writes.
    taken: int = 0
    #: The number of differences.
    wrong: int = 0
    #: The first differences.
    differences: list[Difference] = field(default_factory=list)
    #: What could not be compared, in words.
    not_tried: dict[str, None] = field(default_factory=dict)
    #: Tables that were compared in part: their documents, and how many of these were compared.
    sampled: dict[str, tuple[int, int]] = field(default_factory=dict)
    #: The first write of each user that a policy refused on both sides: user, table, command, the codes.
    refused: dict[str, str] = field(default_factory=dict)

    def differ(self, difference: Difference) -> None:
        """Counts and records a difference."""
        self.wrong += 1
        if len(self.differences) < LISTED:
            self.differences.append(difference)
