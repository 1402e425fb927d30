"""`python -m tests.real_backend`, with a second `supavex serve` as the real one."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable

import pytest

from supavex.convex_cli.targets import KEY_VARIABLE
from supavex.deployment import Deployment
from tests import projects, real_backend
from tests.example_calls import CALLS
from tests.projects import MY21STAFF
from tests.real_backend import STEPS, Step, documents, main
from tests.sides import Side, StepFailed

from .served import Served


def rows(out: str) -> dict[str, str]:
    """The verdict of each step in the printed table."""
    return dict(re.findall(r"^(\S.*?) {2,}(same|differs|fails on both)$", out, re.MULTILINE))


def changing(served: Served) -> Callable[[Side], str]:
    """A step before which somebody writes a document to the real one."""

    def step(side: Side) -> str:
        if side.url == served.url:
            with Deployment(served.data / "deployment.sqlite3") as deployment:
                added = {"name": "New", "slug": "jendela-studi", "created_at": 1.0, "updated_at": 1.0}
                deployment.insert("workspaces", added)
        return documents(side)

    return step


def test_what_differs_is_listed_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with projects.folder() as folder, Served(folder / "data") as served:
        monkeypatch.setenv(KEY_VARIABLE, served.key)
        (get,) = (step for name, step in STEPS if name == "call workspaces:get")
        changed: list[Step] = [("changed documents", changing(served)), ("changed call", get)]
        monkeypatch.setattr(real_backend, "STEPS", [*STEPS, *changed])
        code = main([served.url])
        said = capsys.readouterr()
        expected = {**{name: "same" for name, _ in STEPS}, "changed documents": "differs", "changed call": "differs"}
        assert (code, rows(said.out)) == (1, expected), said.out + said.err
        assert re.search(r'^    \+\{"_creationTime":TIME,"_id":"<workspaces new>".*"New"', said.out, re.MULTILINE)
        assert '    -workspaces:get {"slug": "jendela-studi"}: {"value": null}' in said.out
        assert f"{len(STEPS) + 2} steps: 2 differ or fail: changed documents, changed call" in said.out
        assert served.key not in said.out + said.err

        # There is a document now: it is refused, and is there afterwards.
        assert main([served.url]) == 2
        assert "holds documents: workspaces. --replace deletes them" in capsys.readouterr().err
        assert main([served.url, "supavex-local|wrong", "--replace"]) == 2
        said = capsys.readouterr()
        assert "does not take this key" in said.err
        assert "wrong" not in said.out + said.err
        with Deployment(served.data / "deployment.sqlite3") as deployment:
            assert deployment.count("workspaces") == 1
        monkeypatch.setattr(real_backend, "STEPS", [("documents", documents)])
        assert main([served.url, "--replace"]) == 0
        assert "1 steps: nothing differs" in capsys.readouterr().out
        with Deployment(served.data / "deployment.sqlite3") as deployment:
            assert sum(deployment.count(table) for table in deployment.tables()) == 0


def test_a_step_that_fails_on_both_is_no_agreement(capsys: pytest.CaptureFixture[str]) -> None:
    def fails(side: Side) -> str:
        raise StepFailed("neither has it")

    def side(name: str) -> Side:
        return Side(name, "http://127.0.0.1:1", "key", MY21STAFF, "", None, 0.0)  # type: ignore[arg-type]

    steps: list[Step] = [("deploy", fails)]
    assert real_backend.compare(side("the backend"), side("supavex serve"), steps) == ["deploy"]
    assert capsys.readouterr().out.split("\n")[1] == "    failed: neither has it"


def test_where_nobody_answers_or_no_key_is_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv(KEY_VARIABLE, raising=False)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        assert main([url, "supavex-local|secret"]) == 2
        said = capsys.readouterr().err
        assert f"nothing answers at {url}" in said
        assert "secret" not in said
        assert main([url]) == 2
        assert KEY_VARIABLE in capsys.readouterr().err
    assert main(["cloud", "supavex-local|secret"]) == 2
    assert "cloud is not a deployment" in capsys.readouterr().err


def test_every_public_function_of_the_example_is_called() -> None:
    form = re.compile(r"^export const (\w+) = (?:query|mutation|action)\(", re.MULTILINE)
    public = {f"{p.stem}:{name}" for p in MY21STAFF.glob("convex/*.ts") for name in form.findall(p.read_text())}
    assert len(public) > 10
    assert public <= {call.path for call in CALLS}
    assert {call.kind for call in CALLS} == {"query", "mutation", "action"}
