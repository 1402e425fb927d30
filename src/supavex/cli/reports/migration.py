"""The report of a migration."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from supavex.cli.reports.rejects import reject_lines
from supavex.text import byte_text, counted, duration, table_text

if TYPE_CHECKING:
    from supavex.migrate.copy.results import TableResult
    from supavex.migrate.migration import Migration
    from supavex.migrate.storage.buckets import BucketFiles
    from supavex.migrate.storage.values import ValueFiles


def report_lines(result: Migration, shown: Callable[[Path], str], first_schema: str = "public") -> list[str]:
    """The report for a person. ``shown`` formats a path.

    ``first_schema``: the schema whose tables supavex.toml names without it.
    """
    copied = result.copy
    if result.nothing:
        assert result.since is not None
        return [nothing_line(result.since.made_at)]
    rows = [
        (
            t.source.removeprefix("public."),
            f"{t.rows:,}",
            f"{t.documents:,}",
            f"{len(t.rejects):,}",
            f"{sum(t.filled.values()):,}",
            byte_text(t.bytes),
            duration(t.seconds),
            f"{t.rows / t.seconds:,.0f}" if t.seconds else "",
            t.target,
        )
        for t in copied.tables
    ]
    headings = ["source", "rows", "documents", "rejected", "NULLs filled", "bytes", "time", "rows/s", "target"]
    lines = [table_text(headings, rows), ""]
    if result.since is not None:
        taken = {table.source for table in copied.tables}
        lines += [f"{name}: {why}" for name, why in sorted(result.since.reasons.items()) if name in taken]
    lines += [
        f"{matched.target} is existing: {matched.matched} of {counted(matched.rows, 'row')} matched "
        f"({counted(matched.documents, 'document')} there, {matched.ambiguous} ambiguous)."
        for matched in copied.matched
    ]
    lines += _creation_lines(copied.tables)
    lines += [
        f"cut: {count:,} × {table.source}.{column}, as truncate says."
        for table in copied.tables
        for column, count in sorted(table.cut.items())
    ]
    lines += [
        f"filled: {count:,} × {table.source}.{column}, as fill says."
        for table in copied.tables
        for column, count in sorted(table.filled.items())
    ]
    lines += [
        f"rounded: {counted(count, 'row')} of {table.source}.{column} with a number that JSON.parse rounds: the app "
        "read that double, and so it moves (lossy = false rejects such rows)."
        for table in copied.tables
        for column, count in sorted(table.rounded.items())
    ]
    lines += [] if copied.files is None else _file_lines(copied.files)
    lines += [] if copied.values is None else _value_lines(copied.values)
    stored = copied.files or copied.values
    if stored is not None and (copied.files or stored.files):
        if stored.job.kept is None and not (result.imported or result.dry_run):
            lines.append("note: `convex import --replace` of this archive deletes the deployment's other files.")
        if copied.files_kept:
            lines.append(f"{counted(copied.files_kept, 'file')} of the deployment's own kept beside them.")
    lines += reject_lines(copied.rejects, first_schema)
    if copied.rejects and not result.dry_run:
        lines.append(f"Rejected rows, each with its reasons and their fixes: {shown(result.folder.rejects)}")
    if not result.ok:
        lines.append(
            f"{counted(len(copied.rejects), 'row')} rejected, {result.allowed} allowed: nothing was imported. "
            "Fix them, or allow them with --max-rejects."
        )
    if result.dry_run:
        lines.append("Dry run: nothing was written.")
    elif copied.archive is not None:
        lines.append(f"Archive: {shown(copied.archive)}")
    lines += [f"warning: of the source's files, {remark} (supavex check)." for remark in result.remarks]
    documents = sum(table.documents for table in copied.tables)
    done = "imported into the local deployment" if result.imported else "copied"
    seconds = copied.seconds + result.import_seconds
    earlier = [table for table in copied.tables if table.taken_at is not None]
    lines += [f"note: {t.source} is as of {t.taken_at}: an interrupted run had copied it." for t in earlier]
    but = f" ({', '.join(table.source for table in earlier)}: earlier)" if earlier else ""
    lines.append(f"{counted(documents, 'document')} {done}, as of {copied.taken_at}{but}, in {seconds:.1f} s.")
    return lines


def _creation_lines(tables: list[TableResult]) -> list[str]:
    """Tables whose documents have another creation time than their rows. Tables without creation times need
    no warning.
    """
    lines = [
        f"{counted(table.creation_adjusted, 'row')} of {table.source} without a creation time after 1970 got a "
        "substitute (docs/migrate.md)."
        for table in tables
        if table.creation_adjusted and table.created
    ]
    never = [table.source for table in tables if table.creation_adjusted and not table.created]
    if never:
        named = ", ".join(never[:5]) + (", …" if len(never) > 5 else "")
        lines.append(f"note: {named}: no column says when a row was made, so _creationTime is a substitute.")
    return lines


def nothing_line(made_at: str) -> str:
    """The line for a source without changes."""
    return f"Nothing has changed since {made_at}: nothing was imported."


def _file_lines(files: BucketFiles) -> list[str]:
    lines = [f"{counted(files.files, 'file')} from {files.source.shown}, {files.size:,} bytes."]
    if files.unlisted:
        some = ", ".join(files.first_unlisted[:3]) + (", …" if files.unlisted > 3 else "")
        lines.append(f"note: {counted(files.unlisted, 'file')} there that storage.objects does not know: {some}")
    if files.retyped:
        some = "; ".join(files.first_retyped[:3]) + ("; …" if files.retyped > 3 else "")
        lines.append(f"note: {counted(files.retyped, 'file')} with a media type that Convex refuses: {some}")
    return lines


def _value_lines(values: ValueFiles) -> list[str]:
    return [
        f"{counted(column.files, 'value')} of {column.large.name} became "
        f"{'a stored file' if column.files == 1 else 'stored files'}, {column.size:,} bytes."
        for column in values.columns
        if column.files
    ]
