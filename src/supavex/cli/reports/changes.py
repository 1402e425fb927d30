"""The report of `supavex changes`: the tables that have changed since a baseline."""

from __future__ import annotations

from typing import TYPE_CHECKING

from supavex.text import counted, table_text

if TYPE_CHECKING:
    from supavex.migrate.changes.result import Changes


_NAMED = 5


def report_lines(found: Changes) -> list[str]:
    """The report for a person."""
    rows = [
        (t.source.removeprefix("public."), t.rows, t.inserted, t.updated, t.deleted, t.unchanged, t.by)
        for t in found.tables
        if t.any
    ]
    lines = []
    if rows:
        lines += [table_text(["source", "rows", "inserted", "updated", "deleted", "unchanged", "by"], rows), ""]
    for table in found.tables:
        for kind, keys in table.keys.items():
            more = getattr(table, kind) - len(keys)
            lines.append(f"{kind}: {table.source} {', '.join(keys)}" + (f" … and {more} more" if more else ""))
    whys: dict[str, list[str]] = {}
    for table in found.tables:
        if table.why:
            whys.setdefault(table.why, []).append(table.source)
    lines += [f"note: {why}: every row of {_names(tables)} was compared." for why, tables in whys.items()]
    if found.rules:
        lines.append(
            f"note: what decides on the rows of {_names(found.rules)} has changed (schema.py, supavex.toml, ids, "
            "supavex): `supavex migrate --changes` imports them again."
        )
    if found.files:
        lines.append("note: files of storage buckets came, went, or were uploaded again since.")
    if found.stale:
        lines.append(
            f"note: an import of {_names(found.stale)} did not end, was not proven, or was taken back: "
            "`supavex migrate --changes` imports them again."
        )
    if found.gone:
        lines.append(f"note: not moved any more: {', '.join(found.gone)}. Their documents stay as they are.")
    count = sum(t.inserted + t.updated + t.deleted for t in found.tables)
    what = f"{counted(count, 'row')} of {counted(len(rows), 'table')}" if rows else counted(0, "row")
    lines.append(
        f"{what} changed since {found.since} (baseline {found.baseline}), as of {found.taken_at}, "
        f"in {found.seconds:.1f} s."
    )
    return lines


def _names(tables: list[str]) -> str:
    return ", ".join(tables) if len(tables) <= _NAMED else f"{tables[0]} and {len(tables) - 1} other tables"
