"""Addresses of Supabase's services in texts: what calls them over HTTP, without a client.

Source: supabase.com/docs, "Architecture": each service is a path of the project's address.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

_SERVICE = re.compile(r"/(?P<service>rest|auth|storage|functions|graphql|realtime)/v1\b(?P<path>[^\s?#'\"`]*)")
_HOST = re.compile(r"\b(?P<host>[a-z0-9-]+\.(?:functions\.)?supabase\.(?:co|in|red|net))\b")
#: Where the stack runs on one's own machine: the port of Supabase's CLI, and the gateway's name among containers.
_LOCAL = re.compile(r":54321\b|//kong\b")
#: In a template, or in a text of Python's.
_HOLE = re.compile(r"\$?\{[^}]*\}")
_OBJECTS = frozenset(
    {"object", "public", "sign", "authenticated", "upload", "list", "info", "move", "copy", "render", "image", "bucket"}
)


@dataclass(frozen=True, slots=True)
class Address:
    """A service's address: what is called there. ``expression`` stands for a name that is not in the text.

    ``sure``: the host is Supabase's; else it may be another service whose paths look alike.
    """

    kind: Literal["table", "rpc", "auth", "storage", "realtime", "function", "client"]
    name: str
    what: str
    sure: bool
    expression: str = ""


def address_of(text: str) -> Address | None:
    """The address in ``text`` (a string as it stands in the code); None where there is none."""
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
