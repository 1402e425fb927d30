"""NULLs that are filled, and numbers inside JSON that are rounded: counted by column wherever a run is reported."""

import json
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import projects
from tests.projects import supavex

SQL = """
CREATE TABLE t (id int PRIMARY KEY, a int DEFAULT 5, b text, j jsonb);
INSERT INTO t SELECT n, CASE WHEN n % 3 = 0 THEN n END, NULL, jsonb_build_object('n', 9007199254740990 + n)
FROM generate_series(1, 12) AS n;
INSERT INTO t VALUES (99, NULL, 'rejected', '9007199254740993');
"""
SCHEMA = """schema = define_schema({"t": define_table(
    {"a": v.number(), "b": v.optional(v.string(one_of=["fine"])), "j": v.any()})})"""


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with projects.folder() as path:
        toml = 'max_rejects = 1\n[tables.t]\nfill = "defaults"\n'
        projects.write(path, schema=SCHEMA, migrations={"1.sql": SQL}, toml=toml)
        for command in ("deploy", "migrate", "verify"):
            ran = supavex(command, "-C", path)
            assert ran.code == 0, ran.out + ran.err
        yield path


def test_a_migration_counts_them_without_those_of_rejected_rows(folder: Path) -> None:
    ran = supavex("migrate", "-C", folder)
    assert "filled: 8 × public.t.a, as fill says." in ran.out
    # 9007199254740993 and so on to …1002: those that are odd are no doubles.
    assert "rounded: 5 rows of public.t.j with a number that JSON.parse rounds" in ran.out
    report = json.loads((folder / ".supavex/migration/report.json").read_text())
    (table,) = report["tables"]
    assert (table["filled"], table["rounded"]) == ({"a": 8}, {"j": 5})


def test_a_proof_counts_them(folder: Path) -> None:
    ran = supavex("verify", "-C", folder)
    assert "8 NULLs filled: public.t.a." in ran.out
    assert "5 rows of public.t.j with a number that JSON.parse rounds: equal as doubles." in ran.out
    proof = json.loads((folder / ".supavex/migration/proof.json").read_text())
    assert (proof["filled"], proof["rounded"]) == (8, 5)
    assert (proof["tables"][0]["filled"], proof["tables"][0]["rounded"]) == ({"a": 8}, {"j": 5})
    page = (folder / ".supavex/migration/proof.html").read_text()
    assert "8 NULLs filled" in page


def test_a_filled_value_is_proven_itself_and_a_wrong_one_is_not_counted(folder: Path) -> None:
    changed = folder / "changed.zip"
    with (
        zipfile.ZipFile(folder / ".supavex/migration/snapshot.zip") as before,
        zipfile.ZipFile(changed, "w") as after,
    ):
        for name in before.namelist():
            after.writestr(name, before.read(name).replace(b'"a":5.0', b'"a":6.0', 1))
    ran = supavex("verify", changed, "-C", folder, "--json")
    assert ran.code == 1
    (table,) = ran.json["tables"]
    assert [(m["column"], m["source"], m["target"]) for m in table["mismatches"]] == [("a", "5.0 (NULL filled)", "6.0")]
    assert table["filled"] == {"a": 7}


def test_lossy_false_rejects_what_json_parse_rounds() -> None:
    with projects.folder() as path:
        toml = 'max_rejects = 6\n[tables.t]\nfill = "defaults"\ncolumns.j.lossy = false\n'
        projects.write(path, schema=SCHEMA, migrations={"1.sql": SQL}, toml=toml)
        for command in ("deploy", "migrate", "verify"):
            ran = supavex(command, "-C", path)
            assert ran.code == 0, ran.out + ran.err
        rejects = [json.loads(line) for line in (path / ".supavex/migration/rejects.jsonl").read_text().splitlines()]
        codes = sorted((reject["column"], reject["code"]) for reject in rejects)
        assert codes == [("b", "ValueNotAllowed"), *[("j", "InexactNumber")] * 5]
