"""``supavex serve`` where it can't: what is wrong, and what to do. What it serves is tested with the official CLI."""

import socket
from pathlib import Path

import pytest

from tests.projects import supavex


@pytest.mark.parametrize(
    ("arguments", "code", "hint"),
    [
        (["--host", "999.1.1.1"], "UnknownHost", "127.0.0.1"),
        (["--host", "192.0.2.1"], "UnknownHost", "127.0.0.1"),
        (["--data", "/dev/null/there"], "CannotWrite", "--data"),
    ],
)
def test_a_place_that_is_none(tmp_path: Path, arguments: list[str], code: str, hint: str) -> None:
    ran = supavex("serve", "-C", tmp_path, "--port", "0", "--site-port", "0", *arguments)
    assert (ran.code, ran.out) == (2, "")
    assert code in ran.err
    assert hint in ran.err


def test_a_port_that_another_program_has(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        ran = supavex("serve", "-C", tmp_path, "--port", str(other.getsockname()[1]), "--site-port", "0")
    assert ran.code == 2
    assert "PortTaken" in ran.err
    assert "--port" in ran.err
