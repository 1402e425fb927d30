"""The arguments of a proof of stored files."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from supavex.callbacks import Progress
from supavex.mapping.plan import TablePlan
from supavex.migrate.proof.findings import TableProof
from supavex.migrate.state.rejects import Reject, Rejects
from supavex.migrate.target.documents import Documents
from supavex.postgres.snapshot import Snapshot
from supavex.postgres.visibility import Visibility


@dataclass(frozen=True, slots=True)
class Asked:
    """The arguments of a proof of stored files."""

    #: The snapshot of the source.
    snapshot: Snapshot
    #: The target's documents.
    target: Documents
    #: The rejected rows, by table and key.
    rejects: Mapping[str, Mapping[str | None, Reject]]
    #: The compared tables, each with the transactions that the copy saw (None if unknown).
    tables: list[tuple[TablePlan, Visibility | None]]
    #: Whether the source was written to since the copy.
    written: bool
    #: Called with the table ``storage.objects`` and the number of its rows that are done.
    progress: Progress


#: Proves stored files.
FilesProof = Callable[[Asked], list[TableProof]]
#: The ids of documents of existing tables, by table and by the key of the source's row.
Existing = Mapping[str, Mapping[str, str]]
#: Finds the rejected rows that the copy would accept now: their keys, by table. The proof gets this function as an
#: argument, because it may not import the copy.
Retry = Callable[[Iterable[TablePlan], Snapshot, Documents, Rejects, Existing], Mapping[str, list[str]]]
