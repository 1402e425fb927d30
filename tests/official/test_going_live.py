"""A move into a deployment that only the official CLI reaches: `supavex serve` stands in for Convex, by its URL."""

from __future__ import annotations

import json
import shutil
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from supavex.convex.snapshot import SnapshotArchive
from supavex.deployment import Deployment
from supavex.migrate import migration
from supavex.migrate.golive import guarded_import
from supavex.postgres.server import temporary
from tests import projects
from tests.projects import supavex

from .node import NODE_MODULES
from .served import Served

REMAINING = "supavex.remaining.toml"
EXISTING = ("workspaces", "contacts", "ariConversations")


@pytest.fixture
def served() -> Iterator[Served]:
    with projects.folder() as folder, Served(folder / "data") as server:
        yield server


@pytest.fixture
def project(served: Served, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The user's project with its app installed, and the served deployment's key in the environment."""
    with projects.folder() as folder:
        projects.copy_of_my21staff(folder)
        (folder / "remaining/node_modules").symlink_to(NODE_MODULES)
        (folder / "remaining/convex/people.ts").write_text(
            'import { query } from "./_generated/server";\n'
            'export const all = query({ args: {}, handler: async (ctx) => ctx.db.query("contacts").collect() });\n'
        )
        for name in ("CONVEX_SELF_HOSTED_URL", "CONVEX_DEPLOYMENT", "CONVEX_DEPLOY_KEY"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("CONVEX_SELF_HOSTED_ADMIN_KEY", served.key)
        yield folder


def earlier_documents(project: Path, served: Served) -> dict[str, Any]:
    """Puts the three tables that are in Convex already there, under ids of Convex's choosing; document by table."""
    archive = project / "full.zip"
    assert supavex("migrate", "-C", project, "--out", archive).code == 0
    found: dict[str, Any] = {}
    new: dict[str, str] = {}
    with SnapshotArchive(archive) as opened, Deployment(served.data / "deployment.sqlite3") as deployment:
        for table in EXISTING:
            found[table] = []
            for document in opened.documents(table):
                fields = {
                    name: new.get(value, value) if isinstance(value, str) else value for name, value in document.items()
                }
                old = fields.pop("_id")
                fields.pop("_creationTime")
                new[old] = deployment.insert(table, fields)
                found[table].append(deployment.get(new[old]))
    return found


def test_the_remaining_tables_go_live(project: Path, served: Served) -> None:
    to = ("--to", served.url)
    config = ("-C", project, "--config", REMAINING)
    deployed = supavex("deploy", *config, *to)
    assert deployed.code == 0, deployed.out + deployed.err
    assert "Convex functions ready!" in deployed.err
    assert served.key not in deployed.out + deployed.err
    assert (project / ".planning/phases/05-data-migration/05-01-SUMMARY.md").is_file()

    earlier = earlier_documents(project, served)
    asked = supavex("migrate", *config, *to)
    assert (asked.code, "NotConfirmed" in asked.err) == (2, True), asked.err
    assert "replaces" in asked.err, "what an import would do is shown first"
    assert not list(project.glob(".supavex/migration-*/before-*.zip")), "nothing has changed: nothing to go back to"
    migrated = supavex("migrate", *config, *to, "--yes", "--json")
    assert migrated.code == 0, migrated.out + migrated.err
    report = migrated.json
    assert (report["ok"], report["imported"], report["changedMeanwhile"]) == (True, True, [])
    assert report["proof"]["ok"] is True
    assert sum(table["documents"] for table in report["tables"]) == sum(t["matched"] for t in report["proof"]["tables"])

    with Deployment(served.data / "deployment.sqlite3") as deployment:
        assert len(deployment.tables()) == 15
        for table in EXISTING:
            by_id = {document["_id"]: document for document in earlier[table]}
            assert {d["_id"]: d for d in deployment.documents(table)} == by_id, "nothing else has changed"
        payment = next(iter(deployment.query("ariPayments")))
        assert payment["ari_conversation_id"] in {document["_id"] for document in earlier["ariConversations"]}
    assert supavex("verify", *config, *to).code == 0
    # Ids that Convex chose may have changed, so the target is looked at. Nothing has: nothing is imported or kept.
    exports = list(project.glob(".supavex/migration-*/before-*.zip"))
    again = supavex("migrate", *config, *to, "--changes", "--yes")
    assert (again.code, "Nothing has changed since" in again.out) == (0, True), again.out + again.err
    assert list(project.glob(".supavex/migration-*/before-*.zip")) == exports
    # A document that the app deletes: who refers to its row is rejected, though no row has changed.
    with Deployment(served.data / "deployment.sqlite3") as deployment:
        registration = next(iter(deployment.documents("webinarRegistrations")))
        deployment.delete(registration["contact_id"])
    changed = supavex("migrate", *config, *to, "--changes", "--yes", "--json", "--max-rejects", "99")
    assert changed.code == 0, changed.out + changed.err
    assert [table["target"] for table in changed.json["tables"]] == ["webinarRegistrations"]
    assert "ids" in changed.json["reasons"]["public.webinar_registrations"]
    assert changed.json["rejected"] > report["rejected"]
    # Going back: the export from before is a whole way back.
    with zipfile.ZipFile(report["before"]) as archive:
        assert archive.read("ariPayments/documents.jsonl") == b""


def test_more_rejects_than_allowed_import_nothing(project: Path, served: Served) -> None:
    to, config = ("--to", served.url), ("-C", project, "--config", REMAINING)
    assert supavex("deploy", *config, *to).code == 0
    earlier_documents(project, served)
    exported = len(list(project.glob(".supavex/*/before-*.zip")))
    migrated = supavex("migrate", *config, *to, "--yes", "--max-rejects", "0")
    assert migrated.code == 1, "three rows are broken on purpose"
    assert len(list(project.glob(".supavex/*/before-*.zip"))) == exported
    with Deployment(served.data / "deployment.sqlite3") as deployment:
        assert deployment.count("ariPayments") == 0


def test_what_convex_would_refuse_is_found_before_anything_is_imported(
    project: Path, served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    to, config = ("--to", served.url), ("-C", project, "--config", REMAINING)
    assert supavex("deploy", *config, *to).code == 0
    earlier = earlier_documents(project, served)
    # As if the numbers had been chosen without looking at the target: payments get the number of the contacts.
    monkeypatch.setattr(
        migration, "_with_target", lambda numbers, target: {**target, "ariPayments": target["contacts"]}
    )
    migrated = supavex("migrate", *config, *to, "--yes")
    assert (migrated.code, "TableConflict" in migrated.err) == (1, True), migrated.out + migrated.err
    assert not list(project.glob(".supavex/*/before-*.zip")), "found on this machine: the import was not begun"
    with Deployment(served.data / "deployment.sqlite3") as deployment:
        assert deployment.count("ariPayments") == 0
        assert len(list(deployment.documents("contacts"))) == len(earlier["contacts"])


def test_documents_that_do_not_fit_are_convex_s_to_refuse(project: Path, served: Served) -> None:
    with Deployment(served.data / "deployment.sqlite3") as deployment:
        deployment.insert("ariPayments", {"amount": "much"})
    deployed = supavex("deploy", "-C", project, "--config", REMAINING, "--to", served.url)
    assert deployed.code == 1
    assert "Schema validation failed" in deployed.err
    assert 'in table "ariPayments" does not match the schema' in deployed.err


def test_tables_that_the_app_does_not_take_are_missed(project: Path, served: Served) -> None:
    schema = project / "remaining/convex/schema.ts"
    schema.write_text(schema.read_text().replace("...supavexTables,", ""))
    deployed = supavex("deploy", "-C", project, "--config", REMAINING, "--to", served.url)
    assert deployed.code == 1
    assert "NotDeployed" in deployed.err
    assert "supavexTables" in deployed.err


def test_a_deploy_says_nothing_of_the_app_s_own_tables(project: Path, served: Served) -> None:
    schema = project / "remaining/convex/schema.ts"
    text = schema.read_text()
    own = 'ownNotes: defineTable({ text: v.string() }).index("by_text", ["text"]),'
    schema.write_text(text.replace("...supavexTables,", f"...supavexTables, {own}"))
    deploy = ("deploy", "-C", project, "--config", REMAINING, "--to", served.url)
    summary = project / "summary.md"
    first = supavex(*deploy, "--json", "--summary", summary)
    assert first.code == 0, first.out + first.err
    change = first.json["change"]
    assert (len(change["newTables"]), change["removedTables"]) == (15, [])
    assert "ownNotes" not in first.out + summary.read_text()
    again = supavex(*deploy, "--summary", summary)
    assert "Nothing to change: 15 tables as they were." in again.out, again.out
    assert "ownNotes" not in again.out + summary.read_text()
    # One that is taken out of schema.ts is no longer in the schema, whoever's it was.
    schema.write_text(text)
    assert supavex(*deploy, "--json").json["change"]["removedTables"] == ["ownNotes"]


def test_a_wrong_key_is_said(project: Path, served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONVEX_SELF_HOSTED_ADMIN_KEY", "supavex-local|wrong")
    deployed = supavex("deploy", "-C", project, "--config", REMAINING, "--to", served.url)
    assert deployed.code == 2
    assert "BadDeployKey" in deployed.err
    assert "error[WrongAdminKey]" in deployed.err and "wrong" not in deployed.err.replace("WrongAdminKey", "")


def test_a_table_that_someone_else_changes_meanwhile_is_noticed(tmp_path: Path) -> None:
    from supavex.migrate.target.contents import changed_tables

    def archive(name: str, **tables: list[dict[str, Any]]) -> Path:
        path = tmp_path / name
        with zipfile.ZipFile(path, "w") as file:
            for table, documents in tables.items():
                file.writestr(f"{table}/documents.jsonl", "".join(json.dumps(d) + "\n" for d in documents))
        return path

    before = archive("a.zip", a=[{"x": 1.0}, {"x": 2.0}], b=[{"y": "z"}], moved=[])
    same = archive("b.zip", a=[{"x": 2.0}, {"x": 1.0}], b=[{"y": "z"}], moved=[{"x": 1.0}])
    other = archive("c.zip", a=[{"x": 2.0}, {"x": 3.0}], b=[{"y": "z"}], moved=[], new=[{"x": 1.0}])
    assert changed_tables(before, same, {"moved"}) == []
    assert changed_tables(before, other, {"moved"}) == ["a", "new"]
    shutil.rmtree(tmp_path)


def test_the_proof_is_of_the_copys_moment_whatever_the_app_writes_meanwhile(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CONVEX_SELF_HOSTED_ADMIN_KEY", served.key)
    with projects.folder() as folder, temporary() as server:
        url = server.url("supabase_admin")
        schema = 'schema = define_schema({"notes": define_table({"n": v.number()})})'
        projects.write(folder, schema=schema, toml=f'convex = "app/convex"\n[source]\ndatabase_url = "{url}"\n')
        (folder / "app").mkdir()
        (folder / "app/package.json").write_text('{"name": "app", "private": true, "dependencies": {"convex": "*"}}')
        (folder / "app/node_modules").symlink_to(NODE_MODULES)
        with psycopg.connect(url, autocommit=True) as app:
            app.execute("CREATE TABLE notes (id int PRIMARY KEY, n int NOT NULL)")
            app.execute("INSERT INTO notes SELECT n, n FROM generate_series(1, 100) AS n")
            rehearse = guarded_import.rehearse

            def rehearsed(*arguments: Any, **named: Any) -> None:
                rehearse(*arguments, **named)
                app.execute("INSERT INTO notes VALUES (101, 1)")
                app.execute("UPDATE notes SET n = -1 WHERE id = 1")
                app.execute("DELETE FROM notes WHERE id = 2")

            monkeypatch.setattr(guarded_import, "rehearse", rehearsed)
            for command in (["build"], ["deploy", "--to", served.url]):
                ran = supavex(*command, "-C", folder)
                assert ran.code == 0, ran.out + ran.err
            migrated = supavex("migrate", "-C", folder, "--to", served.url, "--yes", "--json")
            assert migrated.code == 0, migrated.out + migrated.err
            proof = migrated.json["proof"]
            assert (proof["verdict"], proof["tables"][0]["matched"]) == ("proven", 100)
            assert proof["takenAt"] == migrated.json["takenAt"], "the moment of the copy, not of the proof"
            assert "Proven" in (folder / ".supavex/migration/proof.html").read_text()
            # Nothing holds the snapshot any more. (A server's process ends shortly after its client has left.)
            held = "SELECT pid, query FROM pg_stat_activity WHERE state LIKE 'idle in transaction%'"
            deadline = time.monotonic() + 30
            while (left := app.execute(held).fetchall()) and time.monotonic() < deadline:
                time.sleep(0.05)
            assert left == []
        # Now it is gone, and what came after it is told.
        verified = supavex("verify", "-C", folder, "--to", served.url, "--json")
        (table,) = verified.json["tables"]
        assert (verified.code, table["changed"], table["counts"]) == (1, 2, {"deleted or extra": 1})
