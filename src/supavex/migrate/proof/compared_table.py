"""What all parts of a table's proof share: the snapshot of the source, the target, and what was found so far."""

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

#: Bytes of a table from which on a process of its own is worth starting.
LARGE_BYTES = 8 << 20


@dataclass(frozen=True, slots=True)
class ProofContext:
    """One proof: what it compares with what, and what it knows before the first row."""

    plan: Plan
    snapshot: Snapshot
    target: Documents
    #: The target's table numbers, by name.
    numbers: Mapping[str, int]
    #: Of tables that were in Convex before, the source's key to the document's id, by the table's name in Convex.
    existing: Mapping[str, Mapping[str, str]]
    #: The rejected rows, by source table and key.
    rejects: Mapping[str, Mapping[str | None, Reject]]
    process: DigestProcess
    #: Bytes of a table from which on the process reads its rows.
    large_bytes: int = LARGE_BYTES


@dataclass(slots=True)
class ComparedTable:
    """One table of a proof, and what was found of it."""

    context: ProofContext
    table: TablePlan
    proof: TableProof
    #: What the copy saw; None where rows that were written since can't be told from others.
    seen: Visibility | None
    #: Whether something was written to the table's database since the copy.
    written: bool
    #: How many rows have no document.
    missing: int = 0
    #: Documents that can't be read, by what tells one from another.
    damaged: dict[tuple[str, str], Damaged] = field(default_factory=dict)
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
        """The documents with some ids; those that can't be read are remembered as damaged."""
        return self.context.target.get_many(self.table.target, list(ids), self.damage)

    def damage(self, found: Damaged) -> None:
        """Remembers a document that can't be read: it is met by its id, and with all others."""
        self.damaged[found.id or found.place, found.problem] = found
        self.unreadable.add(found.id)

    def list_damaged(self) -> None:
        """Lists the documents that can't be read."""
        for found in self.damaged.values():
            detail = f"{found.place}: {found.problem}" if found.place else found.problem
            self.proof.add("damaged document", found.id or "(no id)", detail)

    def add_extra(self, id_: str, internal_id: bytes) -> None:
        """Lists a document that no row of the source stands for."""
        assert self.table.key is not None
        key = str(self.table.key.text_of(internal_id) or id_)
        kind, detail = "extra document", f"{id_} stands for no row of the source"
        if self.written:
            # A deleted row is not there to say when it was written.
            kind, detail = "deleted or extra", f"{detail}: deleted since the copy, or never there"
        self.proof.add(kind, key, detail)
