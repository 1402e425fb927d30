"""Runs files one after another, and retries failed statements after all files: a later file may make them possible.

Files are untrusted. Their role is not a superuser, so they reach neither the host's files nor its programs nor a
network, and each statement has a time limit.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, nullcontext
from dataclasses import replace
from pathlib import Path

from supavex.postgres import server as servers
from supavex.postgres.budget import DEFAULT_LIMITS, Budget, Limits
from supavex.postgres.connection import connect
from supavex.postgres.file_run import FileRun
from supavex.postgres.file_session import FileSession, FileSessions
from supavex.postgres.losses import History, Present, tables_made
from supavex.postgres.psql import Item, statements_of
from supavex.postgres.report import Failure, NotRun, Report, StandIn
from supavex.postgres.role_settings import Setting
from supavex.postgres.source_files import SourceFiles, of_paths
from supavex.postgres.stand_ins import StandIns
from supavex.postgres.statement_kinds import described
from supavex.postgres.statements import Statement
from supavex.postgres.transactions import Failed, Outcome
from supavex.postgres.without_foreign_keys import without_foreign_keys
from supavex.steps import step
from supavex.text import counted

_BEGINS = (b"begin", b"start", b"\\i")
_EVERY = 64
#: PostgreSQL's codes for missing objects: table, column, type, function, schema, prepared statement, cursor.
_GONE = ("42P01", "42703", "42704", "42883", "3F000", "26000", "34000")
#: Statements with rows, which the history of tables leaves out.
_ROWS = re.compile(r"(?:insert|update|delete|copy)\b", re.IGNORECASE)


def replay_files(
    server: servers.Server, files: SourceFiles | Sequence[Path], limits: Limits = DEFAULT_LIMITS
) -> Report:
    """Runs ``files`` in order, each as psql and the Supabase CLI run it, and then retries the failed statements.

    Raises :class:`~supavex.errors.SupavexError` if they take more time or disk than ``limits`` allow.
    """
    source = of_paths(files)
    with Budget(server, sum(file.stat().st_size for file in source.files), limits) as budget:
        files_run = _FilesRun(server, source, budget)
        try:
            return files_run.run()
        finally:
            files_run.close()


class _FilesRun:
    """One replay: the failures so far, and the state that earlier files leave to later ones."""

    def __init__(self, server: servers.Server, source: SourceFiles, budget: Budget) -> None:
        self._server, self._source, self._budget = server, source, budget
        self._sessions = FileSessions(server)
        self._history = History()
        self._failed: list[Failed] = []
        self._settings: tuple[Setting, ...] = ()
        self._not_run: list[NotRun] = list(source.not_run)
        self._passed_over: Counter[str] = Counter()
        self._count = 0
        self._stand_ins = StandIns()

    def close(self) -> None:
        """Ends the session."""
        self._sessions.close()

    def run(self) -> Report:
        with step("running the files") as goes_on:
            for path in self._source.files:
                self._add(self._file(path, goes_on))
        self._sessions.close()  # No lock of the last session may stay.
        with step("running again what failed") if self._failed else nullcontext():
            return self._retried()

    def _retried(self) -> Report:
        """Retries the failed statements. Returns the report."""
        failed, first = self._failed, {id(one.statement): one for one in self._failed}
        final = [one for one in failed if not one.again]
        failed = [one for one in failed if one.again]
        worked: list[Failed] = []
        left_out: list[Failed] = []
        last = False
        while failed:
            again = self._retry([(one, one.statement) for one in failed], last)
            left = {id(one.statement) for one in again}
            worked += [one for one in failed if id(one.statement) not in left]
            stuck, failed = len(again) == len(failed), again
            if stuck and last:
                failed, without = self._without_keys(failed)
                left_out += without
                if not without:
                    break
            last = last or stuck
        failed = sorted([*final, *failed], key=self._place)
        schemas = _Schemas(self._server)
        told = {id(one.statement): _failure(one, schemas) for one in [*failed, *left_out]}
        for one in [*failed, *left_out]:
            failure = told[id(one.statement)]
            columns = self._history.columns_at_end(failure, one.statement.sql)
            told[id(one.statement)] = replace(failure, columns=columns)
        losses = [(told[id(one.statement)], one.statement.sql) for one in [*left_out, *failed]]
        return Report(
            len(self._source.files),
            self._count,
            tuple(told[id(one.statement)] for one in failed),
            not_run=tuple(self._not_run),
            out_of_order=tuple(_failure(first[id(one.statement)], schemas) for one in worked),
            without_foreign_keys=tuple(told[id(one.statement)] for one in left_out),
            notes=self._notes(),
            lost=self._history.losses(losses, _relations(self._server)),
            stand_ins=self._found(),
        )

    def _found(self) -> tuple[StandIn, ...]:
        with connect(self._server.url()) as connection:
            return self._stand_ins.found(connection)

    def _place(self, one: Failed) -> tuple[int, int]:
        names = {self._source.shown(path): number for number, path in enumerate(self._source.files)}
        return names.get(one.statement.file, len(names)), one.statement.line

    # ----------------------------------------------------------------------------------------------------------- files

    def _file(self, path: Path, goes_on: Callable[[str], None]) -> Outcome:
        shown, root = self._source.shown(path), self._source.root_of(path)

        def items() -> Iterator[Item]:
            return statements_of(path, shown, root)

        told: list[Statement] = []
        count = 0

        def saw(statement: Statement) -> None:
            nonlocal count
            count += 1
            if not _ROWS.match(statement.sql):
                told.append(statement)
            if count % _EVERY == 1:
                goes_on(f"running {shown}: {counted(count, 'statement')}")

        content = path.read_bytes().lower()
        may_begin = any(word in content for word in _BEGINS) or content[:2] in (b"\xff\xfe", b"\xfe\xff")
        del content
        outcome = FileRun(
            self._sessions, items, self._budget, self._settings, instead=self._stand_ins.instead, may_begin=may_begin
        ).run(saw)
        self._history.add(told)
        return outcome

    def _add(self, outcome: Outcome) -> None:
        self._count += outcome.statements
        self._failed += outcome.failed
        self._not_run += outcome.not_run
        self._passed_over.update(command.name for command in outcome.passed_over)
        self._settings += tuple(setting for setting in outcome.settings if setting not in self._settings[-1:])

    def _notes(self) -> tuple[str, ...]:
        notes = list(self._source.notes)
        if self._passed_over:
            names = ", ".join(f"\\{name} ({count})" for name, count in sorted(self._passed_over.items()))
            notes.append(f"psql commands that change nothing in the database were passed over: {names}.")
        return tuple(notes)

    # --------------------------------------------------------------------------------------------------------- retries

    def _retry(self, tried: Sequence[tuple[Failed, Statement]], last: bool = True) -> list[Failed]:
        """Runs statements again, each by itself with the settings of its place. Returns those that fail again.

        Each entry has the SQL that runs, which may be a part of the failed statement. ``last``: nothing else has
        helped.
        """
        left: list[Failed] = []
        session, settings = None, None
        for one, statement in tried:
            if session is None or session.closed or settings != one.settings:
                if session is not None:
                    session.close()
                session, settings = FileSession(self._server, [setting.sql for setting in self._settings]), one.settings
                session.apply(dict(settings))
            refusal = session.execute(statement)
            if refusal is not None and not session.closed:
                refusal = self._stand_ins.instead(statement, refusal, session.execute, last)
            self._budget.check()
            if refusal is not None:
                # An object that existed the first time has been dropped or renamed since: the first reason is more
                # useful.
                gone = refusal.sqlstate in _GONE and one.refusal.sqlstate not in _GONE
                left.append(one if gone else replace(one, refusal=refusal))
            if _changes_session(statement.sql):
                settings = None
        if session is not None:
            session.close()
        return left

    def _without_keys(self, failed: Sequence[Failed]) -> tuple[list[Failed], list[Failed]]:
        """Runs statements without foreign keys to missing tables. Returns those that still fail, and the others.

        A foreign key to a table that another of the statements may yet create stays, as long as that may help.
        """
        there = Present(_relations(self._server))
        coming = Present(tables_made(one.statement.sql for one in failed))
        for waits in (coming, Present(())):
            tried: list[tuple[Failed, Statement]] = []
            for one in failed:
                sql = without_foreign_keys(
                    one.statement.sql,
                    lambda *name: not there(name) and not waits(name),  # noqa: B023
                )
                if sql is not None:
                    tried.append((one, replace(one.statement, sql=sql)))
            left = {id(one.statement) for one in self._retry(tried)}
            worked = [one for one, _ in tried if id(one.statement) not in left]
            if worked:
                done = {id(one.statement) for one in worked}
                return [one for one in failed if id(one.statement) not in done], worked
        return list(failed), []


def _changes_session(sql: str) -> bool:
    return re.match(r"(?:set|reset|select|discard|do|call)\b", sql, re.IGNORECASE) is not None


def _relations(server: servers.Server) -> set[tuple[str, str]]:
    """Schema and name of every table, view and other relation."""
    sql = """
        SELECT n.nspname, c.relname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
        WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f')"""
    with connect(server.url()) as connection:
        rows = connection.execute(sql.encode()).fetchall()
    return {(str(schema), str(name)) for schema, name in rows}


class _Schemas:
    """Resolves names without a schema by the search path of a statement's session."""

    def __init__(self, server: servers.Server) -> None:
        self._server = server
        self._known: dict[str, list[str]] = {}
        self._relations = _relations(server)

    def of(self, name: str, one: Failed) -> str:
        """The schema of a table: the one that has it, or else the first of the search path."""
        path = dict(one.settings).get("search_path", "public")
        if path not in self._known:
            with closing(FileSession(self._server)) as session:
                session.apply({"search_path": path})
                self._known[path] = session.current_schemas() or ["public"]
        schemas = self._known[path]
        return next((schema for schema in schemas if (schema, name) in self._relations), schemas[0])


def _failure(one: Failed, schemas: _Schemas) -> Failure:
    statement, what = one.statement, described(one.statement.sql)
    tables = tuple(f"{schema or schemas.of(name, one)}.{name}" for schema, name in what.tables)
    refusal = one.refusal
    place = statement.file, statement.line
    return Failure(*place, refusal.error, refusal.sqlstate, what.kind, what.node, tables, what.columns, what.harmless)
