"""The process that evaluates pushed code: reads one request from standard input, writes one answer, and ends.

It has limits of its own on CPU time, files and core dumps; the parent watches its memory and its time, and kills it.
V8 gets no function of the host, so code in it reaches neither files, nor the network, nor other processes.
"""

from __future__ import annotations

import json
import os
import resource
import sys
from importlib import resources
from typing import NoReturn

CPU_SECONDS = 20
HEAP_BYTES = 512 << 20


def main() -> None:
    """Evaluates the request: ``{"environment", "scripts", "request"}``; the answer is JSON of ``analysis.js``."""
    from py_mini_racer import JSEvalException, JSPromise, MiniRacer

    request = json.loads(sys.stdin.buffer.read())
    answer = os.dup(1)
    # What V8 or a library prints is no part of the answer.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    context = MiniRacer()
    _limit()
    try:
        context.set_hard_memory_limit(HEAP_BYTES)
        context.eval(f"globalThis.__environment = {json.dumps(request['environment'])};")
        for name in ("globals.js", "modules.js", "analysis.js"):
            context.eval(script(name))
        for module in request["scripts"]:
            try:
                context.eval(module["text"])
            except JSEvalException as error:
                message = str(error).strip().rpartition("SyntaxError: ")[2]
                _end(answer, {"failure": {"module": module["path"], "message": message, "name": "SyntaxError"}})
        promise = context.eval(f"__evaluate({json.dumps(request['request'])})")
        if not isinstance(promise, JSPromise):
            raise TypeError("evaluation gives no promise")
        _end(answer, str(promise.get(timeout=CPU_SECONDS)))
    except Exception as error:
        _end(answer, {"failure": {"module": "", "message": f"{type(error).__name__}: {error}", "name": "Error"}})


def script(name: str) -> str:
    """A script of this package, by the name of its file."""
    return resources.files("supavex.deployment.runtime").joinpath(name).read_text(encoding="utf-8")


def _limit() -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS + 1))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))  # the answer goes through a pipe


def _end(descriptor: int, answer: object) -> NoReturn:
    """Writes the answer and ends the process, whatever V8 is still about."""
    text = answer if isinstance(answer, str) else json.dumps(answer)
    with os.fdopen(descriptor, "wb") as file:
        file.write(text.encode(errors="replace"))
    os._exit(0)


if __name__ == "__main__":
    main()
