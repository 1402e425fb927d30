"""What a proof found: table by table, with the first findings of each kind."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import Any

from supavex.migrate.comparison import Mismatch

#: Findings of one kind that are listed for one table; all are counted.
LISTED = 50


@dataclass(frozen=True, slots=True)
class Finding:
    """Something wrong that is no differing field: a missing or extra document, a broken reference, unique or check."""

    kind: str
    table: str
    key: str
    detail: str


@dataclass(slots=True)
class TableProof:
    """What the proof found of one table. Counts are complete; ``mismatches`` and ``findings`` are the first of each."""

    source: str
    target: str
    rows: int = 0
    documents: int = 0
    matched: int = 0
    rejected: int = 0
    fields: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    mismatches: list[Mismatch] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether everything is equal or explained."""
        return not self.counts

    def add(self, kind: str, key: str, detail: str) -> None:
        """Counts a finding, and lists it if it is among the first."""
        self.counts[kind] += 1
        if self.counts[kind] <= LISTED:
            self.findings.append(Finding(kind, self.source, key, detail))

    def to_json(self) -> dict[str, Any]:
        """As ``verify --json`` shows it."""
        return {**asdict(self), "counts": dict(self.counts), "ok": self.ok}


@dataclass(slots=True)
class Proof:
    """The whole proof. ``sampled``: only that many rows of each table were compared, so it proves nothing."""

    tables: list[TableProof]
    taken_at: str
    seconds: float
    sampled: int | None = None

    @property
    def ok(self) -> bool:
        """The verdict."""
        return all(table.ok for table in self.tables)

    def to_json(self) -> dict[str, Any]:
        """As ``verify --json`` shows it."""
        return {
            "ok": self.ok,
            "proof": self.sampled is None,
            "sampled": self.sampled,
            "takenAt": self.taken_at,
            "seconds": round(self.seconds, 3),
            "tables": [table.to_json() for table in self.tables],
        }
