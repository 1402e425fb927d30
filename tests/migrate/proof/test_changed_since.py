"""Rows that the app writes after the copy: told from what is wrong, and from what can't be told."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from supavex.deployment import Deployment
from supavex.errors import SupavexError
from supavex.library import Project
from supavex.migrate.proof.digests import process as process_of_digests
from supavex.migrate.proof.digests import table as digests
from supavex.migrate.state.rejects import Reject, write_rejects
from supavex.migrate.verifying import VerifyOptions
from supavex.postgres.server import Server, temporary
from tests import projects
from tests.projects import supavex

SQL = """
DROP TABLE IF EXISTS notes, people;
CREATE TABLE people (id uuid PRIMARY KEY, name text NOT NULL);
CREATE TABLE notes (id int PRIMARY KEY, person uuid REFERENCES people ON DELETE CASCADE, text text NOT NULL, n int);
INSERT INTO people SELECT md5(n::text)::uuid, 'person ' || n FROM generate_series(1, 20) AS n;
INSERT INTO notes SELECT n, md5((1 + n % 20)::text)::uuid, 'note ' || n, n FROM generate_series(1, 300) AS n;
"""
SCHEMA = """
schema = define_schema({
    "people": define_table({"name": v.string()}),
    "notes": define_table({"person": v.optional(v.id("people")), "text": v.string(), "n": v.optional(v.number())}),
})
"""
Run = Callable[[str], None]


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with temporary() as running:
        yield running


@pytest.fixture
def run(server: Server) -> Iterator[Run]:
    """Runs SQL as the app does, each time in a transaction of its own."""
    with psycopg.connect(server.url("supabase_admin"), autocommit=True) as connection:
        yield lambda sql: connection.execute(sql.encode()) and None


@pytest.fixture
def moved(server: Server, run: Run) -> Iterator[Path]:
    run(SQL)
    with projects.folder() as folder:
        url = server.url("supabase_admin").replace("supabase_admin", "supabase_admin password=very-secret", 1)
        projects.write(folder, schema=SCHEMA, toml=f'[source]\ndatabase_url = "{url}"\n')
        for command in ("deploy", "migrate", "verify"):
            ran = supavex(command, "-C", folder)
            assert ran.code == 0, ran.out + ran.err
        yield folder


def verified(folder: Path, *arguments: str) -> Any:
    ran = supavex("verify", "-C", folder, "--json", *arguments)
    assert ran.code == (0 if ran.json["ok"] else 1), ran.err
    kept = json.loads((folder / ".supavex/migration/proof.json").read_text())
    assert kept["verdict"] == ran.json["verdict"]
    return ran.json


def table_of(proof: Any, name: str) -> Any:
    return next(table for table in proof["tables"] if table["target"] == name)


def test_inserted_and_updated_rows_are_changed_and_not_wrong(moved: Path, run: Run) -> None:
    run("INSERT INTO notes VALUES (1000, NULL, 'new', 1)")
    run("UPDATE notes SET n = -1, text = 'other' WHERE id = 7")
    proof = verified(moved)
    notes = table_of(proof, "notes")
    assert (proof["verdict"], proof["wrong"], proof["changed"], notes["counts"]) == ("changed since the copy", 0, 2, {})
    assert {change["key"]: change["detail"] for change in notes["changes"]} == {
        "7": "it differs in text, n",
        "1000": "it has no document",
    }
    assert notes["matched"] == 299
    assert proof["copiedAt"] < proof["takenAt"]
    said = supavex("verify", "-C", moved)
    assert "2 rows changed since the copy" in said.out
    assert "supavex migrate again" in said.out
    assert "very-secret" not in said.out + said.err + (moved / ".supavex/migration/proof.html").read_text()
    # And again, so that they are there.
    assert supavex("migrate", "-C", moved).code == 0
    assert verified(moved)["verdict"] == "proven"


def test_what_is_wrong_stays_wrong_beside_what_changed(moved: Path, run: Run) -> None:
    with Deployment(moved / ".supavex/deployment.sqlite3") as deployment:
        documents = {document["text"]: document for document in deployment.documents("notes")}
        wrong, gone = documents["note 8"], documents["note 9"]
        deployment.replace(wrong["_id"], {"text": "bent", "n": wrong["n"], "person": wrong["person"]})
        deployment.delete(gone["_id"])
    run("UPDATE notes SET n = -1 WHERE id = 10")
    proof = verified(moved)
    notes = table_of(proof, "notes")
    assert (proof["verdict"], proof["changed"]) == ("not proven", 1)
    assert notes["counts"] == {"mismatch": 1, "missing document": 1}
    assert notes["mismatches"][0]["key"] == "8"


def test_a_row_that_was_written_without_a_change_is_equal(moved: Path, run: Run) -> None:
    run("UPDATE notes SET n = n")
    assert verified(moved)["verdict"] == "proven"


def test_a_deleted_row_cannot_be_told_from_a_document_too_many(moved: Path, run: Run) -> None:
    run("DELETE FROM notes WHERE id = 7")
    proof = verified(moved)
    notes = table_of(proof, "notes")
    assert (proof["verdict"], notes["counts"]) == ("not proven", {"deleted or extra": 1})
    assert notes["findings"][0]["key"] == "7"
    assert "leaves nothing to tell it by" in supavex("verify", "-C", moved).out


def test_where_nothing_was_written_a_document_too_many_is_wrong(moved: Path) -> None:
    with Deployment(moved / ".supavex/deployment.sqlite3") as deployment:
        deployment.insert("people", {"name": "nobody"})
    assert table_of(verified(moved), "people")["counts"] == {"extra document": 1}


def test_a_rejected_row_that_was_deleted_since_is_said(moved: Path, run: Run) -> None:
    run("DELETE FROM notes WHERE id = 300")
    rejects = moved / "rejects.jsonl"
    write_rejects(rejects, [Reject("public.notes", "300", "n", "X", "", "")])
    found = table_of(verified(moved, "--rejects", str(rejects)), "notes")
    assert found["counts"] == {"stale reject": 1, "deleted or extra": 1}
    assert "deleted since the copy" in found["findings"][0]["detail"]


def test_another_database_is_not_compared_with_the_copys_moment(moved: Path, run: Run) -> None:
    kept = moved / ".supavex/migration/copied/local.jsonl"
    lines = [json.loads(line) for line in kept.read_text().splitlines()]
    others = [lines[0], *({**line, "visibility": {**line["visibility"], "database": "2 other"}} for line in lines[1:])]
    kept.write_text("".join(json.dumps(line) + "\n" for line in others))
    run("UPDATE notes SET n = -1 WHERE id = 7")
    proof = verified(moved)
    assert (proof["verdict"], proof["copiedAt"]) == ("not proven", None)
    assert table_of(proof, "notes")["counts"] == {"mismatch": 1}


def test_a_table_that_the_last_migration_left_out_has_the_moment_of_its_own(moved: Path, run: Run) -> None:
    assert supavex("migrate", "-C", moved, "--tables", "people").code == 0
    run("UPDATE notes SET n = -1 WHERE id = 7")
    run("UPDATE people SET name = 'x' WHERE id = md5('1')::uuid")
    proof = verified(moved)
    assert (table_of(proof, "notes")["changed"], table_of(proof, "people")["changed"]) == (1, 1)


def test_a_sample_tells_them_too(moved: Path, run: Run) -> None:
    run("UPDATE notes SET n = -1")
    ran = supavex("verify", "-C", moved, "--json", "--sample", "5")
    proof = ran.json
    # The last proof and its page stay.
    assert (ran.code, proof["page"]) == (1, None)
    assert json.loads((moved / ".supavex/migration/proof.json").read_text())["verdict"] == "proven"
    assert (proof["verdict"], proof["proof"], proof["changed"], proof["wrong"]) == ("sample differs", False, 5, 0)


@pytest.mark.parametrize("process", ["its own", "none can be started", "it ends at once"])
def test_the_sources_side_may_have_a_process_of_its_own(
    moved: Path, run: Run, monkeypatch: pytest.MonkeyPatch, process: str
) -> None:
    if process == "its own":
        monkeypatch.setattr(digests.TableDigests, "source", None)  # so nobody reads it here
    else:
        command = "/nowhere/python" if process == "none can be started" else "/bin/false"
        monkeypatch.setattr(process_of_digests, "PYTHON", command)
    proof = Project(moved).verify(VerifyOptions(large_bytes=0))
    assert (proof.verdict, sum(table.matched for table in proof.tables)) == ("proven", 320)
    with Deployment(moved / ".supavex/deployment.sqlite3") as deployment:
        document = next(iter(deployment.documents("people")))
        deployment.replace(document["_id"], {"name": "bent"})
    run("UPDATE notes SET n = -1 WHERE id = 7")
    proof = Project(moved).verify(VerifyOptions(large_bytes=0))
    assert (proof.wrong, proof.changed) == (1, 1)


def test_an_error_of_the_process_is_the_readers(moved: Path) -> None:
    config = moved / "supavex.toml"
    config.write_text(config.read_text() + '[tables."public.notes".columns.n]\nsql = "1 / (id - 5)"\n')
    with pytest.raises(SupavexError, match="division by zero") as caught:
        Project(moved).verify(VerifyOptions(large_bytes=0))
    assert caught.value.code == "ReadFailed"
    assert "public.notes" in str(caught.value.to_json())
