"""Processes that run pushed functions: one function from outside at a time in each, and each can be killed.

V8's own limits don't hold against typed arrays, endless microtasks and backtracking regular expressions; a process's
do.
"""

from __future__ import annotations

import atexit
import json
import os
import select
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

from supavex.convex.json_bounds import parse_bounded, parse_strict
from supavex.convex.values import InvalidValue, from_internal_json, value_problem
from supavex.deployment.runtime.evaluation import _resident as resident
from supavex.deployment.runtime.runner_child import LENGTH

MEMORY_BYTES = 1 << 30
#: What one message of a process may hold.
MAX_MESSAGE_BYTES = 96 << 20
#: Bytes of what a process says of its end that are looked at.
_MAX_REASON = 1 << 16
#: How often a process that takes its time is looked at, in seconds.
_LOOK_SECONDS = 0.05
#: Wall-clock seconds after which one is given up, where its processor time can't be read or it waits for nothing.
_WALL_FACTOR = 30
#: Queries and mutations that run at the same time: more would only take turns on the processors. As many runners are
#: kept for the next run, so that no burst makes processes and ends them again.
AT_ONCE = max(2, min(8, 2 * (os.cpu_count() or 1)))
_START = "import sys; sys.path.insert(0, sys.argv[1]); from supavex.deployment.runtime.runner_child import main; main()"


class RunnerLost(Exception):
    """The process was killed, or ended by itself. ``reason``: ``timeout``, ``memory`` or ``crash``."""

    @property
    def reason(self) -> str:
        """Why."""
        return str(self.args[0])


class Runner:
    """One process with the scripts of one push loaded. Not thread-safe: a runner belongs to one run at a time."""

    def __init__(self, scripts: Sequence[str]) -> None:
        # Its environment is empty, so the package's own folder is named.
        self._process = subprocess.Popen(
            [sys.executable, "-c", _START, str(Path(__file__).parents[3])],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd="/",
            env={"PATH": "", "LANG": "C.UTF-8", "TZ": "UTC", "PYTHONDONTWRITEBYTECODE": "1"},
            start_new_session=True,
            bufsize=0,
        )
        self._scripts: Sequence[str] = scripts
        self._loaded = False
        self.broken = False
        self._began = 0.0
        self._finishing = False

    def begin(self) -> None:
        """A run begins: its processor time is counted from here."""
        self._began = self.cpu_seconds()

    def run_cpu_seconds(self) -> float:
        """The processor time that the run has taken so far."""
        return self.cpu_seconds() - self._began

    def step(self, instructions: list[Any], seconds: float) -> list[Any]:
        """Begins and answers what ``instructions`` say; what came out. ``seconds``: processor time that it may take."""
        self.ready()
        answer = self._exchange(b"S" + json.dumps(instructions).encode(), seconds)
        try:
            messages: list[Any] = parse_strict(answer)
            if type(messages) is list and all(map(_sound, messages)):
                return messages
        except (ValueError, TypeError, RecursionError):
            pass
        # A function can reach what JavaScript is made of, and so what speaks for it.
        self.kill()
        raise RunnerLost("crash")

    def ready(self) -> None:
        """Loads the modules, where that is not done."""
        if not self._loaded:
            for script in self._scripts:
                self._exchange(b"L" + script.encode(), 30)
            self._loaded = True
            self.begin()

    def load(self, script: str) -> None:
        """Loads one more script."""
        self._exchange(b"L" + script.encode(), 30)

    def finish(self) -> None:
        """Ends a run. The process looks whether everything is as it was, while nobody waits for it."""
        if not self.broken and not self._finishing:
            with suppress(RunnerLost):
                self._send(b"C")
                self._finishing = True

    def usable(self) -> bool:
        """Whether another run finds everything as it was; waits for the end of the last one."""
        if self._finishing:
            self._finishing = False
            try:
                if self._receive(5) != b"":
                    self.kill()
            except RunnerLost:
                return False
        return not self.broken

    def cpu_seconds(self) -> float:
        """The processor time that the process has taken; NaN where the system does not say."""
        try:
            with open(f"/proc/{self._process.pid}/stat", "rb") as file:
                fields = file.read().rpartition(b")")[2].split()
            return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
        except (OSError, ValueError, IndexError):
            return float("nan")

    def _exchange(self, request: bytes, seconds: float) -> bytes:
        self._send(request)
        return self._receive(seconds)

    def _send(self, request: bytes) -> None:
        if self.broken:
            raise RunnerLost("crash")
        assert self._process.stdin is not None
        try:
            left = memoryview(LENGTH.pack(len(request)) + request)
            while left:
                left = left[self._process.stdin.write(left) :]
        except (OSError, ValueError):  # it has ended, or another thread has killed it
            self.kill()
            raise RunnerLost("crash") from None

    def _receive(self, seconds: float) -> bytes:
        """The answer. Raises, and kills the process, where it takes more processor time or memory than it may."""
        started, before = time.monotonic(), None
        output = bytearray()
        try:
            while len(output) < LENGTH.size or len(output) < LENGTH.size + LENGTH.unpack(output[: LENGTH.size])[0]:
                if self._readable():
                    piece = self._read()
                    if not piece:
                        raise RunnerLost("crash")
                    output += piece
                    if len(output) > MAX_MESSAGE_BYTES:
                        raise RunnerLost("memory")
                    continue
                now = self.cpu_seconds()
                before = now if before is None else before
                # Processor time, so that a busy machine stops no function.
                if now - before > seconds or time.monotonic() - started > seconds * _WALL_FACTOR + 10:
                    raise RunnerLost("timeout")
                if resident(self._process.pid) > MEMORY_BYTES:
                    raise RunnerLost("memory")
        except (OSError, ValueError):  # it has ended, or another thread has killed it
            self.kill()
            raise RunnerLost("crash") from None
        except BaseException:
            self.kill()
            raise
        with memoryview(output) as whole:
            good, answer = bytes(whole[LENGTH.size : LENGTH.size + 1]) == b"+", bytes(whole[LENGTH.size + 1 :])
        if not good:
            self.kill()
            raise RunnerLost("memory" if b"memory" in answer[:_MAX_REASON].lower() else "crash")
        return answer

    def _readable(self) -> bool:
        assert self._process.stdout is not None
        found, _, _ = select.select([self._process.stdout], [], [], _LOOK_SECONDS)
        return bool(found)

    def _read(self) -> bytes:
        assert self._process.stdout is not None
        return os.read(self._process.stdout.fileno(), 1 << 20)

    def kill(self) -> None:
        """Ends the process, whatever it is about."""
        self.broken = True
        self._process.kill()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
        self._process.wait()


def _sound(message: Any) -> bool:
    """Whether a message of ``run.js`` is of its form: frame, call, operation, and what belongs to that."""
    if type(message) is not list or not 4 <= len(message) <= 5:
        return False
    frame, call, operation, payload = message[:4]
    if type(frame) is not int or type(call) is not int or type(operation) is not str:
        return False
    more = message[4] if len(message) == 5 else None
    if operation == "log":
        texts = type(payload) is str and type(more) is list and all(type(text) is str for text in more)
        return texts and bool(more or payload != "TRACE")
    if operation == "failed":
        if type(payload) is not dict or any(type(payload.get(name)) is not str for name in ("name", "message")):
            return False
        places = payload.get("places")
        if type(places) is not list or not all(type(place) is str for place in places):
            return False
        if not _is_data(payload.get("data")):
            return False
    elif type(payload) is not str:
        return False
    read = [] if more is None and operation not in ("done", "failed", "stuck") else more
    return type(read) is list and all(
        type(one) is list and [*map(type, one)] == [int, int, bool] and one[1] >= 0 for one in read
    )


def _is_data(data: object) -> bool:
    """Whether ``data`` is what a ``ConvexError`` may hold, as a text of internal JSON; or None."""
    if data is None:
        return True
    try:
        return isinstance(data, str) and value_problem(from_internal_json(parse_bounded(data))) is None
    except (ValueError, RecursionError, InvalidValue):
        return False


class Runners:
    """Runners of the modules that are pushed now: kept for the next run, and some made before they are needed."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._push: object = None
        self._scripts: Sequence[str] = ()
        self._idle: list[Runner] = []
        self._leased: set[Runner] = set()
        self._closed = False

    def take(self, push: object, scripts: Sequence[str]) -> Runner:
        """A runner for the push ``push``, whose modules are ``scripts``."""
        with self._lock:
            if push != self._push:
                self._retire()
                self._push, self._scripts = push, scripts
            runner = self._idle.pop() if self._idle else None
        if runner is None or not runner.usable():
            runner = Runner(scripts)
        else:
            runner.begin()
        with self._lock:
            self._leased.add(runner)
        return runner

    def warm(self, push: object, scripts: Sequence[str]) -> None:
        """Makes a runner before it is needed."""
        runner = self.take(push, scripts)
        with suppress(RunnerLost):
            runner.ready()
        self.give(push, runner)

    def give(self, push: object, runner: Runner) -> None:
        """Takes back a runner. One that a function has changed is not used again."""
        runner.finish()
        with self._lock:
            self._leased.discard(runner)
            if not runner.broken and push == self._push and len(self._idle) < AT_ONCE and not self._closed:
                self._idle.append(runner)
                return
        runner.kill()

    def _retire(self) -> None:
        while self._idle:
            self._idle.pop().kill()

    def close(self) -> None:
        """Ends them all."""
        with self._lock:
            self._closed = True
            self._retire()
            for runner in self._leased:
                runner.kill()


@cache
def shared_runners() -> Runners:
    """Runners for deployments that come and go in this process, as tests make them: each finds them warm."""
    runners = Runners()
    atexit.register(runners.close)
    return runners
