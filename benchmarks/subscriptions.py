"""Subscriptions: how soon a write is shown to those that read it, and to nobody else, and what the server holds.

    python -m benchmarks.subscriptions [--sockets 20] [--queries 50] [--writes 100]

Each socket subscribes to ``queries`` queries, every one of an index range of its own or shared by all sockets. Prints
JSON: milliseconds from sending a mutation to the update on every socket that reads it (p50, p95), wrong or missing
updates, and the memory of the server's processes before and after (MiB).
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import shutil
import statistics
import threading
import time
import uuid
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from websockets.sync.client import ClientConnection, connect

from benchmarks.figures import Figure, NotMeasured, Size
from tests.official.clients.deployment import pushed_app

ROOT = Path(__file__).parent.parent
WAIT = 30.0


class Subscriber:
    """A socket with its subscriptions; a thread notes when the texts of which query have come."""

    def __init__(self, socket: ClientConnection, number: int, queries: int) -> None:
        self.lists = [f"own {number} {n}" for n in range(queries - 1)] + ["shared"]
        self.socket = socket
        self.changed = threading.Condition()
        self.updates: list[tuple[str, float]] = []
        self._send(type="Connect", sessionId=str(uuid.uuid4()), connectionCount=0, lastCloseReason=None)
        adds = [
            {"type": "Add", "queryId": n, "udfPath": "items:list", "args": [{"list": name}]}
            for n, name in enumerate(self.lists)
        ]
        self._send(type="ModifyQuerySet", baseVersion=0, newVersion=1, modifications=adds)
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def _send(self, **message: Any) -> None:
        self.socket.send(json.dumps(message))

    def mutate(self, request: int, name: str) -> None:
        """Adds a text to a list."""
        args = [{"list": name, "text": str(request)}]
        self._send(type="Mutation", requestId=request, udfPath="items:add", args=args)

    def _read(self) -> None:
        for text in self.socket:
            message = json.loads(text)
            if message["type"] == "Transition":
                now = time.perf_counter()
                with self.changed:
                    self.updates += [(self.lists[m["queryId"]], now) for m in message["modifications"]]
                    self.changed.notify_all()

    def wait_for(self, count: int) -> None:
        """Waits until there have been so many updates."""
        with self.changed:
            if not self.changed.wait_for(lambda: len(self.updates) >= count, WAIT):
                raise SystemExit(f"{len(self.updates)} of {count} updates within {WAIT} s")


def memory(pid: int) -> float:
    """MiB that a process and its children hold."""
    processes = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    return sum(process.memory_info().rss for process in processes) / (1 << 20)


def percentile(values: list[float], part: float) -> float:
    return statistics.quantiles(values, n=100, method="inclusive")[round(part * 100) - 1]


@dataclass(frozen=True)
class Served:
    """Milliseconds of each thing by run, and what is printed beside them.

    ``own``, ``shared``: from a write to the update of its one reader, of one of all readers. ``query``: one query over
    HTTP that reads as much, before each write.
    """

    own: list[float]
    shared: list[float]
    query: list[float]
    said: dict[str, Any]


def serve(sockets: int, queries: int, writes: int) -> Served:
    """So many sockets with so many queries each, while so many mutations are made, one after the other."""
    with pushed_app() as app, ExitStack() as stack:
        before = memory(app.served.pid)
        started = time.perf_counter()
        subscribers = []
        for number in range(sockets):
            address = f"ws://127.0.0.1:{app.served.port}/api/1.48.0/sync"
            socket = stack.enter_context(connect(address, proxy=None, max_size=None))
            subscribers.append(Subscriber(socket, number, queries))
        for subscriber in subscribers:
            subscriber.wait_for(queries)
        first = time.perf_counter() - started
        http_connection = http.client.HTTPConnection("127.0.0.1", app.served.port)
        stack.callback(http_connection.close)
        expected = [queries] * sockets
        found: dict[str, list[float]] = {"own": [], "shared": []}
        query: list[float] = []
        for write in range(writes):
            kind = "shared" if write % 2 else "own"
            reader = write % sockets
            writer = subscribers[(reader + 1) % sockets]
            name = "shared" if kind == "shared" else subscribers[reader].lists[write % (queries - 1)]
            readers = range(sockets) if kind == "shared" else [reader]
            query.append(_query(http_connection, name))
            begun = time.perf_counter()
            writer.mutate(write, name)
            for each in readers:
                expected[each] += 1
                subscribers[each].wait_for(expected[each])
                found[kind].append((subscribers[each].updates[-1][1] - begun) * 1000)
        time.sleep(0.5)
        extra = sum(len(s.updates) for s in subscribers) - sum(expected)
        said = {
            "subscriptions": sockets * queries,
            "sockets": sockets,
            "writes": writes,
            "firstResultsSeconds": round(first, 2),
            "queryMilliseconds": [round(percentile(query, part), 1) for part in (0.5, 0.95)],
            "ownMilliseconds": [round(percentile(found["own"], part), 1) for part in (0.5, 0.95)],
            "sharedMilliseconds": [round(percentile(found["shared"], part), 1) for part in (0.5, 0.95)],
            "updatesTooMany": extra,
            "memoryBeforeMiB": round(before),
            "memoryAfterMiB": round(memory(app.served.pid)),
            "serverItselfMiB": round(app.served.resident_bytes() / (1 << 20)),
            "processors": os.cpu_count(),
        }
        return Served(found["own"], found["shared"], query, said)


def _query(connection: http.client.HTTPConnection, name: str) -> float:
    """Milliseconds of one query over HTTP."""
    body = json.dumps({"path": "items:list", "args": {"list": name}, "format": "json"})
    begun = time.perf_counter()
    connection.request("POST", "/api/query", body, {"Content-Type": "application/json"})
    answer = json.loads(connection.getresponse().read())
    assert answer["status"] == "success", answer
    return (time.perf_counter() - begun) * 1000


def measure(size: Size) -> list[Figure]:
    """From a write to the update of its one reader, against one query."""
    if not (ROOT / "tests/official/node_modules").exists() or shutil.which("node") is None:
        raise NotMeasured("it needs Node and the packages of tests/official; `make test` installs them.")
    found = serve(size.of(20), 50, max(20, size.of(100)))
    return [Figure.of("the update after a write", "one query over HTTP", found.own, found.query[::2])]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sockets", type=int, default=20)
    parser.add_argument("--queries", type=int, default=50)
    parser.add_argument("--writes", type=int, default=100)
    options = parser.parse_args()
    print(json.dumps(serve(options.sockets, options.queries, options.writes).said, indent=2))


if __name__ == "__main__":
    main()
