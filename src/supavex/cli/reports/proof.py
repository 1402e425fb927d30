"""The report of a proof."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from supavex.text import counted, table_text

if TYPE_CHECKING:
    from supavex.migrate.proof.findings import Proof, TableProof


#: The most findings of a kind that the terminal shows for each table.
_SHOWN = 3


def report_lines(proof: Proof) -> list[str]:
    """The report for a person."""
    rows = [
        (
            t.source.removeprefix("public."),
            f"{t.rows:,}",
            f"{t.documents:,}" if proof.sampled is None else "",
            f"{t.matched:,}",
            f"{t.rejected:,}",
            f"{t.changed:,}",
            f"{t.fields:,}",
            f"{t.wrong:,}",
            _verdict(t),
        )
        for t in proof.tables
    ]
    headings = ["source", "rows", "documents", "matched", "rejected", "changed", "fields", "wrong", "verdict"]
    lines = [table_text(headings, rows), ""]
    for table in [*proof.tables, *([] if proof.store is None else [proof.store.found])]:
        lines += _finding_lines(table, sampled=proof.sampled is not None)
    rejected = sum(table.rejected for table in proof.tables)
    matched = sum(table.matched for table in proof.tables)
    fields = sum(table.fields for table in proof.tables)
    if proof.changed:
        lines.append(
            f"{counted(proof.changed, 'row')} changed since the copy ({proof.copied_at}): written after it had read, "
            "so the target does not have them as they are now. Run supavex migrate again once the app writes no more."
        )
    if any(table.counts["deleted or extra"] for table in proof.tables):
        lines.append(
            "A row that was deleted since the copy leaves nothing to tell it by: its document may be right as of then."
        )
    lines += [
        f"{counted(count, 'NULL')} filled: {table.source}.{column}."
        for table in proof.tables
        for column, count in table.filled.items()
    ]
    lines += [
        f"{counted(count, 'row')} of {table.source}.{column} with a number that JSON.parse rounds: equal as doubles."
        for table in proof.tables
        for column, count in table.rounded.items()
    ]
    verdict = {"sample equal": "the sample is equal; this is no proof", "sample differs": "the sample differs"}
    said = "; ".join([verdict.get(proof.verdict, proof.verdict), *proof.all_remarks])
    compared = f"{counted(matched, 'row')} equal in {fields} fields"
    if not any(table.rows or table.documents for table in proof.tables) and not proof.wrong:
        compared = "no rows in the source and no documents in the target"
    lines.append(
        f"{said}: {compared}, "
        f"{counted(rejected, 'row')} rejected and explained, {counted(proof.wrong, 'difference')}; "
        f"as of {proof.taken_at}, in {proof.seconds:.1f} s."
    )
    return lines


def _finding_lines(table: TableProof, *, sampled: bool) -> list[str]:
    """The first findings of each kind of a table, with the number of further ones."""
    from supavex.migrate.proof.findings import CHANGED, LISTED

    kinds: dict[str, list[str]] = {}
    for m in table.mismatches[:_SHOWN]:
        line = f"mismatch: {m.table} {m.key} {m.column}: source {m.source}, target {m.target}"
        kinds.setdefault("mismatch", []).append(line)
    counts = Counter(finding.kind for finding in table.findings)
    for finding in [*table.findings, *table.changes]:
        kinds.setdefault(finding.kind, []).append(f"{finding.kind}: {finding.table} {finding.key}: {finding.detail}")
    lines: list[str] = []
    for kind, found in kinds.items():
        lines += found[:_SHOWN]
        count = table.changed if kind == CHANGED else table.counts[kind] or counts[kind]
        more = count - len(found[:_SHOWN])
        if more > 0:
            where = "all of them: --json" if sampled else "in proof.json"
            where = f"the first {LISTED:,} are {where}" if count > LISTED else where
            lines.append(f"    … and {more:,} more, {where}")
    return lines


def _verdict(table: TableProof) -> str:
    kinds = [f"{count} × {kind}" for kind, count in table.counts.items()]
    return ", ".join(kinds + (["changed since the copy"] if table.changed else [])) or "equal"
