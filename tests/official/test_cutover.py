"""The cutover, rehearsed with the official CLI against a served deployment: migrate, changes, and back."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
import textwrap
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from supavex.deployment import Deployment
from supavex.migrate.golive import remote, rollback
from supavex.postgres.server import Server, temporary
from tests import projects
from tests.changing import Source
from tests.databases import wait_until_left
from tests.projects import Ran, supavex

from .node import NODE_MODULES
from .served import Served


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with temporary() as running:
        yield running


class Cutover:
    """A source, an app's folder and a served deployment that has its schema."""

    def __init__(self, source: Source, served: Served) -> None:
        self.source, self.served = source, served
        self.state = source.folder / ".supavex/migration"

    def __call__(self, *arguments: str | Path) -> Ran:
        command, *rest = arguments
        return self.source.command(str(command), "--to", self.served.url, *rest)

    def migrate(self, *options: str) -> Any:
        ran = self("migrate", "--yes", "--json", *options)
        assert ran.code == 0, ran.out + ran.err
        return ran.json

    def contents(self) -> dict[str, list[dict[str, Any]]]:
        with Deployment(self.served.data / "deployment.sqlite3") as deployment:
            return {
                table: sorted(deployment.documents(table), key=lambda document: str(document["_id"]))
                for table in sorted(deployment.tables())
            }

    def app_writes(self, table: str, change: dict[str, Any]) -> None:
        """Someone writes to the deployment."""
        with Deployment(self.served.data / "deployment.sqlite3") as deployment:
            document = next(iter(deployment.documents(table)))
            fields = {name: value for name, value in document.items() if not name.startswith("_")}
            deployment.replace(document["_id"], {**fields, **change})


@contextlib.contextmanager
def cutover_in(folder: Path, server: Server) -> Iterator[Cutover]:
    """A source of its own, the app in ``folder``, and its deployment beside it, which is served."""
    with Served(folder / "data") as served, pytest.MonkeyPatch.context() as monkeypatch:
        source = Source(server, folder / "app")
        for name in ("CONVEX_SELF_HOSTED_URL", "CONVEX_DEPLOYMENT", "CONVEX_DEPLOY_KEY"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("CHANGES_DB", source.url)
        monkeypatch.setenv("CONVEX_SELF_HOSTED_ADMIN_KEY", served.key)
        yield Cutover(source, served)


@pytest.fixture(scope="module")
def deployed(server: Server) -> Iterator[Path]:
    """The folder of an app whose schema was deployed, and of its deployment."""
    with projects.folder() as folder:
        app = folder / "app"
        (app / "convex").mkdir(parents=True)
        (app / "package.json").write_text(json.dumps({"private": True, "dependencies": {"convex": "*"}}))
        (app / "node_modules").symlink_to(NODE_MODULES)
        with cutover_in(folder, server) as found:
            ran = found("deploy")
            assert ran.code == 0, ran.out + ran.err
            assert found.served.stop() == 0
        yield folder


@pytest.fixture
def cutover(server: Server, deployed: Path) -> Iterator[Cutover]:
    """A copy of what was deployed, and a source of its own."""
    with projects.folder() as folder:
        shutil.copytree(deployed, folder, symlinks=True, dirs_exist_ok=True)
        with cutover_in(folder, server) as found:
            yield found


def test_a_whole_cutover_and_the_way_back(cutover: Cutover) -> None:
    none = cutover("migrate", "--changes", "--yes")
    assert (none.code, "NoBaseline" in none.err) == (2, True), "there is nothing that changes could be since"
    assert cutover("rollback", "--yes").code == 2
    empty = cutover.contents()
    first = cutover.migrate()
    assert (first["rejected"], first["imported"]) == (2, True)
    migrated = cutover.contents()

    # The app goes on writing to Supabase.
    cutover.source.run(
        "INSERT INTO authors VALUES (md5('nobody')::uuid, 'late', 's', 'calm', now());"  # a parent of rejected rows
        "UPDATE posts SET title = 'edited' WHERE id = 1; DELETE FROM comments WHERE post_id = 9;"
        "UPDATE tags SET weight = weight; UPDATE authors SET secret = 'new';"  # as they were, and what does not move
        "UPDATE authors SET mood = NULL WHERE id = md5('5')::uuid"  # is rejected from now on
    )
    changes = cutover("changes", "--json")
    assert changes.code == 1
    counts = {t["source"]: (t["inserted"], t["updated"], t["deleted"]) for t in changes.json["tables"]}
    assert counts["public.authors"] == (1, 1, 0)
    assert counts["public.posts"] == (0, 1, 0)
    assert counts["public.comments"] == (0, 0, 1)
    assert (counts["public.tags"], counts["public.notes"]) == ((0, 0, 0), (0, 0, 0))
    asked = cutover("migrate", "--changes", "--max-rejects", "50")
    assert (asked.code, "NotConfirmed" in asked.err) == (2, True)
    second = cutover.migrate("--changes", "--max-rejects", "50")
    assert {table["target"] for table in second["tables"]} == {"authors", "posts", "comments"}
    assert second["proof"]["ok"] is True
    changed = cutover.contents()
    assert changed["tags"] == migrated["tags"]
    assert any(post["title"] == "edited" for post in changed["posts"])
    assert any(post["title"] == "an orphan" for post in changed["posts"])
    exports = len(list(cutover.state.glob("before-*.zip")))
    third = cutover("migrate", "--changes", "--yes", "--json")
    assert (third.code, third.json["imported"]) == (0, False)
    assert len(list(cutover.state.glob("before-*.zip"))) == exports == 2, "nothing changed: nothing is exported"
    assert cutover("verify").code == 0
    assert cutover("changes").code == 0

    # Back to before the changes, and proven.
    ran = cutover("rollback")
    assert (ran.code, "NotConfirmed" in ran.err) == (2, True)
    back = cutover("rollback", "--yes")
    assert back.code == 0, back.out + back.err
    assert "proven equal: 3 tables" in back.out
    assert cutover.contents() == migrated
    # What was rolled back is not in the deployment: it has to be imported again, though the source is as it was.
    again = cutover.migrate("--changes", "--max-rejects", "50")
    assert {table["target"] for table in again["tables"]} == {"authors", "posts", "comments"}
    assert cutover.contents() == changed

    # Back to before all of it: tables that were empty are emptied.
    listed = cutover("rollback", "--list", "--json").json["exports"]
    assert [export["what"] for export in listed] == ["migration", "changes", "rollback", "changes"]
    assert [export["undone"] for export in listed] == [False, True, False, False]
    assert all(export["ended"] for export in listed)
    back = cutover("rollback", listed[0]["file"], "--yes", "--json")
    assert back.code == 0, back.out + back.err
    assert cutover.contents() == empty
    assert set(back.json["tables"].values()) == {0}
    none = cutover("rollback", "--yes")
    assert (none.code, "NothingToRollBack" in none.err) == (2, True)
    # And forward again, from the export that the rollback kept.
    assert cutover("rollback", back.json["present"], "--yes").code == 0
    assert cutover.contents() == changed


def test_what_was_written_to_convex_since_is_not_lost(cutover: Cutover) -> None:
    cutover.migrate()
    cutover.app_writes("posts", {"title": "written in Convex"})
    before = cutover.contents()
    ran = cutover("rollback", "--yes")
    assert (ran.code, "WrittenSince" in ran.err) == (1, True)
    assert "posts (0 inserted, 1 updated, 0 deleted)" in ran.err
    assert cutover.contents() == before
    kept = sorted(cutover.state.glob("before-*.zip"))[-1]
    with zipfile.ZipFile(kept) as archive:
        assert b"written in Convex" in archive.read("posts/documents.jsonl")
    # A migration of changes would write over it too: it says so before it asks.
    cutover.source.run("UPDATE posts SET title = 'edited' WHERE id = 2")
    asked = cutover("migrate", "--changes")
    assert "posts hold other documents than the last import wrote" in asked.err
    ran = cutover("rollback", "--yes", "--discard-changes-since", "--json")
    assert ran.code == 0, ran.err
    assert ran.json["discarded"] == ["posts"]
    assert not cutover.contents()["posts"]
    with zipfile.ZipFile(ran.json["present"]) as archive:
        assert b"written in Convex" in archive.read("posts/documents.jsonl")


def killed(cutover: Cutover, patch: str, *arguments: str) -> None:
    code = textwrap.dedent(
        f"""
        import os, signal
        die = lambda *a, **k: os.kill(os.getpid(), signal.SIGKILL)
        from supavex.convex_cli import cli as official
        from supavex.migrate.changes import recorder as touched
        from supavex.migrate.golive import remote, rollback
        run = official.OfficialCli.run
        {patch}
        from supavex.cli.main import main
        main({[arguments[0], "-C", str(cutover.source.folder), "--to", cutover.served.url, "--yes", *arguments[1:]]!r})
        """
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=300, check=False)
    assert ran.returncode == -signal.SIGKILL, ran.stderr
    wait_until_left(cutover.source.url)


BEFORE_THE_IMPORT = "official.OfficialCli.run = lambda s, *a, **k: die() if a[0] == 'import' else run(s, *a, **k)"
AFTER_THE_IMPORT = "official.OfficialCli.run = lambda s, *a, **k: (run(s, *a, **k), a[0] == 'import' and die())[0]"


@pytest.mark.parametrize("when", [BEFORE_THE_IMPORT, AFTER_THE_IMPORT, "remote.verify = die"])
def test_a_killed_migration_of_changes_is_done_again(cutover: Cutover, when: str) -> None:
    cutover.migrate()
    migrated = cutover.contents()
    cutover.source.run("UPDATE posts SET title = 'passing' WHERE id = 1")
    killed(cutover, when, "migrate", "--changes")
    assert "hold other documents" not in cutover("migrate", "--changes").err, "whichever of the two it holds is ours"
    # As it was at the baseline: that the deployment may hold something else, only the doubt tells.
    cutover.source.run("UPDATE posts SET title = 'title 1' WHERE id = 1")
    assert {table["target"] for table in cutover.migrate("--changes")["tables"]} == {"posts"}
    assert cutover.contents() == migrated
    assert cutover("verify").code == 0
    assert cutover("migrate", "--changes", "--yes").out.startswith("Nothing has changed")


@pytest.mark.parametrize("when", [BEFORE_THE_IMPORT, AFTER_THE_IMPORT])
def test_a_killed_migration_can_be_rolled_back(cutover: Cutover, when: str) -> None:
    empty = cutover.contents()
    killed(cutover, when, "migrate")
    assert "migration (not ended)" in cutover("rollback", "--list").out
    assert cutover("rollback", "--yes").code == 0
    assert cutover.contents() == empty


@pytest.mark.parametrize("when", [BEFORE_THE_IMPORT, AFTER_THE_IMPORT])
def test_a_killed_rollback_is_done_again(cutover: Cutover, when: str) -> None:
    empty = cutover.contents()
    cutover.migrate()
    killed(cutover, when, "rollback")
    ran = cutover("rollback", "--yes")
    assert ran.code == 0, ran.err
    assert ("holds already" in ran.out) == (when == AFTER_THE_IMPORT)
    assert cutover.contents() == empty


def test_the_plan_s_own_steps_are_a_cutover(cutover: Cutover) -> None:
    """Whoever types what the plan says, in its order, arrives."""
    none = cutover("plan-cutover")
    assert (none.code, "NoRehearsal" in none.err) == (2, True)
    cutover.migrate()
    cutover.source.run("UPDATE posts SET title = 'edited' WHERE id = 1")
    cutover.migrate("--changes")
    assert cutover("verify").code == 0
    file = cutover.source.folder / "CUTOVER.md"
    plan = cutover("plan-cutover", "--json", "--out", file).json
    text = file.read_text()
    assert "**Expected downtime: " in text
    assert plan["estimated"] is False
    assert all(step["measured"] for step in plan["before"])
    assert plan["downtimeSeconds"] == pytest.approx(sum(s["seconds"] or 0 for s in plan["night"] if s["down"]), abs=0.1)
    assert cutover.served.key not in text

    def do(steps: list[dict[str, Any]], *yes: str) -> list[Ran]:
        ran = []
        for step in steps:
            for line in step["commands"]:
                assert line in text
                _, verb, *rest = shlex.split(line)
                more = yes if verb in ("migrate", "rollback") and "--yes" not in rest and "--list" not in rest else ()
                ran.append(supavex(verb, *rest, *more))
            if step["sql"]:
                assert all(line in text for line in step["sql"].splitlines())
                cutover.source.run(step["sql"])
        return ran

    app = cutover.source.server.url("app", cutover.source.name)
    cutover.source.run("CREATE ROLE app LOGIN; GRANT ALL ON ALL TABLES IN SCHEMA public TO app")
    cutover.source.run("UPDATE posts SET title = 'edited again' WHERE id = 1")
    assert [ran.code for ran in do(plan["before"], "--yes")] == [0, 0, 0, 0, 0]
    with psycopg.connect(app, autocommit=True) as open_session:
        open_session.execute("UPDATE tags SET weight = 77 WHERE post_id = 1")
        codes = [ran.code for ran in do(plan["night"])]
        assert codes == [0, 0, 0, 0], "the last changes, nothing more, proven, and nothing written since"
        with pytest.raises(psycopg.OperationalError):
            open_session.execute("UPDATE tags SET weight = 78 WHERE post_id = 1")
    with psycopg.connect(app) as connection, pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        connection.execute("UPDATE tags SET weight = 79 WHERE post_id = 1")
    assert next(tag["weight"] for tag in cutover.contents()["tags"] if tag["tag"] == "tag1") == 77
    assert [ran.code for ran in do(plan["back"], "--yes")] == [0, 0]
    with psycopg.connect(app) as connection:
        connection.execute("UPDATE tags SET weight = 80 WHERE post_id = 1")


def test_an_app_that_is_connected_with_the_cloud_is_rehearsed_and_stays_connected(cutover: Cutover) -> None:
    files = {
        ".env.local": b"# Deployment used by `npx convex dev`\nCONVEX_DEPLOYMENT=dev:happy-animal-123 # team: t\n"
        b"NEXT_PUBLIC_CONVEX_URL=https://happy-animal-123.convex.cloud\n",
        ".env": b"CONVEX_DEPLOY_KEY='prod:happy-animal-123|secret'\r\nCONVEX_DEPLOYMENT_TOKEN=prod:x|y\n",
    }
    for name, text in files.items():
        (cutover.source.folder / name).write_bytes(text)
    deployed = cutover("deploy")
    assert deployed.code == 0, deployed.out + deployed.err
    assert "Removed the CONVEX_DEPLOYMENT" in deployed.err, "the official CLI does take it out"
    cutover.migrate()
    assert cutover("verify").code == 0
    assert {name: (cutover.source.folder / name).read_bytes() for name in files} == files
    for name in files:
        (cutover.source.folder / name).unlink()
    assert cutover("deploy").code == 0
    assert not any((cutover.source.folder / name).exists() for name in files), "and none is made"


def test_a_baseline_of_another_version_is_in_the_way_of_nothing(cutover: Cutover) -> None:
    empty = cutover.contents()
    cutover.migrate()
    file = next((cutover.state / "baselines").glob("*.sqlite3"))

    def outdate() -> None:
        with contextlib.closing(sqlite3.connect(file, isolation_level=None)) as baseline:
            baseline.execute("UPDATE about SET value = '0' WHERE name = 'version'")

    outdate()
    back = cutover("rollback", "--yes")
    assert back.code == 0, back.err
    assert cutover.contents() == empty
    # The version that wrote it is told, too.
    with contextlib.closing(sqlite3.connect(file, isolation_level=None)) as baseline:
        baseline.execute("UPDATE about SET value = '3' WHERE name = 'version'")
    assert len(cutover("changes", "--json").json["stale"]) == 5
    outdate()
    asked = cutover("migrate")
    assert (asked.code, "other documents than" in asked.err) == (2, False), "nobody else has written there"
    cutover.migrate()
    assert cutover("changes").code == 0


def meanwhile(monkeypatch: pytest.MonkeyPatch, act: Callable[[], None]) -> None:
    """Has something done when a migration is about to ask whether it may import."""
    shown = remote.change_table

    def change_table(*arguments: Any) -> str:
        act()
        return shown(*arguments)

    monkeypatch.setattr(remote, "change_table", change_table)


def test_what_was_agreed_to_is_what_is_imported(cutover: Cutover, monkeypatch: pytest.MonkeyPatch) -> None:
    refused = []

    def others() -> None:
        cutover.source.run("UPDATE posts SET title = 'of another run'")
        archive = cutover.source.folder / "other.zip"
        assert cutover.source.command("deploy").code == 0
        for command in (("migrate",), ("migrate", "--out", archive), ("rollback", "--yes", "--to", cutover.served.url)):
            ran = cutover.source.command(*command)
            refused.append((ran.code, "MigrationRunning" in ran.err))
        assert cutover.source.command("migrate", "--dry-run").code == 0, "that writes nothing"

    meanwhile(monkeypatch, others)
    cutover.migrate()
    assert refused == [(2, True)] * 3
    assert not any(post["title"] == "of another run" for post in cutover.contents()["posts"])
    monkeypatch.undo()
    assert cutover.source.command("migrate").code == 0, "the lock ends with the run"


def test_a_question_holds_up_nobody(cutover: Cutover, monkeypatch: pytest.MonkeyPatch) -> None:
    cutover.migrate()
    altered = []

    def alter() -> None:
        cutover.source.run(
            "SET lock_timeout = '5s'; ALTER TABLE tags ADD COLUMN extra int; ALTER TABLE posts ADD y int"
        )
        altered.append(True)

    meanwhile(monkeypatch, alter)
    cutover.source.run("UPDATE posts SET title = 'edited' WHERE id = 1; DELETE FROM comments WHERE post_id = 9")
    assert {table["target"] for table in cutover.migrate("--changes")["tables"]} == {"comments", "posts"}
    assert altered


def test_archives_are_their_owner_s_from_the_start(cutover: Cutover, monkeypatch: pytest.MonkeyPatch) -> None:
    old = os.umask(0)
    try:
        cutover.migrate()
        modes = []
        written = rollback.write_tables

        def write_tables(*arguments: Any) -> None:
            written(*arguments)
            modes.append(stat.S_IMODE(arguments[-1].stat().st_mode))

        monkeypatch.setattr(rollback, "write_tables", write_tables)
        assert cutover("rollback", "--yes").code == 0
    finally:
        os.umask(old)
    archives = list(cutover.state.rglob("*.zip"))
    assert len(archives) == 4
    assert {stat.S_IMODE(path.stat().st_mode) for path in archives} == {0o600}
    assert modes == [0o600]
    assert (cutover.source.folder / "convex/_generated/api.js").stat().st_mode & 0o044, "what the app needs is not"


def test_a_schema_that_was_not_deployed_is_found_before_anything_is_asked(cutover: Cutover) -> None:
    cutover.migrate()
    migrated = cutover.contents()
    cutover.source.run("ALTER TABLE tags ALTER COLUMN weight TYPE text")
    schema = cutover.source.folder / "schema.py"
    schema.write_text(schema.read_text().replace('"weight": v.number()', '"weight": v.string()'))
    for changes in ((), ("--changes",)):
        ran = cutover("migrate", *changes)
        assert (ran.code, "SchemaEnforcementError" in ran.err, "supavex deploy" in ran.err) == (1, True, True), ran.err
        assert "replaces" not in ran.err, "nothing was asked"
    assert cutover.contents() == migrated
    assert len(cutover("rollback", "--list", "--json").json["exports"]) == 1


def test_a_rollback_that_the_deployed_schema_refuses_is_not_begun(cutover: Cutover) -> None:
    cutover.migrate()
    cutover.source.run("DELETE FROM notes")
    cutover.migrate("--changes")
    schema = cutover.source.folder / "schema.py"
    schema.write_text(schema.read_text().replace('{"body": v.string()}', '{"body": v.number()}'))
    assert cutover("deploy").code == 0, "no document is in the way"
    ran = cutover("rollback", "--yes")
    assert (ran.code, "SchemaEnforcementError" in ran.err) == (1, True), ran.err
    assert not cutover.contents()["notes"]
    assert len(cutover("rollback", "--list", "--json").json["exports"]) == 2
