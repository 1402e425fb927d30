"""The page of the log: the entries of functions and the server that the server still has."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, ClassVar

from supavex.deployment.dashboard.pages import Asked
from supavex.deployment.dashboard.written import shortened

_ROWS = 200
_MAX_CHARACTERS = 4000


@dataclass(frozen=True, slots=True)
class LogRow:
    """An entry: its time (milliseconds since 1970), its subject, and its lines."""

    time: float
    what: str
    lines: list[str]
    error: str
    #: The whole entry, if it has a form that this page does not know.
    text: str


@dataclass(frozen=True, slots=True)
class LogsPage:
    """The newest entries, the newest first."""

    template: ClassVar[str] = "logs.html"
    section: ClassVar[str] = "logs"
    title: ClassVar[str] = "Logs"
    rows: list[LogRow]
    entries: list[dict[str, Any]]
    kept: int

    def to_json(self) -> dict[str, Any]:
        """The page as JSON."""
        return {"entries": self.entries, "kept": self.kept}


def logs_page(asked: Asked) -> LogsPage:
    """The newest log entries; a component's own ones on its page, all of them on the app's."""
    # One operation for the interpreter, because the server keeps logging.
    kept = list(asked.host.log.entries)
    if asked.component.path:
        kept = [entry for entry in kept if entry.get("componentPath") == asked.component.path]
    entries = kept[: -_ROWS - 1 : -1]
    return LogsPage([_row(entry) for entry in entries], entries, len(kept))


def _row(entry: dict[str, Any]) -> LogRow:
    cursor = entry.get("cursor")
    kinds = [str(entry[key]) for key in ("udfType", "identifier", "kind") if entry.get(key)]
    kinds += [f"in {entry['componentPath']}"] if entry.get("componentPath") else []
    lines = entry.get("logLines")
    shown = [_line(line) for line in lines] if isinstance(lines, list) else []
    return LogRow(
        time=float(cursor) if isinstance(cursor, int | float) else 0.0,
        what=shortened(" ".join(kinds) or "entry", 200),
        lines=[shortened(line, _MAX_CHARACTERS) for line in shown[:50]],
        error=shortened(str(entry.get("error") or ""), _MAX_CHARACTERS),
        text=shortened(json.dumps(entry, ensure_ascii=False, indent=2, default=str), _MAX_CHARACTERS),
    )


def _line(line: Any) -> str:
    """A line of the log: a text, or an object with a level and messages."""
    if not isinstance(line, dict):
        return str(line)
    messages = line.get("messages")
    text = " ".join(map(str, messages)) if isinstance(messages, list) else json.dumps(line, default=str)
    return f"[{line['level']}] {text}" if line.get("level") else text
