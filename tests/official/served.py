"""A served deployment and an app's folder, for tests with the official CLI: every wait is bounded, nothing is left."""

from __future__ import annotations

import json
import os
import queue
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any
from urllib.request import Request, urlopen

from tests.projects import TEMPORARY

from .node import NODE_MODULES

START_SECONDS = 60.0
STOP_SECONDS = 20.0
CLI_SECONDS = 120.0
#: The program that ``npx convex`` runs. supavex runs it so, too (supavex.convex_cli.cli).
CLI = NODE_MODULES / "convex/dist/cli.bundle.cjs"
URL, KEY = "CONVEX_SELF_HOSTED_URL", "CONVEX_SELF_HOSTED_ADMIN_KEY"
_COLOURS = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Lines:
    """The lines that a process prints, read by a thread so that waiting for one can end."""

    def __init__(self, stream: IO[str]) -> None:
        self.text = ""
        self._queue: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._read, args=(stream,), daemon=True)
        self._thread.start()

    def _read(self, stream: IO[str]) -> None:
        for line in stream:
            self._queue.put(line)
        stream.close()
        self._queue.put("")

    def next(self, seconds: float) -> str:
        """The next line; empty at the end. Raises :class:`queue.Empty` where none comes in time."""
        line = _COLOURS.sub("", self._queue.get(timeout=seconds))
        self.text += line
        return line

    def until(self, wanted: str, seconds: float = CLI_SECONDS) -> str:
        """Waits for a line with ``wanted`` in it; that line."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            try:
                line = self.next(left)
            except queue.Empty:
                break
            if wanted in line:
                return line
            if not line:
                break
        raise AssertionError(f"no line with {wanted!r} within {seconds} s. So far:\n{self.text}")


class Served:
    """``supavex serve`` on the folder ``data``, in a process of its own, with more ``options``."""

    def __init__(self, data: Path, *options: str) -> None:
        self.data, self.options = data, options
        self._process: subprocess.Popen[str] | None = None
        self.url = self.key = ""

    def __enter__(self) -> Served:
        self.start()
        return self

    def __exit__(self, *details: object) -> None:
        self.kill()

    @property
    def port(self) -> int:
        """The port of its API."""
        return int(self.url.rpartition(":")[2])

    @property
    def pid(self) -> int:
        """The id of its process."""
        assert self._process is not None
        return self._process.pid

    @property
    def variables(self) -> dict[str, str]:
        """What the official CLI reads from its environment."""
        return {URL: self.url, KEY: self.key}

    def start(self, port: int = 0) -> None:
        """Starts it, and waits until it has said where it is."""
        self._process = launch(self.data, *self.options, port=port)
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        self.out, self.err = Lines(self._process.stdout), Lines(self._process.stderr)
        try:
            found = dict(self.out.next(START_SECONDS).strip().split("=", 1) for _ in range(2))
        except (queue.Empty, ValueError):
            self.kill()
            raise AssertionError(f"the server did not start:\n{self.out.text}{self.err.text}") from None
        self.url, self.key = found[URL], found[KEY]

    def stop(self, sent: int = signal.SIGTERM) -> int:
        """Tells it to stop; its exit code."""
        assert self._process is not None
        self._process.send_signal(sent)
        try:
            return self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            # Python's fault handler says what each thread is at.
            self._process.send_signal(signal.SIGABRT)
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(10)
            self.kill()
            with suppress(AssertionError):
                self.err.until("(nothing says this)", seconds=5)
            raise AssertionError(f"the server did not stop within {STOP_SECONDS} s\n{self.err.text}") from None

    def kill(self) -> None:
        """Ends it as a power failure would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def resident_bytes(self) -> int:
        """Memory that its process holds."""
        pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")


def launch(data: Path, *options: str, port: int = 0) -> subprocess.Popen[str]:
    """Starts ``supavex serve`` and waits for nothing."""
    command = [
        sys.executable,
        "-X",
        "faulthandler",
        "-m",
        "supavex",
        "serve",
        "--data",
        str(data),
        "--port",
        str(port),
        "--site-port",
        "0",
    ]
    return subprocess.Popen([*command, *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@dataclass(frozen=True)
class Ran:
    """What the CLI did: exit code, and what it printed, standard error first."""

    code: int
    out: str
    err: str

    @property
    def text(self) -> str:
        """All that it printed."""
        return self.err + self.out


class App:
    """An app's folder that the official CLI runs in, against ``served``."""

    def __init__(self, path: Path, served: Served) -> None:
        self.path, self.served = path, served
        (path / "convex").mkdir(parents=True, exist_ok=True)
        if not (path / "node_modules").exists():
            (path / "node_modules").symlink_to(NODE_MODULES)
        self.write("package.json", json.dumps({"name": "app", "private": True, "dependencies": {"convex": "*"}}))

    def write(self, name: str, text: str | bytes) -> Path:
        """Writes a file of the app."""
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return path

    def schema(self, tables: str) -> None:
        """Writes convex/schema.ts with these tables."""
        head = 'import { defineSchema, defineTable } from "convex/server";\nimport { v } from "convex/values";\n'
        self.write("convex/schema.ts", f"{head}export default defineSchema({{ {tables} }});\n")

    @property
    def environment(self) -> Mapping[str, str]:
        """The CLI's environment. Without the two variables it would look for a deployment elsewhere."""
        assert self.served.url and self.served.key
        return {**os.environ, **self.served.variables, "CI": "1", "npm_config_loglevel": "error", "NO_COLOR": "1"}

    def convex(self, *arguments: str | Path, text: str = "", seconds: float = CLI_SECONDS) -> Ran:
        """Runs ``convex ARGUMENTS`` with ``text`` on its standard input."""
        with self.running(*arguments) as process:
            try:
                out, err = process.communicate(text, timeout=seconds)
            except subprocess.TimeoutExpired:
                end(process)
                raise AssertionError(f"convex {' '.join(map(str, arguments))} took over {seconds} s") from None
        return Ran(process.returncode, _COLOURS.sub("", out), _COLOURS.sub("", err))

    def push(self) -> Ran:
        """``convex dev --once``, which must succeed."""
        ran = self.convex("dev", "--once", "--typecheck", "disable")
        assert ran.code == 0, ran.text
        assert "Convex functions ready!" in ran.text
        return ran

    def system(self, name: str, **arguments: Any) -> list[dict[str, Any]]:
        """All that a paged function of Convex's CLI tells. Asked over HTTP: a process of Node's takes a second."""
        headers = {"Authorization": f"Convex {self.served.key}", "Content-Type": "application/json"}
        found, cursor, done = list[dict[str, Any]](), None, False
        while not done:
            args = {**arguments, "paginationOpts": {"numItems": 1000, "cursor": cursor}}
            body = json.dumps({"path": f"_system/cli/{name}", "args": args, "format": "convex_encoded_json"}).encode()
            with urlopen(Request(f"{self.served.url}/api/query", body, headers), timeout=CLI_SECONDS) as answer:
                page = json.load(answer)["value"]
            found += page["page"]
            cursor, done = page["continueCursor"], page["isDone"]
        return found

    def documents(self, table: str) -> list[dict[str, Any]]:
        """A table's documents, the oldest first, as what ``convex data`` asks gives them."""
        return self.system("tableData", table=table, order="asc")

    def stored_files(self) -> dict[str, dict[str, Any]]:
        """What is said of the stored files, by their ids."""
        return {str(document["_id"]): document for document in self.documents("_storage")}

    def tables(self) -> list[str]:
        """The deployment's tables, as what ``convex data`` asks gives them."""
        return sorted(table["name"] for table in self.system("tables"))

    def export(self, name: str, *options: str) -> Path:
        """``convex export`` into the file ``name`` of the app's folder."""
        path = self.path / name
        ran = self.convex("export", "--path", path, *options)
        assert ran.code == 0, ran.text
        return path

    @contextmanager
    def running(self, *arguments: str | Path) -> Iterator[subprocess.Popen[str]]:
        """``convex ARGUMENTS`` while it runs; ended with the block, and whatever it started too.

        It is what ``npx convex`` runs, without npm, which takes as long to start as the CLI itself.
        """
        process = subprocess.Popen(
            ["node", str(CLI), *map(str, arguments)],
            cwd=self.path,
            env=dict(self.environment),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        try:
            yield process
        finally:
            end(process)
            for stream in (process.stdin, process.stdout, process.stderr):
                if stream is not None and not stream.closed:
                    stream.close()


def set_variables(app: App, variables: Mapping[str, str]) -> None:
    """Sets environment variables of the deployment."""
    body = {"changes": [{"name": name, "value": value} for name, value in variables.items()]}
    headers = {"Authorization": f"Convex {app.served.key}", "Content-Type": "application/json"}
    address = f"{app.served.url}/api/update_environment_variables"
    with urlopen(Request(address, json.dumps(body).encode(), headers), timeout=180):
        pass


def end(process: subprocess.Popen[str]) -> None:
    """Kills a process that leads a session, and whatever else is in it."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def wait_until(holds: Callable[[], bool], seconds: float = 30.0) -> None:
    """Asks again and again, for at most ``seconds``."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"it did not come true within {seconds} s"
        time.sleep(0.05)


@contextmanager
def served_app(*options: str, **files: str) -> Iterator[App]:
    """A deployment of its own and an app for it, gone afterwards. ``files`` are written below convex/."""
    folder = Path(tempfile.mkdtemp(prefix="supavex-test-", dir=TEMPORARY))
    folder.chmod(0o755)
    try:
        with Served(folder / "data", *options) as served:
            app = App(folder / "app", served)
            for name, text in files.items():
                app.write(f"convex/{name}", text)
            yield app
    finally:
        shutil.rmtree(folder, ignore_errors=True)
