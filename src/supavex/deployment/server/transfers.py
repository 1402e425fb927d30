"""Imports and exports of the official CLI: uploaded in parts, confirmed, and then run concurrently with other requests.

A transfer uses its own connection, so that reading continues. Other writers wait.
"""

from __future__ import annotations

import asyncio
import re
import secrets
import shutil
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from supavex.convex.names import identifier_problem
from supavex.deployment.deployment import Deployment
from supavex.deployment.server import imports, jobs
from supavex.deployment.server.host import Host
from supavex.deployment.server.imports import Form, ImportJob
from supavex.deployment.transfer.exporting import export_snapshot
from supavex.deployment.transfer.importing import Mode
from supavex.errors import SupavexError
from supavex.files import own_folder, owner_only

_MAX_PARTS = 10_000
_TOKEN = re.compile(r"[0-9a-f]{32}\Z")
_MODES = ("requireEmpty", "append", "replace", "replaceAll")
_FORMATS = ("csv", "jsonLines", "jsonArray", "zip")
_PROGRESS_SECONDS = 0.2


@dataclass(slots=True)
class Transfers:
    """The imports and exports of one served deployment."""

    host: Host
    tasks: set[asyncio.Task[None]] = field(default_factory=set)

    @property
    def _uploads(self) -> Path:
        return self.host.folder / "uploads"

    @property
    def _exports(self) -> Path:
        return self.host.folder / "exports"

    def clean(self) -> None:
        """Removes unfinished files of an earlier server."""
        shutil.rmtree(self._uploads, ignore_errors=True)
        jobs.fail_interrupted(self.host.deployment.store)

    # Uploads

    def start_upload(self) -> str:
        """A token for an upload."""
        token = secrets.token_hex(16)
        own_folder(own_folder(self._uploads) / token)
        return token

    def part(self, token: str, number: str) -> Path:
        """The path of a part. Raises for an invalid token or number."""
        folder = self._uploads / token
        if not _TOKEN.match(token) or not folder.is_dir():
            raise SupavexError("UploadTokenInvalid", "the upload is not known here.")
        if not re.fullmatch(r"[0-9]{1,5}", number) or not 1 <= int(number) <= _MAX_PARTS:
            raise SupavexError("InvalidPartNumber", f"a part's number is 1 to {_MAX_PARTS}.")
        return folder / _part_name(int(number))

    async def finish_upload(self, body: dict[str, Any]) -> str:
        """Joins the parts and begins the import. Returns its id."""
        wanted = body.get("import")
        folder = self.part(str(body.get("uploadToken")), "1").parent
        if not isinstance(wanted, dict):
            raise SupavexError("BadJsonBody", "import is an object.")
        mode, form = wanted.get("mode", "requireEmpty"), wanted.get("format")
        if mode not in _MODES or form not in _FORMATS:
            raise SupavexError("BadJsonBody", f"Not supported here: mode {mode!r} with format {form!r}.")
        component = wanted.get("componentPath") or ""
        if not isinstance(component, str) or any(map(identifier_problem, component.split("/") if component else ())):
            raise SupavexError(
                "InvalidComponentPath", "componentPath is the names of components, with slashes between."
            )
        table = wanted.get("tableName")
        if table is not None and not isinstance(table, str):
            raise SupavexError("BadJsonBody", "tableName is a text.")
        parts, whole = self._parts(folder, body.get("partTokens")), folder / "whole"
        await asyncio.to_thread(_join, parts, whole)
        state = {"state": "uploaded"}
        details = {"mode": mode, "format": form, "path": str(whole), **({"table": table} if table else {})}
        details |= {"component": component} if component else {}
        id_ = await self.host.run(lambda d: jobs.add_job(d.store, "import", state, **details))
        self.host.changed()
        self._start(self._parse(id_, self._job(mode, form, table, whole, component)))
        return id_

    def _parts(self, folder: Path, tokens: object) -> list[Path]:
        """The parts of an upload in the order of their tokens. Raises if one is missing, or if they were
        joined before.
        """
        if (folder / "whole").exists():
            raise SupavexError("UploadTokenInvalid", "the upload was finished before.")
        if not isinstance(tokens, list):
            raise SupavexError("BadJsonBody", "partTokens is a list.")
        parts = [self.part(folder.name, str(token)) for token in tokens]
        for number, part in enumerate(parts, start=1):
            if part.name != _part_name(number) or not part.is_file():
                raise SupavexError("InvalidPartToken", f"part {number} of the upload is missing.")
        return parts

    def _start(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def _state(self, kind: str, id_: str, state: dict[str, Any]) -> None:
        while True:
            try:
                await self.host.run(lambda d: jobs.set_state(d.store, kind, id_, state))
            except SupavexError as error:
                # Another import is writing. Waiters for this one must not wait without end.
                if not error.retryable or self.host.closing:
                    raise
            else:
                self.host.changed()
                return

    async def _parse(self, id_: str, wanted: ImportJob) -> None:
        """Counts the documents that an import would write and delete, and waits for confirmation."""
        try:
            message, deletes = await asyncio.to_thread(imports.done, "summary", wanted)
        except Exception as error:
            await self._fail(id_, error, wanted.content)
            return
        state = {"state": "waiting_for_confirmation", "message_to_confirm": message}
        await self._state("import", id_, {**state, "require_manual_confirmation": deletes})

    def _job(self, mode: Mode, form: Form, table: str | None, content: Path, component: str = "") -> ImportJob:
        return ImportJob(self.host.deployment.path, self.host.folder, mode, form, table, content, component)

    async def _fail(self, id_: str, error: Exception, whole: Path) -> None:
        if isinstance(error, SupavexError):
            where = f" ({error.where})" if error.where and str(whole) not in error.where else ""
            message = f"{error.code}: {error.message.replace(str(whole), 'the file')}{where}"
        else:
            message = f"InternalServerError: supavex failed at this: {type(error).__name__}: {error}"
        await self._state("import", id_, {"state": "failed", "error_message": message})
        shutil.rmtree(whole.parent, ignore_errors=True)

    async def perform(self, id_: str) -> None:
        """Runs an import that waits for confirmation. Raises if there is none."""
        job = await self.host.run(lambda d: jobs.job_document(d.store, "import", id_))
        if job is None:
            raise SupavexError("ImportNotFound", "there is no such import.")
        if job["state"]["state"] != "waiting_for_confirmation":
            raise SupavexError("ImportNotWaiting", "the import does not wait for confirmation.")
        await self._state("import", id_, {"state": "in_progress", "progress_message": "Importing"})
        wanted = self._job(job["mode"], job["format"], job.get("table"), Path(job["path"]), job.get("component", ""))
        self._start(self._import(id_, wanted))

    async def cancel(self, id_: str) -> None:
        """Cancels an import that has not begun. Raises if it is too late."""
        job = await self.host.run(lambda d: jobs.job_document(d.store, "import", id_))
        if job is None or job["state"]["state"] not in ("uploaded", "waiting_for_confirmation"):
            raise SupavexError("CannotCancelImport", "the import can't be cancelled any more.")
        await self._state("import", id_, {"state": "failed", "error_message": "Import canceled."})
        shutil.rmtree(Path(job["path"]).parent, ignore_errors=True)

    async def _import(self, id_: str, wanted: ImportJob) -> None:
        loop = asyncio.get_running_loop()
        told = 0.0

        def progress(name: str, done: int) -> None:
            nonlocal told
            if time.monotonic() - told < _PROGRESS_SECONDS:
                return
            told = time.monotonic()
            state = {"state": "in_progress", "progress_message": f'Importing "{name}" ({done:,} documents)'}
            loop.call_soon_threadsafe(self._announce, id_, state)

        try:
            written = await asyncio.to_thread(imports.done, "perform", wanted, progress)
        except Exception as error:
            self.host.progress.pop(id_, None)
            await self._fail(id_, error, wanted.content)
            return
        self.host.progress.pop(id_, None)
        await self._state(
            "import", id_, {"state": "completed", "num_rows_written": written, "timestamp": time.time_ns()}
        )
        shutil.rmtree(wanted.content.parent, ignore_errors=True)

    def _announce(self, id_: str, state: dict[str, Any]) -> None:
        # The import's own transaction blocks other writers, so progress is kept in memory.
        self.host.progress[id_] = state
        self.host.changed()

    async def import_now(self, table: str, form: Form, mode: Mode, content: Path) -> int:
        """Imports without confirmation. Returns the number of documents."""
        wanted = self._job(mode, form, table, content)
        written: int = await asyncio.to_thread(imports.done, "perform", wanted)
        self.host.changed()
        return written

    # Exports

    async def request_export(self, *, storage: bool) -> None:
        """Begins an export. Raises if one is running."""

        def add(deployment: Deployment) -> str:
            latest = jobs.job_documents(deployment.store, "export")
            if latest and latest[0]["state"]["state"] in ("requested", "in_progress"):
                raise SupavexError("ExportInProgress", "There is already an export requested or in progress.")
            return jobs.add_job(deployment.store, "export", {"state": "requested"})

        id_ = await self.host.run(add)
        self.host.changed()
        self._start(self._export(id_, storage=storage))

    async def _export(self, id_: str, *, storage: bool) -> None:
        start = self.host.timestamp()
        key = f"snapshot_{self.host.name}_{start}.zip"
        path = self._exports / key

        def work() -> None:
            for old in own_folder(self._exports).glob("snapshot_*.zip*"):
                old.unlink(missing_ok=True)
            partial = path.with_suffix(".zip.partial")
            with Deployment(self.host.deployment.path) as deployment:
                export_snapshot(deployment, partial, self.host.folder if storage else None)
            partial.replace(path)

        await self._state("export", id_, {"state": "in_progress", "start_ts": start})
        try:
            await asyncio.to_thread(work)
        except Exception:
            await self._state("export", id_, {"state": "failed", "start_ts": start})
            return
        done = {"state": "completed", "start_ts": start, "complete_ts": self.host.timestamp(), "zip_object_key": key}
        await self._state("export", id_, done)

    async def export_file(self, name: str) -> Path:
        """The archive of an export, by its start or its id. Raises if it does not exist."""
        for job in await self.host.run(lambda d: jobs.job_documents(d.store, "export")):
            state = job["state"]
            if state["state"] == "completed" and name in (job["_id"], str(state["start_ts"])):
                path = self._exports / str(state["zip_object_key"])
                if path.is_file():
                    return path
        raise SupavexError("ExportNotFound", "there is no such export.")


def _part_name(number: int) -> str:
    return f"part-{number:05d}"


def _join(parts: list[Path], whole: Path) -> None:
    with open(whole, "wb", opener=owner_only) as file:
        for part in parts:
            with open(part, "rb", opener=owner_only) as source:
                shutil.copyfileobj(source, file, 1 << 20)
            part.unlink()
