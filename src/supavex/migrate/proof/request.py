"""What a proof is asked to compare."""

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
    """What a proof of stored files is asked for: a snapshot of the source, and the documents of the target.

    ``rejects``: by table and key. ``tables``: those that were compared, each with what the copy saw of it, where rows
    that were written since can be told. ``written``: whether anything was written since.
    """

    snapshot: Snapshot
    target: Documents
    rejects: Mapping[str, Mapping[str | None, Reject]]
    tables: list[tuple[TablePlan, Visibility | None]]
    written: bool
    progress: Progress


#: Proves stored files.
FilesProof = Callable[[Asked], list[TableProof]]
#: The ids of documents of existing tables, by table and by the key of the source's row.
Existing = Mapping[str, Mapping[str, str]]
#: Finds the rejected rows that the copy would take now: their keys, by table. It is the copy's own judgement, which the
#: proof is handed, for the proof shares nothing with the copy.
Retry = Callable[[Iterable[TablePlan], Snapshot, Documents, Rejects, Existing], Mapping[str, list[str]]]
