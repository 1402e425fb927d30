"""Convex's rules for the names of tables, fields and indexes, and for keys inside data.

Source: ``identifier.rs``, ``table_name.rs``, ``field_name.rs`` and ``field_path.rs`` of convex-backend. Each
``*_problem`` function returns None for a valid name, else one sentence that says what is wrong.
"""

from __future__ import annotations

import re

from supavex.convex.limits import MAX_IDENTIFIER_BYTES, MAX_KEY_BYTES

_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_KEY = re.compile(r"[\x20-\x7e]*\Z")
#: The prefix that Fivetran's connector gives its indexes. Convex allows it despite the underscore.
_FIVETRAN = "_fivetran"
RESERVED_INDEX_NAMES = frozenset({"by_id", "by_creation_time"})


def identifier_problem(name: str) -> str | None:
    """Why ``name`` is not a Convex identifier."""
    if not name:
        return "a name can't be empty"
    if len(name.encode("utf-8", "surrogatepass")) > MAX_IDENTIFIER_BYTES:
        return f"a name has at most {MAX_IDENTIFIER_BYTES} bytes"
    if not _IDENTIFIER.match(name):
        return "a name starts with an ASCII letter or underscore and holds only ASCII letters, digits and underscores"
    if not name.strip("_"):
        return "a name holds at least one letter or digit"
    return None


def table_name_problem(name: str) -> str | None:
    """Why ``name`` can't name a user's table."""
    if name.startswith("_"):
        return "a leading underscore is reserved for Convex's system tables"
    return identifier_problem(name)


def index_name_problem(name: str) -> str | None:
    """Why ``name`` can't name an index."""
    if name in RESERVED_INDEX_NAMES:
        return f"Convex keeps {name} for itself"
    if name.startswith("_") and not name.startswith(_FIVETRAN):
        return "a leading underscore is reserved"
    return identifier_problem(name)


def field_name_problem(name: str) -> str | None:
    """Why ``name`` can't name a field of a validator (``v.object`` at any level)."""
    return identifier_problem(name)


def field_path_problem(path: str) -> str | None:
    """Why ``path`` is not a dotted path of field names."""
    parts = path.strip(".").split(".")
    for part in parts:
        problem = identifier_problem(part)
        if problem:
            return problem
    return None


def key_problem(key: str) -> str | None:
    """Why ``key`` can't be a key of an object inside data, at any level."""
    if key.startswith("$"):
        return "a key can't start with $"
    if not _KEY.match(key):
        return "a key holds only printable ASCII characters"
    if len(key) > MAX_KEY_BYTES:
        return f"a key has at most {MAX_KEY_BYTES} bytes"
    return None
