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
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import psycopg

from supavex.errors import UsageError, missing_extra
from supavex.postgres import server as servers
from supavex.postgres.catalog import Catalog
from supavex.postgres.connection import connect
from supavex.postgres.inspection import inspect_catalog

#: Raise when the same files would replay differently.
REPLAY_VERSION = 2
_STATEMENT_TIMEOUT = "60s"
_EXTENSION = re.compile(
    r"(CREATE|DROP|ALTER|COMMENT)\s+(?:ON\s+)?EXTENSION\s+(?:IF\s+(?:NOT\s+)?EXISTS\s+)?\"?([A-Za-z0-9_-]+)",
    re.IGNORECASE,
)
_AVAILABLE_EXTENSIONS = frozenset({"vector"})
_FILE_SETTINGS = {
    "search_path": '"$user", public, extensions',
    "check_function_bodies": "off",
    "statement_timeout": _STATEMENT_TIMEOUT,
    "row_security": "on",
}


@dataclass(frozen=True, slots=True)
class Statement:
    """One SQL statement and the line of its file where it begins."""

    file: str
    line: int
    sql: str


@dataclass(frozen=True, slots=True)
class Failure:
    """A statement that PostgreSQL refused to the last, with its words."""

    file: str
    line: int
    error: str


@dataclass(frozen=True, slots=True)
class Report:
    """What a replay did: files and statements run, and those that failed."""

    files: int
    statements: int
    failed: tuple[Failure, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """As ``inspect --json`` shows it."""
        return asdict(self)


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


def fingerprint(files: Sequence[Path], schemas: Sequence[str]) -> str:
    """A hash that changes when a replay of ``files`` would come out differently."""
    digest = hashlib.sha256(json.dumps([REPLAY_VERSION, list(schemas)]).encode())
    digest.update(_prelude().encode())
    for file in files:
        content = file.read_bytes()
        digest.update(f"\0{file.name}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()


class Replay:
    """The database made from a project's files, kept in ``folder`` and made again when the files change."""

    def __init__(self, folder: Path, files: Sequence[Path], schemas: Sequence[str]) -> None:
        self.folder, self.files, self.schemas = folder, list(files), list(schemas)
        self._fingerprint = fingerprint(self.files, self.schemas)

    def cached(self) -> tuple[Catalog, Report] | None:
        """Catalog and report of an earlier replay of the same files, without starting a server; else None."""
        try:
            data = json.loads((self.folder / "catalog.json").read_text())
        except (OSError, ValueError):
            return None
        if data.get("fingerprint") != self._fingerprint:
            return None
        report = data["report"]
        failed = tuple(Failure(**failure) for failure in report["failed"])
        return Catalog.from_json(data["catalog"]), Report(report["files"], report["statements"], failed)

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

    def running(self) -> _Running:
        """The server with the replayed database, as a context manager that gives its connection string."""
        return _Running(self)

    def make(self, server: servers.Server) -> None:
        """Replays into an empty server and writes the cache."""
        servers.execute_script(server, _prelude())
        report = replay_files(server, self.files)
        with connect(server.url()) as connection:
            catalog = inspect_catalog(connection, self.schemas)
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
        fresh = replay.cached() is None
        database = replay.folder / "database"
        if fresh:
            (replay.folder / "catalog.json").unlink(missing_ok=True)
            servers.remove(database)
        self._context = servers.running(database)
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


def split(text: str, file: str) -> Iterator[Statement]:
    """The statements of ``text`` with their lines, cut by PostgreSQL's own grammar (its scanner where that fails)."""
    try:
        import pglast
        from pglast.parser import ParseError
    except ImportError:
        raise missing_extra("pglast", "embedded", "Reading migration files") from None
    text = text.removeprefix("\ufeff")
    try:
        slices = pglast.split(text, with_parser=True, only_slices=True)
    except ParseError:
        try:
            slices = pglast.split(text, with_parser=False, only_slices=True)
        except ParseError:
            yield Statement(file, 1, text)
            return
    for piece in slices:
        # A slice starts at the blanks and comments before its statement.
        start = piece.start + _lead(text[piece.start : piece.stop])
        sql = text[start : piece.stop].strip()
        if sql:
            yield Statement(file, text.count("\n", 0, start) + 1, sql)


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


def replay_files(server: servers.Server, files: Sequence[Path]) -> Report:
    """Runs every statement of ``files``; those that fail are tried again until none of them gets further."""
    failed: list[tuple[Statement, str]] = []
    count = 0
    for file in files:
        text = file.read_bytes().decode("utf-8", "replace")
        statements = list(split(text, file.name))
        count += len(statements)
        failed += _run(server, statements)
    while failed:
        again: list[tuple[Statement, str]] = []
        for statement, _ in failed:
            again += _run(server, [statement])
        if len(again) == len(failed):
            break
        failed = again
    return Report(len(files), count, tuple(Failure(s.file, s.line, error) for s, error in failed))


def _run(server: servers.Server, statements: Sequence[Statement]) -> list[tuple[Statement, str]]:
    """Runs statements in one session of their own, each by itself; returns those that failed, with the reason."""
    failed: list[tuple[Statement, str]] = []
    with connect(server.url(), settings=_FILE_SETTINGS) as connection:
        for statement in statements:
            kind = _special(statement.sql)
            if kind == "transaction":
                continue  # each statement stands by itself, so that one failure does not undo its neighbours
            try:
                if kind.startswith("extension "):
                    _extension(server, *kind.split(" ")[1:])
                    continue
                connection.execute(statement.sql.encode())
            except psycopg.Error as error:
                failed.append((statement, _words(error)))
                if connection.closed:
                    connection = connect(server.url(), settings=_FILE_SETTINGS)
    return failed


def _words(error: psycopg.Error) -> str:
    message = error.diag.message_primary or str(error).strip() or type(error).__name__
    return f"{message} ({error.diag.message_detail})" if error.diag.message_detail else message


def _special(sql: str) -> str:
    """``transaction``, ``extension VERB NAME``, or empty for a statement that is run as it is."""
    word = sql[:16].split(None, 1)[0].upper().rstrip(";") if sql[:16].split() else ""
    if word in ("BEGIN", "START", "COMMIT", "END", "ROLLBACK", "SAVEPOINT", "RELEASE", "ABORT"):
        return "transaction"
    match = _EXTENSION.match(sql)
    return f"extension {match[1].lower()} {match[2].lower()}" if match else ""


def _extension(server: servers.Server, verb: str, name: str) -> None:
    # The server's own extensions are made by the superuser, in words of our own; others are stood in for by the
    # prelude, or their absence shows in the statement that uses them.
    if name not in _AVAILABLE_EXTENSIONS or verb not in ("create", "drop"):
        return
    with connect(server.url(servers.SUPERUSER)) as connection:
        if verb == "create":
            connection.execute(f'CREATE EXTENSION IF NOT EXISTS "{name}" SCHEMA extensions')
        else:
            connection.execute(f'DROP EXTENSION IF EXISTS "{name}"')
