"""The state that all parts of a table's proof share: the snapshot of the source, the target, and the findings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from supavex.convex.broken_rules import field_rules
from supavex.convex.damage import Damaged
from supavex.convex.ids import encode_id
from supavex.convex.values import Document
from supavex.mapping.plan import ALIAS, Plan, TablePlan
from supavex.migrate.proof.digests.process import DigestProcess
from supavex.migrate.proof.findings import TableProof
from supavex.migrate.state.rejects import Reject
from supavex.migrate.target.documents import Documents
from supavex.postgres.snapshot import Snapshot
from supavex.postgres.visibility import Visibility

#: If a table has more bytes, starting a separate process for it pays.
LARGE_BYTES = 8 << 20


@dataclass(frozen=True, slots=True)
class ProofContext:
    """The state of one proof: what it compares, and what is known before the first row."""

    #: The plan of the migration, by which rows and documents are compared.
    plan: Plan
    #: The snapshot of the source that all parts of the proof read.
    snapshot: Snapshot
    #: The target's documents.
    target: Documents
    #: The target's table numbers, by name.
    numbers: Mapping[str, int]
    #: For tables that existed in Convex: the source's key to the document's id, by the table's name in Convex.
    existing: Mapping[str, Mapping[str, str]]
    #: The rejected rows, by source table and key.
    rejects: Mapping[str, Mapping[str | None, Reject]]
    #: Reads the rows of large tables.
    process: DigestProcess
    #: If a table has more bytes, the process reads its rows.
    large_bytes: int = LARGE_BYTES


@dataclass(slots=True)
class ComparedTable:
    """One table of a proof, and its findings."""

    #: The state that all tables share.
    context: ProofContext
    #: The plan of the table.
    table: TablePlan
    #: The findings, counted and listed.
    proof: TableProof
    #: The transactions that the copy saw; None if rows that were written since can't be recognized.
    seen: Visibility | None
    #: Whether the table's database was written to since the copy.
    written: bool
    #: The number of rows without a document.
    missing: int = 0
    #: Documents that can't be read, by an identity.
    damaged: dict[tuple[str, str], Damaged] = field(default_factory=dict)
    #: The ids of documents that can't be read.
    unreadable: set[str | None] = field(default_factory=set)

    @property
    def rejects(self) -> Mapping[str | None, Reject]:
        """The table's rejected rows, by key."""
        return self.context.rejects.get(self.table.name, {})

    @property
    def changed_sql(self) -> str:
        """SQL that is true for the rows that were written since the copy."""
        return "false" if self.seen is None else self.seen.unseen_sql(ALIAS)

    @property
    def number(self) -> int:
        """The table's number in the target."""
        return self.context.numbers[self.table.target]

    @property
    def uniques(self) -> list[tuple[str, ...]]:
        """The groups of fields that the schema says are unique."""
        definition = self.table.definition
        assert definition is not None
        singles = ((name,) for name, validator in definition.fields.items() if field_rules(validator).unique)
        return [*definition.uniques, *singles]

    def id_of(self, internal_id: bytes) -> str:
        """The id of the document with those 16 bytes."""
        return encode_id(self.number, internal_id)

    def documents(self, ids: Iterable[str]) -> dict[str, Document]:
        """The documents with some ids. Unreadable ones are recorded as damaged."""
        return self.context.target.get_many(self.table.target, list(ids), self.damage)

    def damage(self, found: Damaged) -> None:
        """Records an unreadable document once, although it is met both by its id and in the whole table."""
        self.damaged[found.id or found.place, found.problem] = found
        self.unreadable.add(found.id)

    def list_damaged(self) -> None:
        """Lists the documents that can't be read."""
        for found in self.damaged.values():
            detail = f"{found.place}: {found.problem}" if found.place else found.problem
            self.proof.add("damaged document", found.id or "(no id)", detail)

    def add_extra(self, id_: str, internal_id: bytes) -> None:
        """Lists a document without a row in the source."""
        assert self.table.key is not None
        key = str(self.table.key.text_of(internal_id) or id_)
        kind, detail = "extra document", f"{id_} stands for no row of the source"
        if self.written:
            # A deleted row can't show when it was written.
            kind, detail = "deleted or extra", f"{detail}: deleted since the copy, or never there"
        self.proof.add(kind, key, detail)
