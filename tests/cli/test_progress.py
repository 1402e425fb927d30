"""Progress: bars on a terminal, a line a table elsewhere, events for programs; never on standard output."""

from __future__ import annotations

import io
import json
import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from supavex.cli import progress
from supavex.text import byte_text, duration
from tests import projects
from tests.cli.terminal import drawn_by
from tests.projects import supavex


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with projects.folder() as path:
        schema = 'schema = define_schema({"a": define_table({"n": v.number()}), "b": define_table({"n": v.number()})})'
        sql = (
            "CREATE TABLE a (id int PRIMARY KEY, n int NOT NULL); CREATE TABLE b (id int PRIMARY KEY, n int NOT NULL);"
            "INSERT INTO a SELECT n, n FROM generate_series(1, 1500) AS n;"
        )
        projects.write(path, schema=schema, migrations={"1.sql": sql})
        assert supavex("deploy", "-C", path).code == 0
        assert supavex("migrate", "-C", path).code == 0
        yield path


STEPS = {"migrate": ["copied", "imported"], "verify": ["verified"]}


@pytest.mark.parametrize("command", STEPS)
def test_a_line_for_each_finished_table(folder: Path, command: str) -> None:
    ran = supavex(command, "-C", folder)
    lines = [re.sub(r"in [\d.]+ s.*", "in TIME", line) for line in ran.err.splitlines()]
    tables = [("a", "1500 rows"), ("b", "no rows")]
    expected = [
        f"{step} {'' if step == 'imported' else 'public.'}{table}: {rows} in TIME"
        for step in STEPS[command]
        for table, rows in tables
    ]
    expected += ["verified the deployment's indexes: 1500 rows in TIME"] if command == "verify" else []
    # What to type next is said last.
    assert [line for line in lines if line and not line.startswith(("Next: ", "  or: "))] == expected
    assert not any(line.startswith(tuple(STEPS[command])) for line in ran.out.splitlines())


def test_a_table_that_takes_long_says_how_far_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    with progress.bars("imported", line_seconds=0) as report:
        for rows in (0, 1000, 2000):
            report("a", rows, 3000)
    *lines, last = capsys.readouterr().err.splitlines()
    assert lines == [
        "imported a: 1,000 of about 3,000 rows so far",
        "imported a: 2,000 of about 3,000 rows so far",
    ]
    assert last.startswith("imported a: 2000 rows in ")


def test_one_row_is_a_row(capsys: pytest.CaptureFixture[str]) -> None:
    with progress.bars("imported", line_seconds=0) as report:
        for rows in (0, 1):
            report("a", rows, 1)
    assert capsys.readouterr().err.splitlines()[0] == "imported a: 1 row so far"


@pytest.mark.parametrize("command", STEPS)
def test_events_for_programs(folder: Path, command: str) -> None:
    ran = supavex(command, "-C", folder, "--json")
    assert isinstance(ran.json, dict)
    events = [json.loads(line) for line in ran.err.splitlines() if line]
    names = ["event", "step", "table", "rows", "estimate", "seconds", "rowsPerSecond", "secondsLeft"]
    assert all(list(event) == names for event in events)
    done = [
        (event["step"], event["table"].removeprefix("public."), event["rows"])
        for event in events
        if event["event"] == "done"
    ]
    expected = [(step, *row) for step in STEPS[command] for row in (("a", 1500), ("b", 0))]
    assert done == expected + ([("verified", "the deployment's indexes", 1500)] if command == "verify" else [])


def test_the_final_table_has_bytes_time_and_rate(folder: Path) -> None:
    ran = supavex("migrate", "-C", folder)
    head, _, first, *_ = ran.out.splitlines()
    assert re.split(r" {2,}", head) == [
        "source", "rows", "documents", "rejected", "NULLs filled", "bytes", "time", "rows/s", "target",
    ]  # fmt: skip
    assert re.fullmatch(r"a\s+1,500\s+1,500\s+0\s+0\s+\d+ kB\s+[\d.]+ s\s+[\d,]+\s+a", first)


def test_restoring_is_shown_too(folder: Path) -> None:
    from supavex.postgres.connection import connect
    from supavex.postgres.server import temporary

    with temporary() as server:
        url = server.url("supabase_admin")
        with connect(url) as connection:
            connection.execute("SET search_path = public")
            connection.execute((folder / "supabase/migrations/1.sql").read_bytes().partition(b"INSERT")[0])
        ran = supavex("restore", folder / ".supavex/migration/snapshot.zip", "--to", url, "-C", folder)
    assert ran.code == 0, ran.err
    assert "restored public.a: 1500 rows in" in ran.err


def test_bars_on_a_terminal(folder: Path) -> None:
    """In a real terminal, with standard output a pipe: the bars are drawn, and gone at the end."""
    drawn, out = drawn_by("verify", "-C", str(folder), TERM="xterm", COLUMNS="160")
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", drawn)
    assert re.search(r"verified public\.a .*1,500 rows [\d,]+ rows/s in [\d.]+ s", text), text
    assert "proven" in out


def test_time_left_comes_from_the_estimate(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(100))
    monkeypatch.setattr(time, "monotonic", lambda: float(next(clock)))
    err = io.StringIO()
    monkeypatch.setattr(sys, "stderr", err)
    with progress.bars("copied", "programs") as report:
        report("t", 100, 1000)
        report("t", 400, 1000)
        report("t", 1200, 1000)
    events = [json.loads(line) for line in err.getvalue().splitlines()]
    assert [event["rows"] for event in events] == [100, 400, 1200, 1200]
    assert [event["secondsLeft"] for event in events] == [
        pytest.approx(900 / (100 / events[0]["seconds"])),
        pytest.approx(600 / (400 / events[1]["seconds"]), abs=0.1),
        0,
        None,
    ]


def test_nobody_is_told_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    with progress.bars("copied", "nobody") as report:
        report("t", 1, 1)
    assert capfd.readouterr() == ("", "")


def test_an_error_ends_the_bars_without_claiming_a_table(capfd: pytest.CaptureFixture[str]) -> None:
    def work() -> None:
        with progress.bars("copied") as report:
            report("t", 1, 1)
            raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        work()
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0.0 s"), (59.94, "59.9 s"), (125, "2 min 5 s"), (3600 + 180, "1 h 3 min")]
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 B"), (999, "999 B"), (3_900, "3.9 kB"), (120_400_000, "120 MB"), (5 * 10**12, "5.0 TB")]
)
def test_bytes(count: int, text: str) -> None:
    assert byte_text(count) == text
