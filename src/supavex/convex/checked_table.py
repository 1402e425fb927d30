"""A table whose definition is checked, and what is found there."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass

from supavex.convex.schema import Schema, TableDefinition
from supavex.diagnostics import Diagnostic, Place, Severity


@dataclass(frozen=True, slots=True)
class CheckedTable:
    """A table of ``schema``."""

    schema: Schema
    name: str
    table: TableDefinition

    def finding(
        self,
        code: str,
        message: str,
        *,
        at: str = "",
        hint: str = "",
        place: Place | None = None,
        severity: Severity = "error",
    ) -> Diagnostic:
        """A finding about the table; ``at``: the path, or the index, that it is about."""
        subject = self.name + (f".{at.lstrip('.')}" if at else "")
        return Diagnostic(code, severity, message, subject, hint, place or self.table.place)


def nearest(name: str, known: Iterable[str]) -> str:
    """A sentence that suggests the nearest of the ``known`` names; empty where none is near."""
    close = difflib.get_close_matches(name, list(known), n=1)
    return f" Did you mean {close[0]}?" if close else ""
