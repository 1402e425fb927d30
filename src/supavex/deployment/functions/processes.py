"""The processes of one call: one for the called function, and one for each component that it calls.

In Convex, each function runs in its own isolate. Here, functions of one component share a process while they call each
other. Processes exchange only JSON, through this process: a component has no object of its caller, and no built-in
object that its caller uses.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from supavex.deployment.functions.app import Function
from supavex.deployment.runtime.deno import Modules
from supavex.deployment.runtime.runner import Runner, RunnerLost, Runners

#: Convex does not count the time of its operations. Here, each also costs time in the function's process. These seconds
#: are not counted for one operation, up to the second number of operations, because a function may request any number.
_OPERATION_SECONDS, _OPERATIONS = 0.001, 20_000


class Leased:
    """A process for ``function``, given back when the block ends. A Node process ends then. A context manager.

    ``held``: the number of processes that the call holds already.
    """

    def __init__(self, runners: Runners, modules: Modules, function: Function | None, held: int = 0) -> None:
        self._runners, self._modules, self._held = runners, modules, held
        self._node = function is not None and function.node
        self._purpose = None if function is None else (function.key, function.kind, function.component.id)

    def __enter__(self) -> Runner:
        if self._node:
            self.runner = Runner(self._modules, node=True)
            self.runner.begin()
        else:
            self.runner = self._runners.take(self._modules, self._purpose, self._held)
        return self.runner

    def __exit__(self, *details: object) -> None:
        if self._node:
            self.runner.kill()
        else:
            self._runners.give(self._modules, self.runner)


@dataclass(slots=True)
class Processes:
    """The processes of one query or mutation."""

    #: Gives a process for a function, by the number that the call holds already.
    lease: Callable[[Function, int], Leased]
    #: The limit of the call's processor time in all processes.
    seconds: float
    #: The process of the function that was called last.
    current: Runner
    #: That process and those that wait for it, by the component's id.
    by_component: dict[int, Runner]
    #: Processor seconds of processes that were given back.
    _elsewhere: float = 0.0
    #: The seconds in which processes ran for the call, by the clock.
    _spent: float = 0.0
    #: The number of answered operations.
    _answered: int = 0

    @contextmanager
    def within(self, function: Function) -> Iterator[bool]:
        """Runs the block's steps in a process for the component of ``function``. Yields whether that process is new."""
        outer, id_ = self.current, function.component.id
        there = self.by_component.get(id_)
        if there is not None:
            self.current = there
            try:
                yield False
            finally:
                self.current = outer
            return
        with self.lease(function, len(self.by_component)) as runner:
            self.current = self.by_component[id_] = runner
            try:
                yield True
            finally:
                self._elsewhere += runner.run_cpu_seconds()
                del self.by_component[id_]
                self.current = outer

    def step(self, instructions: list[Any]) -> list[Any]:
        """Sends ``instructions``. Returns the functions' messages. Raises if the call exceeds its processor time."""
        started = time.monotonic()
        messages = self.current.step(instructions, self.seconds)
        self._spent += time.monotonic() - started
        self._answered += len(instructions)
        allowed = self.seconds + _OPERATION_SECONDS * min(self._answered, _OPERATIONS)
        # Waiting takes no processor time, which is only read if the limit may be exceeded.
        if self._spent > allowed and self._cpu_seconds() > allowed:
            self.current.kill()
            raise RunnerLost("timeout")
        return messages

    def _cpu_seconds(self) -> float:
        return self._elsewhere + sum(runner.run_cpu_seconds() for runner in self.by_component.values())
