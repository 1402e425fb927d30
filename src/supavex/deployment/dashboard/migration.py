"""The page of the last migration into this deployment: its report and its rejected rows, from the data folder."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from supavex.deployment.dashboard.pages import Asked
from supavex.errors import SupavexError
from supavex.files import owner_only

_MAX_REPORT_BYTES = 8 << 20
_MAX_LINE_BYTES = 1 << 20
_MAX_PROOF_BYTES = 64 << 20
_ROWS = 50
_REJECT_FIELDS = ("table", "key", "column", "code", "reason", "fix")


@dataclass(frozen=True, slots=True)
class MigrationPage:
    """The report of the last migration, and some of its rejected rows."""

    template: ClassVar[str] = "migration.html"
    section: ClassVar[str] = "migration"
    title: ClassVar[str] = "Migration"
    #: The content of ``report.json``; None if there was no migration, or if ``problem`` says why it is not shown.
    report: dict[str, Any] | None
    #: Why the report can't be shown, if the file exists.
    problem: str
    #: One page of rejected rows: for each of their reasons the table, key, column, code, reason and fix.
    rejects: list[dict[str, str]]
    #: The byte at which the next page of rejected rows begins; None if there is none.
    next: int | None
    #: Whether this page of rejected rows is not the first.
    later: bool
    #: The verdict of the last proof, its target, and its time; None if there was no proof.
    proof: dict[str, Any] | None = None

    @property
    def tables(self) -> list[dict[str, Any]]:
        """The tables of the report."""
        tables = (self.report or {}).get("tables")
        return [table for table in tables if isinstance(table, dict)] if isinstance(tables, list) else []

    @property
    def reasons(self) -> list[tuple[str, Any]]:
        """The reasons of the rejections, with the number of rows."""
        reasons = (self.report or {}).get("reasons")
        return list(reasons.items()) if isinstance(reasons, dict) else []

    def to_json(self) -> dict[str, Any]:
        """The page as JSON."""
        return {
            "report": self.report,
            "problem": self.problem,
            "rejects": self.rejects,
            "next": self.next,
            "proof": self.proof,
        }


def migration_page(asked: Asked) -> MigrationPage:
    """The report, and the rejected rows from the byte ``from`` of their file on."""
    folder = asked.host.folder / "migration"
    report, problem = _report(folder / "report.json")
    start = asked.number("from", 0, most=2**53)
    rejects, following = _rejects(folder / "rejects.jsonl", start)
    return MigrationPage(report, problem, rejects, following, start > 0, _proof(folder / "proof.json"))


def proof_text(folder: Path) -> bytes | None:
    """The page of the last proof in a data folder; None if it is missing or unreadable."""
    try:
        with open(folder / "migration/proof.html", "rb", opener=owner_only) as file:
            text = file.read(_MAX_PROOF_BYTES + 1)
    except (OSError, SupavexError):
        return None
    return text if len(text) <= _MAX_PROOF_BYTES else None


def _proof(path: Path) -> dict[str, Any] | None:
    report, _ = _report(path)
    if report is None or not isinstance(report.get("verdict"), str):
        return None
    taken = report.get("takenAt")
    return {
        "ok": report.get("ok") is True,
        "verdict": report["verdict"],
        "target": str(report.get("target", "")),
        "takenAt": str(taken) if taken else "",
    }


def _report(path: Path) -> tuple[dict[str, Any] | None, str]:
    try:
        with open(path, "rb", opener=owner_only) as file:
            text = file.read(_MAX_REPORT_BYTES + 1)
        if len(text) > _MAX_REPORT_BYTES:
            return None, f"{path.name} has more than {_MAX_REPORT_BYTES:,} bytes."
        report = json.loads(text, parse_constant=str)
    except FileNotFoundError:
        return None, ""
    except (OSError, ValueError, RecursionError):
        return None, f"{path.name} can't be read: run supavex migrate again; it writes the file anew."
    return (report, "") if isinstance(report, dict) else (None, f"{path.name} is no report.")


def _rejects(path: Path, start: int) -> tuple[list[dict[str, str]], int | None]:
    """Rejected rows from the byte ``start`` on, and the byte at which the next ones begin. Raises ``InvalidCursor``."""
    rejects: list[dict[str, str]] = []
    try:
        with open(path, "rb", opener=owner_only) as file:
            if start:
                file.seek(start - 1)
                if file.read(1) != b"\n":
                    raise SupavexError("InvalidCursor", "no rejected row begins there.", hint="Go to the first page.")
            while len(rejects) < _ROWS:
                line = file.readline(_MAX_LINE_BYTES)
                if not line:
                    return rejects, None
                rejects += _reasons(line)
            more = file.tell()
            return rejects, more if file.read(1) else None
    except FileNotFoundError:
        return [], None
    except OSError:
        return [], None


def _reasons(line: bytes) -> list[dict[str, str]]:
    """The reasons for which the row of a line is rejected, each with the row's table and key."""
    try:
        data = json.loads(line)
    except (ValueError, RecursionError):
        data = None
    if not isinstance(data, dict):
        empty = dict.fromkeys(_REJECT_FIELDS, "")
        return [{**empty, "code": "InvalidRejects", "reason": "The line is no rejected row."}]
    also = data.get("also")
    further = [{**data, **reason} for reason in also if isinstance(reason, dict)] if isinstance(also, list) else []
    # A row without a key has null here.
    return [
        {name: "NULL" if (text := reason.get(name, "")) is None else str(text) for name in _REJECT_FIELDS}
        for reason in (data, *further)
    ]
