"""Builds the database of a project's files, and keeps it as long as the files and the programs stay the same.

The catalog and the report of a replay are kept beside its database, so that most commands need no server.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from importlib import resources
from pathlib import Path
from typing import Any

from supavex.errors import SupavexError
from supavex.files import own_folder, read_own, write_whole
from supavex.postgres import server as servers
from supavex.postgres.budget import DEFAULT_LIMITS, Limits
from supavex.postgres.catalog import Catalog, Expression, expression_from_json
from supavex.postgres.connection import connect
from supavex.postgres.extensions import stand_ins_digest
from supavex.postgres.inspection import ask_types, inspect_catalog
from supavex.postgres.programs import programs
from supavex.postgres.report import Report
from supavex.postgres.run_files import replay_files
from supavex.postgres.source_files import SourceFiles, of_paths
from supavex.steps import step

#: Raise it if the same files would replay differently.
REPLAY_VERSION = 17
_OTHER_VERSION = "supabase/config.toml names PostgreSQL"
#: Errors of a server's folder that can't be used: it is damaged, copied, or belongs to another user.
_UNUSABLE = ("ServerDoesNotStart", "UnsafeFile")


def fingerprint(files: SourceFiles | Sequence[Path], postgres_bin: Path | None = None) -> str:
    """A hash that changes if a replay of ``files`` would give another result."""
    source = of_paths(files)
    said = [[item.file, item.reason] for item in source.not_run]
    about = [REPLAY_VERSION, said, list(source.notes), source.major_version, _programs(postgres_bin)]
    digest = hashlib.sha256(json.dumps(about).encode())
    digest.update((prelude() + stand_ins_digest()).encode())
    for file in source.read():
        content = file.read_bytes()
        digest.update(f"\0{source.shown(file)}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()


def _programs(postgres_bin: Path | None) -> str:
    """The folder of PostgreSQL's programs; empty if none is installed, so that only a cache can be read."""
    try:
        return str(postgres_bin or programs())
    except SupavexError:
        return ""


class Replay:
    """The database of a project's files, kept in ``folder`` and built again when the files change."""

    def __init__(
        self,
        folder: Path,
        files: SourceFiles | Sequence[Path],
        schemas: Sequence[str],
        limits: Limits = DEFAULT_LIMITS,
        also: Sequence[str] = (),
        postgres_bin: Path | None = None,
    ) -> None:
        self.postgres_bin = postgres_bin
        self.folder, self.files, self.schemas, self.limits = folder, of_paths(files), list(schemas), limits
        self.also = list(also)
        self._fingerprint = fingerprint(self.files, postgres_bin)
        self._looked_at = json.dumps([self.schemas, self.also])

    def cached(self) -> tuple[Catalog, Report] | None:
        """The catalog and report of an earlier replay of the same files, without starting a server; else None."""
        try:
            data = json.loads(read_own(self.folder / "catalog.json"))
            if data["fingerprint"] == self._fingerprint and self._looked_at in data["catalogs"]:
                return Catalog.from_json(data["catalogs"][self._looked_at]), Report.from_json(data["report"])
        except (OSError, ValueError, KeyError, TypeError, AttributeError, SupavexError):
            pass  # The catalog is missing or damaged.
        return None

    def _report(self) -> Report | None:
        """The report of an earlier replay of the same files, with any schemas; else None."""
        try:
            data = json.loads(read_own(self.folder / "catalog.json"))
            return Report.from_json(data["report"]) if data["fingerprint"] == self._fingerprint else None
        except (OSError, ValueError, KeyError, TypeError, AttributeError, SupavexError):
            return None

    def forget(self, usable: bool) -> bool:
        """Whether the database has to be built anew. If so, this first removes the cached results of the old one.

        ``usable``: whether the folder has a database that can be used.
        """
        stale = not usable or self._report() is None
        if stale:
            (self.folder / "catalog.json").unlink(missing_ok=True)
        return stale

    def catalog(self) -> tuple[Catalog, Report]:
        """The catalog and report, from the cache or from a replay."""
        cached = self.cached()
        if cached:
            return cached
        with self.running():
            pass
        made = self.cached()
        assert made is not None
        return made

    def types(self, asked: Callable[[Catalog], Sequence[tuple[str, str, str]]]) -> tuple[Catalog, Report]:
        """As :meth:`catalog`, with the types of the expressions that ``asked`` finds (schema, table, SQL).

        The types are cached, too.
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
        write_whole(self.folder / "expressions.json", json.dumps(data))
        return replace(catalog, expressions=tuple(answers)), report

    def _answers(self) -> list[Expression]:
        try:
            data = json.loads(read_own(self.folder / "expressions.json"))
        except (OSError, ValueError):
            return []
        if not isinstance(data, dict) or data.get("fingerprint") != self._fingerprint:
            return []
        return [expression_from_json(expression) for expression in data["expressions"]]

    def running(self) -> _Running:
        """The server with the replayed database, as a context manager that gives its connection string."""
        return _Running(self)

    def make(self, server: servers.Server) -> None:
        """Replays the files into a new server, or inspects other schemas of the same database, and writes the cache."""
        report = self._report()
        if report is None:
            report = replay_files(server, self.files, self.limits)
        with step("reading the catalog"), connect(server.url()) as connection:
            catalog = inspect_catalog(connection, self.schemas, self.also)
            connection.execute("ANALYZE")
            report = _with_version(report, self.files.major_version, connection.info.server_version // 10000)
        catalogs = {**self._catalogs(), self._looked_at: catalog.to_json()}
        data = {"fingerprint": self._fingerprint, "report": report.to_json(), "catalogs": catalogs}
        write_whole(self.folder / "catalog.json", json.dumps(data))

    def _catalogs(self) -> dict[str, Any]:
        """The cached catalogs of the same database, by their schemas."""
        try:
            return dict(json.loads(read_own(self.folder / "catalog.json"))["catalogs"])
        except (OSError, ValueError, KeyError, TypeError, SupavexError):
            return {}


def _with_version(report: Report, named: int | None, run: int) -> Report:
    if named in (None, run) or any(note.startswith(_OTHER_VERSION) for note in report.notes):
        return report
    note = f"{_OTHER_VERSION} {named} (db.major_version). The files were run by PostgreSQL {run}."
    return replace(report, notes=(*report.notes, note))


class _Running:
    def __init__(self, replay: Replay) -> None:
        self.replay = replay

    def __enter__(self) -> str:
        replay = self.replay
        own_folder(replay.folder, passable=True)
        with step("starting PostgreSQL"):
            server = self._server()
        try:
            if replay.cached() is None:
                replay.make(server)
        except BaseException as error:
            self._context.__exit__(type(error), error, error.__traceback__)
            raise
        return server.url()

    def _server(self) -> servers.Server:
        try:
            return self._started()
        except SupavexError as error:
            if error.code not in _UNUSABLE:
                raise
            # The folder is copied, damaged, or another user's. All of its data come from the files.
            (self.replay.folder / "catalog.json").unlink(missing_ok=True)
            servers.remove(self.replay.folder / "database")
            return self._started()

    def _started(self) -> servers.Server:
        # Called when this process holds the folder: another command may have finished the replay while this one
        # waited.
        replay = self.replay
        self._context = servers.running(
            replay.folder / "database",
            fresh=replay.forget,
            bin_folder=replay.postgres_bin,
            wait_seconds=replay.limits.wait_seconds,
            script=prelude(),
        )
        return self._context.__enter__()

    def __exit__(self, *details: Any) -> None:
        self._context.__exit__(*details)


def prelude() -> str:
    """The SQL that creates the objects of a new Supabase project."""
    return resources.files("supavex.postgres").joinpath("prelude.sql").read_text(encoding="utf-8")
