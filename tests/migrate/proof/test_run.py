"""What the proof finds: each way in which a target can be wrong, made by hand and found."""

import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from supavex.convex.values import Document
from supavex.deployment import Deployment
from supavex.migrate.state.rejects import Reject, read_rejects, write_rejects
from tests import projects
from tests.projects import supavex


@pytest.fixture
def deployment(file: Path) -> Iterator[Deployment]:
    """The migrated deployment, put back as it was after the test."""
    with Deployment(file) as opened:
        yield opened


def fields(document: Document) -> Document:
    return {name: value for name, value in document.items() if not name.startswith("_")}


def proof(folder: Path, table: str, *arguments: str) -> Any:
    ran = supavex("verify", "-C", folder, "--json", *arguments)
    assert ran.code == (0 if ran.json["ok"] else 1)
    return next(t for t in ran.json["tables"] if t["target"] == table)


def test_all_is_equal_after_a_migration(moved: Path) -> None:
    ran = supavex("verify", "-C", moved, "--json")
    assert ran.code == 0
    assert ran.json["proof"] is True
    assert sum(table["matched"] for table in ran.json["tables"]) == 99
    assert sum(table["rejected"] for table in ran.json["tables"]) == 3
    assert all(table["documents"] == table["matched"] for table in ran.json["tables"])
    assert sum(table["fields"] for table in ran.json["tables"]) == 1025


@pytest.mark.parametrize(
    ("table", "field", "value"),
    [
        ("ariPayments", "amount", 0.02),
        ("ariPayments", "gateway_response", {"x": 1.0}),
        ("ariPayments", "currency", "USD "),
        ("ariDestinations", "programs", ["x"]),
        ("consultantSlots", "start_time", "00:01"),
        ("consultantSlots", "is_active", None),
        ("articles", "supabaseId", "other"),
        ("articles", "title", ""),
    ],
)
def test_one_changed_field_is_found(moved: Path, deployment: Deployment, table: str, field: str, value: object) -> None:
    document = next(d for d in deployment.documents(table) if d.get(field) is not None)
    changed = fields(document) | {field: (not document[field]) if value is None else value}
    deployment.replace(document["_id"], changed)
    found = proof(moved, table)
    assert found["counts"] == {"mismatch": 1}
    (mismatch,) = found["mismatches"]
    assert (mismatch["table"], mismatch["column"]) in {(found["source"], field), (found["source"], "supabaseId")}
    assert mismatch["key"]
    assert mismatch["source"] != mismatch["target"]


def test_a_microsecond_is_found(moved: Path, deployment: Deployment) -> None:
    document = next(deployment.documents("webinars"))
    deployment.replace(document["_id"], fields(document) | {"scheduled_at": document["scheduled_at"] + 0.001})
    (mismatch,) = proof(moved, "webinars")["mismatches"]
    shown = (mismatch["column"], mismatch["source"], mismatch["target"])
    moment = document["scheduled_at"]
    assert shown == ("scheduled_at", f"{moment} ms", repr(moment + 0.001)), "both in the unit of the target"


def test_a_field_that_is_missing_or_too_many_is_found(moved: Path, deployment: Deployment) -> None:
    document = next(d for d in deployment.documents("ariDestinations") if "city" in d)
    other = next(d for d in deployment.documents("ariDestinations") if "city" not in d)
    deployment.replace(document["_id"], {k: x for k, x in fields(document).items() if k != "city"})
    deployment.replace(other["_id"], fields(other) | {"city": "X"})
    assert proof(moved, "ariDestinations")["counts"] == {"mismatch": 2}


def test_a_removed_document_is_found(moved: Path, deployment: Deployment) -> None:
    document = next(deployment.documents("ariScoringConfig"))
    deployment.delete(document["_id"])
    found = proof(moved, "ariScoringConfig")
    assert found["counts"] == {"missing document": 1}
    assert found["findings"][0]["key"]


def test_an_added_document_is_found(moved: Path, deployment: Deployment) -> None:
    document = next(deployment.documents("ariScoringConfig"))
    id_ = deployment.insert("ariScoringConfig", fields(document))
    found = proof(moved, "ariScoringConfig")
    # Its workspace has two configurations now, which the unique constraint forbade.
    assert found["counts"] == {"extra document": 1, "broken unique": 1}
    assert id_ in found["findings"][0]["detail"]


def test_a_dangling_reference_is_found(moved: Path, deployment: Deployment) -> None:
    category = next(d for d in deployment.documents("ariKnowledgeEntries") if "category_id" in d)["category_id"]
    referring = [d for d in deployment.documents("ariKnowledgeEntries") if d.get("category_id") == category]
    deployment.delete(category)
    assert proof(moved, "ariKnowledgeEntries")["counts"] == {"dangling reference": len(referring)}


def test_two_swapped_references_are_found(moved: Path, deployment: Deployment) -> None:
    first, second = list(deployment.documents("articles"))[:2]
    one, other = first["workspace_id"], second["workspace_id"]
    if one == other:
        other = next(d["_id"] for d in deployment.documents("workspaces") if d["_id"] != one)
    deployment.replace(first["_id"], fields(first) | {"workspace_id": other})
    assert proof(moved, "articles")["mismatches"][0]["column"] == "workspace_id"


def test_a_value_outside_the_allowed_ones_is_found_as_a_broken_rule_too(moved: Path, deployment: Deployment) -> None:
    document = next(deployment.documents("articles"))
    deployment.replace(document["_id"], fields(document) | {"status": "gone"})
    assert proof(moved, "articles")["counts"] == {"mismatch": 1, "broken rule": 1}


def test_a_rejected_row_that_is_in_the_target_is_found(moved: Path, deployment: Deployment, tmp_path: Path) -> None:
    document = next(deployment.documents("articles"))
    rejects = tmp_path / "rejects.jsonl"
    write_rejects(rejects, [Reject("public.articles", str(document["supabaseId"]), "x", "X", "", "")])
    assert proof(moved, "articles", "--rejects", str(rejects))["counts"] == {"rejected but there": 1}
    # Without the entries of the real rejects, their rows are missing.
    assert proof(moved, "ariAppointments", "--rejects", str(rejects))["counts"] == {"missing document": 2}


def test_a_reject_of_a_row_that_is_gone_is_found(moved: Path, tmp_path: Path) -> None:
    kept = read_rejects(moved / ".supavex/migration/rejects.jsonl")
    rejects = tmp_path / "rejects.jsonl"
    write_rejects(rejects, [*kept, Reject("public.articles", "gone", "x", "X", "", "")])
    assert proof(moved, "articles", "--rejects", str(rejects))["counts"] == {"stale reject": 1}


def test_an_archive_is_proven_and_a_changed_one_is_not(moved: Path, tmp_path: Path) -> None:
    archive = moved / ".supavex/migration/snapshot.zip"
    assert supavex("verify", archive, "-C", moved).code == 0
    changed = tmp_path / "changed.zip"
    with zipfile.ZipFile(archive) as old, zipfile.ZipFile(changed, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            if name == "articles/documents.jsonl":
                content = content.replace(b'"status":"published"', b'"status":"draft"', 1)
            new.writestr(name, content)
    ran = supavex("verify", changed, "-C", moved)
    assert ran.code == 1
    assert "status" in ran.out
    assert "not proven" in ran.out


def test_a_missing_table_is_found(moved: Path, tmp_path: Path) -> None:
    smaller = tmp_path / "smaller.zip"
    with zipfile.ZipFile(moved / ".supavex/migration/snapshot.zip") as old, zipfile.ZipFile(smaller, "w") as new:
        tables = b"".join(
            x for x in old.read("_tables/documents.jsonl").splitlines(keepends=True) if b"webinars" not in x
        )
        new.writestr("_tables/documents.jsonl", tables)
        for name in old.namelist():
            if not name.startswith(("_tables", "webinars/")):
                new.writestr(name, old.read(name))
    ran = supavex("verify", smaller, "-C", moved, "--json")
    counts = {table["target"]: table["counts"] for table in ran.json["tables"] if table["counts"]}
    assert counts["webinars"] == {"missing table": 1}
    assert counts["webinarRegistrations"]["dangling reference"] == 8


def test_a_sample_says_that_it_is_no_proof(moved: Path) -> None:
    ran = supavex("verify", "-C", moved, "--sample", "2")
    assert ran.code == 0
    assert "this is no proof" in ran.out


def test_the_sources_own_checks_are_evaluated(moved: Path) -> None:
    with projects.folder() as folder:
        projects.write(
            folder,
            schema='schema = define_schema({"t": define_table({"a": v.number(default=9), "b": v.number()})})',
            migrations={
                "1.sql": "CREATE TABLE t (id int PRIMARY KEY, a int, b int NOT NULL, CONSTRAINT less CHECK (a < b),"
                "CHECK (b > 0), CONSTRAINT nine CHECK (a <> 9)); INSERT INTO t VALUES (1, 1, 2), (2, NULL, 5);"
                "INSERT INTO t SELECT n, NULL, CASE WHEN n < 10 THEN 20 ELSE 6 END FROM generate_series(3, 70) AS n;"
            },
            toml='[tables.t.columns.a]\nfill = "defaults"\n',
        )
        assert supavex("deploy", "-C", folder).code == 0
        assert supavex("migrate", "-C", folder).code == 0
        # NULL passes a CHECK; the default that took its place does not.
        found = proof(folder, "t")
        assert found["counts"] == {"broken check": 62 + 69}, "all are counted, of each constraint"
        assert found["findings"][0]["key"] == "2"
        assert found["findings"][0]["detail"].startswith("less: ")
