"""Runs of commands with their times, for the plan of a cutover: one JSON object a line, in the migration's folder."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from supavex.files import own_folder, owner_only, read_own
from supavex.migrate.state.old_state import old_state
from supavex.text import now

_VERSION = 1

Command = Literal["deploy", "migrate", "changes", "verify", "rollback"]


@dataclass(slots=True)
class Run:
    """One run of a command."""

    #: The command; ``changes`` for ``migrate --changes``.
    command: Command
    #: The deployment as ``--to`` names it; ``archive`` if the command wrote or read an archive instead.
    target: str
    #: When the run began.
    at: str = field(default_factory=now)
    #: Whether it succeeded.
    ok: bool = False
    #: Seconds by step, in order.
    steps: dict[str, float] = field(default_factory=dict)
    #: The number of source rows that the command copied or compared.
    rows: int = 0
    #: The number of documents that the command wrote or compared.
    documents: int = 0
    #: Source table to rows and seconds.
    tables: dict[str, dict[str, float]] = field(default_factory=dict)

    @property
    def seconds(self) -> float:
        """The seconds of the whole run."""
        return sum(self.steps.values())

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Measures the block."""
        started = time.monotonic()
        try:
            yield
        finally:
            self.steps[name] = self.steps.get(name, 0.0) + time.monotonic() - started

    def write(self, folder: Path) -> None:
        """Adds the run to the file. An error is ignored, because no command should fail because of it."""
        data = {
            "version": _VERSION,
            **asdict(self),
            "steps": {name: round(seconds, 3) for name, seconds in self.steps.items()},
        }
        try:
            with open(own_folder(folder) / "runs.jsonl", "a", encoding="utf-8", opener=owner_only) as file:
                file.write(json.dumps(data) + "\n")
        except OSError:
            return


def read_runs(folder: Path) -> list[Run]:
    """The runs of a project, the oldest first, without incomplete lines. Raises for a file of another version."""
    path = folder / "runs.jsonl"
    try:
        lines = read_own(path).splitlines()
    except FileNotFoundError:
        return []
    return [run for line in lines if (run := _run(line, path)) is not None]


def _run(line: str, path: Path) -> Run | None:
    try:
        data: dict[str, Any] = json.loads(line)
        if data.pop("version", None) != _VERSION:
            raise old_state(path, "rehearse again: supavex migrate")
        return Run(**data)
    except (ValueError, TypeError, AttributeError):
        return None
