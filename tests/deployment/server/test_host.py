"""What the routes share is there once, whichever threads ask for it first."""

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from supavex.deployment import Deployment
from supavex.deployment.functions.functions import Functions
from supavex.deployment.server import host as hosts
from supavex.deployment.server.host import Addresses, Host

THREADS = 8


def test_threads_that_ask_at_the_same_time_get_the_same_parts(
    deployment: Deployment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Two engines of one file would take each other's commits for those of another process."""
    together, made = threading.Barrier(THREADS), list[Functions]()

    def opened(*args: Any) -> Functions:
        # The other threads ask while the first one is at it.
        together.wait(30)
        made.append(Functions(*args))
        return made[-1]

    host = Host(deployment, tmp_path, "name|key", Addresses("http://127.0.0.1:1", "http://127.0.0.1:2"))
    monkeypatch.setattr(hosts, "Functions", opened)

    def asked(number: int) -> tuple[Any, ...]:
        if number:
            together.wait(30)
        parts = [lambda: host.functions, lambda: host.live, lambda: host.readable_snapshots, lambda: host.scheduler]
        found = [parts[(number + turn) % len(parts)]() for turn in range(len(parts))]
        return tuple(found[(turn - number) % len(parts)] for turn in range(len(parts)))

    try:
        with ThreadPoolExecutor(THREADS) as pool:
            found = set(pool.map(asked, range(THREADS)))
        assert len(made) == 1
        assert len(found) == 1, "each thread got the same functions, results, moments and scheduler"
    finally:
        host.stop()
