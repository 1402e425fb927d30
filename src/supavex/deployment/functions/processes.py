"""The processes that one call runs in: that of the function that was called, and one for each component it calls into.

With Convex each function runs in an isolate of its own. Here functions of one component share a process while they call
each other. Between processes goes JSON alone, by way of this one: a component has no object of its caller's, and no
built-in object that its caller uses.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from supavex.deployment.functions.app import Function
from supavex.deployment.runtime.runner import Modules, Runner, RunnerLost, Runners

#: Convex does not count the time that its operations take. Here each costs the function's process something, too: so
#: many seconds are not counted for one, of so many at most, for a function may ask without end.
_OPERATION_SECONDS, _OPERATIONS = 0.001, 20_000


class Leased:
    """A process for ``function``, given back at the end; one for Node ends then. A context manager.

    ``held``: how many the same call has already.
    """

    def __init__(self, runners: Runners, modules: Modules, function: Function | None, held: int = 0) -> None:
        self._runners, self._modules, self._held = runners, modules, held
        self._node = function is not None and function.node
        self._purpose = None if function is None else (function.key, function.component.id)

    def __enter__(self) -> Runner:
        if self._node:
            self.runner = Runner(self._modules.scripts, self._modules.hosts, node=True)
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
    """The processes of one query or mutation.

    ``current`` runs the function that was called last, and ``by_component`` has it and those that wait for it, by their
    components' ids. ``lease`` gives one more, for a function of a component, where so many are held. ``seconds``: the
    processor time that the call may take in all of them.
    """

    lease: Callable[[Function, int], Leased]
    seconds: float
    current: Runner
    by_component: dict[int, Runner]
    #: Processor seconds of processes that were given back.
    _elsewhere: float = 0.0
    _spent: float = 0.0
    #: Operations that were answered.
    _answered: int = 0

    @contextmanager
    def within(self, function: Function) -> Iterator[bool]:
        """Within it, steps are those of a process for ``function``'s component; whether it is a new one."""
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
        """Begins and answers what ``instructions`` say; what came out. Raises where the call has taken too long."""
        started = time.monotonic()
        messages = self.current.step(instructions, self.seconds)
        self._spent += time.monotonic() - started
        self._answered += len(instructions)
        allowed = self.seconds + _OPERATION_SECONDS * min(self._answered, _OPERATIONS)
        # Waiting is no processor time: that is looked at only where there may be too much of it.
        if self._spent > allowed and self._cpu_seconds() > allowed:
            self.current.kill()
            raise RunnerLost("timeout")
        return messages

    def _cpu_seconds(self) -> float:
        return self._elsewhere + sum(runner.run_cpu_seconds() for runner in self.by_component.values())
