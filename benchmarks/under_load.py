"""A served deployment under load: live updates for many, reads during an import, a start after it was killed.

    python -m benchmarks.under_load [--sockets 200] [--documents 1000000] [--stored 100000] [--only updates]

Prints three ratios, each of one run: how many times what one query takes until ``sockets`` subscriptions have got an
update (all of one query, and each of a query of its own); how many times the median of an idle server the slowest of
1,000 reads takes while the official CLI imports ``documents``; how many times a start on an empty folder a start takes
after ``kill -9`` in the middle of an import, with ``stored`` documents. Needs Node and the packages of tests/official.
"""

from __future__ import annotations

import argparse
import base64
import http.client
import json
import os
import select
import shutil
import signal
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import time
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

from benchmarks.figures import Figure, NotMeasured, Size
from benchmarks.functions_speed import NODE_MODULES, push
from benchmarks.import_speed import archive

SCHEMA = """
import { defineSchema, defineTable } from "convex/server";
import { v } from "convex/values";
export default defineSchema({
  payments: defineTable({ workspace: v.string(), amount: v.number(), status: v.string(), note: v.string() })
    .index("by_workspace", ["workspace", "amount"]),
  imported: defineTable({
    amount: v.number(), conversation: v.string(), created_at: v.number(), currency: v.string(), details: v.any(),
    note: v.optional(v.string()), status: v.union(v.literal("pending"), v.literal("paid"), v.literal("failed")),
  }).index("by_status", ["status"]).index("by_conversation", ["conversation", "created_at"])
    .index("by_amount", ["amount"]),
});
"""
FUNCTIONS = """
import { queryGeneric as query, mutationGeneric as mutation } from "convex/server";
import { v } from "convex/values";
export const page = query({
  args: { workspace: v.string(), reader: v.optional(v.number()) },
  handler: async (ctx, { workspace }) =>
    await ctx.db.query("payments").withIndex("by_workspace", (q) => q.eq("workspace", workspace)).take(20),
});
export const add = mutation({
  args: { workspace: v.string(), amount: v.number() },
  handler: async (ctx, { workspace, amount }) =>
    await ctx.db.insert("payments", { workspace, amount, status: "success", note: "x".repeat(200) }),
});
"""
TABLE = "imported"
#: Seconds between two reads.
PAUSE = 0.02
#: Bytes of the file's log at which the server is killed.
LOG_BYTES = 24 << 20
WAIT = 60.0


class Served:
    """A server on a folder. ``seconds``: what its start took, until it answered."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        command = [sys.executable, "-m", "supavex", "serve", "--data", str(folder), "--port", "0", "--site-port", "0"]
        started = time.perf_counter()
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        assert self.process.stdout is not None
        self.url, self.key = (self.process.stdout.readline().strip().partition("=")[2] for _ in range(2))
        with urllib.request.urlopen(f"{self.url}/version", timeout=WAIT):
            self.seconds = time.perf_counter() - started
        self.connection = http.client.HTTPConnection(urlsplit(self.url).netloc, timeout=WAIT)

    def end(self, number: int) -> None:
        """Ends it by a signal."""
        self.connection.close()
        with suppress(ProcessLookupError):
            self.process.send_signal(number)
        self.process.wait(timeout=WAIT)
        assert self.process.stdout is not None
        self.process.stdout.close()

    def call(self, kind: str, path: str, **args: object) -> float:
        """Calls a function; the seconds until its answer was there."""
        body = json.dumps({"path": path, "args": args, "format": "convex_encoded_json"})
        began = time.perf_counter()
        self.connection.request("POST", f"/api/{kind}", body, {"Content-Type": "application/json"})
        answer = json.loads(self.connection.getresponse().read())
        assert answer["status"] == "success", answer
        return time.perf_counter() - began

    def importing(self, app: Path, snapshot: Path) -> subprocess.Popen[bytes]:
        """The official CLI, which imports ``snapshot``."""
        environment = {**os.environ, "CONVEX_SELF_HOSTED_URL": self.url, "CONVEX_SELF_HOSTED_ADMIN_KEY": self.key}
        command = ["node", str(NODE_MODULES / "convex/dist/cli.bundle.cjs"), "import", "--replace", "-y", str(snapshot)]
        quiet = subprocess.DEVNULL
        return subprocess.Popen(
            command, cwd=app, env={**environment, "CI": "1"}, stdin=quiet, stdout=quiet, stderr=quiet
        )


@contextmanager
def served(folder: Path) -> Iterator[Served]:
    """A server for as long as the block runs."""
    found = Served(folder)
    try:
        yield found
    finally:
        found.end(signal.SIGTERM)


def one_query(server: Served, count: int = 300) -> float:
    """The median seconds of a query, of a server that does nothing else."""
    server.connection.close()  # the server closes one that has said nothing for a while
    times = []
    for number in range(count):
        times.append(server.call("query", "bench:page", workspace=f"w{number % 10}"))
        time.sleep(PAUSE / 4)
    return statistics.median(times)


def updates(server: Served, sockets: int, *, own: bool, writes: int = 5) -> list[float]:
    """The seconds of ``writes`` mutations from sending each until ``sockets`` subscriptions have got its update.

    ``own``: each has a query of its own, which the mutation changes, too.
    """
    with ExitStack() as stack:
        poll, files = select.poll(), dict[int, socket.socket]()
        for number in range(sockets):
            file = stack.enter_context(subscribed(server.url, number if own else 0))
            files[file.fileno()] = file
            poll.register(file, select.POLLIN)

        def told() -> None:
            waiting = dict.fromkeys(files, b"")
            until = time.monotonic() + WAIT
            while waiting:
                if time.monotonic() > until:
                    raise SystemExit(f"{len(waiting)} of {sockets} subscriptions got no update within {WAIT} s")
                for number, _ in poll.poll(1000):
                    text = waiting.get(number, b"")[-12:] + files[number].recv(1 << 20)
                    if b'"Transition"' in text:
                        waiting.pop(number, None)
                    elif number in waiting:
                        waiting[number] = text

        told()
        times = list[float]()
        for _ in range(writes):
            time.sleep(0.3)
            began = time.perf_counter()
            server.call("mutation", "bench:add", workspace="w0", amount=-time.time())
            told()
            times.append(time.perf_counter() - began)
    return times


def subscribed(url: str, reader: int) -> socket.socket:
    """A WebSocket that has subscribed to a query; what the server answers is left to be read.

    It is made by hand, and nothing is packed, so that what has come can be told from its bytes: the client of 200
    sockets is to be no load.
    """
    place = urlsplit(url)
    found = socket.create_connection((place.hostname or "", place.port or 0), timeout=WAIT)
    head = [f"GET /api/1.48.0/sync HTTP/1.1\r\nHost: {place.netloc}", "Upgrade: websocket", "Connection: Upgrade"]
    head += [f"Sec-WebSocket-Key: {base64.b64encode(os.urandom(16)).decode()}", "Sec-WebSocket-Version: 13\r\n\r\n"]
    found.sendall("\r\n".join(head).encode())
    answer = b""
    while not answer.endswith(b"\r\n\r\n"):
        answer += found.recv(1)
    start = {"type": "Connect", "sessionId": str(uuid.uuid4()), "connectionCount": 0, "lastCloseReason": None}
    query = {"type": "Add", "queryId": 0, "udfPath": "bench:page", "args": [{"workspace": "w0", "reader": reader}]}
    change = {"type": "ModifyQuerySet", "baseVersion": 0, "newVersion": 1, "modifications": [query]}
    for message in (start, change):
        data = json.dumps(message).encode()
        # A whole text, its length in two bytes, and a mask of zeros.
        found.sendall(struct.pack(">BBHI", 0x81, 0x80 | 126, len(data), 0) + data)
    return found


def reads_during_import(server: Served, app: Path, snapshot: Path) -> list[float]:
    """The seconds of each read while the CLI imports a snapshot."""
    times: list[float] = []
    command = server.importing(app, snapshot)
    while command.poll() is None:
        times.append(server.call("query", "bench:page", workspace=f"w{len(times) % 10}"))
        time.sleep(PAUSE)
    if command.wait():
        raise SystemExit(f"the import failed: exit code {command.returncode}")
    return times


def starts(folder: Path, app: Path, snapshot: Path, runs: int) -> tuple[list[float], list[float]]:
    """Seconds of starts on an empty folder, and after a server with documents was killed during an import."""
    empty, killed = list[float](), list[float]()
    shutil.copytree(folder / "data", folder / "stored")
    with served(folder / "stored") as server:
        if server.importing(app, snapshot).wait():
            raise SystemExit("the import failed")
    for number in range(runs):
        with served(folder / f"empty-{number}") as server:
            empty.append(server.seconds)
        server = Served(folder / "stored")
        command = server.importing(app, snapshot)
        log = folder / "stored/deployment.sqlite3-wal"
        while command.poll() is None and log.stat().st_size < LOG_BYTES:
            time.sleep(0.01)
        server.end(signal.SIGKILL)
        command.kill()
        command.wait()
        with served(folder / "stored") as server:
            killed.append(server.seconds)
    return empty, killed


def measured(sockets: int, documents: int, stored: int, runs: int, only: str | None = None) -> Iterator[Figure]:
    """The figures; ``only``: those of ``updates``, ``reads`` or ``starts``."""
    with tempfile.TemporaryDirectory(prefix="supavex-load-") as name, ExitStack() as stack:
        folder = Path(name)
        server = stack.enter_context(served(folder / "data"))
        push(folder, server.url, server.key, SCHEMA, FUNCTIONS)
        for number in range(200):
            server.call("mutation", "bench:add", workspace=f"w{number % 10}", amount=float(number))
        one = one_query(server)
        if only in (None, "updates"):
            for own, what in ((False, "of one query"), (True, "of a query each")):
                times = updates(server, sockets, own=own)
                what = f"an update for {sockets} subscriptions {what}"
                yield Figure.of(what, "one query", times, [one] * len(times))
        if only in (None, "reads"):
            archive(folder / "large.zip", documents, TABLE)
            one = one_query(server)
            times = reads_during_import(server, folder / "app", folder / "large.zip")
            print(f"{len(times):,} reads, median {statistics.median(times) / one:.1f} times idle", flush=True)
            what = f"the slowest read during an import of {documents:,} documents"
            yield Figure.of(what, "the median of an idle server", [max(times)], [one])
        stack.close()
        if only in (None, "starts"):  # of what that server has left
            archive(folder / "small.zip", stored, TABLE)
            empty, killed = starts(folder, folder / "app", folder / "small.zip", runs)
            what = f"a start after kill -9 during an import, with {stored:,} documents"
            yield Figure.of(what, "a start on an empty folder", killed, empty)


def measure(size: Size) -> list[Figure]:
    """Live updates, reads during an import, and a start after it was killed."""
    if not NODE_MODULES.exists() or shutil.which("node") is None:
        raise NotMeasured("it needs Node and the packages of tests/official; `make test` installs them.")
    return list(measured(200, size.of(1_000_000), size.of(100_000), size.runs))


def main() -> None:
    """The command line; see the module."""
    parser = argparse.ArgumentParser(description="a served deployment under load")
    parser.add_argument("--sockets", type=int, default=200)
    parser.add_argument("--documents", type=int, default=1_000_000)
    parser.add_argument("--stored", type=int, default=100_000)
    parser.add_argument("--runs", type=int, default=3, help="starts of each kind")
    parser.add_argument("--only", choices=["updates", "reads", "starts"])
    options = parser.parse_args()
    for figure in measured(options.sockets, options.documents, options.stored, options.runs, options.only):
        print(f"{figure.what}: {figure.median:.1f} times {figure.floor} ", end="")
        print(f"({figure.least:.1f} to {figure.most:.1f})", flush=True)


if __name__ == "__main__":
    main()
