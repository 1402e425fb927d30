"""The proof: source and target read again, every row and every field compared, and what the rules said held.

A row that the copy rejected is explained by its entry in the rejects file. Anything else that is missing, extra or
different is a failure.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping

from supavex.convex.limits import STORAGE_NUMBER, STORAGE_TABLE
from supavex.mapping.plan import Plan
from supavex.mapping.storage import OBJECTS
from supavex.migrate.documents import Documents
from supavex.migrate.existing import match_documents
from supavex.migrate.proof import Proof, TableProof
from supavex.migrate.rejects import Reject
from supavex.migrate.table_check import Progress, TableCheck
from supavex.postgres.snapshot import Snapshot, exported

#: Proves the stored files at a moment of the source; the rejected ones by their keys.
FilesProof = Callable[[Snapshot, Mapping[str, Reject], Callable[[int], None]], TableProof]


def verify(
    plan: Plan,
    url: str,
    target: Documents,
    rejects: Iterable[Reject],
    *,
    sample: int | None = None,
    progress: Progress = lambda table, done: None,
    files: FilesProof | None = None,
) -> Proof:
    """Proves that the rows at ``url`` are the documents of ``target``, the rejected ones aside.

    ``files``: proves the stored files too, unless there is only a sample to be looked at.
    Digests say where to look; every row is in them. Rows that are looked at are compared field by field.
    """
    started = time.monotonic()
    by_table: dict[str, dict[str, Reject]] = {}
    for reject in rejects:
        by_table.setdefault(reject.table, {})[reject.key] = reject
    numbers = {**target.table_numbers(), STORAGE_TABLE: STORAGE_NUMBER}
    with exported(url) as (snapshot, holder):
        existing = {
            table.target: match_documents(holder, table, target.documents(table.target))[0]
            for table in plan.tables
            if table.status == "existing"
        }
        tables: list[TableProof] = []
        checks: list[TableCheck] = []
        for table in plan.moved:
            proof = TableProof(table.name, table.target)
            if table.target not in numbers:
                proof.add("missing table", "", f"the target has no table {table.target}")
                tables.append(proof)
                continue
            check = TableCheck(table, plan.moved, snapshot, target, numbers, existing, by_table, proof)
            check.compare(sample, progress)
            checks.append(check)
            tables.append(proof)
        if files is not None and sample is None:
            explained = by_table.get(OBJECTS, {})
            tables.append(files(snapshot, explained, lambda done: progress(OBJECTS, done)))
        failed = frozenset(proof.target for proof in tables if not proof.ok)
        for check in checks if sample is None else ():
            check.finish(failed)
        return Proof(tables, snapshot.taken_at, time.monotonic() - started, sample)
