"""What the proof finds of a local deployment's own file: indexes, SQLite's own pages, and modules."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from supavex.convex.ids import encode_id
from supavex.convex.order_keys import index_key
from supavex.deployment import Deployment
from supavex.deployment.database.store import StoredTable, write_body
from supavex.migrate.proof.index_keys import IndexKeys, StoredRow
from supavex.migrate.proof.store import Ranges, prove_store
from supavex.schema import define_schema, define_table, v
from tests.official.strategies import values
from tests.projects import supavex


def change(file: Path, sql: str) -> None:
    """Runs SQL with ``{documents}`` and ``{entries}`` (those of articles, by workspace) filled in."""
    with Deployment(file) as deployment:
        table = deployment.store.tables()["articles"]
        index = next(i for i in deployment.store.indexes(table).values() if i.fields)
        names = {"documents": f"documents_{table.storage}", "ids": f"ids_{table.storage}"}
        for statement in sql.format(**names, entries=f"entries_{index.entries}").split(";"):
            deployment.store.connection.execute(statement)


def found(folder: Path) -> dict[str, int]:
    ran = supavex("verify", "-C", folder, "--json")
    assert ran.code == 1, ran.out
    assert ran.json["verdict"] == "not proven"
    assert not any(table["counts"] for table in ran.json["tables"])
    assert all(finding["detail"] for finding in ran.json["deployment"]["findings"])
    counts: dict[str, int] = ran.json["deployment"]["counts"]
    return counts


def test_a_good_deployment_is_proven_and_the_proof_says_what_was_looked_at(moved: Path) -> None:
    ran = supavex("verify", "-C", moved, "--json")
    assert ran.code == 0
    file = ran.json["deployment"]
    assert (file["ok"], file["sqliteCheck"]) == (True, "integrity_check")
    assert file["indexes"] > file["tables"]
    documents = sum(table["documents"] for table in ran.json["tables"])
    assert file["entries"] >= 2 * documents, "by creation time and by id at least"
    assert {"indexes", "SQLite integrity_check", "modules"} < set(ran.json["lookedAt"])
    archive = supavex("verify", "-C", moved, moved / ".supavex/migration/snapshot.zip", "--json")
    assert "indexes" not in archive.json["lookedAt"]
    assert archive.json["deployment"] is None


@pytest.mark.parametrize(
    ("sql", "kind"),
    [
        ("DELETE FROM {entries} WHERE row = 2", "missing index entry"),
        (
            "INSERT INTO {entries} SELECT CAST(key || x'00' AS BLOB), row FROM {entries} WHERE row = 2",
            "extra index entry",
        ),
        ("INSERT INTO {entries} VALUES (x'77', 77777)", "extra index entry"),
        ("UPDATE {entries} SET key = CAST(key || x'00' AS BLOB) WHERE row = 2", "wrong index entry"),
    ],
)
def test_an_index_that_does_not_fit_its_documents_is_found(moved: Path, file: Path, sql: str, kind: str) -> None:
    change(file, sql)
    assert found(moved) == {kind: 1}


def test_two_entries_that_changed_places_are_found(moved: Path, file: Path) -> None:
    change(file, "UPDATE {entries} SET row = 3 - row WHERE row IN (1, 2)")
    assert found(moved) == {"wrong index entry": 2}


def test_an_id_that_finds_nothing_is_found(moved: Path, file: Path) -> None:
    change(file, "UPDATE {documents} SET internal_id = x'00112233445566778899aabbccddeeff' WHERE row = 2")
    ran = supavex("verify", "-C", moved, "--json")
    assert ran.code == 1
    assert ran.json["deployment"]["counts"] == {"wrong id": 1}


def test_what_sqlite_says_is_found(moved: Path, file: Path) -> None:
    change(
        file,
        "PRAGMA writable_schema = 1;"
        "UPDATE sqlite_schema SET sql = replace(sql, 'CREATE UNIQUE INDEX', 'CREATE INDEX') WHERE name = '{ids}';"
        "PRAGMA writable_schema = 0",
    )
    change(file, "INSERT INTO {documents} (internal_id, body) SELECT internal_id, body FROM {documents} WHERE row = 2")
    change(
        file,
        "PRAGMA writable_schema = 1;"
        "UPDATE sqlite_schema SET sql = replace(sql, 'CREATE INDEX', 'CREATE UNIQUE INDEX') WHERE name = '{ids}';"
        "PRAGMA writable_schema = 0",
    )
    ran = supavex("verify", "-C", moved, "--json")
    assert ran.code == 1
    assert ran.json["deployment"]["counts"]["damaged file"] >= 1


def test_a_page_that_was_overwritten_is_a_finding_or_an_error_without_a_traceback(moved: Path, file: Path) -> None:
    with Deployment(file) as deployment:
        table = deployment.store.tables()["articles"]
        index = next(i for i in deployment.store.indexes(table).values() if i.fields)
        sql = "SELECT rootpage FROM sqlite_schema WHERE name = ?"
        (page,) = deployment.store.connection.execute(sql, (f"entries_{index.entries}",)).fetchone()
        (size,) = deployment.store.connection.execute("PRAGMA page_size").fetchone()
        deployment.store.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    with file.open("r+b") as opened:
        opened.seek((page - 1) * size)
        opened.write(b"\xff" * 64)
    ran = supavex("verify", "-C", moved, "--json")
    assert ran.code == 1
    assert ran.json["deployment"]["counts"]["damaged file"] >= 1
    assert all(not table["counts"] for table in ran.json["tables"]), "the rest is compared"


def test_a_module_that_does_not_fit_its_digest_is_found(tmp_path: Path) -> None:
    with Deployment(tmp_path / "deployment.sqlite3") as deployment:
        deployment.store.connection.execute("INSERT INTO modules VALUES ('', 'a.js', '1', NULL, 'isolate', 'no', NULL)")
        proof = prove_store(deployment)
    assert proof.found.counts == {"changed module": 1}
    assert proof.found.findings[0].key == "a.js"


def test_an_index_that_the_schema_declares_and_the_file_lacks_is_found(tmp_path: Path) -> None:
    schema = define_schema({"a": define_table({"n": v.any()}).index("by_n", ["n"])})
    with Deployment(tmp_path / "deployment.sqlite3") as deployment:
        deployment.push(schema.export())
        deployment.store.connection.execute("DELETE FROM indexes WHERE name = 'by_n'")
        assert prove_store(deployment).found.counts == {"missing index": 1}


def searched(path: Path) -> Deployment:
    """A deployment with a text index, a vector index and a staged one."""
    table = define_table(v.any())
    table.search_index("by_t", search_field="t", filter_fields=["g"]).search_index(
        "later", search_field="g", staged=True
    )
    table.vector_index("by_v", vector_field="v", dimensions=2, filter_fields=["g"])
    deployment = Deployment(path, durable=False)
    deployment.push(define_schema({"a": table}).export())
    rows: list[dict[str, Any]] = [
        {"t": "red blue red", "g": "x", "v": [1.0, 2.0]},
        {"t": "green"},
        {"t": 5.0, "v": [1.0]},
    ]
    for row in rows:
        deployment.insert("a", row)
    deployment.replace(next(iter(deployment.documents("a")))["_id"], {"t": "red again", "v": [3.0, 4.0]})
    return deployment


def test_text_and_vector_indexes_are_held_against_the_documents(tmp_path: Path) -> None:
    with searched(tmp_path / "deployment.sqlite3") as deployment:
        proof = prove_store(deployment)
        assert proof.found.ok and proof.indexes == 5, "with those by id and by creation time"
        assert proof.entries > 3 * 4


@pytest.mark.parametrize(
    ("name", "sql"),
    [
        ("by_t", "INSERT INTO text_{n} (rowid, words) VALUES (1, 'extra')"),
        ("by_t", "UPDATE found_{n} SET norm = norm + 1 WHERE row = 2"),
        ("by_t", "UPDATE found_{n} SET f0 = x'00'"),
        ("by_t", "DELETE FROM found_{n} WHERE row = 1"),
        ("by_v", "DELETE FROM found_{n}"),
        ("by_v", "UPDATE found_{n} SET vector = x'0000803f00000000'"),
    ],
)
def test_a_text_or_vector_index_that_does_not_fit_is_found(tmp_path: Path, name: str, sql: str) -> None:
    with searched(tmp_path / "deployment.sqlite3") as deployment:
        store = deployment.store
        store.connection.execute(sql.format(n=store.searches(store.tables()["a"])[name].entries))
        proof = prove_store(deployment)
    assert set(proof.found.counts) == {"index differs"} and proof.found.findings[0].key == f"a.{name}"


def test_a_text_index_that_is_not_there_is_found_and_a_staged_one_is_not_asked_for(tmp_path: Path) -> None:
    with searched(tmp_path / "deployment.sqlite3") as deployment:
        deployment.store.connection.execute("DELETE FROM search_indexes WHERE name IN ('by_t', 'later')")
        proof = prove_store(deployment)
    assert proof.found.counts == {"missing index": 1} and proof.found.findings[0].key == "a.by_t"


def test_ranges_that_differ_are_counted_where_they_are_too_many_to_list(tmp_path: Path) -> None:
    schema = define_schema({"a": define_table({"n": v.any()}).index("by_n", ["n"])})
    with Deployment(tmp_path / "deployment.sqlite3", durable=False) as deployment:
        deployment.push(schema.export())
        with deployment.transaction():
            for number in range(200):
                deployment.insert("a", {"n": float(number)})
        index = deployment.store.indexes(deployment.store.tables()["a"])["by_n"]
        deployment.store.connection.execute(f"DELETE FROM entries_{index.entries}")
        counts = prove_store(deployment, ranges=Ranges(64, listed=2)).found.counts
    assert counts["missing index entry"] in range(2, 9)
    assert counts["index differs"] in range(40, 64)


FIELDS = st.sampled_from(["a", "b", "c.d", "_id", "_creationTime"])
DOCUMENTS = st.lists(
    st.fixed_dictionaries(
        {},
        optional={
            "a": values() | st.text(),
            "b": st.floats() | st.just("x\0"),
            "c": st.fixed_dictionaries({"d": values()}),
        },
    ),
    min_size=1,
    max_size=6,
)


@settings(max_examples=300)
@given(DOCUMENTS, st.lists(FIELDS, min_size=1, max_size=3, unique=True))
def test_keys_made_of_columns_are_those_made_of_documents(documents: list[dict[str, Any]], fields: list[str]) -> None:
    table = StoredTable("a", 10_001, 1)
    keys = IndexKeys(table, {"i": tuple(fields)})
    rows = []
    for number, document in enumerate(documents):
        internal_id = number.to_bytes(16, "big")
        document |= {"_id": encode_id(10_001, internal_id), "_creationTime": 1000.5 + number}
        rows.append(StoredRow(number, internal_id, write_body(document).encode(), 1))
    made = keys.of(rows)
    assert made.by_index["i"] == [index_key(document, fields) for document in documents]
    assert made.ids == [row.internal_id for row in rows]
    assert not made.damaged
