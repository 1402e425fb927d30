"""The outcome of a function: its value or its error, in the form that Convex's clients get."""

from __future__ import annotations

import json
import re
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from supavex.deployment.database.commits import Conflict, ReadSet
from supavex.deployment.functions.app import App

MAX_LOG_LINES, MAX_LOG_LENGTH = 256, 32_768
_MAX_MESSAGE = 1 << 16
_PLACE = re.compile(r"(?:(?P<name>.*?) \()?(?P<file>[^()\s]+):(?P<line>[0-9]{1,9}):(?P<column>[0-9]{1,9})\)?\Z")
#: The most frames of a stack, and the most characters of each. V8 gives ten frames, but its text can be forged.
_MAX_FRAMES, _MAX_FRAME = 256, 4096
#: Frames of the runtime, which are not the app's.
_OWN = re.compile(r"<anonymous>|^(?:own|ext|node|file):|^/")
#: Frames of the code that calls the app's functions, at both ends of a stack. They don't help a developer.
_HARNESS = "convex/src/server/impl"
#: Lines before a module's own in its script; see ``linking.py``.
_HEAD_LINES = 1


@dataclass(eq=False)
class Failure(Exception):
    """Why a function failed. ``message``: without the head for clients. ``data``: a ConvexError's data, as JSON."""

    message: str
    data: str | None = None

    def thrown(self) -> dict[str, Any]:
        """The error to throw in the function that called the failed one."""
        data = {} if self.data is None else {"data": json.loads(self.data)}
        return {"message": self.message, **data}

    def text(self, request_id: str) -> str:
        """The text for a client."""
        return f"[Request ID: {request_id}] Server Error\n{self.message}"


def conflict_failure(conflict: Conflict, path: str) -> Failure:
    """The failure of a mutation that met a conflict in each of its runs."""
    where = "some table" if conflict.table is None else f'the "{conflict.table}" table'
    message = f"Documents read from or written to {where} changed while this mutation was being run and on every "
    message += "subsequent retry. "
    if conflict.source is not None and conflict.document is not None:
        who = "Another call to this mutation" if conflict.source == path else f'A call to "{conflict.source}"'
        message += f'{who} changed the document with ID "{conflict.document}". '
    return Failure(f"{message}See https://docs.convex.dev/error#1")


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line of a function's log."""

    level: str
    messages: list[str]
    timestamp: float

    def text(self) -> str:
        """The text that clients print."""
        return f"[{self.level}] {' '.join(self.messages)}"[:MAX_LOG_LENGTH]

    def entry(self) -> dict[str, Any]:
        """The entry for `convex logs`."""
        cut = any(len(message) > MAX_LOG_LENGTH for message in self.messages)
        messages = [message[:MAX_LOG_LENGTH] for message in self.messages]
        return {"messages": messages, "level": self.level, "timestamp": self.timestamp, "isTruncated": cut}


@dataclass(slots=True)
class Outcome:
    """The outcome of a call."""

    #: The function that ran.
    path: str
    #: ``Query``, ``Mutation``, ``Action`` or ``HttpAction``.
    kind: str
    #: The value as JSON (internal form).
    value: str | None = None
    #: The error; None if the function returned a value.
    failure: Failure | None = None
    #: The lines of ``console``, in order.
    logs: list[LogLine] = field(default_factory=list)
    #: The timestamp (nanoseconds) of the outcome.
    ts: int = 0
    #: The timestamp of the snapshot that it read.
    read_at: int = 0
    #: The data that it read.
    reads: ReadSet = field(default_factory=ReadSet)
    #: The ends of its pages, for the next run of the query.
    journal: str | None = None
    #: The value as ASCII JSON, after a client has got it.
    shown: str | None = None
    #: Whether it depends on the caller.
    saw_identity: bool = False
    #: The id that error messages quote, 16 hexadecimal digits.
    request_id: str = field(default_factory=lambda: secrets.token_hex(8))
    #: The path of the function's component; empty for the app.
    component: str = ""
    #: When it began, by the monotonic clock.
    begun: float = field(default_factory=time.monotonic)
    #: How long it took.
    seconds: float = 0.0
    #: The number of further runs because of conflicts.
    retries: int = 0

    @property
    def log_texts(self) -> list[str]:
        """The log as clients print it."""
        return [line.text() for line in self.logs]

    @property
    def error(self) -> str:
        """The error's text for a client."""
        assert self.failure is not None
        return self.failure.text(self.request_id)

    def add_log(self, level: str, messages: list[str]) -> None:
        """Adds a line. Convex limits their number, and the last line says so."""
        if len(self.logs) < MAX_LOG_LINES:
            self.logs.append(LogLine(level, messages, time.time() * 1000))
        elif len(self.logs) == MAX_LOG_LINES:
            message = f"'Log overflow (maximum {MAX_LOG_LINES}). Remaining log lines omitted.'"
            self.logs.append(LogLine("ERROR", [message], time.time() * 1000))


def failure_of(thrown: Mapping[str, Any], app: App) -> Failure:
    """The failure of a thrown error, with its stack in the app's own files."""
    name, message = str(thrown["name"]), str(thrown["message"])[:_MAX_MESSAGE]
    said = ": ".join(filter(None, [name, message]))
    # The text of a called function's error ends with a newline, so its caller's frames follow an empty line.
    lines = [f"Uncaught {said}" if said else "Uncaught", *_frames(thrown["places"], app)]
    return Failure(well_formed("\n".join(lines)) + "\n", thrown.get("data"))


def well_formed(text: str) -> str:
    """``text`` with a replacement character for each half of a surrogate pair, which SQLite and UTF-8 refuse."""
    return text if text.isascii() else text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def logged(level: str, texts: list[str], app: App) -> tuple[str, list[str]]:
    """Level and messages of a line of the log. Those of ``console.trace`` end with a stack."""
    if level != "TRACE":
        return level, texts
    *messages, places = texts
    return "LOG", [*messages, "\n".join(["", *_frames(places.split("\n"), app), ""])]


def _frames(places: list[str], app: App) -> list[str]:
    """The lines of a stack in the app's own files, without those of the runtime."""
    frames: list[tuple[str, str]] = []
    for place in places[:_MAX_FRAMES]:
        found = _PLACE.match(place[:_MAX_FRAME])
        if found is None or _OWN.search(found["file"]):
            continue
        name, module = found["name"] or "", found["file"]
        number, column = int(found["line"]) - _HEAD_LINES, int(found["column"])
        map_ = app.source_map(module)
        mapped = None if map_ is None else map_.place(number, column)
        source, number, column = mapped or (f"../convex/{module}", number, column)
        where = f"{source}:{number}:{column}"
        frames.append((source, f"    at {name} ({where})" if name else f"    at {where}"))
    own = [at for at, (source, _) in enumerate(frames) if _HARNESS not in source]
    return [text for _, text in frames[own[0] : own[-1] + 1]] if own else []
