"""``ConvexClient`` of the npm package in Node, and that of the PyPI package in Python, each in a process of its own."""

from __future__ import annotations

import json
import queue
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar

from .interface import SECONDS, Client

HERE = Path(__file__).parent


class _Process(Client):
    command: ClassVar[list[str]]

    def __init__(self, url: str) -> None:
        super().__init__()
        self._process = subprocess.Popen(
            [*self.command, url], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        self._events: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        self._complaints: list[str] = []
        self._threads = [threading.Thread(target=read, daemon=True) for read in (self._read, self._read_complaints)]
        for thread in self._threads:
            thread.start()

    def _read(self) -> None:
        with self._process.stdout as lines:  # type: ignore[union-attr]
            for line in lines:
                # The Python client prints the functions' logs, too.
                if line.startswith("{"):
                    self._events.put(json.loads(line))

    def _read_complaints(self) -> None:
        with self._process.stderr as lines:  # type: ignore[union-attr]
            self._complaints.extend(lines)

    def send(self, message: dict[str, Any]) -> None:
        assert self._process.poll() is None, "".join(self._complaints)
        self._process.stdin.write(json.dumps(message) + "\n")
        self._process.stdin.flush()

    def received(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        with suppress(queue.Empty):
            found.append(self._events.get(timeout=0.02))
            while True:
                found.append(self._events.get_nowait())
        return found

    def close(self) -> None:
        with suppress(BrokenPipeError):
            self._process.stdin.close()
        try:
            self._process.wait(SECONDS / 4)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        for thread in self._threads:
            thread.join(SECONDS)


class NodeClient(_Process):
    name = "Node"
    command: ClassVar = ["node", str(HERE / "node.mjs")]


class PythonClient(_Process):
    name = "Python"
    pages = False
    command: ClassVar = [sys.executable, str(HERE / "python_driver.py")]
