"""psycopg, loaded at its first use. Most commands need only files, and loading psycopg takes time."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import psycopg
    from psycopg import conninfo, pq
else:

    class _Lazy:
        """A module that is imported when its first attribute is read."""

        def __init__(self, name: str) -> None:
            self._name = name

        def __getattr__(self, name: str) -> Any:
            value = getattr(importlib.import_module(self._name), name)
            setattr(self, name, value)
            return value

    psycopg, conninfo, pq = _Lazy("psycopg"), _Lazy("psycopg.conninfo"), _Lazy("psycopg.pq")

__all__ = ["conninfo", "pq", "psycopg"]
