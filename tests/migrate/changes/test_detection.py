"""Changes since a baseline: found by xmin where it can be trusted, by digests elsewhere, and applied by tables."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import random
import re
import resource
import signal
import sqlite3
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from dataclasses import replace

import psycopg
import pytest

from supavex.postgres.server import Server, temporary
from supavex.postgres.visibility import Visibility
from tests import projects
from tests.changing import SCHEMA, TOML, Source
from tests.databases import wait_until_left


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with temporary() as running:
        yield running


@pytest.fixture
def source(server: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Source]:
    with projects.folder() as folder:
        source = Source(server, folder)
        monkeypatch.setenv("CHANGES_DB", source.url)
        assert source.command("deploy").code == 0
        assert source.migrate()["rejected"] == 2, "the orphan, and the comment on it"
        yield source


NOTHING = (0, 0, 0)


def others(found: dict[str, tuple[int, int, int, str]], *names: str) -> set[tuple[int, ...]]:
    return {counts[:3] for name, counts in found.items() if name not in names}


def test_each_kind_of_change_is_told(source: Source) -> None:
    assert set(source.changes().values()) == {(0, 0, 0, "xmin"), (0, 0, 0, "digests")}
    source.run(
        "INSERT INTO posts SELECT n, md5('1')::uuid, 'new', now() FROM generate_series(601, 607) AS n;"
        "UPDATE posts SET title = 'other' WHERE id IN (1, 2);"
        "UPDATE posts SET title = title WHERE id BETWEEN 10 AND 20;"  # as it was
        "UPDATE authors SET secret = 'changed';"  # a column that does not move
        "DELETE FROM comments WHERE post_id IN (7, 8, 9);"
        "UPDATE comments SET id = md5('another')::uuid WHERE post_id = 1;"
        "UPDATE tags SET weight = 99 WHERE tag = 'tag3'; DELETE FROM tags WHERE tag = 'tag4';"
        "INSERT INTO notes VALUES ('note 1', NULL); DELETE FROM notes WHERE body = 'note 5'"
    )
    found = source.changes()
    assert found["posts"] == (7, 2, 0, "xmin")
    assert found["authors"] == (0, 0, 0, "xmin")
    assert found["comments"] == (1, 0, 4, "xmin"), "a row with another key is another row"
    assert found["tags"] == (0, 1, 1, "xmin")
    assert found["notes"] == (1, 0, 1, "digests"), "without a key, every row is looked at"
    ran = source.command("changes", "--json")
    by_table = {table["source"]: table for table in ran.json["tables"]}
    assert by_table["public.posts"]["rewritten"] == 11
    assert by_table["public.posts"]["unchanged"] == 99
    assert by_table["public.authors"]["rewritten"] == 20
    assert by_table["public.posts"]["keys"] == {"inserted": ["601", "602", "603", "604", "605"], "updated": ["1", "2"]}
    assert by_table["public.tags"]["keys"] == {"updated": ['["3", "tag3"]'], "deleted": ['["4", "tag4"]']}
    # All digests say the same as xmin.
    assert {n: c[:3] for n, c in source.changes("--full").items()} == {n: c[:3] for n, c in found.items()}
    listed = source.command("changes", "--list")
    lines = [json.loads(line) for line in listed.out.splitlines()]
    assert listed.code == 1
    assert len(lines) == 7 + 2 + 1 + 4 + 1 + 1 + 1 + 1
    assert {line["key"] for line in lines if line["table"] == "public.posts" and line["change"] == "updated"} == {
        "1", "2"
    }  # fmt: skip
    assert "18 rows of 4 tables changed since" in listed.err
    shown = source.command("changes").out
    assert "inserted: public.posts 601, 602, 603, 604, 605 … and 2 more" in shown
    assert "authors" not in shown, "tables with no change are not listed"


def test_the_changes_are_applied_and_proven(source: Source) -> None:
    untouched = source.documents("authors")
    source.run(
        "UPDATE posts SET title = 'other' WHERE id = 1; DELETE FROM posts WHERE id = 99; INSERT INTO tags VALUES "
        "(1, 'x', 1, now())"
    )
    report = source.migrate("--changes")
    assert {table["target"] for table in report["tables"]} == {"posts", "tags"}
    assert report["reasons"]["public.posts"] == "1 updated, 1 deleted"
    assert report["rejected"] == 2, "those of tables that were not copied are counted too"
    assert len((source.folder / ".supavex/migration/rejects.jsonl").read_text().splitlines()) == 2
    assert source.documents("authors") == untouched
    assert source.command("verify").code == 0
    again = source.command("migrate", "--changes")
    assert again.code == 0
    assert "Nothing has changed since" in again.out
    assert others(source.changes()) == {NOTHING}


def test_a_new_parent_lets_rejected_rows_and_their_children_go(source: Source) -> None:
    source.run("INSERT INTO authors VALUES (md5('nobody')::uuid, 'late', 's', 'calm', now())")
    found = source.changes()
    assert found["authors"][:3] == (1, 0, 0)
    assert others(found, "authors") == {NOTHING}
    report = source.migrate("--changes")
    assert report["rejected"] == 0
    assert {table["target"] for table in report["tables"]} == {"authors", "posts", "comments"}
    assert "came or went" in report["reasons"]["public.posts"]
    assert "no longer" in report["reasons"]["public.comments"]
    assert source.command("verify").code == 0
    # And the other way: the parent is rejected by its own fault, so that its children are.
    source.run("UPDATE authors SET name = NULL WHERE id = md5('nobody')::uuid")
    report = source.migrate("--changes")
    assert report["rejected"] == 3
    assert source.command("verify").code == 0


def test_a_deleted_parent_rejects_children_that_did_not_change(source: Source) -> None:
    source.run("DELETE FROM posts WHERE id = 3")
    report = source.migrate("--changes")
    assert {table["target"] for table in report["tables"]} == {"posts", "comments"}
    assert report["reasons"]["public.posts"] == "1 deleted"
    assert report["rejected"] == 3
    assert source.command("verify").code == 0


def test_many_parents_that_came_take_their_children_along(source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("supavex.migrate.changes.detection.HELD_KEYS", 3)
    source.run("INSERT INTO posts SELECT n, md5('1')::uuid, 'new', now() FROM generate_series(601, 604) AS n")
    report = source.migrate("--changes")
    assert {table["target"] for table in report["tables"]} == {"posts", "comments"}
    assert "many rows of public.posts" in report["reasons"]["public.comments"]
    source.run("DELETE FROM posts WHERE id IN (601, 602)")
    assert {table["target"] for table in source.migrate("--changes")["tables"]} == {"posts"}, "nobody refers to them"


def test_rows_of_a_transaction_that_ran_at_the_moment(source: Source) -> None:
    """Its subtransactions' ids are in no snapshot's list: they may not pass for seen."""
    with psycopg.connect(source.url, autocommit=True) as other, psycopg.connect(source.url) as running:
        running.execute("INSERT INTO tags VALUES (900, 'top', 1, now())")
        running.execute("SAVEPOINT a")
        running.execute("INSERT INTO tags VALUES (901, 'sub', 1, now())")
        # Later transactions end before the baseline: it is in the midst of the ids that the snapshot knows.
        for number in range(5):
            other.execute("INSERT INTO tags VALUES (%s, 'seen', 1, now())", (950 + number,))
        source.migrate()
        running.commit()
    assert source.changes()["tags"] == (2, 0, 0, "xmin")
    ran = source.command("changes", "--json")
    keys = next(t["keys"]["inserted"] for t in ran.json["tables"] if t["source"] == "public.tags")
    assert sorted(keys) == ['["900", "top"]', '["901", "sub"]']


def test_what_xmin_does_not_show_is_seen(source: Source) -> None:
    source.run("VACUUM FULL posts")
    source.run("VACUUM FREEZE comments")
    assert others(source.changes()) == {NOTHING}
    assert source.changes()["posts"][3] == "xmin"
    # A label's text stands in no row.
    source.run("ALTER TYPE mood RENAME VALUE 'calm' TO 'serene'")
    assert source.changes()["authors"] == (0, 20, 0, "digests")
    # Rows that are older than the baseline, in a table that takes the other's place.
    source.run(
        "CREATE SCHEMA side; CREATE TABLE side.posts (LIKE posts INCLUDING ALL); INSERT INTO side.posts SELECT * FROM "
        "posts; UPDATE side.posts SET title = 'swapped' WHERE id = 5"
    )
    source.migrate("--changes")
    source.run("DROP TABLE posts; ALTER TABLE side.posts SET SCHEMA public")
    assert source.changes()["posts"] == (0, 1, 0, "digests")
    source.migrate("--changes")
    assert source.command("verify").code == 0
    source.run("TRUNCATE tags")
    assert source.changes()["tags"] == (0, 0, 10, "xmin")


def test_partitions_that_were_attached(source: Source) -> None:
    source.run(
        "CREATE TABLE logs (id bigint PRIMARY KEY, created_at timestamptz) PARTITION BY RANGE (id);"
        "CREATE TABLE logs_1 PARTITION OF logs FOR VALUES FROM (0) TO (100);"
        "CREATE TABLE logs_2 (id bigint PRIMARY KEY, created_at timestamptz);"
        "INSERT INTO logs SELECT n, now() FROM generate_series(1, 9) AS n; INSERT INTO logs_2 VALUES (150, now())"
    )
    schema = SCHEMA.replace('"tags":', '"logs": define_table({}), "tags":')
    projects.write(source.folder, schema=schema, toml=TOML + '[tables.logs_2]\nskip = "not yet"\n')
    assert source.command("deploy").code == 0
    source.migrate()
    source.run("ALTER TABLE logs ATTACH PARTITION logs_2 FOR VALUES FROM (100) TO (200); DELETE FROM logs WHERE id = 1")
    projects.write(source.folder, schema=schema, toml=TOML)
    assert source.changes()["logs"] == (1, 0, 1, "digests")


def test_changed_rules_copy_a_table_whose_rows_did_not_change(source: Source) -> None:
    projects.write(source.folder, schema=SCHEMA.replace("v.number()", "v.number(default=3)"), toml=TOML)
    told = source.command("changes", "--json")
    assert (told.code, told.json["rulesChanged"]) == (1, ["public.tags"])
    assert "what decides on the rows of public.tags has changed" in source.command("changes").out
    report = source.migrate("--changes")
    assert {table["target"] for table in report["tables"]} == {"tags"}
    assert "schema.py" in report["reasons"]["public.tags"]
    assert source.command("changes").code == 0


def test_a_moment_of_another_database_is_compared_by_digests(source: Source) -> None:
    with psycopg.connect(source.server.url("supabase_admin"), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {source.name}_restored TEMPLATE {source.name}".encode())
    os.environ["CHANGES_DB"] = source.server.url("supabase_admin", f"{source.name}_restored")
    with psycopg.connect(os.environ["CHANGES_DB"], autocommit=True) as connection:
        connection.execute("UPDATE tags SET weight = 7 WHERE tag = 'tag2'")
    ran = source.command("changes")
    assert ran.code == 1
    assert "the baseline is of another database: every row of" in ran.out
    found = source.changes()
    assert found["tags"] == (0, 1, 0, "digests")
    assert others(found, "tags") == {NOTHING}
    assert {table["target"] for table in source.migrate("--changes")["tables"]} == {"tags"}
    assert source.command("verify").code == 0
    assert source.changes()["tags"][3] == "xmin", "the new baseline is of this database"


def test_no_moment_and_wrong_names_are_said(source: Source) -> None:
    ran = source.command("changes", "--baseline", "before-cutover")
    assert (ran.code, "NoBaseline" in ran.err, "local" in ran.err) == (2, True, True)
    assert source.command("changes", "--baseline", "../x").code == 2
    assert source.command("changes", "--list", "--json").code == 2
    ran = source.command("migrate", "--changes", "--tables", "posts")
    assert (ran.code, "UnsupportedOption" in ran.err) == (2, True)
    (source.folder / ".supavex/migration/baselines/local.sqlite3").write_bytes(b"no database" * 100)
    ran = source.command("changes")
    assert (ran.code, "InvalidBaseline" in ran.err) == (1, True), ran.err
    for path in (source.folder / ".supavex/migration/baselines").iterdir():
        path.unlink()
    ran = source.command("migrate", "--changes")
    assert (ran.code, "NoBaseline" in ran.err) == (2, True)
    assert source.command("changes").code == 2


@pytest.mark.parametrize("damage", ["no database", "cut short", "empty", "another version", "its tables"])
def test_a_moment_that_is_of_no_use_is_written_anew(source: Source, damage: str) -> None:
    source.migrate()
    file = source.folder / ".supavex/migration/baselines/local.sqlite3"
    good = file.read_bytes()
    file.write_bytes({"no database": b"x" * 9000, "cut short": good[:5000], "empty": b""}.get(damage, good))
    with contextlib.closing(sqlite3.connect(file, isolation_level=None)) as baseline:
        if damage == "another version":
            baseline.execute("UPDATE about SET value = '0' WHERE name = 'version'")
        elif damage == "its tables":
            baseline.execute("UPDATE tables SET about = '{}'")
    for command in (("changes",), ("migrate", "--changes")):
        ran = source.command(*command)
        assert ran.code in (1, 2)
        assert ("OldState" if damage in ("empty", "another version") else "InvalidBaseline") in ran.err
        assert "once without --changes" in ran.err
    # What it says helps; of what does not go this time, nothing is known.
    source.migrate("--tables", "authors,posts,comments,tags")
    assert {table["target"] for table in source.migrate("--changes")["tables"]} == {"notes"}
    assert not any(any(counts[:3]) for counts in source.changes().values())


@pytest.mark.parametrize("text", ["{{", '{"a": 1}', '"all"'])
def test_doubts_that_are_damaged_are_of_everything(source: Source, text: str) -> None:
    source.migrate()
    doubts = source.folder / ".supavex/migration/baselines/local.stale.json"
    doubts.write_text(text)
    assert source.command("changes", "--json").json["stale"] == [
        "public.authors", "public.comments", "public.notes", "public.posts", "public.tags"
    ]  # fmt: skip
    assert len(source.migrate("--changes")["tables"]) == 5
    assert not doubts.exists()


def test_named_moments_stay(source: Source) -> None:
    source.migrate("--baseline", "first")
    source.run("DELETE FROM tags WHERE post_id = 1")
    source.migrate("--changes")
    assert others(source.changes()) == {NOTHING}
    assert source.changes("--baseline", "first")["tags"][:3] == (0, 0, 1)
    ran = source.command("migrate", "--out", source.folder / "x.zip", "--baseline", "by-hand")
    assert ran.code == 0
    source.run("DELETE FROM tags WHERE post_id = 2")
    assert source.changes("--baseline", "by-hand")["tags"][:3] == (0, 0, 1)
    assert source.changes("--baseline", "first")["tags"][:3] == (0, 0, 2)


def test_some_tables_only_leave_the_others_moments(source: Source) -> None:
    source.run("DELETE FROM tags WHERE post_id = 1; UPDATE posts SET title = 'x' WHERE id = 1")
    source.migrate("--tables", "tags")
    found = source.changes()
    assert found["tags"][:3] == NOTHING
    assert found["posts"][:3] == (0, 1, 0)


STAGES = {
    "before the copy": "supavex.migrate.copy.tables.copy_table",
    "before the baseline is written": "supavex.migrate.changes.recorder.BaselineRecorder.write",
    "before the import": "supavex.migrate.changes.recorder.BaselineRecorder.begin",
    "after the import": "supavex.migrate.changes.recorder.BaselineRecorder.keep",
    "before doubts end": "supavex.migrate.state.baselines.Baselines.mark_current",
}


@pytest.mark.parametrize("stage", STAGES)
def test_a_killed_run_is_found_out_by_the_next(source: Source, stage: str) -> None:
    source.run("INSERT INTO tags VALUES (700, 'passing', 1, now()); UPDATE posts SET title = 'x' WHERE id = 1")
    place = STAGES[stage]
    module = re.match(r"[a-z_.]+(?=[.](?:[A-Z]|copy_table$))", place)[0]
    attribute = place.removeprefix(module + ".")
    code = textwrap.dedent(
        f"""
        import importlib, os, signal
        module = importlib.import_module({module!r})
        module.{attribute} = lambda *a, **k: os.kill(os.getpid(), signal.SIGKILL)
        from supavex.cli.main import main
        main(['migrate', '--changes', '-C', {str(source.folder)!r}])
        """
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=180, check=False)
    assert ran.returncode == -signal.SIGKILL, ran.stderr
    wait_until_left(source.url)
    stale = source.command("changes", "--json").json["stale"]
    assert bool(stale) == (stage not in ("before the copy", "before the baseline is written", "before the import"))
    # The source goes back to what it was at the baseline: only the doubt tells that the deployment may not.
    source.run("DELETE FROM tags WHERE post_id = 700")
    source.run("UPDATE posts SET title = 'title 1' WHERE id = 1")
    source.migrate("--changes")
    assert source.command("verify").code == 0
    assert source.command("migrate", "--changes").out.startswith("Nothing has changed")
    assert not list((source.folder / ".supavex/migration/baselines").glob("*stale*"))


def test_tables_of_an_earlier_moment_are_in_doubt(source: Source) -> None:
    """What `--accept-two-snapshots` keeps of an interrupted run was read before this baseline."""
    code = textwrap.dedent(
        f"""
        import os, signal
        from supavex.migrate.copy import tables
        whole = tables.copy_table
        def until_tags(context, table, *others):
            if table.name == "public.tags":
                os.kill(os.getpid(), signal.SIGKILL)
            return whole(context, table, *others)
        tables.copy_table = until_tags
        from supavex.cli.main import main
        main(['migrate', '-C', {str(source.folder)!r}])
        """
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=180, check=False)
    assert ran.returncode == -signal.SIGKILL, ran.stderr
    wait_until_left(source.url)
    source.run("UPDATE posts SET title = 'written since' WHERE id = 1")
    source.migrate("--accept-two-snapshots")
    assert source.command("verify").code == 1, "the post is of the earlier baseline"
    found = source.command("changes", "--json").json
    assert (found["ok"], "public.posts" in found["stale"], "public.tags" in found["stale"]) == (False, True, False)
    assert "posts" in {table["target"] for table in source.migrate("--changes")["tables"]}
    assert source.command("verify").code == 0
    assert source.command("changes", "--json").json["stale"] == []


def contents(source: Source, table: str, key: str, moved: str) -> dict[str, str]:
    with psycopg.connect(source.url) as connection:
        rows = connection.execute(f"SELECT ({key})::text, ROW({moved}, created_at)::text FROM {table}".encode())
        return dict(rows.fetchall())


KEYED = {
    "posts": ("id", "author_id, title"),
    "comments": ("id", "post_id, body"),
    "tags": ("(post_id, tag)", "tag, weight"),
}


@pytest.mark.parametrize("seed", range(3))
def test_whatever_is_written_is_told_as_it_is(source: Source, seed: int) -> None:
    """Random writes, in transactions that end or don't, with savepoints, beside others: told as two looks tell it."""
    chance = random.Random(seed)
    for _ in range(3):
        before = {table: contents(source, table, *of) for table, of in KEYED.items()}
        connections = [psycopg.connect(source.url) for _ in range(3)]
        for _ in range(chance.randrange(1, 40)):
            connection, number = chance.choice(connections), chance.randrange(1, 130)
            statement = chance.choice(
                [
                    f"INSERT INTO posts VALUES ({number + 1000}, md5('1')::uuid, 'n', now()) ON CONFLICT DO NOTHING",
                    f"UPDATE posts SET title = title || 'x' WHERE id = {number}",
                    f"UPDATE posts SET title = title WHERE id % 7 = {number % 7}",
                    f"UPDATE posts SET id = id + 5000 WHERE id = {number} AND NOT EXISTS "
                    f"(SELECT 1 FROM posts WHERE id = {number + 5000})",
                    f"DELETE FROM posts WHERE id = {number + 1000 * (number % 2)}",
                    f"DELETE FROM comments WHERE post_id = {number}",
                    f"UPDATE comments SET body = NULLIF('b{number % 3}', 'b0') WHERE post_id = {number}",
                    f"INSERT INTO tags VALUES ({number}, 't{number % 4}', 1, now()) ON CONFLICT DO NOTHING",
                    f"UPDATE tags SET weight = {number % 3} WHERE post_id = {number}",
                    f"DELETE FROM tags WHERE post_id % 11 = {number % 11}",
                ]
            )
            connection.execute("SET LOCAL lock_timeout = '50ms'")
            try:
                with connection.transaction():
                    connection.execute(statement.encode())
                    if chance.random() < 0.2:
                        raise psycopg.Rollback
            except psycopg.errors.LockNotAvailable:
                continue
            if chance.random() < 0.3:
                (connection.commit if chance.random() < 0.8 else connection.rollback)()
        for connection in connections[:2]:
            connection.commit()
        if chance.random() < 0.5:
            with psycopg.connect(source.url, autocommit=True) as other:
                other.execute("VACUUM FREEZE tags")
        after = {table: contents(source, table, *of) for table, of in KEYED.items()}
        expected = {
            table: (
                len(after[table].keys() - before[table].keys()),
                sum(after[table][key] != row for key, row in before[table].items() if key in after[table]),
                len(before[table].keys() - after[table].keys()),
            )
            for table in KEYED
        }
        assert {table: counts for table, (*counts, _) in source.changes().items() if table in KEYED} == {
            table: list(counts) for table, counts in expected.items()
        }
        # One transaction is running still: what it wrote is not there yet, and must be told the next time.
        source.migrate("--changes", "--max-rejects", "1000")
        connections[2].commit()
        for connection in connections:
            connection.close()
        last = source.changes("--full")
        assert {name: counts[:3] for name, counts in source.changes().items()} == {
            name: counts[:3] for name, counts in last.items()
        }
        source.migrate("--changes", "--max-rejects", "1000")
        assert source.command("verify").code == 0


def test_writes_in_between_are_never_lost(source: Source) -> None:
    """Writers write all the while, some of them in long transactions; at the end the deployment has all of it."""
    stop = threading.Event()

    def write(number: int) -> None:
        with psycopg.connect(source.url) as connection:
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
            source.migrate("--changes")
    finally:
        stop.set()
        for writer in writers:
            writer.join(30)
    source.migrate("--changes")
    assert source.command("verify").code == 0
    assert others(source.changes()) == {NOTHING}


def test_xmin_is_read_over_the_end_of_its_32_bits(source: Source) -> None:
    with psycopg.connect(source.url) as connection:
        row = connection.execute("SELECT max(xmin::text::int8) FROM tags").fetchone()
        assert row is not None
        last = row[0]
        here = Visibility.of(connection, "")

        def holds(oldest: int, end: int) -> bool:
            then = replace(here, transactions=f"{oldest}:{oldest}:")
            now = replace(here, transactions=f"{end}:{end}:")
            sql = f"SELECT count(*) > 0 FROM tags AS t WHERE {then.newer_sql(now, 't')}"
            found = connection.execute(sql.encode()).fetchone()
            assert found is not None
            return bool(found[0])

        cycle = 1 << 32
        assert holds(last, last + 1)
        assert not holds(last + 1, last + 2)
        assert holds(cycle + last, cycle + last + 1), "the same 32 bits, one epoch later"
        assert holds(cycle - 5, cycle + last + 1), "a baseline before the epoch, rows behind it"
        assert not holds(cycle - 5, cycle + 1)
        assert holds(5, cycle + 6), "more than all ids have been given out since: every row may be newer"


def test_memory_is_flat(source: Source) -> None:
    source.run(
        "INSERT INTO tags SELECT n, 't', 1, now() FROM generate_series(10000, 310000) AS n;"
        "INSERT INTO notes SELECT 'n' || n, NULL FROM generate_series(1, 1000) AS n"
    )
    source.migrate("--changes")
    source.run("UPDATE tags SET weight = 2 WHERE post_id % 2 = 0; DELETE FROM tags WHERE post_id % 1000 = 1")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    found = source.changes()
    assert found["tags"][1] == 150_005, "of 150,006, one had that weight"
    assert found["tags"][2] == 301
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 150 << 10, f"{grown >> 10} MB more"
