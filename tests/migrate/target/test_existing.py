"""The move of the remaining tables: three tables are in Convex already, with ids that Convex chose."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from supavex.deployment import Deployment
from supavex.settings.reading import load_settings
from supavex.settings.schema_file import load_schema
from tests import projects
from tests.projects import supavex

CONFIG = ("--config", "supavex.remaining.toml")
#: A contact of the seed that is registered for a webinar.
REGISTERED = "4c8d2e61-7b05-4a93-8f1c-d06e9a3b5c02"
EXISTING = ("workspaces", "contacts", "ariConversations")


@pytest.fixture
def folder() -> Iterator[Path]:
    """A project whose deployment holds the three tables under ids of its own, as the app wrote them."""
    with projects.folder() as path, projects.folder() as elsewhere:
        projects.copy_of_my21staff(path)
        projects.copy_of_my21staff(elsewhere)
        assert supavex("deploy", "-C", elsewhere).code == 0
        assert supavex("migrate", "-C", elsewhere).code == 0
        schema = load_schema(load_settings(path))
        with (
            Deployment(elsewhere / ".supavex/deployment.sqlite3") as source,
            Deployment(path / ".supavex/deployment.sqlite3") as target,
        ):
            target.insert("aardvarks", {"name": "takes the number 10001"})
            target.push(schema.export())
            ids: dict[str, str] = {}
            for table in EXISTING:
                for document in source.documents(table):
                    fields = {k: ids.get(x, x) if isinstance(x, str) else x for k, x in document.items() if k[0] != "_"}
                    ids[document["_id"]] = target.insert(table, fields)
        yield path


def test_the_twelve_move_and_nothing_else_is_touched(folder: Path) -> None:
    with Deployment(folder / ".supavex/deployment.sqlite3") as deployment:
        before = {table: list(deployment.documents(table)) for table in (*EXISTING, "aardvarks")}
    ran = supavex("migrate", "-C", folder, *CONFIG, "--json")
    assert ran.code == 0, ran.err
    assert len(ran.json["tables"]) == 12
    assert {m["target"]: (m["rows"], m["matched"]) for m in ran.json["existing"]} == {
        "workspaces": (4, 4), "contacts": (9, 9), "ariConversations": (7, 7)
    }  # fmt: skip
    with Deployment(folder / ".supavex/deployment.sqlite3") as deployment:
        assert {table: list(deployment.documents(table)) for table in (*EXISTING, "aardvarks")} == before
        workspaces = {d["_id"] for d in before["workspaces"]}
        assert {d["workspace_id"] for d in deployment.documents("articles")} <= workspaces
        assert deployment.count("ariAppointments") == 7
        assert next(deployment.documents("consultantSlots"))["consultant_id"].startswith("user_")
    proof = supavex("verify", "-C", folder, *CONFIG, "--json")
    assert proof.code == 0, proof.out
    assert sum(table["matched"] for table in proof.json["tables"]) == 79


def test_a_reference_to_a_document_that_is_not_there_is_a_reject(folder: Path) -> None:
    with Deployment(folder / ".supavex/deployment.sqlite3") as deployment:
        gone = next(d for d in deployment.documents("contacts") if d["supabaseId"] == REGISTERED)
        deployment.delete(gone["_id"])
    ran = supavex("migrate", "-C", folder, *CONFIG, "--max-rejects", "100", "--json")
    assert ran.code == 0
    rejects = [json.loads(x) for x in Path(ran.json["rejects"]).read_text().splitlines()]
    unresolved = [r for r in rejects if r["code"] == "UnresolvedReference"]
    assert {(r["table"], r["column"]) for r in unresolved} == {
        ("public.webinar_registrations", "contact_id"),
        # The seed's reference to a conversation that is nowhere.
        ("public.ari_appointments", "ari_conversation_id"),
    }
    assert any("contacts" in reject["reason"] for reject in unresolved)
    assert supavex("verify", "-C", folder, *CONFIG).code == 0


def test_a_key_that_two_documents_share_matches_nothing(folder: Path) -> None:
    with Deployment(folder / ".supavex/deployment.sqlite3") as deployment:
        workspace = next(deployment.documents("workspaces"))
        deployment.insert("workspaces", {k: x for k, x in workspace.items() if k[0] != "_"})
    ran = supavex("migrate", "-C", folder, *CONFIG, "--max-rejects", "1000", "--json")
    found = next(m for m in ran.json["existing"] if m["target"] == "workspaces")
    assert (found["matched"], found["ambiguous"]) == (3, 1)


def test_without_the_target_the_ids_can_not_be_known(folder: Path) -> None:
    ran = supavex("migrate", "-C", folder, *CONFIG, "--out", folder / "x.zip")
    assert ran.code == 2
    assert "--existing" in ran.err


def test_an_export_of_the_target_gives_the_ids_too(folder: Path) -> None:
    assert supavex("migrate", "-C", folder, *CONFIG).code == 0
    archive = folder / ".supavex/migration-supavex.remaining/snapshot.zip"
    with Deployment(folder / ".supavex/deployment.sqlite3") as deployment:
        export = write_export(folder / "export.zip", deployment)
    assert supavex("migrate", "-C", folder, *CONFIG, "--out", folder / "x.zip", "--existing", export).code == 0
    assert (folder / "x.zip").read_bytes() == archive.read_bytes()
    # The archive does not hold the tables that are there already: the proof needs the export, too.
    ran = supavex("verify", "-C", folder, *CONFIG, folder / "x.zip")
    assert (ran.code, "NoTarget" in ran.err, "--existing" in ran.err) == (2, True, True), ran.err
    proof = supavex("verify", "-C", folder, *CONFIG, folder / "x.zip", "--existing", export, "--json")
    assert (proof.code, proof.json["verdict"]) == (0, "proven"), proof.out
    assert supavex("verify", "-C", folder, *CONFIG, export).code == 0
    ran = supavex("verify", "-C", folder, *CONFIG, "--existing", export)
    assert (ran.code, "UnsupportedOption" in ran.err) == (2, True), ran.err


def write_export(path: Path, deployment: Deployment) -> Path:
    """An archive of the whole deployment, as `npx convex export` writes it."""
    from supavex.convex.archive_writer import ArchiveWriter
    from supavex.convex.snapshot import tables_entry
    from supavex.convex.values import to_export_json

    with path.open("wb") as file:
        writer = ArchiveWriter(file)
        writer.add("_tables/documents.jsonl", tables_entry(deployment.table_numbers()))
        for table in deployment.tables():
            text = "".join(to_export_json(document) + "\n" for document in deployment.documents(table))
            writer.add(f"{table}/documents.jsonl", text.encode())
            writer.add(f"{table}/generated_schema.jsonl", b'"uniform"\n')
        writer.close()
    return path
