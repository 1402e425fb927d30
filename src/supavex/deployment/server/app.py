"""The HTTP routes of a deployment for Convex's clients (``local_backend/src/router.rs`` of convex-backend).

Unknown routes answer 400 with "Not supported here: …", because the official CLI would repeat a request after a 404.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.websockets import WebSocket

from supavex.deployment.functions import modules
from supavex.deployment.server import security
from supavex.deployment.server.bodies import MAX_BODY_BYTES, to_file
from supavex.deployment.server.calls import Calls
from supavex.deployment.server.error_answers import ERROR_ANSWERS
from supavex.deployment.server.guard import METHODS, Guard, Json
from supavex.deployment.server.host import Host
from supavex.deployment.server.pushing import Pushes
from supavex.deployment.server.site import Site
from supavex.deployment.server.storage import Storage
from supavex.deployment.server.sync import sync
from supavex.deployment.server.transfers import Transfers
from supavex.deployment.transfer.importing import Mode
from supavex.deployment.transfer.table_files import Format
from supavex.errors import SupavexError
from supavex.files import own_folder

MAX_PUSH_BYTES = 200 << 20
MAX_PART_BYTES = 1 << 30
_LOG_SECONDS = 60.0
_FORMATS: dict[str, Format] = {"csv": "csv", "jsonLines": "jsonLines", "jsonArray": "jsonArray"}
_MODES: dict[str, Mode] = {"requireEmpty": "requireEmpty", "append": "append", "replace": "replace"}
Handler = Callable[[Request], Awaitable[Response]]


def make_app(host: Host, pages: list[BaseRoute] | None = None) -> Starlette:
    """The application that serves ``host``; ``pages`` are the dashboard's routes."""
    api = _Api(host)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        api.transfers.clean()
        host.start()
        watcher = asyncio.create_task(host.watch_file())
        try:
            yield
        finally:
            host.closing = True
            host.changed()
            watcher.cancel()
            for task in list(api.transfers.tasks):
                await asyncio.wait({task}, timeout=10)
            await asyncio.to_thread(host.stop)

    app = Starlette(
        routes=[*api.routes(), *(pages or []), Route("/{path:path}", api.unknown, methods=METHODS)],
        lifespan=lifespan,
        exception_handlers=ERROR_ANSWERS,
    )
    app.add_middleware(Guard, host=host, site=api.site)
    return app


class _Api:
    def __init__(self, host: Host) -> None:
        self.host, self.pushes, self.transfers = host, Pushes(host.addresses), Transfers(host)
        self.calls, self.storage = Calls(host), Storage(host)
        self.site = Site(host, self.calls)
        #: Evaluating needs memory, so pushes are evaluated one at a time.
        self._evaluating = asyncio.Lock()

    def routes(self) -> list[BaseRoute]:
        """All routes; see docs/compatibility.md."""
        admin = self._admin
        return [
            # Looked for in this order: these first, for they are asked for most.
            Route("/api/query", self.calls.query, methods=["GET", "POST"]),
            Route("/api/mutation", self.calls.mutation, methods=["POST"]),
            Route("/api/action", self.calls.action, methods=["POST"]),
            Route("/version", self.version),
            Route("/instance_version", self.version),
            Route("/instance_name", self.name),
            Route("/api/v1/get_canonical_urls", admin(self.urls)),
            Route("/api/check_admin_key", admin(self.check_key), methods=["GET", "POST"]),
            Route("/api/get_config_hashes", admin(self.config_hashes), methods=["POST"]),
            Route("/api/deploy2/start_push", admin(self.start_push), methods=["POST"]),
            Route("/api/deploy2/evaluate_push", admin(self.evaluate_push), methods=["POST"]),
            Route("/api/deploy2/wait_for_schema", admin(self.wait_for_schema), methods=["POST"]),
            Route("/api/deploy2/finish_push", admin(self.finish_push), methods=["POST"]),
            Route("/api/deploy2/report_push_completed", admin(self.report_push), methods=["POST"]),
            Route("/api/update_environment_variables", admin(self.update_variables), methods=["POST"]),
            Route("/api/v1/update_environment_variables", admin(self.update_variables), methods=["POST"]),
            Route("/api/list_environment_variables", admin(self.list_variables)),
            Route("/api/v1/list_environment_variables", admin(self.list_variables)),
            Route("/api/stream_function_logs", admin(self.logs)),
            Route("/api/import", admin(self.import_now), methods=["POST"]),
            Route("/api/import/start_upload", admin(self.start_upload), methods=["POST"]),
            Route("/api/import/upload_part", admin(self.upload_part), methods=["POST"]),
            Route("/api/import/finish_upload", admin(self.finish_upload), methods=["POST"]),
            Route("/api/perform_import", admin(self.perform_import), methods=["POST"]),
            Route("/api/cancel_import", admin(self.cancel_import), methods=["POST"]),
            Route("/api/export/request/zip", admin(self.request_export), methods=["POST"]),
            Route("/api/export/zip/{name}", admin(self.download_export)),
            Route("/api/shapes2", admin(self.shapes)),
            Route("/api/function", admin(self.calls.any), methods=["POST"]),
            Route("/api/run/{path:path}", self.calls.by_path, methods=["POST"]),
            Route("/api/query_batch", self.calls.batch, methods=["POST"]),
            Route("/api/query_ts", self.calls.query_ts, methods=["POST"]),
            Route("/api/query_at_ts", self.calls.query_at_ts, methods=["POST"]),
            Route("/api/run_test_function", admin(self.calls.inline), methods=["POST"]),
            Route("/api/storage/generate_upload_url", admin(self.storage.upload_url), methods=["POST"]),
            Route("/api/storage/upload", self.storage.upload, methods=["POST"]),
            Route("/api/storage/{name}", self.storage.download, methods=["GET", "HEAD"]),
            Route("/http/{path:path}", self.site),
            WebSocketRoute("/api/sync", self.socket),
            WebSocketRoute("/api/{version}/sync", self.socket),
        ]

    # The caller and the request

    def _admin(self, handler: Handler) -> Handler:
        async def checked(request: Request) -> Response:
            self._check(security.given_key(request.headers.get("authorization", "")))
            return await handler(request)

        return checked

    def _check(self, key: str) -> None:
        if not security.is_admin_key(self.host.admin_key, key):
            raise security.bad_key()

    async def unknown(self, request: Request) -> Response:
        """The answer for unknown routes."""
        message = f"Not supported here: {request.method} /{request.path_params['path']}"
        return Json({"code": "NotSupportedHere", "message": message}, 400)

    # Setting up

    async def version(self, request: Request) -> Response:
        """The kind and version of the deployment."""
        return PlainTextResponse("supavex")

    async def name(self, request: Request) -> Response:
        """The deployment's name."""
        return PlainTextResponse(self.host.name)

    async def urls(self, request: Request) -> Response:
        """The addresses of the deployment for clients."""
        return Json({"convexCloudUrl": self.host.addresses.cloud, "convexSiteUrl": self.host.addresses.site})

    async def check_key(self, request: Request) -> Response:
        """Confirms that the key is right."""
        return Json({"success": True})

    # Pushing

    async def config_hashes(self, request: Request) -> Response:
        """The modules that were pushed before, so that only changed ones are sent."""
        hashes = await self.host.run(lambda d: modules.module_hashes(d.store))
        version = await self.host.run(lambda d: d.store.meta("udf_version"))
        config = {"functions": "convex/", "authInfo": []}
        return Json({"config": config, "moduleHashes": hashes, "udfServerVersion": version})

    async def _pushed(self, request: Request) -> dict[str, Any]:
        body = await self.host.bodies.read_json(request, MAX_PUSH_BYTES)
        pushed = await self.host.run(lambda d: self.pushes.read(d, body))
        # Other requests are answered while the modules are evaluated.
        async with self._evaluating:
            evaluation = await asyncio.to_thread(pushed.evaluate)
        return await self.host.run(lambda d: self.pushes.start(d, pushed, evaluation))

    async def start_push(self, request: Request) -> Response:
        """See :meth:`Pushes.start`."""
        answer = await self._pushed(request)
        return Json(answer)

    async def evaluate_push(self, request: Request) -> Response:
        """The changes of a push, without its modules' analysis."""
        return Json({"schemaChange": (await self._pushed(request))["schemaChange"]})

    async def wait_for_schema(self, request: Request) -> Response:
        """See :meth:`Pushes.wait`."""
        body = await self.host.bodies.read_json(request)
        return Json(await self.host.run(lambda d: self.pushes.wait(d, body)))

    async def finish_push(self, request: Request) -> Response:
        """See :meth:`Pushes.finish`."""
        body = await self.host.bodies.read_json(request, MAX_PUSH_BYTES)
        answer = await self.host.run(lambda d: self.pushes.finish(d, body))
        self.host.changed()
        self.host.warm()
        return Json(answer)

    async def report_push(self, request: Request) -> Response:
        """Accepts the CLI's own timings, which are not kept."""
        return Json(None)

    # Environment

    async def update_variables(self, request: Request) -> Response:
        """Sets and removes environment variables."""
        changes = (await self.host.bodies.read_json(request)).get("changes")
        if not isinstance(changes, list):
            raise SupavexError("BadJsonBody", "changes is a list.")
        await self.host.run(lambda d: modules.change_variables(d.store, changes))
        self.host.changed()
        return Response(status_code=200)

    async def list_variables(self, request: Request) -> Response:
        """All environment variables."""
        return Json({"environmentVariables": await self.host.run(lambda d: modules.variables(d.store))})

    async def logs(self, request: Request) -> Response:
        """Log entries after a cursor. It waits for some, as `convex logs` and `convex dev` expect."""
        try:
            cursor = float(request.query_params.get("cursor", "0"))
        except ValueError:
            cursor = math.nan
        if not math.isfinite(cursor):
            raise SupavexError("BadCursor", "cursor is a number.")
        deadline = time.monotonic() + _LOG_SECONDS
        while True:
            entries = self.host.log.since(cursor)
            left = deadline - time.monotonic()
            if entries or cursor == 0 or left <= 0 or self.host.closing or await request.is_disconnected():
                break
            await self.host.log.wait(min(left, 1.0))
        newest = entries[-1]["cursor"] if entries else max(cursor, time.time() * 1000 if cursor == 0 else cursor)
        return Json({"entries": entries, "newCursor": newest})

    # Data

    async def start_upload(self, request: Request) -> Response:
        """A token for an upload in parts."""
        return Json({"uploadToken": self.transfers.start_upload()})

    async def upload_part(self, request: Request) -> Response:
        """One part of an upload."""
        query = request.query_params
        number = query.get("partNumber", "")
        path = self.transfers.part(query.get("uploadToken", ""), number)
        await to_file(request, path, MAX_PART_BYTES)
        return Json(number)

    async def finish_upload(self, request: Request) -> Response:
        """Begins an import of an upload."""
        return Json({"importId": await self.transfers.finish_upload(await self.host.bodies.read_json(request))})

    async def perform_import(self, request: Request) -> Response:
        """Runs a confirmed import."""
        await self.transfers.perform(str((await self.host.bodies.read_json(request)).get("importId")))
        return Json(None)

    async def cancel_import(self, request: Request) -> Response:
        """Cancels an import."""
        await self.transfers.cancel(str((await self.host.bodies.read_json(request)).get("importId")))
        return Json(None)

    async def import_now(self, request: Request) -> Response:
        """Imports the body into one table."""
        query = request.query_params
        form = _FORMATS.get(query.get("format", "jsonLines"))
        mode = _MODES.get(query.get("mode", "requireEmpty"))
        if form is None or mode is None:
            asked = f"mode {query.get('mode')!r} with format {query.get('format')!r}"
            raise SupavexError("BadRequest", f"Not supported here: {asked}.")
        folder = self.host.folder / "uploads"
        path = own_folder(folder) / f"direct-{time.time_ns()}"
        try:
            await to_file(request, path, MAX_BODY_BYTES)
            written = await self.transfers.import_now(query.get("tableName", ""), form, mode, path)
        finally:
            path.unlink(missing_ok=True)
        return Json({"numWritten": written})

    async def request_export(self, request: Request) -> Response:
        """Begins an export."""
        await self.transfers.request_export(storage=request.query_params.get("includeStorage") == "true")
        return Json(None)

    async def download_export(self, request: Request) -> Response:
        """The archive of an export."""
        path = await self.transfers.export_file(request.path_params["name"])
        return FileResponse(path, media_type="application/zip", filename=path.name)

    async def shapes(self, request: Request) -> Response:
        """The tables. The shapes of their documents are not inferred."""
        names = await self.host.run(lambda d: d.tables())
        return Json({name: {"type": "Unknown"} for name in names})

    async def socket(self, socket: WebSocket) -> None:
        """See :func:`sync`."""
        await sync(self.host, socket)
