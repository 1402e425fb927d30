"""Changes by a replication slot: what it names, where it is of no use, and that it is dropped."""

from __future__ import annotations

import itertools
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator

import psycopg
import pytest

from supavex.postgres import replication
from supavex.postgres.server import Server, temporary
from tests import projects
from tests.changing import Source
from tests.databases import wait_until_left

LOGICAL = {"wal_level": "logical", "max_wal_senders": "4", "max_replication_slots": "20"}


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with temporary(LOGICAL) as running:
        yield running


@pytest.fixture
def source(server: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Source]:
    with projects.folder() as folder:
        source = Source(server, folder)
        monkeypatch.setenv("CHANGES_DB", source.url)
        assert source.command("deploy").code == 0
        yield source
        assert source.command("changes", "--drop-slot").code == 0
        assert slots(source) == []


def slots(source: Source) -> list[str]:
    with psycopg.connect(source.url) as connection:
        rows = connection.execute(
            "SELECT slot_name FROM pg_replication_slots WHERE database = current_database()"
        ).fetchall()
        publications = connection.execute("SELECT pubname FROM pg_publication").fetchall()
    assert rows == publications
    return [row[0] for row in rows]


def place(source: Source) -> str:
    with psycopg.connect(source.url) as connection:
        row = connection.execute(
            "SELECT confirmed_flush_lsn::text FROM pg_replication_slots WHERE database = current_database()"
        ).fetchone()
    assert row is not None
    return str(row[0])


def test_a_slot_names_what_changed(source: Source) -> None:
    ran = source.command("migrate", "--slot")
    assert ran.code == 0, ran.err
    assert "fills the source's disk" in ran.err
    assert len(slots(source)) == 1
    found = source.changes()
    assert {name: counts[3] for name, counts in found.items()} == {
        "authors": "slot", "posts": "slot", "comments": "slot", "tags": "slot", "notes": "digests",
    }  # fmt: skip
    source.run(
        "INSERT INTO posts SELECT n, md5('1')::uuid, 'new', now() FROM generate_series(601, 607) AS n;"
        "UPDATE posts SET title = 'other' WHERE id IN (1, 2); UPDATE posts SET title = title WHERE id = 10;"
        "UPDATE authors SET secret = 'changed'; DELETE FROM comments WHERE post_id IN (7, 8, 9);"
        "UPDATE comments SET id = md5('another')::uuid WHERE post_id = 1;"
        "UPDATE tags SET weight = 99 WHERE tag = 'tag3'; DELETE FROM tags WHERE tag = 'tag4';"
        "INSERT INTO tags VALUES (1, 'it''s \\\"quoted\\\" \\\\', 1, now());"
        "INSERT INTO notes VALUES ('more', NULL); UPDATE notes SET body = 'less' WHERE body = 'more'"
    )
    found = source.changes()
    assert found == {
        "authors": (0, 0, 0, "slot"),
        "posts": (7, 2, 0, "slot"),
        "comments": (1, 0, 4, "slot"),
        "tags": (1, 1, 1, "slot"),
        "notes": (1, 0, 0, "digests"),
    }
    assert {n: c[:3] for n, c in source.changes("--full").items()} == {n: c[:3] for n, c in found.items()}
    assert source.command("changes", "--list").out.count("\n") == 7 + 2 + 1 + 4 + 3 + 1
    before = place(source)
    source.migrate("--changes")
    assert source.command("verify").code == 0
    assert place(source) > before, "what the moment holds needs no log any more"
    assert {counts[:3] for counts in source.changes().values()} == {(0, 0, 0)}
    source.run("TRUNCATE tags")
    ran = source.command("changes")
    assert "the slot is of no use for public.tags: it was truncated" in ran.out
    assert source.changes()["tags"] == (0, 0, 10, "xmin")


def test_a_transaction_that_runs_at_the_moment_is_named_by_the_next(source: Source) -> None:
    assert source.command("migrate", "--slot").code == 0
    with psycopg.connect(source.url) as running:
        running.execute("INSERT INTO tags VALUES (900, 'late', 1, now())")
        source.run("INSERT INTO tags VALUES (901, 'early', 1, now())")
        source.migrate("--changes")
        running.commit()
    assert source.changes()["tags"] == (1, 0, 0, "slot")
    source.migrate("--changes")
    assert source.command("verify").code == 0


def test_the_slot_does_not_move_on_behind_what_the_moment_did_not_see(
    source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A transaction ends between the snapshot and the look at the slot: the slot shows it, the moment does not."""
    assert source.command("migrate", "--slot").code == 0
    whole = replication.log_is_written

    def between(connection: psycopg.Connection) -> bool:
        source.run("INSERT INTO tags VALUES (900, 'between', 1, now())")
        return whole(connection)

    source.run("INSERT INTO tags VALUES (901, 'before', 1, now())")
    monkeypatch.setattr(replication, "log_is_written", between)
    source.migrate("--changes")
    monkeypatch.undo()
    monkeypatch.setenv("CHANGES_DB", source.url)
    assert source.changes()["tags"] == (1, 0, 0, "slot")


def test_the_slot_moves_on_though_only_other_tables_are_written(source: Source) -> None:
    source.run("CREATE SCHEMA side; CREATE TABLE side.events (n int)")
    assert source.command("migrate", "--slot").code == 0
    places = [place(source)]
    for _ in range(3):
        source.run("INSERT INTO side.events SELECT generate_series(1, 1000)")
        assert source.command("migrate", "--changes").code == 0
        places.append(place(source))
    assert places[-1] > places[0], "it would keep their log for ever"
    source.run("UPDATE tags SET weight = 8 WHERE tag = 'tag1'")
    assert source.changes()["tags"] == (0, 1, 0, "slot")


def test_a_slot_that_is_younger_than_the_moment_is_not_used(source: Source) -> None:
    source.migrate()
    source.run("UPDATE tags SET weight = 7 WHERE tag = 'tag1'")
    # Killed before the import: the slot is there, and the moment is the old one.
    code = f"""
import os, signal
from supavex.migrate.touched import Remember
Remember.begin = lambda self: os.kill(os.getpid(), signal.SIGKILL)
from supavex.cli.main import main
main(["migrate", "--slot", "-C", {str(source.folder)!r}])
"""
    killed = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=60, check=False)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    wait_until_left(source.url)
    assert len(slots(source)) == 1
    assert source.changes()["tags"] == (0, 1, 0, "xmin")
    source.migrate("--changes")
    source.run("UPDATE tags SET weight = 8 WHERE tag = 'tag1'")
    assert source.changes()["tags"] == (0, 1, 0, "slot"), "this moment is younger than the slot"


def test_a_migration_that_imports_nothing_leaves_no_slot(source: Source) -> None:
    ran = source.command("migrate", "--slot", "--max-rejects", "0")
    assert (ran.code, "the slot was dropped again" in ran.err) == (1, True), ran.err
    assert slots(source) == []
    assert not list((source.folder / ".supavex/migration/moments").glob("*.slot.json"))
    assert source.command("migrate", "--slot").code == 0
    assert len(slots(source)) == 1


def test_a_slot_that_is_gone_is_no_harm(source: Source) -> None:
    assert source.command("migrate", "--slot").code == 0
    first = slots(source)
    with psycopg.connect(source.url, autocommit=True) as connection:
        connection.execute("SELECT pg_drop_replication_slot(%s)", (first[0],))
    source.run("UPDATE tags SET weight = 7 WHERE tag = 'tag1'")
    ran = source.command("changes")
    assert "the slot is gone" in ran.out
    assert source.changes()["tags"] == (0, 1, 0, "xmin")
    source.migrate("--changes")
    assert source.command("verify").code == 0
    assert source.command("migrate", "--slot").code == 0
    assert slots(source) != first
    assert len(slots(source)) == 1, "another one takes its place"


def test_writers_all_the_while(source: Source) -> None:
    assert source.command("migrate", "--slot").code == 0
    stop = threading.Event()

    def write(number: int) -> None:
        with psycopg.connect(source.url) as connection:
            connection.execute("SET synchronous_commit = off")
            for turn in itertools.count():
                if stop.is_set():
                    return
                key = 1000 + number * 100_000 + turn
                connection.execute("INSERT INTO tags VALUES (%s, 'w', 1, now())", (key,))
                with connection.transaction():
                    connection.execute("UPDATE tags SET weight = weight + 1 WHERE post_id = %s", (key - 3,))
                    connection.execute("DELETE FROM tags WHERE post_id = %s", (key - 7,))
                if turn % 5 == number:
                    connection.commit()
                stop.wait(0.002)

    writers = [threading.Thread(target=write, args=(number,)) for number in range(3)]
    for writer in writers:
        writer.start()
    try:
        for _ in range(4):
            by = {change["source"]: change["by"] for change in source.migrate("--changes")["changes"]}
            assert by["public.tags"] == "slot"
    finally:
        stop.set()
        for writer in writers:
            writer.join(30)
    source.migrate("--changes")
    assert source.command("verify").code == 0
    assert {counts[:3] for counts in source.changes("--full").values()} == {(0, 0, 0)}


def test_what_keeps_a_slot_from_being_made_is_said(source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    with psycopg.connect(source.url, autocommit=True) as connection:
        connection.execute(f"CREATE ROLE reader_{source.name} LOGIN")
        connection.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader_{source.name}")
    monkeypatch.setenv("CHANGES_DB", source.server.url(f"reader_{source.name}", source.name))
    ran = source.command("migrate", "--slot")
    assert (ran.code, "no REPLICATION attribute" in ran.err) == (2, True)
    assert source.command("migrate").code == 0, "without one, it works"
    with psycopg.connect(source.url, autocommit=True) as connection:
        connection.execute(f"ALTER ROLE reader_{source.name} REPLICATION")
    ran = source.command("migrate", "--slot")
    assert (ran.code, "NoSlot" in ran.err) == (2, True), "a publication is the owner's to make"
    assert slots(source) == []
    monkeypatch.setenv("CHANGES_DB", source.url)
    for options in (("--changes",), ("--dry-run",), ("--out", "x.zip")):
        assert source.command("migrate", "--slot", *options).code == 2


def test_the_app_s_writes_go_on(source: Source) -> None:
    """A table without a primary key, once published, would refuse updates: it is left out."""
    assert source.command("migrate", "--slot").code == 0
    source.run("UPDATE notes SET body = body; DELETE FROM notes WHERE body = 'note 1'")


def test_a_server_that_does_not_log_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    with projects.folder() as folder, temporary() as plain:
        source = Source(plain, folder)
        monkeypatch.setenv("CHANGES_DB", source.url)
        assert source.command("deploy").code == 0
        ran = source.command("migrate", "--slot")
        assert (ran.code, "wal_level is minimal, not logical" in ran.err) == (2, True)
