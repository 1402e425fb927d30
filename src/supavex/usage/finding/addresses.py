"""Addresses of Supabase's services in texts, which code calls over HTTP without a client.

Source: supabase.com/docs, "Architecture": each service is a path of the project's address.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

_SERVICE = re.compile(r"/(?P<service>rest|auth|storage|functions|graphql|realtime)/v1\b(?P<path>[^\s?#'\"`]*)")
_HOST = re.compile(r"\b(?P<host>[a-z0-9-]+\.(?:functions\.)?supabase\.(?:co|in|red|net))\b")
#: The addresses of a local stack: the port of Supabase's CLI, and the gateway's name among containers.
_LOCAL = re.compile(r":54321\b|//kong\b")
#: A placeholder in a template, or in a Python text.
_HOLE = re.compile(r"\$?\{[^}]*\}")
_OBJECTS = frozenset(
    {"object", "public", "sign", "authenticated", "upload", "list", "info", "move", "copy", "render", "image", "bucket"}
)


@dataclass(frozen=True, slots=True)
class Address:
    """A service's address, and what is called there. ``expression`` is the code of a name that is not literal.

    ``sure``: the host is Supabase's. Otherwise another service may have the same paths.
    """

    kind: Literal["table", "rpc", "auth", "storage", "realtime", "function", "client"]
    name: str
    what: str
    sure: bool
    expression: str = ""


def address_of(text: str) -> Address | None:
    """The address in ``text``, a string of the code; None if there is none."""
    host = _HOST.search(text)
    found = _SERVICE.search(text)
    if found is None:
        if host is None:
            return None
        if ".functions." in host["host"]:
            name = text[host.end() :].strip("/'\"`").partition("/")[0]
            return _named("function", name, "call over HTTP", sure=True)
        return Address("client", host["host"], "address", sure=True)
    before = text[: found.start()]
    sure = host is not None or bool(_LOCAL.search(before)) or "supabase" in before.lower()
    parts = [part for part in found["path"].split("/") if part]
    first = parts[0] if parts else ""
    match found["service"]:
        case "rest" if first == "rpc":
            return _named("rpc", parts[1] if len(parts) > 1 else "", "call over HTTP", sure=sure)
        case "rest":
            return _named("table", first, "call over HTTP", sure=sure)
        case "graphql":
            return Address("table", "", "call over HTTP", sure, "GraphQL")
        case "auth":
            return Address("auth", f"auth.{first or '?'}", "call over HTTP", sure)
        case "storage":
            bucket = next((part for part in parts if part not in _OBJECTS), "")
            return _named("storage", bucket, "call over HTTP", sure=sure)
        case "functions":
            return _named("function", first, "call over HTTP", sure=sure)
    return Address("realtime", "", "call over HTTP", sure)


def _named(kind: Literal["table", "rpc", "storage", "function"], name: str, what: str, *, sure: bool) -> Address:
    if not name or _HOLE.search(name):
        return Address(kind, "", what, sure, name or "its address")
    return Address(kind, name, what, sure)
