"""``verify``: what it says where nothing was imported, and how much of what it finds it shows."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from supavex.deployment import Deployment
from tests import projects
from tests.projects import supavex, write

SCHEMA = 'schema = define_schema({"notes": define_table({"id": v.string(), "text": v.string()})})\n'
NOTES = "CREATE TABLE notes (id text PRIMARY KEY, text text NOT NULL);"
ROWS = "INSERT INTO notes SELECT n::text, 'note ' || n FROM generate_series(1, 60) AS n;"


@pytest.fixture
def folder() -> Iterator[Path]:
    with projects.folder() as path:
        yield path


def project(folder: Path, *statements: str) -> Path:
    return write(folder, schema=SCHEMA, migrations={"1_notes.sql": "\n".join([NOTES, *statements])})


def test_verify_without_a_deployment_says_that_nothing_was_imported(folder: Path) -> None:
    project(folder, ROWS)
    ran = supavex("verify", "-C", folder)
    assert (ran.code, ran.out) == (1, "")
    assert "NothingImported" in ran.err
    assert "no import took place" in ran.err
    assert not (folder / ".supavex/deployment.sqlite3").exists()


def test_verify_of_an_empty_deployment_says_that_nothing_was_imported(folder: Path) -> None:
    project(folder, ROWS)
    assert supavex("deploy", "-C", folder).code == 0
    ran = supavex("verify", "-C", folder, "--json")
    assert ran.code == 1
    assert ran.json["error"]["code"] == "NothingImported"
    assert not (folder / ".supavex/migration/proof.json").exists()


def test_no_rows_that_were_never_imported_are_not_proven(folder: Path) -> None:
    project(folder)
    assert supavex("deploy", "-C", folder).code == 0
    assert supavex("verify", "-C", folder).code == 1


def test_an_import_of_no_rows_is_proven(folder: Path) -> None:
    project(folder)
    assert supavex("deploy", "-C", folder).code == 0
    assert supavex("migrate", "-C", folder).code == 0
    ran = supavex("verify", "-C", folder)
    assert ran.code == 0
    assert "proven: no rows" in ran.out


def test_a_migration_that_imports_nothing_leaves_nothing_to_prove(folder: Path) -> None:
    schema = SCHEMA.replace('"text": v.string()', '"text": v.string(pattern="x")')
    write(folder, schema=schema, migrations={"1_notes.sql": f"{NOTES}\n{ROWS}"})
    assert supavex("deploy", "-C", folder).code == 0
    assert supavex("migrate", "-C", folder).code == 1
    ran = supavex("verify", "-C", folder)
    assert ran.code == 1
    assert "no import took place" in ran.err


def test_rows_that_came_some_other_way_are_compared(folder: Path) -> None:
    project(folder, ROWS)
    assert supavex("deploy", "-C", folder).code == 0
    with Deployment(folder / ".supavex/deployment.sqlite3") as deployment:
        deployment.insert("notes", {"id": "1", "text": "note 1"})
    ran = supavex("verify", "-C", folder, "--json")
    assert ran.code == 1
    assert ran.json["verdict"] == "not proven"


def test_an_archive_without_rows_is_no_import(folder: Path) -> None:
    other = folder / "other"
    other.mkdir()
    project(other)
    assert supavex("migrate", "-C", other, "--out", folder / "empty.zip").code == 0
    assert supavex("verify", "-C", other, folder / "empty.zip").code == 0, "its own run made it"
    mine = folder / "mine"
    mine.mkdir()
    project(mine)
    ran = supavex("verify", "-C", mine, folder / "empty.zip")
    assert ran.code == 1
    assert "no import took place" in ran.err


def test_more_than_three_findings_of_a_kind_are_counted_and_kept_whole(folder: Path) -> None:
    project(folder, ROWS)
    assert supavex("deploy", "-C", folder).code == 0
    assert supavex("migrate", "-C", folder).code == 0
    with Deployment(folder / ".supavex/deployment.sqlite3") as deployment:
        for number, document in enumerate(list(deployment.documents("notes"))):
            if number < 54:
                deployment.replace(document["_id"], {"id": document["id"], "text": "another"})
            elif number < 58:
                deployment.delete(document["_id"])
    ran = supavex("verify", "-C", folder)
    assert ran.code == 1
    lines = ran.out.splitlines()
    assert len([line for line in lines if line.startswith("mismatch: ")]) == 3
    assert len([line for line in lines if line.startswith("missing document: ")]) == 3
    assert [line.strip() for line in lines if "more, " in line] == [
        "… and 51 more, in proof.json",
        "… and 1 more, in proof.json",
    ]
    (table,) = json.loads((folder / ".supavex/migration/proof.json").read_text())["tables"]
    assert (len(table["mismatches"]), len(table["findings"])) == (54, 4)
    page = (folder / ".supavex/migration/proof.html").read_text()
    assert len(re.findall(r"<code>&#x27;another&#x27;</code>", page)) == 54


NOT_VALID = """
CREATE TABLE tickets (id int PRIMARY KEY, state text NOT NULL, size int, owner int);
INSERT INTO tickets VALUES (1, 'open', 1, NULL), (2, 'LEGACY', -1, NULL), (3, 'closed', 2, NULL);
ALTER TABLE tickets ADD CONSTRAINT tickets_state CHECK (state IN ('open', 'closed')) NOT VALID;
ALTER TABLE tickets ADD CONSTRAINT tickets_size CHECK (size >= 0) NOT VALID;
ALTER TABLE tickets ADD CONSTRAINT tickets_owner FOREIGN KEY (owner) REFERENCES tickets NOT VALID;
"""


def test_a_check_that_is_not_valid_is_a_remark(folder: Path) -> None:
    write(folder, schema="", migrations={"1_tickets.sql": NOT_VALID})
    (folder / "supavex.toml").unlink()
    assert supavex("init", "-C", folder).code == 0
    text = (folder / "schema.py").read_text()
    assert "one_of" not in text
    assert "tickets_state" in text
    assert "ge=0" not in text
    checked = supavex("check", "-C", folder, "--json").json
    remarks = [found for found in checked["diagnostics"] if found["code"] == "NotValidated"]
    assert [found["severity"] for found in remarks] == ["note"] * 3
    for command in ("build", "deploy", "migrate"):
        assert supavex(command, "-C", folder).code == 0
    ran = supavex("verify", "-C", folder)
    assert ran.code == 0, ran.out
    assert "check not valid: public.tickets tickets_state" in ran.out
    assert "1 row of the source break" in ran.out
    (table,) = json.loads((folder / ".supavex/migration/proof.json").read_text())["tables"]
    assert table["counts"] == {}
