"""What a proof found: table by table, with the first findings of each kind."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Protocol

from supavex.migrate.proof.comparison import Mismatch
from supavex.text import counted

#: Findings of one kind that are listed for one table; all are counted.
LISTED = 10_000
#: Mismatches of a table whose values are kept whole, and the characters that are kept of those that follow.
_WHOLE, _CUT = 50, 500
#: The kind of :attr:`TableProof.changes`.
CHANGED = "changed since the copy"


@dataclass(frozen=True, slots=True)
class Finding:
    """Something wrong that is no differing field: a missing or extra document, a broken reference, unique or check."""

    kind: str
    table: str
    key: str
    detail: str


@dataclass(slots=True)
class TableProof:
    """What the proof found of one table. Counts are complete; ``mismatches`` and ``findings`` are the first of each.

    ``counts`` are of what is wrong. ``changed``: rows that are not as their documents, or have none, and that were
    written after the copy had read; ``changes`` are the first of them. One flat record, as its JSON is.
    """

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
    changed: int = 0
    changes: list[Finding] = field(default_factory=list)
    #: By column: NULLs whose documents hold what fills them, and rows whose JSON has a number that JSON.parse rounds.
    filled: dict[str, int] = field(default_factory=dict)
    rounded: dict[str, int] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Whether everything is equal or explained."""
        return not self.counts and not self.changed

    @property
    def wrong(self) -> int:
        """How many differences there are that no later change explains."""
        return sum(self.counts.values())

    def add(self, kind: str, key: str, detail: str) -> None:
        """Counts a finding, and lists it if it is among the first."""
        self.counts[kind] += 1
        if self.counts[kind] <= LISTED:
            self.findings.append(Finding(kind, self.source, key, detail))

    def add_mismatches(self, mismatches: list[Mismatch]) -> None:
        """Counts the fields of a row that differ, and lists them if they are among the first."""
        for mismatch in mismatches[: max(0, LISTED - len(self.mismatches))]:
            if len(self.mismatches) >= _WHOLE:
                mismatch = replace(mismatch, source=_cut(mismatch.source), target=_cut(mismatch.target))
            self.mismatches.append(mismatch)
        if mismatches:
            self.counts["mismatch"] += len(mismatches)

    def note(self, kind: str, key: str, detail: str) -> None:
        """Lists a check that could not be evaluated. It does not count as a failure."""
        self.findings.append(Finding(kind, self.source, key, detail))

    def add_change(self, key: str, detail: str) -> None:
        """Counts a row that was written since the copy, and lists it if it is among the first."""
        self.changed += 1
        if self.changed <= LISTED:
            self.changes.append(Finding(CHANGED, self.source, key, detail))

    def to_json(self) -> dict[str, Any]:
        """As ``verify --json`` shows it."""
        return {**asdict(self), "counts": dict(self.counts), "ok": self.ok}


def _cut(text: str) -> str:
    return text if len(text) <= _CUT else f"{text[:_CUT]}… ({len(text):,} characters)"


class StoreFindings(Protocol):
    """What was found of a local deployment's own file; see :mod:`supavex.migrate.proof.store`."""

    found: TableProof
    indexes: int
    entries: int
    modules: int
    sqlite_check: str

    def to_json(self) -> dict[str, Any]:
        """As ``verify --json`` shows it."""


@dataclass(slots=True)
class Proof:
    """The whole proof. ``sampled``: only that many rows of each table were compared, so it proves nothing.

    ``taken_at`` is when the snapshot that it compares was taken, ``copied_at`` when that of the copy was, where known.
    """

    tables: list[TableProof]
    taken_at: str
    seconds: float
    sampled: int | None = None
    copied_at: str | None = None
    #: What of the source it can't answer for, each in a few words; they don't count as differences.
    remarks: tuple[str, ...] = ()
    #: The target's own file, where that is a local deployment's.
    store: StoreFindings | None = None

    @property
    def ok(self) -> bool:
        """Whether source and target are equal, as of the proof's snapshot."""
        return all(table.ok for table in self.tables) and (self.store is None or self.store.found.ok)

    @property
    def wrong(self) -> int:
        """How many differences there are that no later change explains."""
        return sum(table.wrong for table in self.tables) + (0 if self.store is None else self.store.found.wrong)

    @property
    def changed(self) -> int:
        """How many rows differ for they were written since the copy."""
        return sum(table.changed for table in self.tables)

    @property
    def filled(self) -> int:
        """How many NULLs of the source were filled."""
        return sum(sum(table.filled.values()) for table in self.tables)

    @property
    def rounded(self) -> int:
        """How many values are JSON with a number that JSON.parse rounds."""
        return sum(sum(table.rounded.values()) for table in self.tables)

    @property
    def verdict(self) -> str:
        """The verdict in a few words, which are stable."""
        if self.sampled is not None:
            return "sample equal" if self.ok else "sample differs"
        if self.ok:
            return "proven for what the files gave" if self.remarks else "proven"
        return "not proven" if self.wrong else "changed since the copy"

    @property
    def said(self) -> str:
        """The verdict and its remarks: ``proven for what the files gave; 3 statements of data did not run``."""
        return "; ".join([self.verdict, *self.all_remarks])

    @property
    def all_remarks(self) -> tuple[str, ...]:
        """The remarks, and how many NULLs were filled: those of the source are no values of the target's."""
        filled = (f"{counted(self.filled, 'NULL')} filled",) if self.filled else ()
        return (*self.remarks, *filled)

    @property
    def looked_at(self) -> list[str]:
        """What was looked at, in words that are stable."""
        if self.sampled is not None:
            return ["rows"]
        found = ["rows", "documents", "fields", "references", "uniques", "rules", "checks"]
        if self.store is not None:
            found += ["indexes", f"SQLite {self.store.sqlite_check}", "modules"]
        return found

    def to_json(self) -> dict[str, Any]:
        """As ``verify --json`` shows it."""
        return {
            "ok": self.ok,
            "proof": self.sampled is None,
            "verdict": self.verdict,
            "remarks": list(self.remarks),
            "sampled": self.sampled,
            "takenAt": self.taken_at,
            "copiedAt": self.copied_at,
            "wrong": self.wrong,
            "changed": self.changed,
            "filled": self.filled,
            "rounded": self.rounded,
            "seconds": round(self.seconds, 3),
            "lookedAt": self.looked_at,
            "tables": [table.to_json() for table in self.tables],
            "deployment": None if self.store is None else self.store.to_json(),
        }
