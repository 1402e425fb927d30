"""The dashboard's routes: authorization, pages as HTML or as JSON, and the answer for unknown paths."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qs, quote, urlencode

from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect, Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Match, Route
from starlette.types import Scope

from supavex.convex.ids import InvalidId, decode_id
from supavex.deployment.dashboard.documents import document_page
from supavex.deployment.dashboard.files import files_page
from supavex.deployment.dashboard.functions import functions_page
from supavex.deployment.dashboard.logs import logs_page
from supavex.deployment.dashboard.migration import migration_page, proof_text
from supavex.deployment.dashboard.pages import Asked, Make, Page
from supavex.deployment.dashboard.pushes import pushes_page
from supavex.deployment.dashboard.rendering import ASSETS, PROOF_POLICY, html, json_response, secured
from supavex.deployment.dashboard.schemas import schema_page
from supavex.deployment.dashboard.sessions import SECONDS, Sessions, from_this_site
from supavex.deployment.dashboard.tables import table_page, tables_page
from supavex.deployment.database.components import APP, Component, component_at, components
from supavex.deployment.deployment import Deployment
from supavex.deployment.server.app import Handler
from supavex.deployment.server.host import Host
from supavex.errors import SupavexError

_MAX_FORM_BYTES = 8 << 10
_NOT_FOUND = ("ComponentNotFound", "TableNotFound", "DocumentNotFound", "InvalidId")
#: The navigation: section and title.
SECTIONS = {
    "tables": "Tables",
    "schema": "Schema",
    "deployments": "Deployments",
    "migration": "Migration",
    "functions": "Functions",
    "files": "Files",
    "logs": "Logs",
}
#: The sections that a component has, too: below `/components/NAME`, a dot between its parents' names and its own.
COMPONENT_SECTIONS = tuple(section for section in SECTIONS if section != "migration")
_COMPONENT = "/components/{component}"
PAGES: dict[str, Make] = {
    "/tables": tables_page,
    "/tables/{name}": table_page,
    "/documents/{id}": document_page,
    "/schema": schema_page,
    "/deployments": pushes_page,
    "/migration": migration_page,
    "/functions": functions_page,
    "/files": files_page,
    "/logs": logs_page,
}


def routes(host: Host) -> list[BaseRoute]:
    """Every page of the dashboard of ``host``, as HTML and as JSON; signing in and out; and the pages' own files."""
    dashboard = _Dashboard(host)
    found: list[BaseRoute] = [
        Route("/", dashboard.start),
        Route("/sign-in", dashboard.sign_in_page),
        Route("/sign-in", dashboard.sign_in, methods=["POST"]),
        Route("/sign-out", dashboard.sign_out, methods=["POST"]),
        Route("/assets/{name}", asset),
    ]
    found.append(Route("/migration/proof", dashboard.proof))
    for base in ("", _COMPONENT):
        found.append(Route(f"{base}/documents", dashboard.find_document))
        for path, make in PAGES.items():
            if not base or make is not migration_page:
                found.append(Route(f"{base}{path}.json", dashboard.page(make, as_json=True)))
                found.append(Route(f"{base}{path}", dashboard.page(make, as_json=False)))
    below = (*SECTIONS, "documents", "components")
    found += [Route(f"/{section}/{{rest:path}}", dashboard.no_such_page) for section in below]
    found.append(_PageRoute("/{path:path}", dashboard.no_such_page))
    return found


class _PageRoute(Route):
    """A route for browsers only. For a missing address, other clients get JSON."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Matches if a browser requests an address outside of Convex's protocol."""
        asks = scope["type"] == "http" and scope["method"] in ("GET", "HEAD")
        protocol = scope["path"].startswith(("/api/", "/http/"))
        if not asks or protocol or "text/html" not in Headers(scope=scope).get("accept", ""):
            return Match.NONE, {}
        return super().matches(scope)


async def asset(request: Request) -> Response:
    """A stylesheet or a picture."""
    name = request.path_params["name"]
    if name not in ASSETS:
        return json_response({"code": "NotFound", "message": "there is no such file."}, 404)
    data, media_type = ASSETS[name]
    response = secured(Response(data, media_type=media_type))
    response.headers["Cache-Control"] = "max-age=31536000, immutable"
    return response


@contextmanager
def _one_moment(deployment: Deployment) -> Iterator[None]:
    """One snapshot for all reads of a page, while other processes may write."""
    connection = deployment.store.connection
    if connection.in_transaction:
        yield
        return
    connection.execute("BEGIN")
    try:
        yield
    finally:
        connection.execute("COMMIT")


class _Dashboard:
    def __init__(self, host: Host) -> None:
        self.host, self.sessions = host, Sessions(host)

    def page(self, make: Make, *, as_json: bool) -> Handler:
        """The handler of a page, as HTML or as JSON."""

        async def handler(request: Request) -> Response:
            refused = self._refused(request, as_json=as_json)
            if refused is not None:
                return refused

            def made(deployment: Deployment) -> tuple[Page, list[Component]]:
                with _one_moment(deployment):
                    connection = deployment.store.connection
                    component = component_at(connection, _component_path(request))
                    seen = deployment.within(component.id) if component.path else deployment
                    page = make(Asked(self.host, seen, component, request.path_params, request.query_params))
                    return page, list(components(connection).values())

            try:
                page, known = await self.host.run(made)
            except SupavexError as error:
                status = 404 if error.code in _NOT_FOUND else 400
                return self._problem(request, error, status, as_json=as_json)
            return await asyncio.to_thread(self._shown, request, page, known, as_json=as_json)

        return handler

    def _shown(self, request: Request, page: Page, known: list[Component], *, as_json: bool) -> Response:
        if as_json:
            return json_response(page.to_json())
        path, query = _address(request)
        frame = self._frame(page.section, _base(_component_path(request)), known)
        return html(page.template, {**frame, "page": page, "json_path": f"{path}.json{query}"})

    def _frame(
        self, section: str | None = None, base: str = "", known: list[Component] | None = None
    ) -> dict[str, Any]:
        """What every page shows around its own; without a section, no navigation. ``base``: of a component's pages."""
        sections = {} if section is None else SECTIONS
        chosen = [{"base": _base(one.path), "label": _label(one)} for one in [APP, *known]] if known else []
        around = {"host": self.host, "section": section, "sections": sections, "base": base, "components": chosen}
        return {**around, "component_sections": COMPONENT_SECTIONS}

    def _refused(self, request: Request, *, as_json: bool = False) -> Response | None:
        """The answer to a request without authorization; None for an authorized one."""
        if not from_this_site(request):
            error = SupavexError("ForbiddenOrigin", "Pages of other sites can't read the dashboard.")
            return self._problem(request, error, 403, as_json=as_json)
        if self.sessions.allowed(request):
            return None
        if as_json:
            message = "Sign in, or send the header Authorization: Convex ADMIN_KEY."
            return json_response({"code": "BadDeployKey", "message": message}, 401)
        wanted = "".join(_address(request))
        query = f"?{urlencode({'next': wanted})}" if wanted != "/" else ""
        return secured(RedirectResponse(f"/sign-in{query}", 303))

    def _problem(self, request: Request, error: SupavexError, status: int, *, as_json: bool) -> Response:
        if as_json:
            message = error.message + (f" {error.hint}" if error.hint else "")
            return json_response({"code": error.code, "message": message}, status)
        known = self.sessions.allowed(request) and from_this_site(request)
        return html("error.html", {**self._frame("" if known else None), "error": error, "status": status}, status)

    async def start(self, request: Request) -> Response:
        """The first page."""
        return self._refused(request) or secured(RedirectResponse("/tables", 303))

    async def no_such_page(self, request: Request) -> Response:
        """The answer for an unknown address below an existing page."""
        as_json = request.url.path.endswith(".json")
        error = SupavexError("NotFound", "there is no such page.", hint="The pages are named above.")
        return self._refused(request, as_json=as_json) or self._problem(request, error, 404, as_json=as_json)

    async def proof(self, request: Request) -> Response:
        """The page of the last proof. Its policy allows it only to be shown."""
        refused = self._refused(request)
        if refused is not None:
            return refused
        page = await asyncio.to_thread(proof_text, self.host.folder)
        if page is None:
            hint = "`supavex verify` makes one."
            return self._problem(
                request, SupavexError("NotFound", "there is no proof yet.", hint=hint), 404, as_json=False
            )
        response = secured(Response(page, media_type="text/html; charset=utf-8"))
        response.headers["Content-Security-Policy"] = PROOF_POLICY
        return response

    async def find_document(self, request: Request) -> Response:
        """Redirects to the document with the typed id."""
        id_ = request.query_params.get("id", "").strip()
        refused = self._refused(request)
        if refused is not None:
            return refused
        try:
            decode_id(id_)
        except InvalidId as error:
            return self._problem(request, error, 404, as_json=False)
        return secured(RedirectResponse(f"{_base(_component_path(request))}/documents/{id_}", 303))

    # Signing in and out

    def _sign_in_form(self, status: int = 200, *, wanted: str = "", problem: str = "") -> Response:
        return html("sign_in.html", {**self._frame(), "wanted": wanted, "problem": problem}, status)

    async def sign_in_page(self, request: Request) -> Response:
        """The form that asks for the admin key."""
        wanted = _own_path(request.query_params.get("next", ""))
        if from_this_site(request) and self.sessions.allowed(request):
            return secured(RedirectResponse(wanted, 303))
        link = request.query_params.get("link", "")
        if not link:
            return self._sign_in_form(wanted=wanted)
        # Browsers and messengers prefetch links, which must not use up the link.
        ahead = "prefetch" in (request.headers.get("sec-purpose") or request.headers.get("purpose") or "")
        if request.method == "GET" and not ahead and await self.host.run(lambda d: self.sessions.take_link(link, d)):
            return self._signed_in(request, wanted)
        problem = "This link has been used, or is too old. supavex serve prints a new one when it starts."
        return self._sign_in_form(403, wanted=wanted, problem=problem)

    def _signed_in(self, request: Request, wanted: str) -> Response:
        response = secured(RedirectResponse(wanted, 303))
        name, secure = self.sessions.cookie, request.scope["scheme"] == "https"
        response.set_cookie(name, self.sessions.begin(), SECONDS, secure=secure, httponly=True, samesite="strict")
        return response

    async def sign_in(self, request: Request) -> Response:
        """Takes the admin key; gives a session for it."""
        if not from_this_site(request):
            return self._sign_in_form(403, problem="The form was sent by a page of another site.")
        form = await _form(request)
        if form is None:
            return self._sign_in_form(400, problem="That was no form that this page sends.")
        wanted = _own_path(form.get("next", ""))
        if not self.sessions.key_is(form.get("key", "").strip()):
            problem = "This is not the deployment's admin key. supavex serve prints it when it starts."
            return self._sign_in_form(403, wanted=wanted, problem=problem)
        return self._signed_in(request, wanted)

    async def sign_out(self, request: Request) -> Response:
        """Ends the session."""
        if not from_this_site(request):
            return self._sign_in_form(403, problem="The form was sent by a page of another site.")
        name, secure = self.sessions.cookie, request.scope["scheme"] == "https"
        token = request.cookies.get(name, "")
        await self.host.run(lambda d: self.sessions.end(token, d))
        response = secured(RedirectResponse("/sign-in", 303))
        response.delete_cookie(name, secure=secure, httponly=True, samesite="strict")
        return response


def _component_path(request: Request) -> str:
    """The path of the component whose page is asked for; empty for the app's."""
    return str(request.path_params.get("component", "")).replace(".", "/")


def _base(path: str) -> str:
    """Where the pages of the component with that path begin."""
    return _COMPONENT.format(component=path.replace("/", ".")) if path else ""


def _label(component: Component) -> str:
    shown = component.path or "the app"
    return shown if component.mounted else f"{shown} (not mounted)"


def _address(request: Request) -> tuple[str, str]:
    """The path of a request, and its query with the question mark. ``request.url`` is not used: it trusts the Host
    header.
    """
    query = request.scope["query_string"].decode("latin-1")
    return quote(request.scope["path"]), f"?{query}" if query else ""


def _own_path(path: str) -> str:
    """``path`` if it is a page of the dashboard, or else the first page: never another site."""
    section = path.removeprefix("/").partition("?")[0].partition("/")[0]
    fine = (
        path.startswith("/")
        and section in (*SECTIONS, "documents", "components")
        and path.isprintable()
        and "\\" not in path
    )
    return path if fine else "/tables"


async def _form(request: Request) -> dict[str, str] | None:
    """The fields of a form; None if the body is not a form, or is too long."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    body = b""
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > _MAX_FORM_BYTES:
                return None
    except ClientDisconnect:
        return None
    if kind != "application/x-www-form-urlencoded":
        return None
    try:
        return {name: values[0] for name, values in parse_qs(body.decode("ascii"), max_num_fields=10).items()}
    except ValueError:
        return None
