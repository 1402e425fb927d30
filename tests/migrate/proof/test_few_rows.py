"""Where few rows differ, only these are read again; what is found is what reading all of them finds."""

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from supavex.convex.ids import encode_id
from supavex.deployment import Deployment
from supavex.migrate.proof import digest_comparison, pairs
from supavex.migrate.proof import tables as table_check
from supavex.migrate.proof.pairs import PAIR, PairWriter, differing
from supavex.migrate.proof.row_by_row import RowByRow
from tests import projects
from tests.projects import supavex

SCHEMA = """
schema = define_schema({
    "parents": define_table({"name": v.string()}),
    "children": define_table({
        "parent_id": v.id("parents"), "n": v.number(), "text": v.optional(v.string()), "data": v.any(),
    }),
    "tagged": define_table({"slug": v.string(unique=True)}),
    "named": define_table({"a": v.optional(v.string()), "n": v.number()}).unique(["a", "n"]),
})
"""
SQL = """
CREATE TABLE parents (id uuid PRIMARY KEY, name text NOT NULL);
INSERT INTO parents SELECT md5('p' || n)::uuid, 'Parent ' || n FROM generate_series(1, 50) AS n;
CREATE TABLE children (
  id uuid PRIMARY KEY, parent_id uuid NOT NULL REFERENCES parents, n int NOT NULL, text text, data jsonb NOT NULL);
INSERT INTO children
SELECT md5('c' || n)::uuid, md5('p' || 1 + mod(n, 50))::uuid, n, 'Text ' || n, jsonb_build_object('n', n)
FROM generate_series(1, 3000) AS n;
CREATE TABLE tagged (id bigint PRIMARY KEY, slug text NOT NULL UNIQUE);
INSERT INTO tagged SELECT n, 'slug-' || n FROM generate_series(1, 500) AS n;
CREATE TABLE named (id bigint PRIMARY KEY, a text, n int NOT NULL, UNIQUE (a, n));
INSERT INTO named SELECT n, CASE WHEN n % 5 > 0 THEN 'name' END, n FROM generate_series(1, 500) AS n;
"""


@pytest.fixture(scope="module")
def moved() -> Iterator[Path]:
    with projects.folder() as path:
        projects.write(path, schema=SCHEMA, migrations={"1.sql": SQL})
        assert supavex("deploy", "-C", path).code == 0
        assert supavex("migrate", "-C", path).code == 0
        with Deployment(path / ".supavex/deployment.sqlite3") as deployment:
            change(deployment)
        yield path


def change(deployment: Deployment) -> None:
    """Deletes, changes and adds some documents of each table that refers, or is unique."""
    with deployment.transaction():
        documents = list(deployment.documents("children"))
        for number, document in enumerate(documents[:90]):
            fields = {name: value for name, value in document.items() if not name.startswith("_")}
            if number % 3 == 0:
                deployment.delete(document["_id"])
            elif number % 3 == 1:
                deployment.replace(document["_id"], fields | {"n": fields["n"] + 0.5, "data": {"n": -1.0}})
            else:
                deployment.insert("children", fields)
        tagged = list(deployment.documents("tagged"))
        deployment.replace(tagged[0]["_id"], {"slug": tagged[1]["slug"]})
        deployment.delete(tagged[2]["_id"])
        nameless = [document for document in deployment.documents("named") if "a" not in document]
        deployment.replace(nameless[0]["_id"], {"n": nameless[1]["n"]})


def tables(folder: Path) -> dict[str, Any]:
    ran = supavex("verify", "-C", folder, "--json")
    assert ran.code == 1, ran.err
    found = {}
    for table in ran.json["tables"]:
        for part in ("findings", "mismatches"):
            table[part] = sorted(table[part], key=str)
        found[table["target"]] = table
    return found


def test_few_rows_are_found_as_all_of_them_are(moved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    few = tables(moved)
    assert few["children"]["counts"] == {"missing document": 30, "mismatch": 60, "extra document": 30}
    assert few["tagged"]["counts"] == {"missing document": 1, "mismatch": 1, "broken unique": 1}
    assert few["named"]["counts"] == {"mismatch": 1}, "as in SQL, what is absent is equal to nothing"
    monkeypatch.setattr(digest_comparison, "few_differing", lambda *arguments: None)
    assert tables(moved) == few


def test_no_other_rows_or_documents_are_read_one_by_one(moved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    looked_at: list[int] = []
    compare, documents = RowByRow.compare_rows, Deployment.documents

    def comparing(self: RowByRow, rows: list[Any]) -> set[int]:
        looked_at.append(len(rows))
        return compare(self, rows)

    def refused(*arguments: Any) -> None:
        raise AssertionError("all rows of a table are read")

    def reading(self: Deployment, table: str, *arguments: Any) -> Iterator[Any]:
        assert table not in ("children", "named"), "all documents of a table are read"
        return documents(self, table, *arguments)

    monkeypatch.setattr(RowByRow, "compare_rows", comparing)
    monkeypatch.setattr(RowByRow, "compare_all", refused)
    monkeypatch.setattr(table_check, "list_extra", refused)
    monkeypatch.setattr(Deployment, "documents", reading)
    tables(moved)
    assert sorted(looked_at) == [1, 2, 60], "the rows without a document, and those of changed ones"


def test_each_pass_has_its_line_of_progress(moved: Path) -> None:
    ran = supavex("verify", "-C", moved)
    assert "verified public.children (rows that differ): 60 rows" in ran.err


def test_a_document_that_refers_to_nothing_is_found_among_few(moved: Path) -> None:
    with Deployment(moved / ".supavex/deployment.sqlite3") as deployment:
        document = next(iter(deployment.documents("children")))
        fields = {name: value for name, value in document.items() if not name.startswith("_")}
        parent = fields["parent_id"]
        nowhere = encode_id(deployment.table_numbers()["parents"], bytes(16))
        deployment.replace(document["_id"], fields | {"parent_id": nowhere})
        try:
            counts = tables(moved)["children"]["counts"]
        finally:
            deployment.replace(document["_id"], fields | {"parent_id": parent})
    assert counts["dangling reference"] == 1


PAIRS = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 3)), max_size=40, unique_by=lambda pair: pair[0])


@settings(max_examples=200)
@given(PAIRS, PAIRS, st.integers(2, 50))
def test_what_differs_is_what_sets_say(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[int, int]], documents: list[tuple[int, int]], held: int
) -> None:
    folder = tmp_path_factory.mktemp("pairs")
    files = [folder / "rows", folder / "documents"]
    for file, some in zip(files, (rows, documents), strict=True):
        writer = PairWriter(file)
        keys = np.frombuffer(b"".join(uuid.UUID(int=key).bytes for key, _ in some), np.uint8).reshape(-1, 16)
        writer.add(keys, np.array([digest for _, digest in some], np.uint64))
        writer.close()
    before, pairs.HELD_PAIRS = pairs.HELD_PAIRS, held
    try:
        found = differing(*files, np.ones(64, np.bool_), lambda keys: (keys[:, 15] % 64).astype(np.intp), 1000)
    finally:
        pairs.HELD_PAIRS = before

    def read(side: np.ndarray[Any, Any]) -> set[tuple[int, int]]:
        assert side.dtype == PAIR
        return {(int(pair["key"][15]), int(pair["digest"])) for pair in side}

    assert read(found.source) == set(rows) - set(documents)
    assert read(found.target) == set(documents) - set(rows)
