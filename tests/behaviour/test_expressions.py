"""``sql`` expressions go by the type that PostgreSQL says they have, and a wrong one is found by ``check``."""

from __future__ import annotations

import json
import re
import zipfile
from pathlib import Path
from typing import Any

import pytest

from supavex.mapping.source import Source
from supavex.postgres import server as servers
from supavex.settings.reading import load_settings
from tests import projects
from tests.databases import Database
from tests.projects import supavex

SQL = """
CREATE TABLE a (id int PRIMARY KEY, seconds int, price numeric(10, 2), at timestamptz, e text, f float8);
INSERT INTO a VALUES (1, 150, 1.25, '2024-01-02 03:04:05.5+00', 'word', 0.1), (2, 100, 0.75, NULL, NULL, NULL);
"""


def project(folder: Path, url: str, field: str, toml: str) -> Path:
    schema = f'schema = define_schema({{"a": define_table({{"id": v.number(), "x": v.optional({field})}})}})\n'
    skipped = "".join(f'{name}.skip = "not here"\n' for name in ("seconds", "price", "at", "e", "f"))
    toml = f'max_rejects = 2\n[source]\ndatabase_url = "{url}"\n[tables.a.columns]\n{skipped}\n{toml}'
    return projects.write(folder, schema=schema, toml=toml)


def documents(archive: Path) -> list[Any]:
    with zipfile.ZipFile(archive) as file:
        return [json.loads(line) for line in file.read("a/documents.jsonl").splitlines()]


@pytest.mark.parametrize(
    ("type_", "values", "validator", "moved"),
    [
        ("citext", ["'Ann@X.org'", "'ÄÖ'", "NULL"], "v.string()", ["ann@x.org", "äö", None]),
        (
            "citext[]",
            ["""ARRAY['A"{,', 'NULL', NULL, 'b c']::text[]""", "'{}'", "NULL"],
            "v.array(v.union(v.string(), v.null()))",
            [['a"{,', "null", None, "b c"], [], None],
        ),
        ("citext[]", ["'{{A,b},{C,d}}'", "NULL", "NULL"], "v.array(v.array(v.string()))",
         [[["a", "b"], ["c", "d"]], None, None]),
    ],
)  # fmt: skip
def test_texts_that_are_equal_in_any_case_move_in_lower_case(
    database: Database, type_: str, values: list[str], validator: str, moved: list[object]
) -> None:
    """The line of the note moves them, the proof holds, and the note is gone."""
    database.run(f'CREATE EXTENSION citext; CREATE TABLE a (id int PRIMARY KEY, "Mail" {type_} UNIQUE);')
    for number, value in enumerate(values):
        database.run(f"INSERT INTO a VALUES ({number}, {value});")
    field = f'"Mail": v.optional({validator})'
    schema = f'schema = define_schema({{"a": define_table({{"id": v.number(), {field}}})}})\n'
    toml = f'[source]\ndatabase_url = "{database.url()}"\n'
    with projects.folder() as folder:
        projects.write(folder, schema=schema, toml=toml)
        (note,) = [
            one for one in supavex("check", "-C", folder, "--json").json["diagnostics"]
            if one["code"] == "CaseInsensitive"
        ]  # fmt: skip
        header, line = re.findall(r"under (\[.+\]) in supavex\.toml: (sql = .+)\. The app", note["hint"])[0]
        projects.write(folder, schema=schema, toml=f"{toml}{header}\n{line}\n")
        checked = supavex("check", "-C", folder, "--json").json["diagnostics"]
        assert "CaseInsensitive" not in [one["code"] for one in checked]
        ran = supavex("migrate", "-C", folder, "--out", folder / "out.zip")
        assert ran.code == 0, ran.out + ran.err
        mails = {document["id"]: document.get("Mail") for document in documents(folder / "out.zip")}
        assert mails == dict(enumerate(moved))
        proof = supavex("verify", "-C", folder, folder / "out.zip", "--json")
        assert (proof.code, proof.json["proof"]) == (0, True)


@pytest.mark.parametrize(
    ("sql", "field", "values"),
    [
        ("t.seconds / 60.0", "v.number()", {1: 2.5, 2: 1.6666666666666667}),
        ("t.price / 3", "v.number()", {2: 0.25}),
        ("t.price * 1e400::numeric", "v.number()", {}),
        ("t.at::date", "v.number()", {1: 1704153600000.0, 2: None}),
        ("t.at::date", "v.string()", {1: "2024-01-02", 2: None}),
        ("extract(epoch FROM t.at)", "v.number()", {1: 1704164645.5, 2: None}),
        ("t.at", "v.number()", {1: 1704164645500.0, 2: None}),
        ("length(t.e)", "v.number()", {1: 4.0, 2: None}),
        ("t.e IS NULL", "v.boolean()", {1: False, 2: True}),
        ("ARRAY[t.seconds, 1]", "v.array(v.number())", {1: [150.0, 1.0], 2: [100.0, 1.0]}),
        ("to_jsonb(t.e)", "v.any()", {1: "word", 2: None}),
        ("t.f * 3", "v.number()", {1: 0.1 * 3, 2: None}),
        ("NULL", "v.number()", {1: None, 2: None}),
        ("NULL", "v.array(v.number())", {1: None, 2: None}),
    ],
)
def test_an_expression_goes_as_what_it_is(database: Database, sql: str, field: str, values: dict[int, object]) -> None:
    database.run(SQL)
    with projects.folder() as folder:
        project(folder, database.url(), field, f'[tables.a.fields.x]\nsql = "{sql}"\n')
        ran = supavex("migrate", "-C", folder, "--out", folder / "out.zip")
        assert ran.code == 0, ran.out + ran.err
        assert {document["id"]: document.get("x") for document in documents(folder / "out.zip")} == values
        rejects = [json.loads(line) for line in (folder / ".supavex/migration/rejects.jsonl").read_text().splitlines()]
        assert [reject["code"] for reject in rejects] == ["InexactNumber"] * (2 - len(values))
        proof = supavex("verify", "-C", folder, folder / "out.zip", "--json")
        assert (proof.code, proof.json["proof"]) == (0, True)


_COLUMN, _FIELD = "[tables.a.columns.price]", "[tables.a.fields.x]"
_WRONG = [
    ("t.nothing", "v.number()", "InvalidExpression", "column t.nothing does not exist"),
    ("low(t.e)", "v.string()", "InvalidExpression", "function low(text) does not exist"),
    ("t.e +", "v.string()", "InvalidExpression", "syntax error"),
    ("max(t.id)", "v.number()", "InvalidExpression", "must appear in the GROUP BY clause"),
    ("t.e", "v.number()", "TypeDoesNotFit", "text does not fit v.number()"),
    ("t.id = 1", "v.string()", "TypeDoesNotFit", "boolean does not fit v.string()"),
]
_REFERENCES = [
    ("t.id", "v.id('a')", "", ""),
    ("t.e", "v.id('a')", "TypeDoesNotFit", "it is text, but public.a.id is integer"),
    ("t.id", "v.array(v.id('a'))", "TypeDoesNotFit", "integer is not an array"),
]


@pytest.mark.parametrize(
    ("place", "sql", "field", "code", "said"),
    [(place, *case) for place in (_COLUMN, _FIELD) for case in _WRONG] + [(_COLUMN, *case) for case in _REFERENCES],
)
def test_a_wrong_expression_is_a_finding_of_its_place(
    database: Database, place: str, sql: str, field: str, code: str, said: str
) -> None:
    database.run(SQL)
    with projects.folder() as folder:
        project(folder, database.url(), field, f'{place}\nsql = "{sql}"\n')
        toml = (folder / "supavex.toml").read_text()
        if place == _COLUMN:
            toml = toml.replace('price.skip = "not here"\n', "").replace(place, f'{place}\nto = "x"')
            (folder / "supavex.toml").write_text(toml)
        ran = supavex("check", "-C", folder, "--json")
        found = [finding for finding in ran.json["diagnostics"] if finding["severity"] == "error"]
        assert ran.code == bool(code)
        assert [finding["code"] for finding in found] == [code] * bool(code)
        for finding in found:
            assert finding["where"].endswith("a.price" if place == _COLUMN else "a.x")
            assert said in finding["message"]


def test_of_files_the_types_of_expressions_are_kept_with_the_catalog(monkeypatch: pytest.MonkeyPatch) -> None:
    with projects.folder() as folder:
        projects.write(
            folder,
            migrations={"1.sql": "CREATE TABLE a (id int PRIMARY KEY, n int); CREATE DOMAIN d AS numeric(4, 1);"},
            toml='[tables.a.columns.n]\nsql = "(t.n / 2.0)::public.d"\n[tables.a.fields.x]\nsql = "t.nothing"\n',
        )
        source = Source(load_settings(folder))
        made, _ = source.catalog()
        said = {expression.sql: expression for expression in made.expressions}
        (number, wrong) = said["(t.n / 2.0)::public.d"], said["t.nothing"]
        assert number.type is not None
        assert (number.type.base, number.type.precision, number.type.scale) == ("numeric", 4, 1)
        assert wrong.type is None
        assert "does not exist" in wrong.error

        def no_server(*_: object, **__: object) -> None:
            raise AssertionError("a server was started")

        monkeypatch.setattr(servers, "running", no_server)
        assert source.catalog()[0] == made
        (folder / "supavex.toml").write_text('[tables.a.columns.n]\nsql = "t.n::text"\n')
        with pytest.raises(AssertionError, match="a server was started"):
            Source(load_settings(folder)).catalog()


def test_an_expression_that_fails_for_a_row_is_named(database: Database) -> None:
    database.run(SQL)
    with projects.folder() as folder:
        project(folder, database.url(), "v.number()", '[tables.a.fields.x]\nsql = "1 / (t.seconds - 100)"\n')
        ran = supavex("migrate", "-C", folder, "--out", folder / "out.zip")
    assert ran.code == 1
    assert "error[ReadFailed] public.a: " in ran.err
    assert "division by zero" in ran.err
    assert "the sql expression of x in supavex.toml" in ran.err
