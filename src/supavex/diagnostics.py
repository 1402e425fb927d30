"""A diagnostic: a stable code, a place, a message, and the fix."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

Severity = Literal["error", "warning", "note"]


@dataclass(frozen=True, slots=True)
class Place:
    """A line of a file, under the file's name in messages."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


def place_of_caller() -> Place | None:
    """The line that called the caller of this function; None if that is not Python."""
    try:
        frame = sys._getframe(2)
    except ValueError:
        return None
    return Place(frame.f_code.co_filename, frame.f_lineno)


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One finding."""

    #: A stable code.
    code: str
    #: An ``error`` fails a check; with ``--strict``, a ``warning`` does, too.
    severity: Severity
    #: The finding as a sentence.
    message: str
    #: The subject: ``table.field`` or the like.
    subject: str = ""
    #: The fix.
    hint: str = ""
    #: The file and line, if there is one.
    place: Place | None = field(default=None, compare=False)

    @property
    def where(self) -> str:
        """``schema.py:12 ariPayments.amount``, or only one of the two."""
        return " ".join(part for part in (str(self.place) if self.place else "", self.subject) if part)

    def to_json(self) -> dict[str, str]:
        """The finding in ``--json``: code, severity, where, message, hint."""
        return {
            "code": self.code,
            "severity": self.severity,
            "where": self.where,
            "message": self.message,
            "hint": self.hint,
        }

    def __str__(self) -> str:
        hint = f"\n    {self.hint}" if self.hint else ""
        where = f" {self.where}:" if self.where else ""
        return f"{self.severity}[{self.code}]{where} {self.message}{hint}"


def has_errors(diagnostics: Iterable[Diagnostic], *, strict: bool = False) -> bool:
    """Whether any finding is an error; with ``strict``, also a warning."""
    return any(d.severity == "error" or (strict and d.severity == "warning") for d in diagnostics)
