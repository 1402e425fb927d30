"""Finds what the files should give and the replayed source lacks: lost tables, unwritten rows, failed statements.

An error makes a proof worthless: a table was not read. A warning names what the proof does not cover.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from supavex.diagnostics import Diagnostic, Place, Severity
from supavex.mapping.plan import Plan
from supavex.postgres.catalog import Catalog, Table
from supavex.postgres.inspection import SYSTEM_SCHEMAS
from supavex.postgres.report import Failure, Loss, Report, StandIn
from supavex.settings.settings import Settings
from supavex.text import counted

#: PostgreSQL's codes for creating something that exists: relation, column, object, function, schema.
_THERE_ALREADY = ("42P07", "42701", "42710", "42723", "42P06")
#: Its codes for dropping something that does not exist: relation, object, function, schema, column.
_NOT_THERE = ("42P01", "42704", "42883", "3F000", "42703")
#: Supabase's own tables that `supavex users` and the stored files read.
_USERS_AND_FILES = ("auth.users", "auth.identities", "storage.buckets", "storage.objects")
#: Types of PostGIS, for which a replay has stand-ins. The report names the columns with these types.
_POSTGIS = ("geometry", "geography", "box2d", "box3d")
#: The most bytes of a file that is searched for a table, and the most files.
_SEARCHED, _FILES = 20_000_000, 300
_VERBS = {
    "InsertStmt": "INSERT",
    "UpdateStmt": "UPDATE",
    "DeleteStmt": "DELETE",
    "MergeStmt": "MERGE",
    "TruncateStmt": "TRUNCATE",
    "CopyStmt": "COPY",
}
#: The sentences of :func:`remarks`, by the code of the findings that they count: singular and plural.
_REMARKS = {
    "DataNotRun": ("statement of data did not run", "statements of data did not run"),
    "ColumnLost": ("column could not be made", "columns could not be made"),
    "CodeNotRun": ("block of code did not run", "blocks of code did not run"),
    "StandInUsed": ("stand-in was used", "stand-ins were used"),
    "NotRun": ("psql command was not followed", "psql commands were not followed"),
    "OutOfOrder": ("statement worked only out of its order", "statements worked only out of their order"),
}
_LIVE = "or use a live database (database_url)"


def replay_findings(plan: Plan, report: Report | None) -> list[Diagnostic]:
    """All findings about the source of ``plan``; ``report`` is None for a live database."""
    return [*losses(plan.project, plan.catalog, report), *([] if report is None else _failures(plan, report))]


def losses(project: Settings, catalog: Catalog, report: Report | None) -> list[Diagnostic]:
    """The tables that the source should have and does not have, or that it has no table."""
    lost = () if report is None else report.lost
    found = [] if report is None else [_loss(project, report, loss) for loss in lost]
    if not catalog.tables and not any(finding.severity == "error" for finding in found):
        where = ", ".join(project.schemas)
        hint = "Is it another database, or are its tables in another schema? Set [source] schemas in supavex.toml."
        if report is not None:
            hint = f"Do the files make the tables? Put a dump before the migrations, {_LIVE}: supabase db dump"
        found.append(Diagnostic("NoTables", "error", "the source holds no table: nothing can be moved.", where, hint))
    return found


def skipped_losses(project: Settings, report: Report | None) -> set[str]:
    """The names of lost tables under which supavex.toml may have rules."""
    names = {loss.table for loss in report.lost} if report is not None else set()
    return names | {name.removeprefix(f"{project.schemas[0]}.") for name in names}


def remarks(findings: Iterable[Diagnostic]) -> tuple[str, ...]:
    """What a proof does not cover, each in a few words: ``3 statements of data did not run``."""
    counts = Counter(finding.code for finding in findings if finding.severity == "warning")
    found = [(counts[code], *words) for code, words in _REMARKS.items() if counts[code]]
    return tuple(f"{count:,} {one if count == 1 else many}" for count, one, many in found)


def _loss(project: Settings, report: Report, loss: Loss) -> Diagnostic:
    schema, _, name = loss.table.partition(".")
    toml = name if schema == project.schemas[0] else f'"{loss.table}"'
    more = sum(loss.table in failure.tables for failure in report.failed)
    more -= any((f.file, f.line) == (loss.file, loss.line) and loss.table in f.tables for f in report.failed)
    also = f" {counted(more, 'other statement')} failed for its want." if more > 0 else ""
    skip = f'Or leave it behind, and say why: [tables.{toml}] skip = "…" in supavex.toml.'
    place = Place(loss.file, loss.line)
    rule = project.tables.get(loss.table) or (project.tables.get(name) if schema == project.schemas[0] else None)
    left = rule is not None and rule.skip is not None
    if loss.made:
        severity: Severity = "note" if left else "error"
        message = f"the statement that makes the table failed, so the table is lost: {loss.error}.{also}"
        return Diagnostic("TableLost", severity, message, loss.table, f"Fix it, {_LIVE}. {skip}", place)
    severity = "note" if left else "error" if loss.certain else "warning"
    needed = [f.tables[0] for f in report.without_foreign_keys if (f.file, f.line) == (loss.file, loss.line)]
    by = f" for {needed[0]}" if needed else ""
    what = "table" if loss.certain else "table or view"
    message = f"no file creates the {what} {loss.table}, which {place} needs{by}: {loss.error}.{also}"
    held = _held_by(project, loss.table)
    if held is None:
        hint = f"Put a dump of it before the migrations (supabase db dump > {_before(project)}), {_LIVE}. {skip}"
    else:
        hint = f"{project.shown(held)} creates it. Put it before the migrations: "
        hint += f"cp {project.shown(held)} {_before(project)}. {skip}"
    return Diagnostic("BaseTableMissing", severity, message, loss.table, hint)


def _before(project: Settings) -> str:
    """A path of a file that would run before all migrations."""
    return f"{project.shown(project.migrations)}/00000000000000_base.sql"


def _held_by(project: Settings, table: str) -> Path | None:
    """A file of the project that creates ``table`` and does not run."""
    schema, _, name = table.partition(".")
    creates = re.compile(
        rf'\bcreate\s+(?:unlogged\s+)?table\s+(?:if\s+not\s+exists\s+)?(?:"?{re.escape(schema)}"?\s*\.\s*)?'
        rf'"?{re.escape(name)}"?\s*(?:\(|as\b|partition\b)',
        re.IGNORECASE,
    )
    supabase = project.migrations.parent
    patterns = [(supabase, "schema.sql"), (supabase, "schemas/**/*.sql"), (project.root, "schema.sql")]
    patterns += [(supabase, "*.sql"), (supabase, "*/*.sql"), (project.root, "*.sql"), (project.root, "*/*.sql")]
    seen: set[Path] = {project.migrations, *(project.seeds or ())}
    for folder, pattern in patterns:
        for path in sorted(folder.glob(pattern)):
            if path in seen or path.parent in seen or path.is_symlink() or len(seen) > _FILES:
                continue
            seen.add(path)
            try:
                if path.stat().st_size <= _SEARCHED and creates.search(path.read_text("utf-8", "replace")):
                    return path
            except OSError:
                continue
    return None


def _failures(plan: Plan, report: Report) -> Iterator[Diagnostic]:
    moved = {table.name: table.source for table in plan.tables if table.status in ("mapped", "existing")}
    lost = {loss.table for loss in report.lost}
    told = {(loss.file, loss.line) for loss in report.lost if loss.made}
    noise: Counter[str] = Counter()
    for failure in report.failed:
        if failure.harmless:
            noise[failure.harmless] += 1
        elif failure.kind != "data" and failure.sqlstate in _THERE_ALREADY:
            noise["of what exists already"] += 1
        elif failure.node == "DropStmt" and failure.sqlstate in _NOT_THERE:
            noise["DROP of what does not exist"] += 1
        elif failure.kind == "data" and failure.tables[:1] and failure.tables[0] in _USERS_AND_FILES:
            yield _data_not_run(failure, failure.tables[0])
        elif _misses_supabase(failure):
            noise["of Supabase's tables that do not exist here"] += 1
        elif _moved(failure, moved) is not None or not (
            (failure.file, failure.line) in told or lost.intersection(failure.tables)
        ):
            # A failure because of a lost table is counted with that table.
            yield from _failure(failure, _moved(failure, moved))
    columns = {f"{table.qualified}.{column.name}" for table in moved.values() for column in table.columns}
    for stand_in in report.stand_ins:
        if stand_in.kind == "type" and stand_in.name.rpartition(".")[2] in _POSTGIS:
            # The values of a table that does not move are not proven.
            yield from (_of_postgis(stand_in, place) for place in stand_in.places if place in columns)
        else:
            yield _stand_in(stand_in)
    for failure in report.out_of_order:
        if failure.harmless:
            noise["out of order"] += 1
            continue
        message = f"the statement failed in its place, and worked after all files had run: {failure.error}."
        hint = "Move it behind what it needs. What the statements between them wrote may differ from your database."
        yield _of("OutOfOrder", failure, message, hint)
    for failure in report.without_foreign_keys:
        message = f"the table has no foreign key to what no file creates: {failure.error}."
        yield _of("ForeignKeyLeftOut", failure, message, "Its column is moved as plain values.")
    if noise:
        kinds = ", ".join(f"{count} {words}" for words, count in noise.most_common())
        message = f"{counted(noise.total(), 'statement')} failed that can change no table that moves and no row of it"
        hint = "`supavex inspect --json` lists them."
        yield Diagnostic("StatementsWithoutEffect", "note", f"{message}: {kinds}.", "", hint)


def _stand_in(found: StandIn) -> Diagnostic:
    places = found.places[0] if found.places else ""
    if len(found.places) > 1:
        places += f" and {counted(len(found.places) - 1, 'other place')}"
    # Statements that use a missing extension fail, and are reported themselves.
    severity: Severity = "note" if found.kind in ("extension", "version") else "warning"
    message = f"{found.detail.rstrip('.')}. The {found.kind} is asked for at {places}."
    hint = "What it gives in a rehearsal may differ from your database."
    return Diagnostic("StandInUsed", severity, message, found.name, hint)


def _of_postgis(found: StandIn, column: str) -> Diagnostic:
    message = f"a stand-in for PostGIS keeps the text of {found.name} as the files write it, and its functions raise."
    hint = "PostGIS writes the values in a form of its own, of geometry and geography hexadecimal EWKB: "
    return Diagnostic("StandInUsed", "warning", message, column, f"{hint}a live database (database_url) has these.")


def _of_supabase(table: str) -> bool:
    return table.partition(".")[0] in SYSTEM_SCHEMAS


def _misses_supabase(failure: Failure) -> bool:
    """Whether a statement failed because an object of Supabase is missing. A trigger may call the project's
    functions.
    """
    there = failure.sqlstate not in _NOT_THERE or failure.node == "CreateTrigStmt"
    return not there and bool(failure.tables) and all(map(_of_supabase, failure.tables))


def _moved(failure: Failure, moved: dict[str, Table]) -> Table | None:
    """The first moving table that a statement names. The table that it changes comes first."""
    tables = failure.tables[:1] if failure.kind == "data" else failure.tables
    for table in tables:
        if table in moved:
            return moved[table]
        schema, _, name = table.partition(".")
        others = [source for source in moved.values() if source.name == name] if schema == "public" else []
        if len(others) == 1:
            return others[0]  # The file may have set another search path.
    return None


def _failure(failure: Failure, table: Table | None) -> Iterator[Diagnostic]:
    name = "" if table is None else table.qualified
    if failure.kind == "data" and table is not None:
        yield _data_not_run(failure, name)
        return
    if failure.node in ("AlterTableStmt", "RenameStmt") and table is not None:
        absent = [column for column in failure.columns if table.column(column) is None]
        for column in absent:
            message = f"the column is missing, because the statement that creates it failed: {failure.error}."
            yield _of("ColumnLost", failure, message, f"Fix the statement, {_LIVE}.", f"{name}.{column}")
        if absent:
            return
    if failure.kind == "code" or (failure.node == "SelectStmt" and failure.kind == "other"):
        hint = "Everything that it creates or writes is missing."
        yield _of("CodeNotRun", failure, f"this code did not run: {failure.error}.", hint, name)
        return
    hint = f"If it makes something that you move, fix the file, {_LIVE}."
    yield _of("StatementFailed", failure, f"{failure.error}.", hint, name)


def _data_not_run(failure: Failure, table: str) -> Diagnostic:
    verb = _VERBS.get(failure.node, "statement")
    hint = "Fix the statement, or use a live database: the proof is of the rows that the files gave."
    return _of("DataNotRun", failure, f"this {verb} did not run: {failure.error}.", hint, table)


def _of(code: str, failure: Failure, message: str, hint: str, subject: str | None = None) -> Diagnostic:
    about = (failure.tables or ("",))[0] if subject is None else subject
    return Diagnostic(code, "warning", message, about, hint, Place(failure.file, failure.line))
