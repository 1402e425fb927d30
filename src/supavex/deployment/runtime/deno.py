"""Starts processes of Deno, the JavaScript runtime. Each process reaches only this one, and ends with it."""

from __future__ import annotations

import os
import resource
import struct
import subprocess
import threading
from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from pathlib import Path

from supavex.errors import missing_extra

#: Bytes of V8's heap for a function, as in Convex. The process itself needs more.
HEAP_BYTES = 64 << 20
_OWN_HEAP_BYTES = 16 << 20
#: Bytes of V8's heap for files with ``"use node"``, which Convex runs elsewhere.
NODE_HEAP_BYTES = 512 << 20
_FINDING = threading.Lock()
#: The head of each message: its length in bytes.
LENGTH = struct.Struct("<I")
#: The scripts of this folder that run before any code of an app, in this order.
_SCRIPTS = (
    *("errors.js", "inspect.js", "web.js", "clock.js", "console.js"),
    *("modules.js", "http.js", "run.js", "unchanged.js"),
)
_NODE_SCRIPTS = tuple("node.js" if name == "web.js" else name for name in _SCRIPTS if name != "clock.js")


@dataclass(frozen=True, slots=True)
class Modules:
    """The pushed modules of a process: those of the app or of one component's definition, in the push ``version``.

    ``hosts``: those that actions may fetch from. ``definition``: the definition's path; empty for the app.
    """

    version: object
    scripts: Sequence[str] = field(compare=False)
    hosts: Collection[str] = ()
    definition: str = ""

    def same_push(self, other: Modules | None) -> bool:
        """Whether both are of one push, with the same hosts."""
        return other is not None and (self.version, self.hosts) == (other.version, other.hosts)


def script(name: str) -> str:
    """A script of this folder, by file name."""
    return resources.files("supavex.deployment.runtime").joinpath(name).read_text(encoding="utf-8")


@cache
def own_scripts(*, node: bool = False) -> tuple[str, ...]:
    """The scripts that a process needs before any app; ``node``: for files with ``"use node"``."""
    return tuple(f"{script(name)}\n//# sourceURL=own:{name}" for name in (_NODE_SCRIPTS if node else _SCRIPTS))


def binary() -> str:
    """The path of Deno's binary. Raises if it is not installed, or not available for this system."""
    # The search calls sysconfig, whose first use is not thread-safe.
    with _FINDING:
        return _found()


@cache
def _found() -> str:
    try:
        from deno import find_deno_bin

        return str(find_deno_bin())
    except (ImportError, FileNotFoundError):
        raise missing_extra("deno", "serve", "running functions") from None


def framed(text: str) -> bytes:
    """A message as a process reads it."""
    data = text.encode()
    return LENGTH.pack(len(data)) + data


def start(
    hosts: Collection[str] = (), *, node: bool = False, heap: int | None = None, cpu_seconds: int | None = None
) -> tuple[subprocess.Popen[bytes], int]:
    """A process that reads frames (``main.js``), and a descriptor whose closing kills the process.

    ``hosts``: the hosts that it may connect to; ``*`` is any. ``node``: for files with ``"use node"``. ``heap``: bytes
    of V8's heap, if not those of a function. ``cpu_seconds``: the limit of processor time, if the system enforces one.
    """
    path = binary()
    ends, lives = os.pipe()
    allowed = [] if not hosts else ["--allow-net" if "*" in hosts else f"--allow-net={','.join(sorted(hosts))}"]
    heap = heap or (NODE_HEAP_BYTES if node else HEAP_BYTES)
    megabytes = (heap + _OWN_HEAP_BYTES) >> 20
    process = subprocess.Popen(
        [
            path,
            "run",
            "--quiet",
            *("--no-prompt", "--no-remote", "--no-npm", "--no-config", "--no-lock", "--no-check"),
            f"--v8-flags=--max-old-space-size={megabytes}",
            *allowed,
            # Node's packages look for files and variables that may be missing, and continue without them.
            *(["--allow-sys", "--ignore-env", "--ignore-read"] if node else []),
            str(Path(__file__).with_name("main.js")),
            *(["node"] if node else []),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd="/",
        env={"DENO_DIR": "/dev/null/none", "DENO_NO_UPDATE_CHECK": "1", "NO_COLOR": "1", "TZ": "UTC"},
        start_new_session=True,
        bufsize=0,
        pass_fds=(ends,),
    )
    try:
        _bind(process.pid, ends, cpu_seconds)
    finally:
        os.close(ends)
    return process, lives


def _bind(pid: int, ends: int, cpu_seconds: int | None) -> None:
    """Makes a signal end a process when the other end of a pipe is closed, because its code may never check
    anything.
    """
    import fcntl

    with suppress(OSError):
        fcntl.fcntl(ends, fcntl.F_SETOWN, pid)
        fcntl.fcntl(ends, fcntl.F_SETFL, fcntl.fcntl(ends, fcntl.F_GETFL) | os.O_ASYNC)
    if hasattr(resource, "prlimit"):
        limits = {resource.RLIMIT_CORE: 0, resource.RLIMIT_FSIZE: 0}
        if cpu_seconds is not None:
            limits[resource.RLIMIT_CPU] = cpu_seconds
        for limit, value in limits.items():
            with suppress(OSError, ValueError):
                resource.prlimit(pid, limit, (value, value))


def resident(pid: int) -> int:
    """The bytes of memory of a process; 0 if the system does not say (V8's own limit still holds)."""
    try:
        with open(f"/proc/{pid}/statm", "rb") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return 0
