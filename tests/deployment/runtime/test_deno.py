"""Processes of Deno: found, started without anything of this one's, and gone with it."""

import os
import sys
from collections.abc import Iterator
from types import ModuleType

import pytest

from supavex.deployment.runtime import deno
from supavex.errors import UsageError


@pytest.fixture
def unknown() -> Iterator[None]:
    """Where Deno is is looked for anew."""
    deno._found.cache_clear()
    yield
    deno._found.cache_clear()


@pytest.mark.parametrize("how", ["no package", "an empty package", "no binary"])
def test_a_system_without_a_binary_is_told_what_is_missing(unknown: None, monkeypatch: pytest.MonkeyPatch, how: str):
    """Pip takes an empty ``deno 0.0.0`` where no wheel is for the system."""
    found = ModuleType("deno")
    if how == "no binary":

        def find_deno_bin() -> str:
            raise FileNotFoundError

        found.find_deno_bin = find_deno_bin  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "deno", None if how == "no package" else found)
    with pytest.raises(UsageError, match="deno") as caught:
        deno.start()
    assert caught.value.code == "MissingExtra"


@pytest.mark.parametrize("node", [False, True])
def test_a_process_that_never_looks_up_ends_with_its_descriptor(node: bool):
    process, lives = deno.start(node=node)
    assert process.stdin is not None and process.stdout is not None and process.stderr is not None
    scripts = [f"R{text}" for text in deno.own_scripts(node=node)]
    process.stdin.write(b"".join(map(deno.framed, [*scripts, "K"])))
    assert process.stdout.read(5)[4:] == b"+"
    process.stdin.write(deno.framed("R() => { for (;;); }"))
    assert process.poll() is None
    os.close(lives)
    assert process.wait(30) < 0
    for pipe in (process.stdin, process.stdout, process.stderr):
        pipe.close()
