"""A table whose definition is checked, and the findings about it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass

from supavex.convex.schema import Schema, TableDefinition
from supavex.diagnostics import Diagnostic, Place, Severity


@dataclass(frozen=True, slots=True)
class CheckedTable:
    """A table of ``schema`` that is checked."""

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
        """A finding about the table. ``at`` is the path of the field, or the name of the index, that the finding is
        about.
        """
        subject = self.name + (f".{at.lstrip('.')}" if at else "")
        return Diagnostic(code, severity, message, subject, hint, place or self.table.place)


def nearest(name: str, known: Iterable[str]) -> str:
    """A sentence that suggests the ``known`` name nearest to ``name``; empty if none is near."""
    close = difflib.get_close_matches(name, list(known), n=1)
    return f" Did you mean {close[0]}?" if close else ""
