"""Convex's limits on one function, just at them and just beyond, in its words."""

from __future__ import annotations

import pytest

from supavex.deployment.database import usage
from supavex.deployment.functions import processes

from .app import App

HELP = "Consider using smaller limits in your queries, paginating your queries, or using indexed queries with a "
HELP += "selective index range expressions."


def fill(app: App, count: int, size: int = 0) -> None:
    """Puts rows into the file, not by functions."""
    filler = {"b": "x" * size} if size else {}
    with app.deployment.transaction():
        for n in range(count):
            app.deployment.insert("rows", {"n": float(n), **filler})


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """A hundredth of the limits on numbers: being counted is what takes time."""
    fewer = usage.Limits(documents_read=320, database_queries=40, documents_written=160)
    monkeypatch.setattr(usage, "LIMITS", fewer)


def test_the_limits_are_convexs():
    assert (usage.MAX_READ_ROWS, usage.MAX_READ_INTERVALS) == (32_000, 4096)
    assert (usage.MAX_WRITTEN_ROWS, usage.MAX_SCHEDULED) == (16_000, 1000)


@pytest.mark.usefixtures("few")
def test_documents_read(app: App):
    fill(app, 321)
    assert app.run("limits:readSome", count=320.0) == 320
    said = f"Error: Too many documents read in a single function execution (limit: 320). {HELP}"
    assert app.error("limits:readAll") == said
    assert app.error("limits:filteredOut") == said, "those that a filter throws away count"


def test_bytes_read(app: App):
    fill(app, 17, size=1_000_000)
    assert app.run("limits:readSome", count=16.0) == 16
    assert app.error("limits:readSome", count=17.0) == (
        f"Error: Too many bytes read in a single function execution (limit: 16777216 bytes). {HELP}"
    )


@pytest.mark.usefixtures("few")
def test_reads(app: App):
    app.run("limits:queries", count=40.0)
    assert app.error("limits:queries", count=41.0) == (
        f"Error: Too many reads in a single function execution (limit: 40). {HELP}"
    )
    app.run("limits:same", count=100.0)
    app.run("limits:write", count=100.0)
    app.run("limits:fill", count=100.0)


@pytest.mark.usefixtures("few")
def test_writes(app: App):
    app.run("limits:write", count=160.0)
    assert app.error("limits:write", count=161.0) == (
        "Error: Too many writes in a single function execution (limit: 160)"
    )
    assert app.numbers() == [159]


def test_bytes_written(app: App):
    app.run("limits:writeBytes", count=16.0, size=1_000_000.0)
    assert app.error("limits:writeBytes", count=17.0, size=1_000_000.0) == (
        "Error: Too many bytes written in a single function execution (limit: 16 MiB)"
    )
    assert len(app.numbers()) == 16


def test_functions_scheduled(app: App):
    app.run("limits:schedule", count=1000.0)
    assert app.error("limits:schedule", count=1001.0) == (
        "Error: Too many functions scheduled by this mutation (limit: 1000)"
    )
    assert app.error("limits:schedule", count=17.0, size=1_000_000.0) == (
        "Error: Too large total size of the arguments of scheduled functions from this mutation (limit: 16777216 bytes)"
    )


def test_arguments_and_results(app: App):
    assert app.run("limits:take", text="x" * (16_000_000)) == 16_000_000
    assert app.fails("limits:take", text="x" * (17 << 20)).message == (
        "Arguments for limits:take are too large (actual: 17.00 MiB, limit: 16 MiB)"
    )
    assert len(app.run("limits:give", bytes=16_000_000.0)) == 16_000_000
    assert app.fails("limits:give", bytes=float(17 << 20)).message == (
        "Function limits:give return value is too large (actual: 17.00 MiB, limit: 16 MiB)"
    )


def test_time_that_operations_take_is_not_the_functions(app: App, monkeypatch: pytest.MonkeyPatch):
    app.functions.query_seconds = 0.5
    app.run("limits:queries", count=1500.0)
    assert "timed out" in app.fails("wild:endless", how="loop").message
    monkeypatch.setattr(processes, "_OPERATIONS", 200)
    assert "timed out" in app.fails("limits:asking").message, "but it is bounded"


def test_operators_of_a_query(app: App):
    app.rows(1)
    assert app.run("limits:operators", count=256.0) == 1
    assert app.error("limits:operators", count=257.0)


@pytest.mark.usefixtures("few")
def test_a_limit_can_be_caught_but_not_be_passed(app: App):
    assert "Too many writes" in app.run("limits:caughtAtTheLimit", count=200.0)


def test_a_patch_that_changes_nothing_writes_nothing(app: App):
    (id_,) = app.rows(1)
    before = app.functions.engine.log.last
    app.run("writing:patch", id=id_, value={"n": 1.0})
    assert app.functions.engine.log.last == before
