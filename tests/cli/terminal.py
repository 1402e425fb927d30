"""A command in a real terminal, for tests of what is drawn there."""

from __future__ import annotations

import os
import pty
import subprocess
import sys


def drawn_by(*arguments: str, **environment: str) -> tuple[str, str]:
    """What a command draws on its terminal, which is its standard error, and what it writes to a pipe, its output.

    The command has to end with 0, within a minute of the end of its terminal.
    """
    leader, follower = pty.openpty()
    code = f"from supavex.cli.main import main; main({list(arguments)!r})"
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=follower, env={**os.environ, **environment}
    )
    os.close(follower)
    drawn = b""
    try:
        while piece := os.read(leader, 4096):
            drawn += piece
    except OSError:  # what Linux says at its end
        pass
    out, _ = process.communicate(timeout=180)
    os.close(leader)
    assert process.returncode == 0, out.decode() + drawn.decode()
    return drawn.decode(), out.decode()
