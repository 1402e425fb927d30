"""A diagnostic: a stable code, a place, a message, and the fix."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

Severity = Literal["error", "warning", "note"]


@dataclass(frozen=True, slots=True)
class Place:
    """A line of a file, as the user knows the file."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


def place_of_caller(depth: int = 2) -> Place | None:
    """The line that called the function that calls this one (``depth`` frames up)."""
    try:
        frame = sys._getframe(depth)
    except ValueError:
        return None
    return Place(frame.f_code.co_filename, frame.f_lineno)


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One finding. ``subject`` is ``table.field`` or the like; ``place`` is file and line where there is one."""

    code: str
    severity: Severity
    message: str
    subject: str = ""
    hint: str = ""
    place: Place | None = field(default=None, compare=False)

    @property
    def where(self) -> str:
        """``schema.py:12 ariPayments.amount``, or whichever half there is."""
        return " ".join(part for part in (str(self.place) if self.place else "", self.subject) if part)

    def to_json(self) -> dict[str, str]:
        """The contract of ``--json``: code, severity, where, message, hint."""
        return {
            "code": self.code,
            "severity": self.severity,
            "where": self.where,
            "message": self.message,
            "hint": self.hint,
        }

    def __str__(self) -> str:
        hint = f"\n    {self.hint}" if self.hint else ""
        return f"{self.severity}[{self.code}] {self.where}: {self.message}{hint}"


def has_errors(diagnostics: Iterable[Diagnostic], *, strict: bool = False) -> bool:
    """Whether any finding is an error; with ``strict``, a warning counts as one."""
    return any(d.severity == "error" or (strict and d.severity == "warning") for d in diagnostics)
