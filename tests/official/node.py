"""Convex's official npm package, asked through a Node process that lives as long as the tests do."""

from __future__ import annotations

import json
import queue
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

HERE = Path(__file__).parent
NODE_MODULES = HERE / "node_modules"
SCRIPT = HERE / "evaluate.mjs"
PACKAGES = ("convex", "convex-test", "esbuild", "react", "react-dom", "typescript", "@convex-dev/auth", "bcryptjs")


class OfficialError(Exception):
    """The official code refused; its message."""


@dataclass(frozen=True)
class Refused:
    """What stands in a list of answers where the official code refused one item."""

    message: str


def missing() -> str | None:
    """What these tests lack on this machine, and what to do about it; None where all is there."""
    lacking = [] if shutil.which("node") else ["the program node (Node 20 or later)"]
    absent = [name for name in PACKAGES if not (NODE_MODULES / name / "package.json").is_file()]
    if absent:
        lacking.append(f"{', '.join(absent)} in {NODE_MODULES}")
    return f"These tests need {' and '.join(lacking)}: run `make test`." if lacking else None


class Node:
    """A Node process that runs ``evaluate.mjs``. Every wait is bounded; leaving the ``with`` block ends the process."""

    def __init__(self, script: Path = SCRIPT, wait: float = 60.0) -> None:
        self._wait = wait
        self._complaints = tempfile.TemporaryFile()  # noqa: SIM115 - close() closes it
        self._process = subprocess.Popen(
            ["node", str(script)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._complaints
        )
        self._lines: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> Node:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _read(self) -> None:
        for line in self._process.stdout:
            self._lines.put(line)
        self._lines.put(b"")

    def close(self) -> None:
        """Ends the process: kindly, and after the bounded wait by force."""
        with suppress(BrokenPipeError):  # it may be gone already
            self._process.stdin.close()
        try:
            self._process.wait(self._wait)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join(self._wait)
        self._process.stdout.close()
        self._complaints.close()

    def _ask(self, op: str, **arguments: Any) -> Any:
        try:
            self._process.stdin.write(json.dumps({"op": op, **arguments}).encode() + b"\n")
            self._process.stdin.flush()
            line = self._lines.get(timeout=self._wait)
        except (queue.Empty, BrokenPipeError):
            line = b""
        if not line:
            self._process.kill()
            self._complaints.seek(0)
            complaints = self._complaints.read().decode(errors="replace")
            raise AssertionError(f"node gave no answer to {op} within {self._wait} s.\n{complaints}")
        # JavaScript's numbers are floats; it writes those without a fraction as if they were integers.
        answer = json.loads(line, parse_int=float)
        if "error" in answer:
            raise OfficialError(answer["error"])
        return answer["value"]

    def _ask_each(self, op: str, **arguments: Any) -> list[Any]:
        answers = self._ask(op, **arguments)
        return [Refused(answer["error"]) if "error" in answer else answer["value"] for answer in answers]

    def schema(self, source: str, **modules: str) -> str:
        """What ``export()`` of the default export of ``source`` (a schema.ts) returns.

        ``modules`` are the texts of files beside it: ``supavexTables=…`` can be imported as ``./supavexTables``.
        """
        return self._ask("schema", source=source, modules={f"./{name}": text for name, text in modules.items()})

    def value(self, source: str, name: str) -> Any:
        """The export ``name`` of the TypeScript module ``source``, as internal JSON."""
        return self._ask("value", source=source, name=name)

    def calls(self, source: str, name: str, calls: Sequence[Sequence[Any]]) -> list[Any]:
        """What the function ``name`` of the TypeScript module ``source`` returns for each list of arguments.

        Arguments and answers are internal JSON; :class:`Refused` where the function throws.
        """
        return self._ask_each("calls", source=source, name=name, calls=calls)

    def decode_ids(self, ids: Sequence[str]) -> list[Any]:
        """Table number and internal id of each id, or :class:`Refused`."""
        answers = self._ask_each("decodeId", ids=ids)
        return [a if isinstance(a, Refused) else (int(a["table"]), bytes.fromhex(a["internal"])) for a in answers]

    def values(self, json_values: Sequence[Any]) -> list[Any]:
        """``convexToJson(jsonToConvex(x))`` of each, or :class:`Refused`."""
        return self._ask_each("values", json=json_values)

    def sizes(self, json_values: Sequence[Any]) -> list[Any]:
        """``getConvexSize`` of each value (given as internal JSON), or :class:`Refused`."""
        return self._ask_each("sizes", json=json_values)

    def queries(self, schema: str, documents: Sequence[Any], queries: Sequence[Any]) -> list[dict[str, Any]]:
        """What ``convex-test`` gives for queries of the table ``rows``: the documents' ``n``, or an error each."""
        answers: list[dict[str, Any]] = self._ask("queries", schema=schema, documents=documents, queries=queries)
        return answers

    def handlers(self, schema: str, documents: Sequence[Any], calls: Sequence[Any]) -> list[Any]:
        """What each call of a handler (``source``, ``args``) gives in ``convex-test``, and leaves in ``rows``."""
        return self._ask_each("handlers", schema=schema, documents=documents, calls=calls)

    def functions(self, schema: str, name: str, source: str, calls: Sequence[Any], **http: str) -> list[dict[str, Any]]:
        """What ``convex-test`` gives for calls of the module ``source``: a ``value``, or ``error`` and its ``data``.

        ``http``: the text of a router's module, for calls of the kind "fetch".
        """
        asked = {"schema": schema, "name": name, "source": source, "calls": calls, **http}
        answers: list[dict[str, Any]] = self._ask("functions", **asked)
        return answers

    def compare(self, pairs: Sequence[tuple[Any, Any]]) -> list[Any]:
        """``compareValues`` of each pair of values (given as internal JSON): -1, 0 or 1."""
        return self._ask_each("compare", pairs=pairs)
