"""A server that is told to stop ends, whenever it is told."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

import pytest

from supavex.deployment.server.host import Host
from supavex.deployment.serving import ServeOptions, serve


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_before_the_server_runs_stops_it(tmp_path: Path, number: signal.Signals) -> None:
    before = signal.getsignal(number)
    served: list[Host] = []

    class Careless:
        """Something whose finalizer is at work when the signal comes: what it raises is heard by nobody."""

        def __del__(self) -> None:
            signal.raise_signal(number)

    def say(host: Host) -> None:
        served.append(host)
        careless = Careless()
        del careless

    serve(ServeOptions(tmp_path, port=0, site_port=0), say)
    assert served[0].closing
    assert signal.getsignal(number) is before


@pytest.mark.parametrize("seconds", [0.0, 0.01, 0.05, 0.2, 0.5])
def test_a_signal_stops_it_at_any_time(tmp_path: Path, seconds: float) -> None:
    def say(host: Host) -> None:
        threading.Timer(seconds, os.kill, (os.getpid(), signal.SIGTERM)).start()

    serve(ServeOptions(tmp_path, port=0, site_port=0), say)
