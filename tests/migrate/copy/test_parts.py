"""Parts: the same bytes whoever copies them, and a copy that goes on where it was cut short."""

import hashlib
import itertools
import json
import multiprocessing
import os
import resource
import signal
import socket
import subprocess
import sys
import textwrap
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

from supavex.convex.ids import decode_id
from supavex.errors import SupavexError, UsageError
from supavex.mapping.make_plan import make_plan
from supavex.mapping.plan import Plan
from supavex.mapping.table_numbers import with_new_tables
from supavex.migrate.copy import parts
from supavex.migrate.copy.executors import DaskCluster, InProcess, ProcessPool
from supavex.migrate.copy.options import CopyOptions
from supavex.migrate.copy.results import CopyResult
from supavex.migrate.copy.run import copy
from supavex.migrate.state.rejects import TooManyRejectsError
from supavex.postgres import heap
from supavex.postgres.columns import ColumnReader
from supavex.postgres.inspection import inspect_catalog
from supavex.postgres.server import Server, temporary
from supavex.settings.reading import load_settings
from supavex.settings.schema_file import load_schema
from tests import projects
from tests.databases import wait_until_left

ROWS = 6000
SQL = f"""
CREATE TABLE authors (id uuid PRIMARY KEY, name text, created_at timestamptz NOT NULL);
CREATE TABLE posts (id bigint PRIMARY KEY, author_id uuid REFERENCES authors, title text NOT NULL, score numeric,
  created_at timestamptz);
CREATE TABLE notes (body text, created_at timestamptz);
INSERT INTO authors SELECT md5(n::text)::uuid, CASE WHEN n % 1000 > 0 THEN 'a' || n END,
  '2024-01-01'::timestamptz + n * interval '1 s' FROM generate_series(1, {ROWS // 3}) AS n;
INSERT INTO posts SELECT n * n, md5((1 + n % {ROWS // 3})::text)::uuid, repeat('words ' || n, 20), n / 7.0,
  CASE WHEN n % 500 > 0 THEN '2024-01-01'::timestamptz + n * interval '1 s' END FROM generate_series(1, {ROWS}) AS n;
INSERT INTO notes SELECT 'note ' || n / 2, NULL FROM generate_series(1, 10) AS n;
ANALYZE;
"""
SCHEMA = """
from supavex.schema import define_schema, define_table, v
schema = define_schema({
    "authors": define_table({"name": v.string()}),
    "posts": define_table({"author_id": v.id("authors"), "title": v.string(), "score": v.number()}),
    "notes": define_table({"body": v.string()}),
})
"""
CONFIG = """
[tables."public.posts".columns]
score = { lossy = true }
"""


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with temporary() as running:
        still(running)
        yield running


def still(server: Server) -> None:
    """Keeps autovacuum away: its transactions make another moment of one at which nobody has written a row."""
    with psycopg.connect(server.url("supabase_admin"), autocommit=True) as connection:
        connection.execute("ALTER SYSTEM SET autovacuum = off")
        connection.execute("SELECT pg_reload_conf()")


class Source:
    """A database with the tables, and the plan for them."""

    def __init__(self, server: Server, folder: Path, name: str) -> None:
        self.folder, self.name = folder, name
        with psycopg.connect(server.url("supabase_admin"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}".encode())
        self.url = server.url("supabase_admin", name)
        self.run(SQL)
        self.plan = plan_of(folder, self.url)

    def run(self, sql: str) -> None:
        with psycopg.connect(self.url, autocommit=True) as connection:
            for statement in sql.split(";\n"):
                if statement.strip():
                    connection.execute(statement.encode())

    @property
    def work(self) -> Path:
        return self.folder / "a.zip.work"

    def copy(self, **how: Any) -> CopyResult:
        numbers = with_new_tables({}, self.plan.schema.tables)
        return copy(self.plan, self.url, numbers, self.folder / "a.zip", self.work, CopyOptions(**how))

    def sha(self) -> str:
        return hashlib.sha256((self.folder / "a.zip").read_bytes()).hexdigest()

    def killed(self, when: str) -> None:
        """Copies in a process of its own that kills itself: ``when`` is code that uses ``die``."""
        code = textwrap.dedent(
            f"""
            import os, signal, sys
            sys.path.insert(0, {str(Path.cwd())!r})
            from pathlib import Path
            from supavex.mapping.table_numbers import with_new_tables
            from supavex.migrate.copy import archive, deflate, journal, parts, run
            from tests.migrate.copy.test_parts import plan_of
            parts.PART_BYTES = 64 << 10
            def die(*arguments, **named):
                os.kill(os.getpid(), signal.SIGKILL)
            def after(function, count):
                calls = [0]
                def called(*arguments, **named):
                    if calls[0] >= count:
                        die()
                    calls[0] += 1
                    return function(*arguments, **named)
                return called
            """
        )
        code += f"{when}\nplan = plan_of(Path({str(self.folder)!r}), {self.url!r})\n"
        code += "numbers = with_new_tables({}, plan.schema.tables)\n"
        code += f"run.copy(plan, {self.url!r}, numbers, Path({str(self.folder / 'a.zip')!r}), Path({str(self.work)!r}))"
        ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=180, check=False)
        assert ran.returncode == -signal.SIGKILL, ran.stderr
        wait_until_left(self.url)


def plan_of(folder: Path, url: str) -> Plan:
    (folder / "supavex.toml").write_text(CONFIG)
    (folder / "schema.py").write_text(SCHEMA)
    with psycopg.connect(url, autocommit=True) as connection:
        catalog = inspect_catalog(connection, ["public"])
    project = load_settings(folder)
    return make_plan(project, load_schema(project), catalog)


@pytest.fixture
def source(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Source:
    monkeypatch.setattr(parts, "PART_BYTES", 64 << 10)
    return Source(server, tmp_path, f"parts_{time.monotonic_ns()}")


@pytest.fixture
def whole(source: Source) -> str:
    """What the archive's bytes are where nothing goes wrong."""
    assert source.copy().parts_kept == 0
    found = source.sha()
    (source.folder / "a.zip").unlink()
    return found


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_tables_are_cut_by_pages_and_read_whole(source: Source) -> None:
    with psycopg.connect(source.url) as connection:
        cuts = {table.name: parts.pages_of(connection, table) for table in source.plan.moving}
    assert len(cuts["public.posts"]) > 8
    assert len(cuts["public.authors"]) > 1
    assert cuts["public.notes"] == [parts.Pages(0, None)], "a key that is the row is numbered over the whole table"
    assert all(before.end == after.first for before, after in itertools.pairwise(cuts["public.posts"]))
    result = source.copy()
    rows = {table.target: (table.rows, table.documents, table.creation_adjusted) for table in result.tables}
    assert rows["notes"] == (10, 10, 10)
    assert rows["authors"] == (ROWS // 3, ROWS // 3 - 2, 0)
    assert rows["posts"] == (ROWS, ROWS - 6, ROWS // 500)
    assert {reject.code for reject in result.rejects} == {"NullInRequired", "RejectedParent"}
    with zipfile.ZipFile(source.folder / "a.zip") as archive:
        assert archive.testzip() is None
        lines = archive.read("posts/documents.jsonl").splitlines()
    ids = [decode_id(json.loads(line)["_id"]) for line in lines]
    assert len(set(ids)) == len(ids) == ROWS - 6
    assert not source.work.exists()


def test_the_documents_are_the_same_by_blocks_and_row_by_row(source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    def lines() -> dict[str, bytes]:
        source.copy()
        with zipfile.ZipFile(source.folder / "a.zip") as archive:
            return {name: archive.read(name) for name in archive.namelist()}

    asked: list[str] = []
    read = ColumnReader.read
    monkeypatch.setattr(ColumnReader, "read", lambda self, sql: asked.append(sql) or read(self, sql))

    def row_by_row() -> int:
        return sum('FROM "public"."posts"' in sql for sql in asked)

    by_blocks = lines()
    assert not row_by_row()
    # Large rows: the first pages of each part by blocks, then the rest.
    monkeypatch.setattr(heap, "_LARGE_ROW", 1)
    monkeypatch.setattr(heap, "_FIRST_PAGES", 3)
    assert lines() == by_blocks
    assert row_by_row()
    monkeypatch.setattr(parts, "_BLOCK_TOAST", -1)
    assert lines() == by_blocks


def test_the_bytes_are_the_same_with_processes(source: Source, whole: str) -> None:
    for count in (1, 3):
        source.copy(executor=ProcessPool(count))
        assert source.sha() == whole
    assert not multiprocessing.active_children()


def test_a_killed_worker_is_replaced(source: Source, whole: str) -> None:
    killed: list[int] = []

    def progress(table: str, done: int, estimate: int) -> None:
        children = multiprocessing.active_children()
        if done and not killed and children:
            killed.append(children[0].pid or 0)
            os.kill(killed[0], signal.SIGKILL)

    source.copy(executor=ProcessPool(2), progress=progress)
    assert killed
    assert source.sha() == whole


def test_workers_that_always_end_are_given_up(source: Source) -> None:
    def progress(table: str, done: int, estimate: int) -> None:
        for child in multiprocessing.active_children():
            os.kill(child.pid or 0, signal.SIGKILL)

    with pytest.raises(SupavexError) as caught:
        source.copy(executor=ProcessPool(2), progress=progress)
    assert (caught.value.code, caught.value.retryable) == ("WorkerLost", True)


def test_workers_end_with_a_killed_parent(source: Source) -> None:
    code = (
        "import os, signal\nfrom supavex.migrate.copy.executors import ProcessPool\n"
        "if __name__ == '__main__':\n"
        "    processes = ProcessPool(1)\n    pipe = processes._start()\n"
        "    print(processes._workers[pipe].pid, flush=True)\n    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    script = source.folder / "parent.py"
    script.write_text(code)
    ran = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=180, check=False)
    child = int(ran.stdout)
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            os.kill(child, 0)
        except ProcessLookupError:
            return
        time.sleep(0.05)
    raise AssertionError("the worker lives on")


@contextmanager
def cluster(folder: Path, workers: int) -> Iterator[tuple[str, list[subprocess.Popen[bytes]]]]:
    """A scheduler and workers, each a process of its own, as a user starts them."""
    port = free_port()
    address = f"tcp://127.0.0.1:{port}"
    log = (folder / "cluster.log").open("wb")
    base = [sys.executable, "-W", "ignore", "-m", "dask"]
    own = {"cwd": folder, "stdout": log, "stderr": log}
    command = [*base, "scheduler", "--host", "127.0.0.1", "--port", str(port), "--no-dashboard"]
    processes = [subprocess.Popen(command, **own)]
    worker = [*base, "worker", address, "--nthreads", "1", "--no-nanny", "--no-dashboard", "--host", "127.0.0.1"]
    processes += [subprocess.Popen([*worker, "--local-directory", str(folder)], **own) for _ in range(workers)]
    try:
        yield address, processes[1:]
    finally:
        for process in processes:
            process.kill()
            process.wait()
        log.close()


def readers(source: Source) -> list[Any]:
    """Connections that keep the source from forgetting rows."""
    with psycopg.connect(source.url) as connection:
        return connection.execute(
            "SELECT state, query FROM pg_stat_activity WHERE backend_xmin IS NOT NULL AND pid <> pg_backend_pid() "
            "AND datname = current_database()"
        ).fetchall()


@pytest.mark.filterwarnings("ignore")
def test_a_cluster_copies_and_loses_a_worker(source: Source, whole: str) -> None:
    import distributed

    with cluster(source.folder, 2) as (address, workers):
        with distributed.Client(address, timeout=60, set_as_default=False) as client:
            client.wait_for_workers(2, timeout=180)
        lost = []

        def progress(table: str, done: int, estimate: int) -> None:
            if done and not lost:
                lost.append(workers[0])
                workers[0].kill()

        place = source.folder / "shared"
        source.copy(executor=DaskCluster(address), place=str(place), progress=progress)
        assert lost
        assert source.sha() == whole
        assert not list(place.iterdir())
        source.copy(executor=DaskCluster(address), place=place.as_uri())
        assert source.sha() == whole
        deadline = time.monotonic() + 20
        while held := readers(source):
            assert time.monotonic() < deadline, f"a worker's connection stays: {held}"
            time.sleep(0.05)


def test_a_cluster_that_is_not_there_is_said() -> None:
    import supavex.migrate.copy.executors as executors

    original = executors.CONNECT_SECONDS
    executors.CONNECT_SECONDS = 1
    try:
        with pytest.raises(UsageError) as caught:
            DaskCluster(f"tcp://127.0.0.1:{free_port()}")
    finally:
        executors.CONNECT_SECONDS = original
    assert caught.value.code == "NoCluster"


@pytest.mark.parametrize("executor", [InProcess, lambda: ProcessPool(2)])
@pytest.mark.parametrize("most", [0, 1, 2, 5])
def test_rejects_beyond_any_use_stop_the_copy(source: Source, executor: Callable[[], Any], most: int) -> None:
    """Two authors in 2000 and their six posts: of one table, of two together, or in one part alone."""
    with pytest.raises(TooManyRejectsError) as caught:
        source.copy(executor=executor(), most_rejects=most)
    assert (caught.value.code, caught.value.most) == ("TooManyRejects", most)
    assert most < len(caught.value.rejects) <= 8
    assert "of public." in caught.value.message
    source.copy(executor=executor(), most_rejects=8)


# Going on


KILLS = [
    "deflate.Deflater.write = after(deflate.Deflater.write, 1)",
    "journal.Journal.add = after(journal.Journal.add, 0)",
    "journal.Journal.add = after(journal.Journal.add, 1)",
    "journal.Journal.add = after(journal.Journal.add, 4)",
    "journal.Journal.add = after(journal.Journal.add, 9)",
    "journal.Journal.finish = after(journal.Journal.finish, 0)",
    "journal.Journal.finish = after(journal.Journal.finish, 1)",
    "journal.Journal.finish = after(journal.Journal.finish, 2)",
    "run.write_archive = die",
    "archive._pieces = lambda files, names: (die() for _ in [1])",
]


@pytest.mark.parametrize("when", KILLS)
def test_a_killed_copy_goes_on(source: Source, whole: str, when: str) -> None:
    source.killed(when)
    assert not (source.folder / "a.zip").exists()
    done = len([path for path in source.work.glob("*.deflate") if path.stat().st_size])
    result = source.copy()
    assert source.sha() == whole
    # The part that was being written may lie there, and is none that is done.
    assert max(0, done - 1) <= result.parts_kept <= done
    assert not source.work.exists()


def test_a_part_that_was_damaged_is_copied_again(source: Source, whole: str) -> None:
    source.killed(KILLS[4])
    first, second, *_ = sorted(source.work.glob("*.deflate"))
    content = first.read_bytes()
    first.write_bytes(content[:100] + bytes([content[100] ^ 1]) + content[101:])
    second.unlink()
    assert source.copy().parts_kept == 9 - 2
    assert source.sha() == whole


def test_another_plan_does_not_use_the_parts(source: Source) -> None:
    source.killed(KILLS[8])
    schema = source.folder / "schema.py"
    schema.write_text(SCHEMA.replace('"title": v.string(),', '"title": v.string(default="none"),'))
    project = load_settings(source.folder)
    source.plan = make_plan(project, load_schema(project), source.plan.catalog)
    result = source.copy()
    assert result.parts_kept == 3, "two of authors, one of notes"


def test_rows_written_since_are_another_moment(source: Source) -> None:
    source.killed("journal.Journal.finish = after(journal.Journal.finish, 1)")
    source.run("INSERT INTO authors VALUES (gen_random_uuid(), 'new', now())")
    with pytest.raises(UsageError) as caught:
        source.copy()
    assert (caught.value.code, caught.value.exit_code) == ("TwoSnapshots", 2)
    assert "public.authors" in caught.value.message
    assert "--restart" in (caught.value.hint or "")
    mixed = source.copy(resume="accept two")
    authors, posts, _ = mixed.tables
    assert (authors.rows, posts.rows) == (ROWS // 3, ROWS)
    assert authors.taken_at is not None and authors.taken_at < mixed.taken_at
    assert posts.taken_at is None


def test_a_restart_forgets_what_was_done(source: Source) -> None:
    source.killed("journal.Journal.finish = after(journal.Journal.finish, 1)")
    source.run("INSERT INTO authors VALUES (gen_random_uuid(), 'new', now())")
    result = source.copy(resume="restart")
    assert (result.parts_kept, result.tables[0].rows) == (0, ROWS // 3 + 1)


def test_parts_of_another_moment_alone_are_no_choice(source: Source) -> None:
    source.killed("journal.Journal.add = after(journal.Journal.add, 1)")
    source.run("UPDATE authors SET name = 'x' WHERE name = 'a1'")
    assert source.copy().parts_kept == 0


@pytest.mark.parametrize("restart", [False, True])
def test_a_snapshot_that_still_lives_is_used(source: Source, whole: str, restart: bool) -> None:
    with psycopg.connect(source.url) as holder:
        holder.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        held: list[str] = []

        def progress(table: str, done: int, estimate: int) -> None:
            if not held:
                import sqlite3

                with sqlite3.connect(f"file:{source.work}/journal.sqlite3?mode=ro&immutable=1", uri=True) as journal:
                    (text,) = journal.execute("SELECT value FROM about WHERE name = 'snapshot'").fetchone()
                held.append(text)
                holder.execute(f"SET TRANSACTION SNAPSHOT '{held[0]}'".encode())
                row = holder.execute("SELECT pg_export_snapshot()").fetchone()
                assert row is not None
                held.append(row[0])
            elif table == "public.posts":
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            source.copy(progress=progress)
        # As if the connection that held it had been cut off, and PostgreSQL had not noticed yet.
        import sqlite3

        with sqlite3.connect(source.work / "journal.sqlite3", isolation_level=None) as journal:
            changed = journal.execute("UPDATE about SET value = ? WHERE name = 'snapshot'", (held[1],)).rowcount
            assert changed == 1
        journal.close()
        source.run("DELETE FROM posts")
        if restart:
            # The user wants the rows as they are now.
            result = source.copy(resume="restart")
            assert (result.parts_kept, result.tables[1].rows) == (0, 0)
            return
        assert source.copy().parts_kept > 0
        assert source.sha() == whole


def test_two_copies_into_one_archive_do_not_meet(source: Source) -> None:
    refused: list[str] = []

    def progress(table: str, done: int, estimate: int) -> None:
        if not refused:
            with pytest.raises(SupavexError) as caught:
                source.copy()
            refused.append(caught.value.code)

    source.copy(progress=progress)
    assert refused == ["CopyRunning"]


# Faults


def stopped_by(source: Source, fault: Callable[[], None], after: str = "public.authors") -> SupavexError:
    """The error of a copy during which ``fault`` is called once, when rows of ``after`` are read."""
    called: list[bool] = []

    def progress(table: str, done: int, estimate: int) -> None:
        if table == after and not called:
            called.append(True)
            fault()

    with pytest.raises(SupavexError) as caught:
        source.copy(progress=progress)
    assert called
    return caught.value


def test_a_dropped_connection_is_said_and_the_next_run_goes_on(source: Source, whole: str) -> None:
    def drop() -> None:
        with psycopg.connect(source.url, autocommit=True) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )

    error = stopped_by(source, drop, after="public.posts")
    assert (error.code, error.retryable) == ("ReadFailed", True)
    assert source.copy().parts_kept > 0
    assert source.sha() == whole


def test_a_snapshot_whose_holder_is_lost_is_said_and_the_next_run_goes_on(source: Source, whole: str) -> None:
    def drop() -> None:
        with psycopg.connect(source.url, autocommit=True) as connection:
            row = connection.execute(
                "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
                "WHERE datname = current_database() AND application_name = 'supavex'"
            ).fetchone()
            # One holds it; a connection that was closed just now may still be counted.
            assert row is not None
            assert row[0] >= 1

    error = stopped_by(source, drop)
    assert (error.code, error.retryable) == ("ReadFailed", True)
    assert source.copy().parts_kept > 0
    assert source.sha() == whole


def test_a_table_dropped_midway_is_said(source: Source) -> None:
    error = stopped_by(source, lambda: source.run("SET lock_timeout = '5s';\nDROP TABLE notes"))
    assert error.code == "ReadFailed"
    assert "notes" in error.message
    assert not (source.folder / "a.zip").exists()


def test_a_table_that_may_not_be_read_is_said(source: Source) -> None:
    source.run("CREATE ROLE reader LOGIN;\nGRANT SELECT ON authors, posts TO reader")
    try:
        source.url = source.url.replace("supabase_admin", "reader")
        with pytest.raises(SupavexError) as caught:
            source.copy()
        assert caught.value.code == "PermissionDenied"
        source.url = source.url.replace("reader", "supabase_admin")
        source.run("GRANT SELECT ON notes TO reader")
        source.url = source.url.replace("supabase_admin", "reader")
        source.copy(resume="restart")
    finally:
        source.url = source.url.replace("reader", "supabase_admin")
        source.run("DROP OWNED BY reader;\nDROP ROLE reader")


def test_a_disk_that_is_full_is_said_and_the_next_run_goes_on(source: Source, whole: str) -> None:
    """No file may grow beyond a limit, which fails as a full disk does."""
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    largest = sorted(source.folder.rglob("*"), key=lambda p: p.stat().st_size)[-1].stat().st_size
    source.copy()
    size = (source.folder / "a.zip").stat().st_size
    (source.folder / "a.zip").unlink()
    assert size > largest
    resource.setrlimit(resource.RLIMIT_FSIZE, (size - 1000, limit[1]))
    try:
        with pytest.raises(SupavexError) as caught:
            source.copy()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    assert caught.value.code == "CannotWrite"
    assert not (source.folder / "a.zip").exists()
    assert not list(source.folder.glob("*.partial"))
    assert source.copy().parts_kept > 0
    assert source.sha() == whole


def test_a_server_that_was_restarted_is_the_same_moment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from supavex.postgres.server import running

    monkeypatch.setattr(parts, "PART_BYTES", 64 << 10)
    # A folder that every user may pass through: the server's data lie in it, and go with it.
    with projects.folder() as folder:
        with running(folder / "database") as first:
            still(first)
            source = Source(first, tmp_path, "restarted")
            source.copy(executor=InProcess())
            whole = source.sha()
            source.killed(KILLS[4])
        with running(folder / "database") as second:
            source.url = second.url("supabase_admin", "restarted")
            assert source.copy().parts_kept == 9
            assert source.sha() == whole
