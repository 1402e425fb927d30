"""Which CLI of Convex's runs on which Node: said before it is run, with the way out."""

import json
import os
from pathlib import Path

import pytest

from supavex.convex_cli.cli import official_program
from supavex.errors import UsageError


def app(folder: Path, wants: str, node: str | None, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An app whose convex package wants a Node; ``node``: the version of that on PATH, by default the real one's."""
    package = folder / "app/node_modules/convex"
    (package / "bin").mkdir(parents=True)
    (package / "bin/main.js").write_text("")
    (package / "package.json").write_text(json.dumps({"version": "1.49.0", "engines": {"node": wants}}))
    (folder / "app/package.json").write_text("{}")
    if node is not None:
        (folder / "bin").mkdir()
        (folder / "bin/node").write_text(f"#!/bin/sh\necho {node}\n")
        (folder / "bin/node").chmod(0o755)
        monkeypatch.setenv("PATH", f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}")
    return folder / "app"


@pytest.mark.parametrize(
    ("wants", "node", "hint"),
    [
        (">=22.0.0", "v20.20.2", "Install Node 22, or a CLI that runs on this one: npm install convex@1.48"),
        (">=22.0.0", "v21.0.0", "Install Node 22, or a CLI that runs on this one: npm install convex@1.48"),
        (">=22", "v18.1.0", "Install Node 22."),
        (">=99.0.0", None, "Install Node 99"),
    ],
)
def test_a_node_that_is_too_old_for_the_cli(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wants: str, node: str | None, hint: str
) -> None:
    with pytest.raises(UsageError) as caught:
        official_program(app(tmp_path, wants, node, monkeypatch))
    assert caught.value.code == "NodeTooOld" and (caught.value.hint or "").startswith(hint)
    assert "convex 1.49.0 needs Node" in caught.value.message


@pytest.mark.parametrize(
    ("wants", "node"),
    [(">=20.0.0", "v20.0.0"), (">=22.0.0", "v24.1.0"), (">=20.0.0", None), ("^22 || ^24", "v20.0.0"), (">=22", "odd")],
)
def test_another_one_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wants: str, node: str | None) -> None:
    _, program = official_program(app(tmp_path, wants, node, monkeypatch))
    assert program.name == "main.js"


def test_the_bundle_runs_without_the_script_that_imports_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = app(tmp_path, ">=20.0.0", "v20.0.0", monkeypatch)
    bundle = folder / "node_modules/convex/dist/cli.bundle.cjs"
    bundle.parent.mkdir()
    bundle.write_text("")
    assert official_program(folder)[1] == bundle
