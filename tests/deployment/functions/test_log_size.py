"""The log (WAL) of a deployment's file is written into the file while functions run, whatever overlaps."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

from supavex.deployment.database.engine import Engine
from tests.official.served import Served

from .app import App, value_of
from .conftest import FILE
from .test_served_bounds import called, session

MEGABYTE = 1 << 20
#: A document weighs so many bytes.
WEIGHT = 200_000
SECONDS = 120.0


def log_bytes(path: Path) -> int:
    return Path(f"{path}-wal").stat().st_size


def write(app: App, count: int) -> int:
    """Replaces a few large documents ``count`` times; the most bytes that the log had."""
    most = 0
    ids = [app.run("writing:insert", table="large", value={"text": "x" * WEIGHT}) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        for start in range(0, count, 20):
            asked = [
                pool.submit(
                    app.outcome, "writing:replace", {"id": ids[n % 4], "value": {"text": chr(97 + n % 26) * WEIGHT}}
                )
                for n in range(start, start + 20)
            ]
            for future in asked:
                value_of(future.result(SECONDS))
            most = max(most, log_bytes(app.deployment.path))
    return most


@contextmanager
def readers(engine: Engine) -> Iterator[None]:
    """Snapshots that are taken and given back without an end, one always before the other ends."""
    stop = threading.Event()

    def read() -> None:
        while not stop.is_set():
            with engine.snapshot():
                stop.wait(0.02)

    threads = [threading.Thread(target=read) for _ in range(3)]
    for number, thread in enumerate(threads):
        thread.start()
        stop.wait(0.007 * number)
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def test_mutations_alone(app: App):
    assert write(app, 300) < 24 * MEGABYTE
    assert app.deployment.path.stat().st_size < 8 * MEGABYTE


def test_mutations_among_readers_who_overlap(app: App):
    with readers(app.functions.engine):
        assert write(app, 300) < 32 * MEGABYTE


def test_mutations_of_a_served_deployment_with_subscriptions(pushed: Path, tmp_path: Path):
    """Each write wakes every session, whose queries read what was written."""
    shutil.copy(pushed, tmp_path / FILE)
    with Served(tmp_path) as served, ExitStack() as stack:
        ids = [
            called(served, "mutation", "writing:insert", table="large", value={"text": "x" * WEIGHT})["value"]
            for _ in range(4)
        ]
        for number in range(4):
            client = stack.enter_context(session(served))
            add = {"type": "Add", "queryId": 0, "udfPath": "reading:get", "args": [{"id": ids[number]}]}
            change = {"type": "ModifyQuerySet", "baseVersion": 0, "newVersion": 1, "modifications": [add]}
            client.send(json.dumps(change))
            threading.Thread(target=lambda client=client: list(client), daemon=True).start()
        most = 0
        with ThreadPoolExecutor(4) as pool:
            for start in range(0, 200, 20):
                asked = [
                    pool.submit(
                        called, served, "mutation", "writing:replace",
                        id=ids[n % 4], value={"text": chr(97 + n % 26) * WEIGHT},
                    )
                    for n in range(start, start + 20)
                ]  # fmt: skip
                assert {future.result(SECONDS)["status"] for future in asked} == {"success"}
                most = max(most, log_bytes(tmp_path / FILE))
        assert most < 32 * MEGABYTE
        assert (tmp_path / FILE).stat().st_size < 8 * MEGABYTE


def test_what_one_long_reader_kept_is_gone_after_it(app: App):
    with app.functions.engine.snapshot():
        assert write(app, 120) > 16 * MEGABYTE, "the reader must keep the file as it was"
    app.functions.engine._drain_after = 0.0
    write(app, 20)
    assert log_bytes(app.deployment.path) <= 16 * MEGABYTE
