"""Pages as HTML: templates that escape everything, and headers that block everything else."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, pass_context
from jinja2.runtime import Context
from markupsafe import Markup, escape
from starlette.responses import Response

from supavex.convex.order_keys import UNDEFINED
from supavex.convex.values import Value
from supavex.deployment.dashboard.written import moment, pieces, shortened
from supavex.text import counted

_HERE = Path(__file__).parent
#: The pages' own files, by name: contents and type.
ASSETS = {
    "style.css": ((_HERE / "assets/style.css").read_bytes(), "text/css"),
    "icon.svg": ((_HERE / "assets/icon.svg").read_bytes(), "image/svg+xml"),
}
#: A hash of the assets, so that browsers may cache them without end.
_VERSION = hashlib.sha256(b"".join(data for data, _ in ASSETS.values())).hexdigest()[:12]
_LINK = '<a class="id" href="{0}/documents/{1}" title="{2}">{3}</a>'
_CELL_CHARACTERS = 70
_VALUE_CHARACTERS = 20_000

#: The policy of every page: no scripts and no frames. Styles, pictures and forms are this server's own.
_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
#: The policy of a proof's page: its own styles and pictures, and nothing else. No script runs in it.
PROOF_POLICY = "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'none'"
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # With no-referrer, browsers would send `Origin: null` with forms, as they do with forms of other sites.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


def short_id(id_: str) -> str:
    """The first and the last characters of an id. Ids of one table begin alike, and end with a checksum."""
    return f"{id_[:6]}…{id_[-5:]}"


def _markup(value: Value, names: Mapping[int, str], most: int, base: str, *, lines: bool) -> Markup:
    if value is UNDEFINED:
        return Markup('<span class="absent">undefined</span>')
    out = []
    for piece in pieces(value, names, most, lines=lines):
        text = escape(piece.text)
        if piece.id:
            shown = text if lines else short_id(piece.text)
            out.append(Markup(_LINK).format(base, piece.id, text, shown))
        elif piece.kind:
            out.append(Markup('<span class="{0}">{1}</span>').format(piece.kind, text))
        else:
            out.append(text)
    return Markup("").join(out)


@pass_context
def _cell(context: Context, value: Value, names: Mapping[int, str]) -> Markup:
    """A value on one line, shortened. Ids are links."""
    return _markup(value, names, _CELL_CHARACTERS, context["base"], lines=False)


@pass_context
def _whole(context: Context, value: Value, names: Mapping[int, str]) -> Markup:
    """A value with each of its parts on a line of its own."""
    return _markup(value, names, _VALUE_CHARACTERS, context["base"], lines=True)


def _grouped(number: object) -> str:
    """A whole number with separated thousands. Other values are unchanged."""
    whole = isinstance(number, int | float) and not isinstance(number, bool) and number == number // 1
    return f"{int(number):,}" if whole else str(number)  # type: ignore[call-overload]


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    environment.filters |= {
        "cell": _cell,
        "whole": _whole,
        "moment": moment,
        "counted": counted,
        "grouped": _grouped,
        "shortened": shortened,
        "short_id": short_id,
    }
    environment.globals |= {"version": _VERSION, "UNDEFINED": UNDEFINED}
    return environment


_TEMPLATES = _environment()


def html(template: str, content: Mapping[str, Any], status: int = 200) -> Response:
    """A page of HTML: ``template`` with ``content``."""
    text = _TEMPLATES.get_template(template).render(content)
    # A lone surrogate, which UTF-8 can't encode, becomes a question mark and does not break the page.
    return Response(text.encode("utf-8", "replace"), status, dict(_HEADERS), "text/html; charset=utf-8")


def json_response(data: Any, status: int = 200) -> Response:
    """A page as JSON. ASCII, so that no text can break it."""
    text = json.dumps(data, default=str, indent=1)
    return Response(text, status, dict(_HEADERS), "application/json")


def secured(response: Response) -> Response:
    """``response`` with the headers of every page."""
    response.headers.update(_HEADERS)
    return response
