"""psycopg, loaded at its first use: most commands find what they need in files, and psycopg takes a while to load."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import psycopg
    from psycopg import conninfo, pq
else:

    class _Lazy:
        """A module of which nothing is loaded before somebody asks for something in it."""

        def __init__(self, name: str) -> None:
            self._name = name

        def __getattr__(self, name: str) -> Any:
            value = getattr(importlib.import_module(self._name), name)
            setattr(self, name, value)
            return value

    psycopg, conninfo, pq = _Lazy("psycopg"), _Lazy("psycopg.conninfo"), _Lazy("psycopg.pq")

__all__ = ["conninfo", "pq", "psycopg"]
