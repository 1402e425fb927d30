"""Processes that run pushed functions: each runs one external call at a time, and can be killed.

V8's own limits don't hold against typed arrays, endless microtasks and backtracking regular expressions. A process's
limits do.
"""

from __future__ import annotations

import atexit
import json
import math
import os
import secrets
import select
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from typing import Any

from supavex.convex.json_bounds import parse_strict
from supavex.deployment.runtime.deno import LENGTH, Modules, own_scripts, resident, start
from supavex.deployment.runtime.messages import conditions_of, is_message

#: The most memory of a process: its own, and a function's heap and buffers as in Convex.
MEMORY_BYTES, NODE_MEMORY_BYTES = 320 << 20, 1 << 30
#: The most bytes of a process's message.
MAX_MESSAGE_BYTES = 96 << 20
#: The most bytes of a process's last words that are read.
_MAX_REASON = 1 << 16
#: Combined with a process's number, it is the clock of its processor time (``clock_getcpuclockid`` of glibc and musl).
_CPU_CLOCK = 2
#: Seconds between two checks of a busy process.
_LOOK_SECONDS = 0.05
#: The wall-clock limit as a multiple of the processor limit, for a process whose processor time is unknown or that
#: waits for nothing.
_WALL_FACTOR = 30
#: Queries and mutations that run at the same time. More would only share the processors. The same number of runners is
#: kept for later runs, so that bursts don't start and end processes.
AT_ONCE = max(2, min(8, 2 * (os.cpu_count() or 1)))
#: The number of waits for the end of the last run, after which one more process is made.
_WAITS = 32
#: The most processor seconds for loading the modules, and the most wall-clock seconds for checking that a run has left
#: nothing.
_LOAD_SECONDS, _CLEAN_SECONDS = 30.0, 5.0


class RunnerLost(Exception):
    """The process was killed, or ended. ``reason``: ``timeout``, ``memory`` or ``crash``."""

    @property
    def reason(self) -> str:
        """The reason."""
        return str(self.args[0])


class _Unfit(Exception):
    """The modules that the process has prepared changed it, and the run is one of other modules."""


class Runner:
    """A process with ``modules``. One run at a time uses it.

    ``node``: the modules are those of files with ``"use node"``; such a process runs one action.
    """

    def __init__(self, modules: Modules, *, node: bool = False) -> None:
        self._node, self.modules = node, modules
        #: What it ran last.
        self.purpose: object = None
        self._token = b""
        self._began = 0.0
        #: The first instructions of the run; None before them.
        self._first: list[Any] | None = None
        self._sending = threading.Lock()
        self._start()

    def _start(self) -> None:
        self._process, self._lives = start(self.modules.hosts, node=self._node)
        self._loaded = self.broken = self._finishing = False
        self._conditions: list[Any] | None = None
        self._input = bytearray()

    def begin(self) -> None:
        """Begins a run: its processor time is counted from here, and it gets a secret token."""
        self._began = self.cpu_seconds()
        self._token = secrets.token_hex(16).encode()
        self._first = None

    def run_cpu_seconds(self) -> float:
        """The processor time of the run so far."""
        return self.cpu_seconds() - self._began

    def step(self, instructions: list[Any], seconds: float) -> list[Any]:
        """Sends ``instructions``. Returns the messages of the functions. ``seconds``: the limit of processor time."""
        self.tell(instructions)
        return self.told(seconds)

    def tell(self, instructions: list[Any]) -> None:
        """Sends ``instructions``. Thread-safe."""
        self.ready()
        kind = b"S"
        if self._first is None:
            self._first, conditions = instructions, conditions_of(instructions[0][2])
            kind, self._conditions = b"S" if conditions == self._conditions else b"F", conditions
        self._send(kind + self._token + json.dumps(instructions).encode())

    def told(self, seconds: float, waits: Callable[[], None] | None = None) -> list[Any]:
        """The next requests or results of the functions. ``waits`` is called at intervals, and may raise."""
        try:
            answer = self._receive(seconds, waits)
        except _Unfit:
            self._start()
            first, self._first = self._first or [], None
            self.tell(first)
            answer = self._receive(seconds, waits)
        try:
            messages: list[Any] = parse_strict(answer)
            if type(messages) is list and all(map(is_message, messages)):
                return messages
        except (ValueError, TypeError, RecursionError):
            pass
        # A function can change JavaScript's own objects, and so the code that answers.
        self.kill()
        raise RunnerLost("crash")

    def ready(self) -> None:
        """Loads the modules, if they are not loaded."""
        if not self._loaded:
            self._loaded = True
            self._token = b""
            for text in own_scripts(node=self._node):
                self._send(b"R" + text.encode())
            for text in self.modules.scripts:
                self._send(b"L\n" + text.encode())
            self._send(b"K")
            if self._receive(_LOAD_SECONDS) != b"":
                raise RunnerLost("crash")
            self.begin()

    def load(self, text: str, kind: bytes = b"L\n") -> None:
        """Loads one more module; kind ``R``: a script of this folder."""
        token, self._token = self._token, b""
        self._send(kind + text.encode())
        self._send(b"K")
        self._receive(_LOAD_SECONDS)
        self._token = token

    def finish(self) -> None:
        """Ends a run. The process then checks, while no run waits for it, that everything is unchanged."""
        if not self.broken and not self._finishing:
            with suppress(RunnerLost):
                self._send(b"C" + self._token)
                self._finishing = True

    def rested(self) -> bool:
        """Whether :meth:`usable` need not wait."""
        try:
            return not self._finishing or self._readable(0)
        except (OSError, ValueError):  # It was killed.
            return True

    def usable(self) -> bool:
        """Whether the process is unchanged and can be used again. It waits for the end of the last run."""
        if self._finishing:
            self._finishing = False
            until = time.monotonic() + _CLEAN_SECONDS

            def waits() -> None:
                # The last run's code still runs. Starting another process is faster than waiting for it.
                if time.monotonic() > until:
                    raise RunnerLost("timeout")

            try:
                if self._receive(_CLEAN_SECONDS, waits) != b"":
                    self.kill()
            except RunnerLost:
                return False
        if not self.broken and self._process.poll() is not None:
            self.kill()  # The process has ended while it was idle.
        return not self.broken

    def cpu_seconds(self) -> float:
        """The processor time of the process; NaN if the system does not say."""
        with suppress(OSError):  # It has ended.
            if sys.platform == "linux":
                return time.clock_gettime(~self._process.pid << 3 | _CPU_CLOCK)
        return math.nan

    def _send(self, request: bytes) -> None:
        if self.broken:
            raise RunnerLost("crash")
        assert self._process.stdin is not None
        try:
            left = memoryview(LENGTH.pack(len(request)) + request)
            with self._sending:
                while left:
                    left = left[self._process.stdin.write(left) :]
        except (OSError, ValueError):  # It has ended, or another thread has killed it.
            raise self._lost() from None

    def _receive(self, seconds: float, waits: Callable[[], None] | None = None) -> bytes:
        """The answer. Raises, and kills the process, if it exceeds its processor time or memory."""
        started, before = time.monotonic(), None
        try:
            while (message := self._message()) is None:
                if self._read():
                    if len(self._input) > MAX_MESSAGE_BYTES:
                        raise RunnerLost("memory")
                    continue
                now = self.cpu_seconds()
                before = now if before is None else before
                if waits is not None:
                    waits()
                # Processor time, so that a busy machine does not end functions.
                late = waits is None and time.monotonic() - started > seconds * _WALL_FACTOR + 10
                if now - before > seconds or late:
                    raise RunnerLost("timeout")
                if resident(self._process.pid) > (NODE_MEMORY_BYTES if self._node else MEMORY_BYTES):
                    raise RunnerLost("memory")
        except BaseException:
            self.kill()
            raise
        head = b"+" + self._token
        if not message.startswith(head):
            self.kill()
            if message == b"-" + self._token + b"changed":
                raise _Unfit
            raise RunnerLost("crash")
        return message[len(head) :]

    def _read(self) -> bool:
        """Reads what the process has sent. Returns whether there was anything. Raises if it has ended."""
        assert self._process.stdout is not None
        try:
            if not self._readable():
                return False
            piece = os.read(self._process.stdout.fileno(), 1 << 20)
        except (OSError, ValueError):  # It has ended, or another thread has killed it.
            raise self._lost() from None
        if not piece:
            raise self._lost()
        self._input += piece
        return True

    def _message(self) -> bytes | None:
        """The first whole message that was read; None if there is none."""
        if len(self._input) < LENGTH.size:
            return None
        end = LENGTH.size + LENGTH.unpack_from(self._input)[0]
        if len(self._input) < end:
            return None
        message = bytes(memoryview(self._input)[LENGTH.size : end])
        del self._input[:end]
        return message

    def _readable(self, seconds: float = _LOOK_SECONDS) -> bool:
        assert self._process.stdout is not None
        return bool(select.select([self._process.stdout], [], [], seconds)[0])

    def _lost(self) -> RunnerLost:
        """Ends an unresponsive process. Returns the reason."""
        said = b""
        with suppress(OSError, ValueError, subprocess.TimeoutExpired):
            self._process.wait(1)  # V8 says why it ends, and then ends.
            assert self._process.stderr is not None
            os.set_blocking(self._process.stderr.fileno(), False)
            said = os.read(self._process.stderr.fileno(), _MAX_REASON)
        self.kill()
        return RunnerLost("memory" if b"memory" in said.lower() else "crash")

    def kill(self) -> None:
        """Ends the process at once."""
        if self.broken:
            return
        self.broken = True
        self._process.kill()
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()
        os.close(self._lives)
        self._process.wait()


class Runners:
    """Runners of one push's modules. They are kept for the next run, and some are made in advance."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        #: Modules of the push whose runners are kept.
        self._push: Modules | None = None
        self._idle: list[Runner] = []
        self._leased: set[Runner] = set()
        self._closed = False
        #: The number of runs that waited for the end of the last one.
        self._waited = 0
        #: The largest number of processes that one call has held since all processes were at rest.
        self._held = 1

    def take(self, modules: Modules, purpose: object = None, held: int = 0) -> Runner:
        """A runner for ``modules``.

        ``purpose``: an idle runner that last had the same one is ready sooner. ``held``: the number that the call holds
        already.
        """
        with self._lock:
            if not modules.same_push(self._push):
                self._retire()
                self._push, self._held = modules, 1
            self._held = max(self._held, held + 1)
            runner = self._best(modules, purpose)
            if runner is not None:
                self._idle.remove(runner)
                waits = not runner.rested()
                self._waited += waits
                if waits and self._waited == _WAITS:
                    threading.Thread(target=self._add, args=(modules,), name="supavex-runner", daemon=True).start()
        if runner is None or not runner.usable():
            runner = Runner(modules)
        runner.begin()
        runner.purpose = purpose
        with self._lock:
            self._leased.add(runner)
        return runner

    def _best(self, modules: Modules, purpose: object) -> Runner | None:
        """The idle runner of ``modules`` that is ready first: at rest, with its modules evaluated."""
        idle = [one for one in self._idle if one.modules == modules]
        resting = [one for one in idle if one.rested()]
        return next((one for one in resting if one.purpose == purpose), next(iter(resting or idle), None))

    def warm(self, modules: Modules) -> None:
        """Makes a runner in advance."""
        runner = self.take(modules)
        with suppress(RunnerLost):
            runner.ready()
        self.give(modules, runner)

    def _add(self, modules: Modules) -> None:
        """Makes one more: while one of two runs, the other prepares."""
        with suppress(Exception):  # A failure here costs only speed.
            runner = Runner(modules)
            try:
                runner.ready()
            finally:
                self.give(modules, runner)

    def give(self, modules: Modules, runner: Runner) -> None:
        """Takes a runner back. One that a function has changed is not used again.

        While calls run, as many stay as calls that call into components need. At rest, :data:`AT_ONCE` stay: those that
        were used last. The last one of a definition always stays, so that a call of many components starts no process.
        """
        runner.finish()
        with self._lock:
            self._leased.discard(runner)
            if runner.broken or not modules.same_push(self._push) or self._closed:
                ended = [runner]
            else:
                self._idle.append(runner)
                if not self._leased:
                    self._held = 1
                ended = self._spare(len(self._idle) - AT_ONCE * self._held)
        for one in ended:
            one.kill()

    def _spare(self, count: int) -> list[Runner]:
        """Up to ``count`` idle runners that are not needed: the first used, and no definition's last one."""
        ended: list[Runner] = []
        for one in list(self._idle):
            if len(ended) >= count:
                break
            if any(other.modules == one.modules for other in self._idle if other is not one):
                self._idle.remove(one)
                ended.append(one)
        return ended

    def _retire(self) -> None:
        while self._idle:
            self._idle.pop().kill()

    def close(self) -> None:
        """Ends all processes."""
        with self._lock:
            self._closed = True
            self._retire()
            for runner in self._leased:
                runner.kill()


@cache
def shared_runners() -> Runners:
    """The runners that all deployments of this process share, so that tests find prepared ones."""
    runners = Runners()
    atexit.register(runners.close)
    return runners
