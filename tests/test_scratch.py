"""Temporary databases: written in one transaction, gone with their process; and no command writes row by row."""

import os
import sqlite3
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from supavex.deployment import Deployment
from supavex.scratch import scratch_database
from tests import projects
from tests.projects import supavex

_WRITES = ("INSERT", "UPDATE", "DELETE", "REPLACE")


@pytest.mark.slow
def test_a_temporary_database_is_one_transaction_and_has_no_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SQLITE_TMPDIR", str(tmp_path))
    database = scratch_database()
    database.execute("CREATE TABLE rows (key BLOB PRIMARY KEY) WITHOUT ROWID")
    database.executemany("INSERT INTO rows VALUES (?)", ((os.urandom(200),) for _ in range(200_000)))
    assert database.in_transaction
    assert list(tmp_path.iterdir()) == [], "40 MB are in a file, which has no name"
    database.close()


def test_no_command_commits_row_by_row(monkeypatch: pytest.MonkeyPatch) -> None:
    """A commit waits for the disk: a table of a million rows would wait a million times."""
    alone = Counter[str]()
    connect = sqlite3.connect

    def connecting(*arguments: Any, **options: Any) -> sqlite3.Connection:
        connection = connect(*arguments, **options)

        def traced(sql: str) -> None:
            if sql.lstrip().upper().startswith(_WRITES) and not connection.in_transaction:
                alone[" ".join(sql.split()[:3])] += 1

        connection.set_trace_callback(traced)
        return connection

    with projects.folder() as folder:
        projects.copy_of_my21staff(folder)
        assert supavex("deploy", "-C", folder).code == 0
        monkeypatch.setattr(sqlite3, "connect", connecting)
        assert supavex("migrate", "-C", folder).code == 0
        with Deployment(folder / ".supavex/deployment.sqlite3") as deployment:
            document = next(deployment.documents("articles"))
            deployment.insert("articles", {k: x for k, x in document.items() if not k.startswith("_")})
        assert supavex("verify", "-C", folder).code == 1
        assert supavex("migrate", "-C", folder, "--changes").code == 0
        assert supavex("verify", "-C", folder).code == 1
    # The journal commits a part of a table at a time, so that an interrupted copy goes on behind it.
    assert {sql: count for sql, count in alone.items() if count > 2 and "OR REPLACE" not in sql} == {}
