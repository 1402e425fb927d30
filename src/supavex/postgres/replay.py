"""Replays migration files, in order, into a throw-away server, and reads the catalog from there.

Files are replayed statement by statement: one that fails is reported with its file and line and in PostgreSQL's own
words, and tried again after all the others, for a later file may make it possible. They are untrusted: the role that
runs them is no superuser, so they reach neither the host's files nor its programs nor a network, and each statement
has a time limit.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from importlib import resources
from pathlib import Path
from typing import Any

import psycopg

from supavex.errors import UsageError, missing_extra
from supavex.postgres import server as servers
from supavex.postgres.budget import DEFAULT_LIMITS, Budget, Limits
from supavex.postgres.catalog import Catalog, Expression, expression_from_json
from supavex.postgres.connection import connect, quoted
from supavex.postgres.inspection import ask_types, inspect_catalog
from supavex.postgres.losses import History, Present, tables_made
from supavex.postgres.report import Failure, Report
from supavex.postgres.statement_kinds import described
from supavex.postgres.without_foreign_keys import without_foreign_keys

#: Raise when the same files would replay differently.
REPLAY_VERSION = 10
_STATEMENT_TIMEOUT = "60s"
_EXTENSION = re.compile(
    r"(CREATE|DROP|ALTER|COMMENT)\s+(?:ON\s+)?EXTENSION\s+(?:IF\s+(?:NOT\s+)?EXISTS\s+)?\"?([A-Za-z0-9_-]+)\"?"
    r"(?:\s+(?:WITH\s+)?SCHEMA\s+\"?([A-Za-z0-9_]+)\"?)?",
    re.IGNORECASE,
)
#: As pg_dump writes it: on one line, at its beginning.
_COPY = re.compile(r"^COPY [^\n;]+ FROM stdin(?: [^\n;]*)?;[ \t]*\r?\n", re.IGNORECASE | re.MULTILINE)
_QUOTED = re.compile(
    r"--[^\n]*|/\*.*?\*/|\b[eE]'(?:[^'\\]|\\.|'')*'|'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|\$(\w*)\$.*?\$\1\$", re.DOTALL
)
_END_OF_DATA = re.compile(r"\n\\\.[ \t]*\r?(?:\n|$)")
#: A stand-in for a type of an extension with a modifier, which a domain does not take: geography(Point, 4326).
_MODIFIED = re.compile(r"\b(geometry|geography)\s*\([^()]*\)", re.IGNORECASE)
_AVAILABLE_EXTENSIONS = frozenset({"vector"})
_FILE_SETTINGS = {
    "search_path": '"$user", public, extensions',
    "check_function_bodies": "off",
    "statement_timeout": _STATEMENT_TIMEOUT,
    "row_security": "on",
}


@dataclass(frozen=True, slots=True)
class Statement:
    """One SQL statement and the line of its file where it begins; ``data`` are the rows of a COPY FROM stdin."""

    file: str
    line: int
    sql: str
    data: str | None = None


@dataclass(frozen=True, slots=True)
class _Failed:
    """A statement that failed, why, and the settings that its file had made before it."""

    statement: Statement
    error: str
    sqlstate: str
    settings: tuple[str, ...]


def sql_files(folder: Path) -> list[Path]:
    """The migration files of ``folder`` in the order the Supabase CLI applies them: by name."""
    if not folder.is_dir():
        raise UsageError(
            "NoMigrations",
            "there is no folder of migrations.",
            where=str(folder),
            hint="Set [source] migrations in supavex.toml, or database_url for a live database.",
        )
    files = sorted((p for p in folder.iterdir() if p.suffix == ".sql" and p.is_file()), key=lambda p: p.name)
    if not files:
        raise UsageError("NoMigrations", "the folder holds no .sql file.", where=str(folder))
    return files


def fingerprint(files: Sequence[Path], schemas: Sequence[str], also: Sequence[str] = ()) -> str:
    """A hash that changes when a replay of ``files``, or its catalog, would come out differently."""
    digest = hashlib.sha256(json.dumps([REPLAY_VERSION, list(schemas), *also]).encode())
    digest.update(_prelude().encode())
    for file in files:
        content = file.read_bytes()
        digest.update(f"\0{file.name}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()


class Replay:
    """The database made from a project's files, kept in ``folder`` and made again when the files change."""

    def __init__(
        self,
        folder: Path,
        files: Sequence[Path],
        schemas: Sequence[str],
        limits: Limits = DEFAULT_LIMITS,
        also: Sequence[str] = (),
    ) -> None:
        self.folder, self.files, self.schemas, self.limits = folder, list(files), list(schemas), limits
        self.also = list(also)
        self._fingerprint = fingerprint(self.files, self.schemas, self.also)

    def cached(self) -> tuple[Catalog, Report] | None:
        """Catalog and report of an earlier replay of the same files, without starting a server; else None."""
        try:
            data = json.loads((self.folder / "catalog.json").read_text())
        except (OSError, ValueError):
            return None
        if not isinstance(data, dict) or data.get("fingerprint") != self._fingerprint:
            return None
        return Catalog.from_json(data["catalog"]), Report.from_json(data["report"])

    def forget(self) -> bool:
        """Whether the database has to be made anew; if so, what was known of the old one is removed first."""
        stale = self.cached() is None
        if stale:
            (self.folder / "catalog.json").unlink(missing_ok=True)
        return stale

    def catalog(self) -> tuple[Catalog, Report]:
        """Catalog and report, from the cache or by replaying now."""
        cached = self.cached()
        if cached:
            return cached
        with self.running():
            pass
        made = self.cached()
        assert made is not None
        return made

    def types(self, asked: Callable[[Catalog], Sequence[tuple[str, str, str]]]) -> tuple[Catalog, Report]:
        """As :meth:`catalog`, with what PostgreSQL says of the expressions that ``asked`` finds (schema, table, SQL).

        The answers are kept, too.
        """
        cached = self.cached()
        if cached:
            wanted = asked(cached[0])
            known = {(e.schema, e.table, e.sql): e for e in self._answers()}
            if all(place in known for place in wanted):
                return replace(cached[0], expressions=tuple(known[place] for place in wanted)), cached[1]
        with self.running() as url:
            catalog, report = self.catalog()
            with connect(url) as connection:
                answers = ask_types(connection, asked(catalog))
        data = {"fingerprint": self._fingerprint, "expressions": [asdict(answer) for answer in answers]}
        partial = self.folder / "expressions.json.new"
        partial.write_text(json.dumps(data))
        partial.replace(self.folder / "expressions.json")
        return replace(catalog, expressions=tuple(answers)), report

    def _answers(self) -> list[Expression]:
        try:
            data = json.loads((self.folder / "expressions.json").read_text())
        except (OSError, ValueError):
            return []
        if not isinstance(data, dict) or data.get("fingerprint") != self._fingerprint:
            return []
        return [expression_from_json(expression) for expression in data["expressions"]]

    def running(self) -> _Running:
        """The server with the replayed database, as a context manager that gives its connection string."""
        return _Running(self)

    def make(self, server: servers.Server) -> None:
        """Replays into an empty server and writes the cache."""
        servers.execute_script(server, _prelude())
        report = replay_files(server, self.files, self.limits)
        with connect(server.url()) as connection:
            catalog = inspect_catalog(connection, self.schemas, self.also)
            connection.execute("ANALYZE")
        data = {"fingerprint": self._fingerprint, "report": report.to_json(), "catalog": catalog.to_json()}
        partial = self.folder / "catalog.json.new"
        partial.write_text(json.dumps(data))
        partial.replace(self.folder / "catalog.json")


class _Running:
    def __init__(self, replay: Replay) -> None:
        self.replay = replay

    def __enter__(self) -> str:
        replay = self.replay
        replay.folder.mkdir(parents=True, exist_ok=True)
        # Asked when the folder is ours: another command may have made the replay while we waited.
        self._context = servers.running(replay.folder / "database", fresh=replay.forget)
        server = self._context.__enter__()
        try:
            if replay.cached() is None or not _has_prelude(server):
                replay.make(server)
        except BaseException as error:
            self._context.__exit__(type(error), error, error.__traceback__)
            raise
        return server.url()

    def __exit__(self, *details: Any) -> None:
        self._context.__exit__(*details)


def _has_prelude(server: servers.Server) -> bool:
    with psycopg.connect(server.url(servers.SUPERUSER)) as connection:
        row = connection.execute("SELECT 1 FROM pg_catalog.pg_roles WHERE rolname = 'postgres'").fetchone()
    return row is not None


def _prelude() -> str:
    return resources.files("supavex.postgres").joinpath("prelude.sql").read_text(encoding="utf-8")


def read_text(content: bytes) -> str:
    """A file's text: UTF-8, or UTF-16 with its mark; anything else as Latin-1, so that nothing is lost."""
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return content.decode("utf-16", "replace")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("latin-1")


def split(text: str, file: str) -> Iterator[Statement]:
    """The statements of ``text`` with their lines; the rows of a dump's COPY FROM stdin stay with their statement."""
    line, rest = 1, text.removeprefix("\ufeff")
    while True:
        match = next((found for found in _COPY.finditer(rest) if not _inside(rest, found.start())), None)
        if match is None:
            yield from _statements(rest, file, line)
            return
        yield from _statements(rest[: match.start()], file, line)
        start = line + rest.count("\n", 0, match.start())
        end = _END_OF_DATA.search(rest, match.end() - 1)
        stop, after = (end.start() + 1, end.end()) if end else (len(rest), len(rest))
        yield Statement(file, start, match[0].strip().rstrip(";"), rest[match.end() : stop])
        line, rest = line + rest.count("\n", 0, after), rest[after:]


def _inside(text: str, position: int) -> bool:
    """Whether ``position`` is inside a quoted text, a quoted name, a function's body or a comment."""
    for token in _QUOTED.finditer(text):
        if token.start() >= position:
            return False
        if token.end() > position:
            return True
    return False


def _statements(text: str, file: str, line: int) -> Iterator[Statement]:
    """Statements cut by PostgreSQL's own grammar; by its scanner where one of them is no SQL."""
    try:
        import pglast
        from pglast.parser import ParseError
    except ImportError:
        raise missing_extra("pglast", "embedded", "Reading migration files") from None
    try:
        slices = list(pglast.split(text, with_parser=True, only_slices=True))
    except ParseError:
        try:
            slices = list(pglast.split(text, with_parser=False, only_slices=True))
        except ParseError:
            slices = _cut_roughly(text)
    position = 0
    for piece in [*slices, slice(len(text), len(text))]:
        # The scanner passes over a statement without a word that it knows, such as a psql command.
        yield from _statement(text, file, line, position, piece.start)
        yield from _statement(text, file, line, piece.start, piece.stop)
        position = piece.stop


def _statement(text: str, file: str, line: int, start: int, stop: int) -> Iterator[Statement]:
    """The statement in ``text[start:stop]``, without the blanks, comments and semicolons before it, if there is one."""
    start += _lead(text[start:stop])
    sql = text[start:stop].strip().rstrip(";").rstrip()
    if sql:
        yield Statement(file, line + text.count("\n", 0, start), sql)


def _cut_roughly(text: str) -> list[slice]:
    """Cuts after each ; at the end of a line, where not even the scanner reads a file: a quote that never ends, say."""
    ends = [match.end() for match in re.finditer(r";[ \t]*(?:--[^\n]*)?(?:\r?\n|$)", text)]
    return [slice(start, end) for start, end in zip([0, *ends], [*ends, len(text)], strict=True)]


def _lead(text: str) -> int:
    """The length of the blanks and comments that ``text`` begins with."""
    position = 0
    while position < len(text):
        if text[position].isspace() or text[position] == ";":
            position += 1
        elif text.startswith("--", position):
            end = text.find("\n", position)
            position = len(text) if end < 0 else end + 1
        elif text.startswith("/*", position):
            depth, position = 1, position + 2
            while depth and position < len(text):
                if text.startswith("/*", position):
                    depth, position = depth + 1, position + 2
                elif text.startswith("*/", position):
                    depth, position = depth - 1, position + 2
                else:
                    position += 1
        else:
            break
    return position


def replay_files(server: servers.Server, files: Sequence[Path], limits: Limits = DEFAULT_LIMITS) -> Report:
    """Runs every statement of ``files``; those that fail are tried again until none of them gets further.

    Raises where they take more time or disk than ``limits`` allow.
    """
    failed: list[_Failed] = []
    left_out: list[_Failed] = []
    history = History()
    count = 0
    with Budget(server, sum(file.stat().st_size for file in files), limits) as budget:
        for file in files:
            statements = list(split(read_text(file.read_bytes()), file.name))
            history.add(statements)
            count += len(statements)
            failed += _run(server, statements, budget)
        first, worked = {one.statement: one for one in failed}, []
        while failed:
            again: list[_Failed] = []
            for one in failed:
                left = _run(server, [one.statement], budget, one.settings)
                again += left
                worked += [] if left else [_failure(first[one.statement])]
            stuck, failed = len(again) == len(failed), again
            if stuck:
                failed, without = _without_keys(server, failed, budget)
                left_out += without
                if not without:
                    break
    lost = history.losses([(_failure(one), one.statement.sql) for one in [*failed, *left_out]], _relations(server))
    return Report(
        len(files),
        count,
        tuple(map(_failure, failed)),
        out_of_order=tuple(worked),
        without_foreign_keys=tuple(map(_failure, left_out)),
        lost=lost,
    )


def _without_keys(
    server: servers.Server, failed: Sequence[_Failed], budget: Budget
) -> tuple[list[_Failed], list[_Failed]]:
    """Runs statements without their foreign keys to tables that are not there: those that fail still, and the others.

    A foreign key to a table that another one of them may make yet stays as long as that may help.
    """
    there = Present(_relations(server))
    coming = Present(tables_made(one.statement.sql for one in failed))
    for waits in (coming, Present(())):
        left: list[_Failed] = []
        worked: list[_Failed] = []
        for one in failed:
            sql = without_foreign_keys(one.statement.sql, lambda *name: not there(name) and not waits(name))  # noqa: B023
            again = sql is None or _run(server, [replace(one.statement, sql=sql)], budget, one.settings)
            (left if again else worked).append(one)
        if worked:
            return left, worked
    return list(failed), []


def _relations(server: servers.Server) -> set[tuple[str, str]]:
    """Schema and name of every table, view and the like."""
    sql = """
        SELECT n.nspname, c.relname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
        WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f')"""
    with connect(server.url()) as connection:
        rows = connection.execute(sql.encode()).fetchall()
    return {(str(schema), str(name)) for schema, name in rows}


def _failure(one: _Failed) -> Failure:
    what = described(one.statement.sql)
    tables = tuple(f"{schema or 'public'}.{name}" for schema, name in what.tables)
    place = one.statement.file, one.statement.line
    return Failure(*place, one.error, one.sqlstate, what.kind, what.node, tables, what.columns, what.harmless)


def _run(
    server: servers.Server, statements: Sequence[Statement], budget: Budget, settings: Sequence[str] = ()
) -> list[_Failed]:
    """Runs statements in one session of their own, each by itself, after ``settings``; returns those that failed."""
    failed: list[_Failed] = []
    made = list(settings)
    connection = _session(server, made)
    try:
        for statement in statements:
            kind = _special(statement.sql)
            if kind == "transaction":
                continue  # each statement stands by itself, so that one failure does not undo its neighbours
            try:
                if kind.startswith("extension "):
                    _extension(server, *kind.split(" ")[1:])
                    continue
                _execute(connection, statement)
                if kind == "setting":
                    made.append(statement.sql)
                _limit(connection)
            except psycopg.Error as error:
                budget.check()
                failed.append(_Failed(statement, _words(error), error.sqlstate or "", tuple(made)))
                if connection.closed:
                    connection = _session(server, made)
    finally:
        connection.close()
    budget.check()
    return failed


def _session(server: servers.Server, settings: Sequence[str]) -> psycopg.Connection:
    connection = connect(server.url(), settings=_FILE_SETTINGS)
    for setting in settings:
        connection.execute(setting.encode())
    _limit(connection)
    return connection


def _limit(connection: psycopg.Connection, limit: str | None = None) -> None:
    """Puts the time limit of a statement back: dumps begin by taking it away."""
    limit = limit or _FILE_SETTINGS["statement_timeout"]
    connection.execute("SELECT pg_catalog.set_config('statement_timeout', %s, false)", (limit,))


def _execute(connection: psycopg.Connection, statement: Statement) -> None:
    if statement.data is None:
        try:
            connection.execute(statement.sql.encode())
        except psycopg.errors.SyntaxError as error:
            plain = _MODIFIED.sub(r"\1", statement.sql)
            if plain == statement.sql or "type modifier is not allowed" not in str(error):
                raise
            connection.execute(plain.encode())
        return
    # Rows take the time that their number needs; the replay's own limit holds all the same.
    _limit(connection, f"{60 + len(statement.data) // 1_000_000}s")
    with connection.cursor() as cursor, cursor.copy(statement.sql.encode()) as copy:
        copy.write(statement.data.encode())


def _words(error: psycopg.Error) -> str:
    message = error.diag.message_primary or str(error).strip() or type(error).__name__
    return f"{message} ({error.diag.message_detail})" if error.diag.message_detail else message


def _special(sql: str) -> str:
    """``transaction``, ``extension VERB NAME SCHEMA``, ``setting``, or empty."""
    word = sql[:16].split(None, 1)[0].upper().rstrip(";") if sql[:16].split() else ""
    if word in ("BEGIN", "START", "COMMIT", "END", "ROLLBACK", "SAVEPOINT", "RELEASE", "ABORT"):
        return "transaction"
    if word in ("SET", "RESET"):
        return "setting"
    match = _EXTENSION.match(sql)
    return f"extension {match[1].lower()} {match[2].lower()} {match[3] or 'extensions'}" if match else ""


def _extension(server: servers.Server, verb: str, name: str, schema: str) -> None:
    # The server's own extensions are made by the superuser, in words of our own; others are stood in for by the
    # prelude, or their absence shows in the statement that uses them.
    if verb not in ("create", "drop"):
        return
    known = "supabase_migrations.supavex_extensions"
    with connect(server.url(servers.SUPERUSER)) as connection:
        if verb == "create":
            connection.execute(f"INSERT INTO {known} VALUES (%s) ON CONFLICT DO NOTHING".encode(), (name,))
            if name in _AVAILABLE_EXTENSIONS:
                connection.execute(f'CREATE EXTENSION IF NOT EXISTS "{name}" SCHEMA {quoted(schema)}'.encode())
        else:
            connection.execute(f"DELETE FROM {known} WHERE name = %s".encode(), (name,))
            if name in _AVAILABLE_EXTENSIONS:
                connection.execute(f'DROP EXTENSION IF EXISTS "{name}"'.encode())
