"""The process in which pushed functions run: V8 and a pipe to the host, which answers whatever they ask for.

V8 gets no function of the host, so code in it reaches neither files, nor the network, nor other processes. The host
watches its processor time and memory, and kills it; it ends by itself when the host has ended.
"""

from __future__ import annotations

import os
import resource
import struct
import sys
import threading
import time
from collections.abc import Callable
from typing import BinaryIO, cast

from supavex.deployment.runtime.evaluation_child import script

HEAP_BYTES = 512 << 20
#: What stands before each message: its bytes. What comes: ``L`` and a script to load, ``S`` and a step, ``C`` for the
#: end of a run. What goes: ``+`` and an answer, or ``-`` and why there is none.
LENGTH = struct.Struct("<I")
#: What the scripts of this package share is seen while one is loaded, and never by a function that runs.
_OPENED = """(() => {
  const names = ["__define", "__instances", "__bytes", "__inspect", "__step", "__take", "__clean", "__ready"];
  const own = Object.fromEntries(names.map((name) => [name, globalThis[name]]));
  return (open) => {
    for (const name of names) open ? (globalThis[name] = own[name]) : delete globalThis[name];
    return "";
  };
})()"""


def main() -> None:
    """Serves standard input until it ends, or nobody reads the answers."""
    try:
        _serve()
    finally:
        os._exit(0)  # V8 does not always end when it is asked to


def _serve() -> None:
    from py_mini_racer import JSEvalException, MiniRacer

    answers = os.fdopen(os.dup(1), "wb", buffering=0)
    # What V8 or a library prints is no part of an answer.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    context = MiniRacer()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    threading.Thread(target=_end_with_host, args=(os.getppid(),), daemon=True).start()
    context.set_hard_memory_limit(HEAP_BYTES)
    for name in ("globals.js", "modules.js", "inspect.js", "run.js"):
        context.eval(script(name))
    step, take, clean, settle, opened = (
        cast("Callable[..., str]", context.eval(name)) for name in ("__step", "__take", "__clean", "__ready", _OPENED)
    )
    opened(False)
    requests = sys.stdin.buffer
    ready = False
    while True:
        request = _read(requests)
        if request is None:
            return
        kind, text = request[:1], request[1:].decode()
        try:
            if kind == b"L":
                opened(True)
                context.eval(text)
                opened(False)
                ready, answer = False, ""
            elif kind == b"S":
                if not ready:
                    settle()
                    ready = True
                if step(text):
                    time.sleep(0.00005)  # it goes on by itself for a while, and asking costs more than that
                answer = take()
                while not (full := context.was_hard_memory_limit_reached()) and not answer:
                    answer = take()
                if full:
                    # What ran has been stopped in its midst, and nothing of it will ever come.
                    _write(answers, b"-memory")
                    continue
            else:
                answer = clean()
        except JSEvalException as error:
            _write(answers, b"-" + str(error).encode(errors="replace"))
            continue
        _write(answers, b"+" + answer.encode(errors="replace"))


def _read(pipe: BinaryIO) -> bytes | None:
    head = pipe.read(LENGTH.size)
    if len(head) < LENGTH.size:
        return None
    (length,) = LENGTH.unpack(head)
    return pipe.read(length)


def _write(pipe: BinaryIO, answer: bytes) -> None:
    left = memoryview(LENGTH.pack(len(answer)) + answer)
    while left:
        left = left[pipe.write(left) :]


def _end_with_host(host: int) -> None:
    """Ends the process once its host has: code that never ends would not notice the end of its input."""
    while os.getppid() == host:
        time.sleep(0.5)
    os._exit(1)


if __name__ == "__main__":
    main()
