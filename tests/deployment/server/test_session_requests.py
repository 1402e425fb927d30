"""A mutation that two connections of a session have sent at once commits once."""

from __future__ import annotations

from pathlib import Path

import pytest

from supavex.deployment import Deployment
from supavex.deployment.database.engine import Engine
from supavex.deployment.functions.outcome import Outcome
from supavex.deployment.server.session_requests import AlreadyAnswered, keeping, kept


def test_the_second_of_two_runs_does_not_commit(tmp_path: Path) -> None:
    path = tmp_path / "deployment.sqlite3"
    with Deployment(path):
        pass  # which makes the file
    engine = Engine(path)
    try:
        runs = []
        for number in (1, 2):  # both begin before one has committed
            with engine.snapshot() as snapshot:
                runs.append((engine.begin(snapshot), number))
        (first, _), (second, _) = runs
        outcome = Outcome("items:add", "Mutation")
        engine.commit(first, keeping("session", 7, lambda outcome, ts: {"run": 1})(outcome))
        with pytest.raises(AlreadyAnswered):
            engine.commit(second, keeping("session", 7, lambda outcome, ts: {"run": 2})(outcome))
        assert kept(engine, "session", 7) == {"run": 1}
        engine.commit(second, keeping("session", 8, lambda outcome, ts: {"run": 3})(outcome))
        assert kept(engine, "session", 8) == {"run": 3}
    finally:
        engine.close()
