"""The work of an import: a summary of its changes, and the changes.

A separate process does a large import, because a thread would keep the interpreter from concurrent readers. The process
reads its job from its standard input, and ends when that ends.
"""

from __future__ import annotations

import os
import pickle
import signal
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Literal

from supavex.callbacks import RowProgress
from supavex.convex.snapshot import SnapshotArchive
from supavex.deployment.database.components import APP, components
from supavex.deployment.database.database import Database
from supavex.deployment.deployment import Deployment
from supavex.deployment.transfer.aside import aside, processors
from supavex.deployment.transfer.file_import import import_files, stored_entries
from supavex.deployment.transfer.importing import Mode, import_snapshot, made_component
from supavex.deployment.transfer.table_files import Format, TableFile
from supavex.deployment.transfer.table_rows import Archive
from supavex.errors import SupavexError
from supavex.text import table_text

Form = Format | Literal["zip"]
#: If a file has more bytes, a separate process imports it. Starting one takes as long as importing a tenth of that.
_ASIDE_BYTES = 4 << 20
#: The niceness of the process, which gives way to others.
_NICE = 5


@dataclass(frozen=True, slots=True)
class ImportJob:
    """An import."""

    #: The deployment's file.
    database: Path
    #: The deployment's folder.
    folder: Path
    #: How the import treats existing documents, in Convex's words.
    mode: Mode
    #: The format of the file.
    form: Form
    #: The table of a file of one table.
    table: str | None
    #: The uploaded file.
    content: Path
    #: The path of the component; empty for the app.
    component: str = ""


def summary(wanted: ImportJob, progress: RowProgress) -> tuple[str, bool]:
    """The changes of an import as a table, and whether it deletes anything."""
    with Deployment(wanted.database) as deployment, deployment.reading():
        database = _seen_from(deployment, wanted.component)
        return _summary(database, wanted.component, _open(database, wanted), wanted.mode)


def perform(wanted: ImportJob, progress: RowProgress) -> int:
    """Imports, all or nothing. Returns the number of documents and stored files."""
    with Deployment(wanted.database) as deployment:
        with deployment.store.transaction():
            mode, database = wanted.mode, _made(deployment, wanted.component)
            archive = _open(database, wanted)
            imported = import_snapshot(database, archive, mode, progress=progress)
            replace = mode in ("replace", "replaceAll")
            stored, old = import_files(database, wanted.folder, archive, replace=replace)
        for path in old:
            path.unlink(missing_ok=True)
        return sum(imported.written.values()) + stored


_WORK: Mapping[str, Callable[[ImportJob, RowProgress], Any]] = {"summary": summary, "perform": perform}


def _open(database: Database, wanted: ImportJob) -> Archive:
    if wanted.form == "zip":
        return SnapshotArchive(wanted.content)
    if not wanted.table:
        raise SupavexError("TableNameRequired", f"a table is named for the format {wanted.form}.")
    return TableFile(wanted.content, wanted.table, wanted.form, database.schema)


def _seen_from(deployment: Deployment, component: str) -> Database:
    """The database of a component; one without tables if the component does not exist."""
    if not component:
        return deployment
    known = components(deployment.store.connection).get(component)
    return deployment.within(-1 if known is None else known.id)


def _made(deployment: Deployment, component: str) -> Database:
    """The database of a component, which is made if it does not exist."""
    return deployment.within(made_component(deployment, component).id) if component else deployment


def _summary(database: Database, path: str, archive: Archive, mode: Mode) -> tuple[str, bool]:
    """The changes of an import as a table, and whether it deletes anything.

    ``path``: the path of the component of ``database``; empty for the app.
    """
    parts: dict[str, tuple[Database, Archive | None]] = {path: (database, archive)}
    known = {one.path: one.id for one in (APP, *components(database.store.connection).values())}
    if isinstance(archive, SnapshotArchive):
        for held in archive.components:
            full = f"{path}/{held}" if path else held
            parts[full] = database.within(known.get(full, -1)), archive.within(held)
        if mode == "replaceAll":
            parts = {other: (database.within(id_), None) for other, id_ in known.items()} | parts
    rows: list[list[object]] = []
    deletes = False
    for other, (view, part) in sorted(parts.items()):
        more, deleting = _changes(view, other, part, mode)
        rows += more
        deletes = deletes or deleting
    lines = ["Import change summary:", table_text(["table", "create", "delete"], rows)] if rows else []
    lines.append("Once the import has started, it will run in the background.")
    lines.append("Interrupting `npx convex import` will not cancel it.")
    return "\n".join(lines), deletes


def _changes(database: Database, path: str, archive: Archive | None, mode: Mode) -> tuple[list[list[object]], bool]:
    """The changes of an import of the app, or of one component: its rows of the summary, and whether it deletes."""
    rows: list[list[object]] = []
    deletes, shown = False, f" in '{path}'" if path else ""
    held = [] if archive is None else archive.tables
    for name in sorted({*held, *(database.tables() if mode == "replaceAll" else ())}):
        create = sum(1 for _ in archive.documents(name)) if archive is not None and name in held else 0
        there = database.count(name)
        if mode == "requireEmpty" and there:
            message = f'The table "{name}"{shown} is not empty. Use --append or --replace.'
            raise SupavexError("TableExists", message, where=name)
        delete = there if mode in ("replace", "replaceAll") else 0
        deletes = deletes or delete > 0
        rows.append([name + shown, create, f"{delete} of {there}" if there else 0])
    stored = [] if archive is None else stored_entries(archive)
    if stored:
        sql = "SELECT count(*) FROM files WHERE component = ?"
        (there,) = database.store.connection.execute(sql, (database.store.component,)).fetchone()
        delete = there if mode in ("replace", "replaceAll") else 0
        deletes = deletes or delete > 0
        rows.append([f"_storage{shown}", len(stored), f"{delete} of {there}" if there else 0])
    return rows, deletes


# In a separate process


def done(
    work: Literal["summary", "perform"], wanted: ImportJob, progress: RowProgress = lambda table, done: None
) -> Any:
    """The result of :func:`summary` or :func:`perform`, in this process or in another. Raises their errors."""
    if wanted.content.stat().st_size < _ASIDE_BYTES or processors() < 2:
        return _WORK[work](wanted, progress)
    with aside(__name__, (work, wanted)) as results:
        while results is not None:
            try:
                kind, found = pickle.load(results)
            except (OSError, EOFError, pickle.UnpicklingError):
                message = "the process that imported has ended early, and nothing was imported."
                raise SupavexError("ImportInterrupted", message, hint="The machine may be short of memory.") from None
            if kind == "progress":
                progress(*found)
            elif kind == "failed":
                raise found
            else:
                return found
    return _WORK[work](wanted, progress)


def _work(jobs: IO[bytes], results: IO[bytes]) -> None:
    # Ctrl-C reaches every process of a terminal. This one ends with its parent.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with suppress(OSError):
        os.nice(_NICE)
    work, wanted = pickle.load(jobs)

    def ended() -> None:
        # The server was killed, and the import must not continue unseen.
        jobs.read()
        os._exit(1)

    threading.Thread(target=ended, daemon=True).start()

    def tell(kind: str, found: object) -> None:
        pickle.dump((kind, found), results, pickle.HIGHEST_PROTOCOL)
        results.flush()

    try:
        tell("done", _WORK[work](wanted, lambda table, done: tell("progress", (table, done))))
    except SupavexError as error:
        tell("failed", error)
    except Exception as error:
        # Some exceptions can't be pickled, so their text is sent.
        tell("failed", RuntimeError(f"{type(error).__name__}: {error}"))


if __name__ == "__main__":
    # Imported under the parent's name, so that pickled objects have the parent's classes.
    from supavex.deployment.server import imports

    imports._work(sys.stdin.buffer, sys.stdout.buffer)
