"""A wrong cast in the SQL that the copy reads a value with: the proof finds it, whatever the conversion."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from supavex.library import Project
from supavex.mapping import key_sql, make_plan
from supavex.mapping.keys import Key
from supavex.mapping.large_values import LargeValues
from supavex.mapping.plan import FieldPlan
from supavex.migrate.copy.encoding import query
from supavex.migrate.options import MigrateOptions
from supavex.migrate.proof.findings import TableProof
from supavex.migrate.verifying import VerifyOptions
from supavex.postgres import server as servers
from tests import projects
from tests.databases import Database, new_database


@dataclass(frozen=True)
class Column:
    """A column, a value of it, the field that it goes to, and a wrong cast that makes another value of the kind."""

    type: str
    value: str
    field: str
    wrong: str
    rule: str = ""


_STRINGS, _NUMBERS = "v.array(v.string())", "v.array(v.number())"
COLUMNS = {
    "text": Column("text", "Abc", "v.string()", "{c}::varchar(2)"),
    "varying": Column("varchar", "Abc", "v.string()", "{c}::text::name::text || ' '"),
    "id_as_text": Column("uuid", "0b7f3c52-91d4-4e0a-8a6f-5d2c1e9b4a01", "v.string()", "upper({c}::text)"),
    "padded": Column("char(5)", "a", "v.string()", "{c}::text"),
    "cut": Column("text", "abcdef", "v.string()", "left({c}, 2)", "truncate = 3"),
    "cut_padded": Column("char(5)", "a", "v.string()", "left({c}::text, 3)", "truncate = 3"),
    "flag": Column("bool", "true", "v.boolean()", "NOT {c}"),
    "bytes": Column("bytea", "\\x0102", "v.bytes()", "substr({c}, 2)"),
    "base64": Column("bytea", "\\x010203", "v.string()", "encode({c}, 'hex')"),
    "address": Column("inet", "10.0.0.1", "v.string()", "{c}::text"),
    "interval": Column("interval", "1 day", "v.string()", "justify_interval({c} * 2)::text"),
    "small": Column("int4", "7", "v.number()", "{c}::int8 + 1"),
    "large": Column("int8", "9007199254740993", "v.int64()", "({c}::float8)::int8"),
    "nearest_integer": Column("int8", "9007199254740993", "v.number()", "({c} - 8)::float8", "lossy = true"),
    "digits": Column("int4", "7", "v.string()", "to_char({c}, '00')"),
    "exact": Column("numeric", "1.25", "v.number()", "round({c})::text"),
    "nearest": Column("numeric", "1.3", "v.number()", "{c}::float4::float8", "lossy = true"),
    "decimal_text": Column("numeric(6, 2)", "1.50", "v.string()", "{c}::float8::text"),
    "not_a_number": Column("float8", "1.5", "v.number()", "{c} + 1", 'nonfinite = "null"'),
    "kept_infinity": Column("float8", "Infinity", "v.number()", "-({c})", 'nonfinite = "keep"'),
    "single": Column("float4", "0.1", "v.number()", "{c}::float8"),
    "money": Column("money", "1.50", "v.number()", "round({c}::numeric)::text"),
    "money_text": Column("money", "1.50", "v.string()", "{c}::numeric::text"),
    "moment": Column("timestamptz", "2024-05-06 07:08:09.123456+00", "v.number()", "{c} AT TIME ZONE 'Asia/Tokyo'"),
    "local": Column("timestamp", "2024-05-06 07:08:09.123456", "v.number()", "{c} AT TIME ZONE 'Asia/Tokyo'"),
    "moment_text": Column("timestamptz", "2024-05-06 07:08:09+00", "v.string()", "{c}::text"),
    "coarse": Column(
        "timestamptz", "0044-05-06 07:08:09.1239+00", "v.number()", "date_trunc('second', {c})", "lossy = true"
    ),
    "midnight": Column("date", "2024-05-06", "v.number()", "{c}::timestamp AT TIME ZONE 'Asia/Tokyo'"),
    "day": Column("date", "2024-05-06", "v.string()", "to_char({c}, 'DD.MM.YYYY')"),
    "hour": Column("time", "07:08", "v.string()", "to_char({c}, 'HH24-MI')", 'format = "HH:MM"'),
    "json": Column("jsonb", '{"a": 1}', "v.any()", "jsonb_set({c}, '{a}', '2')::text"),
    "json_text": Column("json", '{"a":  1}', "v.string()", "{c}::jsonb::text"),
    "escaped": Column("jsonb", '{"$a": 1}', "v.any()", "replace({c}::text, '1', '2')", 'invalid_json = "escape"'),
    "texts": Column("text[]", "{a,b}", _STRINGS, "({c}::text[])[2:]"),
    "numbers": Column("int4[]", "{1,2}", _NUMBERS, "({c}::float8[])[2:]"),
    "flags": Column("bool[]", "{t,f}", "v.array(v.boolean())", "({c})[2:]"),
    "moments": Column("timestamptz[]", "{2024-05-06 07:08:09+00}", _NUMBERS, "'[\"1\"]'"),
    "longs": Column("int8[]", "{5,6}", "v.array(v.int64())", "to_jsonb(({c})[2:]::text[])::text"),
    "nested": Column("text[]", "{{a,b},{c,d}}", "v.array(v.array(v.string()))", '\'[["a", "b"]]\''),
    "jsons": Column("jsonb[]", '{"[1]"}', "v.any()", "to_jsonb({c}::text[])::text"),
    "place": Column("place", "(1,a)", "v.any()", "jsonb_set(to_jsonb({c}), '{name}', to_jsonb('x'::text))::text"),
    "places": Column("place[]", '{"(1,a)"}', "v.any()", "to_jsonb(({c})[2:])::text"),
    "range": Column("int4range", "[1,5)", "v.string()", "lower({c})::text"),
    "parent": Column("uuid", "0b7f3c52-91d4-4e0a-8a6f-5d2c1e9b4a01", 'v.id("parents")', "md5({c}::text)::uuid"),
}


KEYED = """"keyed": define_table({
    "supabaseId": v.string(), "country": v.string(), "number": v.number(), "body": v.optional(v.string()),
    "body_file": v.optional(v.id("_storage")),
})"""


@pytest.fixture(scope="module")
def folder(server: servers.Server) -> Iterator[Path]:
    with new_database(server) as database, projects.folder() as path:
        assert isinstance(database, Database)
        with psycopg.connect(database.url("supabase_admin"), autocommit=True) as connection:
            key = COLUMNS["parent"].value
            connection.execute("CREATE TYPE public.place AS (n int, name text)")
            connection.execute("CREATE TABLE public.parents (id uuid PRIMARY KEY)")
            connection.execute("INSERT INTO public.parents VALUES (%s), (md5(%s)::uuid)", (key, key))
            declared = ", ".join(f"{name} {column.type}" for name, column in COLUMNS.items())
            connection.execute(f"CREATE TABLE public.things (id int PRIMARY KEY, {declared})".encode())
            connection.execute(
                "CREATE TABLE public.keyed (country text, number numeric, body text, PRIMARY KEY (country, number))"
            )
            connection.execute("INSERT INTO public.keyed VALUES ('FR', 1.0, 'a long text'), ('DE', 2, 'short')")
            connection.execute("ALTER TABLE public.things ADD FOREIGN KEY (parent) REFERENCES public.parents")
            marks = ", ".join(["%s"] * len(COLUMNS))
            connection.execute(
                f"INSERT INTO public.things VALUES (1, {marks})".encode(), [column.value for column in COLUMNS.values()]
            )
        fields = ", ".join(f'"{name}": {column.field}' for name, column in COLUMNS.items())
        tables = f'"parents": define_table({{}}), "things": define_table({{{fields}}}), {KEYED}'
        rules = "".join(
            f"[tables.things.columns.{name}]\n{column.rule}\n" for name, column in COLUMNS.items() if column.rule
        )
        rules += '[tables.keyed.columns.body]\nfile = "body_file"\nfile_over = 6\n'
        toml = f'[source]\ndatabase_url = "{database.url("supabase_admin")}"\n{rules}'
        projects.write(path, schema=f"schema = define_schema({{{tables}}})", toml=toml)
        yield path


def proof_of(folder: Path, name: str) -> dict[str, TableProof]:
    """The proof of a copy, by the source's names."""
    archive = folder / f"{name}.zip"
    project = Project(folder)
    migrated = project.migrate(MigrateOptions(out=archive))
    assert migrated.ok, migrated.to_json()
    return {table.source: table for table in project.verify(VerifyOptions(archive=archive)).tables}


def found_in(folder: Path, name: str) -> set[str]:
    """The columns that the proof of a copy finds to differ."""
    return {mismatch.column for mismatch in proof_of(folder, name)["public.things"].mismatches}


def test_without_a_wrong_cast_nothing_is_found(folder: Path) -> None:
    assert {name: dict(table.counts) for name, table in proof_of(folder, "right").items() if not table.ok} == {}


def test_each_wrong_cast_is_found(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    right = query.value_sql

    def wrong(field: FieldPlan) -> str:
        column = COLUMNS.get(field.name)
        return right(field) if column is None else column.wrong.replace("{c}", field.source)

    monkeypatch.setattr(query, "value_sql", wrong)
    assert found_in(folder, "wrong") == set(COLUMNS)


def test_a_wrong_key_is_found(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The SQL of a key's text makes the ids of rows, those of their files, and a field of its own."""
    right = key_sql.key_text_sql

    def wrong(key: Key, columns: Sequence[str]) -> str:
        return f"lower({right(key, columns)})"

    for module in (key_sql, make_plan):
        monkeypatch.setattr(module, "key_text_sql", wrong)
    proof = proof_of(folder, "wrong-key")
    assert proof["public.keyed"].counts == {"missing document": 2, "extra document": 2}
    assert proof["public.keyed.body"].counts == {"missing file": 1, "extra file": 1}


def test_a_wrong_choice_of_values_that_become_files_is_found(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LargeValues, "large_sql", lambda self, value: f"octet_length({value}) > 100")
    proof = proof_of(folder, "wrong-files")
    assert {mismatch.column for mismatch in proof["public.keyed"].mismatches} == {"body"}
    assert proof["public.keyed.body"].counts == {"missing file": 1}
