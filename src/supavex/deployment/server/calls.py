"""Functions over HTTP: ``/api/query``, ``/api/mutation``, ``/api/action`` and similar routes.

Source: ``local_backend/src/public_api.rs`` of convex-backend. Functions of ``_system/`` are answered here too, for the
admin only.
"""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from supavex.convex.values import from_internal_json, to_clean_json, to_internal_json
from supavex.deployment.database.components import components
from supavex.deployment.database.engine import Snapshot
from supavex.deployment.functions.call import Call
from supavex.deployment.functions.identity import ADMIN, NOBODY, Identity, acting
from supavex.deployment.functions.inline import run_inline
from supavex.deployment.functions.outcome import Outcome
from supavex.deployment.server import security, system
from supavex.deployment.server.bodies import Turn
from supavex.deployment.server.guard import Json, Raw
from supavex.deployment.server.host import Host
from supavex.deployment.server.wire import ascii_json, json_text, parse_json
from supavex.errors import SupavexError

_FORMATS = {"convex_encoded_json": False, "convex_json": False, "json": True, "convex_clean_json": True}


class Calls:
    """The routes that call functions."""

    def __init__(self, host: Host) -> None:
        self.host = host

    def identity(self, authorization: str) -> Identity:
        """The sender of an ``Authorization`` header. Raises for an invalid key or token."""
        scheme, _, value = authorization.partition(" ")
        if scheme.lower() == "convex":
            return self.admin(value.strip())
        if scheme.lower() == "bearer":
            return self.host.user(value.strip())
        if authorization:
            raise SupavexError("InvalidAuthHeader", "Header must begin with `bearer `")
        return NOBODY

    def admin(self, key: str) -> Identity:
        """The admin, or the user as whom the admin acts."""
        if not security.is_admin_key(self.host.admin_key, key):
            raise security.bad_key()
        attributes = key.partition("|")[2].partition(":")[2]
        if not attributes:
            return ADMIN
        try:
            return Identity(admin=True, user=acting(parse_json(base64.b64decode(attributes))))
        except (ValueError, TypeError) as error:
            raise SupavexError("InvalidIdentity", f"The identity to act as can't be read: {error}") from None

    async def query(self, request: Request) -> Response:
        """Runs a query."""
        return await self._one(request, "query")

    async def mutation(self, request: Request) -> Response:
        """Runs a mutation."""
        return await self._one(request, "mutation")

    async def action(self, request: Request) -> Response:
        """Runs an action."""
        return await self._one(request, "action")

    async def any(self, request: Request) -> Response:
        """Runs a function of any kind, public or internal, for the admin."""
        return await self._one(request, "any")

    async def _one(self, request: Request, kind: str) -> Response:
        if request.method == "GET":
            query = request.query_params
            body: dict[str, Any] = {"path": query.get("path", ""), "args": _arguments(query.get("args", "{}"))}
            body |= {"format": query["format"]} if "format" in query else {}
            return await self._called(body, kind, await self._identity(request), Turn(None))
        async with self.host.bodies.json_object(request) as (body, turn):
            return await self._called(body, kind, await self._identity(request), turn)

    async def _identity(self, request: Request) -> Identity:
        header = request.headers.get("authorization", "")
        # The keys of a provider may have to be fetched.
        return await asyncio.to_thread(self.identity, header) if header else NOBODY

    async def by_path(self, request: Request) -> Response:
        """``/api/run/messages/list``: the function's path in the address."""
        module, _, name = request.path_params["path"].rpartition("/")
        path = f"{module}:{name}" if module else name
        async with self.host.bodies.json_object(request) as (body, turn):
            return await self._called({**body, "path": path}, "any", await self._identity(request), turn)

    async def batch(self, request: Request) -> Response:
        """Several queries, one after another."""
        async with self.host.bodies.json_object(request) as (body, turn):
            queries = body.get("queries")
            if not isinstance(queries, list) or not all(isinstance(query, dict) for query in queries):
                raise SupavexError("BadJsonBody", "queries is a list of objects.")
            identity = await self._identity(request)
            with ExitStack() as stack:
                now = await asyncio.to_thread(stack.enter_context, self.host.functions.engine.snapshot())
                answers = [await self._called(query, "query", identity, turn, now) for query in queries]
            return Raw(b'{"results":[' + b",".join(answer.body for answer in answers) + b"]}")

    async def query_ts(self, request: Request) -> Response:
        """The present timestamp, for queries at it."""
        ts = await asyncio.to_thread(self.host.readable_snapshots.now)
        return Json({"ts": base64.b64encode(ts.to_bytes(8, "little")).decode()})

    async def query_at_ts(self, request: Request) -> Response:
        """Runs a query at a timestamp of :meth:`query_ts`."""
        async with self.host.bodies.json_object(request) as (body, turn):
            identity = await self._identity(request)
            try:
                ts = int.from_bytes(base64.b64decode(body["ts"], validate=True), "little")
            except (KeyError, ValueError, TypeError):
                raise SupavexError("BadJsonBody", "ts is a timestamp, as /api/query_ts gives it.") from None
            with self.host.readable_snapshots.at(ts) as snapshot:
                return await self._called(body, "query", identity, turn, snapshot)

    async def _called(
        self, body: dict[str, Any], kind: str, identity: Identity, turn: Turn, snapshot: Snapshot | None = None
    ) -> Response:
        path, args = body.get("path"), body.get("args", {})
        if isinstance(args, list):
            args = args[0] if args else {}
        if not isinstance(path, str) or not isinstance(args, dict):
            raise SupavexError("BadJsonBody", "path is a text, args an object.")
        form = body.get("format")
        if form is not None and (not isinstance(form, str) or form not in _FORMATS):
            raise SupavexError("BadFormat", f"format param must be one of [`json`]. Got {str(form)[:40]}")
        component = of_admin(body.get("componentPath"), identity)
        if path.startswith("_system/"):
            return Json(await self._system(path, args, identity, component))
        call = Call(path, args, identity, internal=identity.admin, component=component, taken=turn.release)
        # From here on only the call has the arguments, which an action releases when it has begun.
        del args
        body.clear()
        functions = self.host.functions
        run: dict[str, Callable[[Call], Outcome]] = {
            "query": partial(functions.query, snapshot=snapshot),
            "mutation": functions.mutation,
            "action": functions.action,
            "any": functions.run,
        }
        clean = _FORMATS[form or "json"]
        # The answer may be large, so its JSON is made in the same thread.
        made = lambda call: _answered(run[kind](call), clean=clean)  # noqa: E731
        return await self.host.call(made, call, acting=kind in ("action", "any"))

    async def _system(self, path: str, args: dict[str, Any], identity: Identity, component: str) -> dict[str, Any]:
        if not identity.admin:
            raise security.bad_key()
        try:
            decoded, addresses = from_internal_json(args), self.host.addresses
            value = await self.host.run(lambda d: system.call(d, addresses, path, decoded, component))
        except SupavexError as error:
            return {"status": "error", "errorMessage": error.message}
        return {"status": "success", "value": to_internal_json(value)}

    async def inline(self, request: Request) -> Response:
        """``convex run --inline-query``: a query that comes with the request."""
        body = await self.host.bodies.read_json(request)
        bundle = body.get("bundle")
        if not isinstance(bundle, dict) or not isinstance(bundle.get("source"), str):
            raise SupavexError("BadJsonBody", "bundle holds a source.")
        args = body.get("args") or {}
        args = (args[0] if args else {}) if isinstance(args, list) else args
        form = body.get("format")
        if not isinstance(form, str | None):
            raise SupavexError("BadFormat", "format is a text.")
        source, path, clean = (
            bundle["source"],
            str(bundle.get("path", "testQuery.js")),
            _FORMATS.get(form or "json", True),
        )
        component = ""
        if body.get("componentId") is not None:
            known = await self.host.run(lambda d: components(d.store.connection))
            found = [path for path, one in known.items() if one.document == body["componentId"]]
            if not found:
                raise SupavexError("ComponentNotFound", "there is no component of that componentId.")
            (component,) = found
        return await self.host.call(
            lambda call: Json(answer(run_inline(self.host.functions, path, source, call), clean=clean)),
            Call(path, args, component=component),
        )


def of_admin(path: object, identity: Identity) -> str:
    """The path of a component in an external call. Raises if the caller is not the admin."""
    if path is None or path == "":
        return ""
    if not isinstance(path, str):
        raise SupavexError("BadJsonBody", "componentPath is a text.")
    if not identity.admin:
        message = "Only admin or system users can call functions on non-root components directly"
        raise SupavexError("Forbidden", message)
    return path


def answer(outcome: Outcome, *, clean: bool) -> dict[str, Any]:
    """The answer of the HTTP API. ``clean``: values lose their types, and are easier to read."""
    logs = {"logLines": outcome.log_texts} if outcome.logs else {}
    if outcome.failure is None:
        return {"status": "success", "value": _value(outcome.value or "null", clean), **logs}
    data = outcome.failure.data
    more = {} if data is None else {"errorData": _value(data, clean)}
    return {"status": "error", "errorMessage": outcome.error, **more, **logs}


def _answered(outcome: Outcome, *, clean: bool) -> Response:
    """The answer of :func:`answer`. If values keep their types, the outcome's text is already JSON."""
    if clean or outcome.failure is not None:
        return Json(answer(outcome, clean=clean))
    logs = f',"logLines":{json_text(outcome.log_texts)}' if outcome.logs else ""
    return Raw(f'{{"status":"success","value":{ascii_json(outcome.value or "null")}{logs}}}'.encode())


def _value(text: str, clean: bool) -> Any:
    data = json.loads(text)
    return to_clean_json(from_internal_json(data)) if clean else data


def _arguments(text: str) -> Any:
    try:
        return parse_json(text)
    except ValueError:
        raise SupavexError("BadJsonBody", "args is not JSON.") from None
