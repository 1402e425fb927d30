"""What a command does is shown on standard error once nothing has been shown for half a second."""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from supavex.cli import progress, steps
from supavex.cli.steps import ShownSteps, shown_steps
from supavex.cli.verbosity import current
from supavex.steps import listener, step
from tests import projects
from tests.cli.terminal import drawn_by
from tests.projects import supavex


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> float:
    """The time that the steps of a test begin at: it stands still, however long the test takes."""
    moment = time.monotonic()
    monkeypatch.setattr(steps, "time", SimpleNamespace(monotonic=lambda: moment))
    return moment


def said(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return capsys.readouterr().err.splitlines()


@pytest.fixture
def seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    """The time that a person waits for, as outside of tests."""
    monkeypatch.setattr(steps, "SECONDS", 0.5)


@pytest.mark.usefixtures("seconds")
def test_off_a_terminal_long_steps_are_said_once_and_every_ten_seconds(
    capsys: pytest.CaptureFixture[str], now: float
) -> None:
    shown = ShownSteps(as_json=False)
    shown.began("running the files")
    shown.look(now + 0.4)
    assert said(capsys) == []
    shown.look(now + 0.7)
    shown.goes_on("running 2.sql: 1 statement")
    shown.look(now + 1.4)
    assert said(capsys) == ["running the files …"]
    shown.look(now + 10.8)
    assert said(capsys) == ["running 2.sql: 1 statement …"]
    shown.began("reading the catalog")
    shown.look(now + 0.3)
    assert said(capsys) == [], "a short step is not said, where another has been"
    shown.look(now + 12)
    assert said(capsys) == ["reading the catalog …"]
    shown.ended()
    shown.look(now + 13)
    assert said(capsys) == []


@pytest.mark.usefixtures("seconds")
def test_many_short_steps_are_no_silence(capsys: pytest.CaptureFixture[str], now: float) -> None:
    shown = ShownSteps(as_json=False)
    for _ in range(3):
        shown.began("one")
        shown.ended()
    shown.began("two")
    shown.look(now + 0.7)
    assert said(capsys) == ["two …"]


@pytest.mark.usefixtures("seconds")
def test_programs_get_events(capsys: pytest.CaptureFixture[str], now: float) -> None:
    shown = ShownSteps(as_json=True)
    shown.began("reading the catalog")
    shown.look(now + 1)
    assert [json.loads(line) for line in said(capsys)] == [{"event": "step", "what": "reading the catalog"}]


@pytest.mark.usefixtures("seconds")
def test_quiet_says_nothing(capsys: pytest.CaptureFixture[str], now: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(current(), "quiet", True)
    shown = ShownSteps(as_json=False)
    shown.began("reading the catalog")
    shown.look(now + 60)
    assert said(capsys) == []


@pytest.mark.usefixtures("seconds")
def test_a_terminal_has_one_line_that_is_wiped(
    capsys: pytest.CaptureFixture[str], now: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    shown = ShownSteps(as_json=False)
    shown.began("one")
    shown.look(now + 1)
    shown.look(now + 1.1)
    shown.goes_on("one: 2 statements")
    shown.look(now + 1.2)
    assert capsys.readouterr().err == "\r\x1b[Kone …\r\x1b[Kone: 2 statements …"
    shown.hide()
    assert capsys.readouterr().err == "\r\x1b[K", "the bars have the terminal now"
    shown.look(now + 1.3)
    assert capsys.readouterr().err == ""
    shown.unhide()
    shown.look(now + 1.4)
    shown.ended()
    assert capsys.readouterr().err == "\r\x1b[Kone: 2 statements …\r\x1b[K"


@pytest.mark.usefixtures("seconds")
def test_the_thread_looks_by_itself_and_ends(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(steps, "SECONDS", 0.0)
    with shown_steps(as_json=False), step("one"):
        for _ in range(600):
            if found := said(capsys):
                break
            time.sleep(0.05)
    assert found == ["one …"]
    assert listener.get() is None


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with projects.folder() as path:
        schema = 'schema = define_schema({"a": define_table({"n": v.number()})})'
        sql = "CREATE TABLE a (id int PRIMARY KEY, n int NOT NULL); INSERT INTO a VALUES (1, 1);"
        projects.write(path, schema=schema, migrations={"1.sql": sql})
        assert supavex("deploy", "-C", path).code == 0
        assert supavex("migrate", "-C", path).code == 0
        yield path


class _Every(ShownSteps):
    """Shows each step as it begins, as if it took long."""

    def began(self, what: str) -> None:
        super().began(what)
        self.look(time.monotonic() + 1e9)


@pytest.mark.parametrize(
    "command", ["init --force", "inspect", "scaffold", "explain a", "check", "build", "rules", "migrate", "verify"]
)
def test_every_command_that_may_take_long_says_what_it_does(
    folder: Path, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(steps, "ShownSteps", _Every)
    ran = supavex(*command.split(), "-C", folder)
    assert re.search(r"^[a-z].* …$", ran.err, re.MULTILINE), ran.err
    events = supavex(*command.split(), "-C", folder, "--json").err.splitlines()
    assert any(json.loads(line)["event"] == "step" for line in events if line.startswith("{"))


def test_a_replay_is_shown_on_a_terminal(tmp_path: Path) -> None:
    """A command in a real terminal, its standard output a pipe: the line is drawn, and gone in the end."""
    folder = tmp_path / "supabase/migrations"
    folder.mkdir(parents=True)
    (folder / "1_slow.sql").write_text("CREATE TABLE a (id int PRIMARY KEY);\nSELECT pg_sleep(1);\n")
    drawn, _ = drawn_by("inspect", "-C", str(tmp_path))
    assert "running 1_slow.sql: 1 statement …" in drawn
    assert "\n" not in drawn.replace("\r\n", "\n").rpartition("\x1b[K")[0]


def test_a_long_table_is_heard_of_soon(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([0.0, 0.1, 0.2, 0.7, 0.8, 5.0, 10.9, 11.0])
    monkeypatch.setattr(progress, "SECONDS", 0.5)
    monkeypatch.setattr(time, "monotonic", lambda: next(clock, 12.0))
    with progress.bars("copied") as report:
        for rows in range(100, 700, 100):
            report("a", rows, 1000)
    lines = said(capsys)
    assert len(lines) >= 2
    assert lines[0].startswith("copied a: ")
