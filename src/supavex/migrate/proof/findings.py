"""The findings of a proof, table by table, with the first of each kind."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Protocol

from supavex.migrate.proof.comparison import Mismatch
from supavex.text import counted

#: The most findings of one kind that are listed for one table. All are counted.
LISTED = 10_000
#: The number of mismatches of a table whose values are kept whole, and the characters kept of later ones.
_WHOLE, _CUT = 50, 500
#: The kind of :attr:`TableProof.changes`.
CHANGED = "changed since the copy"


@dataclass(frozen=True, slots=True)
class Finding:
    """Something wrong other than a differing field: a missing or extra document, a broken reference, unique
    or check.
    """

    kind: str
    table: str
    key: str
    detail: str


@dataclass(slots=True)
class TableProof:
    """The findings of a proof for one table. Counts are complete; lists have the first of each kind."""

    #: The PostgreSQL table, ``schema.name``.
    source: str
    #: The Convex table.
    target: str
    #: The rows of the source.
    rows: int = 0
    #: The documents of the target.
    documents: int = 0
    #: Rows that equal their documents.
    matched: int = 0
    #: Rows that the copy rejected.
    rejected: int = 0
    #: The number of compared fields.
    fields: int = 0
    #: The number of findings by kind.
    counts: Counter[str] = field(default_factory=Counter)
    #: The first fields that differ.
    mismatches: list[Mismatch] = field(default_factory=list)
    #: The first findings of other kinds.
    findings: list[Finding] = field(default_factory=list)
    #: Rows that differ or have no document because they were written after the copy read them.
    changed: int = 0
    #: The first of these rows.
    changes: list[Finding] = field(default_factory=list)
    #: By column: NULLs that the documents hold the replacement of.
    filled: dict[str, int] = field(default_factory=dict)
    #: By column: rows whose JSON has a number that JSON.parse rounds.
    rounded: dict[str, int] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Whether everything is equal or explained."""
        return not self.counts and not self.changed

    @property
    def wrong(self) -> int:
        """The number of differences that no later change explains."""
        return sum(self.counts.values())

    def add(self, kind: str, key: str, detail: str) -> None:
        """Counts a finding, and lists it if it is among the first."""
        self.counts[kind] += 1
        if self.counts[kind] <= LISTED:
            self.findings.append(Finding(kind, self.source, key, detail))

    def add_mismatches(self, mismatches: list[Mismatch]) -> None:
        """Counts a row's differing fields, and lists them if they are among the first."""
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
        """The JSON of a table in ``verify --json``."""
        return {**asdict(self), "counts": dict(self.counts), "ok": self.ok}


def _cut(text: str) -> str:
    return text if len(text) <= _CUT else f"{text[:_CUT]}… ({len(text):,} characters)"


class StoreFindings(Protocol):
    """The findings about a local deployment's file; see :mod:`supavex.migrate.proof.store`."""

    found: TableProof
    indexes: int
    entries: int
    modules: int
    sqlite_check: str

    def to_json(self) -> dict[str, Any]:
        """The findings in the JSON of ``verify --json``."""


@dataclass(slots=True)
class Proof:
    """The result of a proof."""

    #: The findings of each table.
    tables: list[TableProof]
    #: When the snapshot was taken that it compares.
    taken_at: str
    #: How long the proof took.
    seconds: float
    #: The number of rows compared of each table, if it is a sample, which proves nothing.
    sampled: int | None = None
    #: When the copy's snapshot was taken, if that is known.
    copied_at: str | None = None
    #: The parts of the source that it does not cover, each in a few words. They are not differences.
    remarks: tuple[str, ...] = ()
    #: The findings about the target's own file, if it is a local deployment.
    store: StoreFindings | None = None

    @property
    def ok(self) -> bool:
        """Whether source and target are equal, at the proof's snapshot."""
        return all(table.ok for table in self.tables) and (self.store is None or self.store.found.ok)

    @property
    def wrong(self) -> int:
        """The number of differences that no later change explains."""
        return sum(table.wrong for table in self.tables) + (0 if self.store is None else self.store.found.wrong)

    @property
    def changed(self) -> int:
        """The number of rows that differ because they were written since the copy."""
        return sum(table.changed for table in self.tables)

    @property
    def filled(self) -> int:
        """The number of the source's NULLs that were filled."""
        return sum(sum(table.filled.values()) for table in self.tables)

    @property
    def rounded(self) -> int:
        """The number of JSON values with a number that JSON.parse rounds."""
        return sum(sum(table.rounded.values()) for table in self.tables)

    @property
    def verdict(self) -> str:
        """The verdict in a few words, which never change between versions."""
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
        """The remarks, and the number of filled NULLs, which the target does not have."""
        filled = (f"{counted(self.filled, 'NULL')} filled",) if self.filled else ()
        return (*self.remarks, *filled)

    @property
    def looked_at(self) -> list[str]:
        """What was checked, in words that never change between versions."""
        if self.sampled is not None:
            return ["rows"]
        found = ["rows", "documents", "fields", "references", "uniques", "rules", "checks"]
        if self.store is not None:
            found += ["indexes", f"SQLite {self.store.sqlite_check}", "modules"]
        return found

    def to_json(self) -> dict[str, Any]:
        """The JSON of ``verify --json``."""
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
