"""Notes of check with lines to write: each line is tried here as it is written."""

import re

import pytest

from supavex.diagnostics import Diagnostic
from supavex.mapping.coverage import coverage
from supavex.mapping.plan import Plan
from supavex.mapping.suggestions import suggestions
from supavex.postgres import server as servers
from supavex.postgres.connection import connect
from supavex.postgres.key_values import look
from supavex.schema import define_table, v
from tests.databases import Database
from tests.mapping.conftest import Make

ANN = "00000000-0000-4000-8000-000000000001"
SQL = f"""
CREATE TABLE profiles (id uuid PRIMARY KEY REFERENCES auth.users, name text);
CREATE TABLE sessions (id uuid PRIMARY KEY, host uuid NOT NULL, guests uuid[], owner uuid REFERENCES auth.users);
INSERT INTO auth.users (id) VALUES ('{ANN}'); INSERT INTO profiles VALUES ('{ANN}');
INSERT INTO sessions VALUES (gen_random_uuid(), '{ANN}', '{{{ANN}}}', '{ANN}');
"""
PROFILES = define_table({"id": v.string(), "name": v.optional(v.string())})


def found(database: Database, plan: Plan, code: str) -> list[Diagnostic]:
    with connect(database.url()) as connection:
        notes = suggestions(plan, lambda asked: look(connection, asked))
    assert all(note.severity == "note" for note in notes)
    return [note for note in notes if note.code == code]


def test_the_line_to_write_makes_the_reference(make: Make, database: Database) -> None:
    fields = {"host": v.string(), "guests": v.optional(v.array(v.string())), "owner": v.optional(v.string())}
    plan = make(SQL, {"profiles": PROFILES, "sessions": define_table(fields)})
    notes = found(database, plan, "ReferenceWithoutForeignKey")
    assert [(note.subject, note.message.partition(" is a key")[0]) for note in notes] == [
        ("sessions.host", "no foreign key says where it leads, but its one value"),
        ("sessions.guests", "no foreign key says where it leads, but its one element"),
        ("sessions.owner", "it refers to auth.users, which does not move, but its one value"),
    ]
    written = [re.search(r"write (.*) in sessions;", note.hint) for note in notes]
    lines = [match[1] for match in written if match]
    assert lines == [
        '"host": v.id("profiles"),',
        '"guests": v.optional(v.array(v.id("profiles"))),',
        '"owner": v.optional(v.id("profiles")),',
    ]
    made = eval("{" + "".join(lines) + "}", {"v": v})
    plan = make("", {"profiles": PROFILES, "sessions": define_table(made)})
    assert [field.reference is not None for field in plan.to_target("sessions").fields] == [True] * 3  # type: ignore[union-attr]
    assert {finding.code for finding in coverage(plan)} <= {"ForeignKeyWithoutIndex"}
    assert found(database, plan, "ReferenceWithoutForeignKey") == []


@pytest.mark.parametrize(
    ("field", "toml"),
    [
        (v.any(), ""),
        (v.id("profiles"), ""),
        (v.string(), 'tables.sessions.columns.host.sql = "t.host::text"'),
        (v.string(), 'tables.sessions.columns.host.ids = "ids.csv"'),
    ],
)
def test_what_holds_no_keys_of_the_source_is_left_alone(
    make: Make, database: Database, field: object, toml: str
) -> None:
    fields = {"host": field, "guests": v.any(), "owner": v.any()}
    plan = make(SQL, {"profiles": PROFILES, "sessions": define_table(fields)}, toml, {"ids.csv": "old,new\n"})  # type: ignore[arg-type]
    assert found(database, plan, "ReferenceWithoutForeignKey") == []


def test_a_reference_to_a_table_that_moves_stays_that_one_s(make: Make) -> None:
    sql = "CREATE TABLE users (id uuid PRIMARY KEY); CREATE TABLE hosts (id uuid PRIMARY KEY);"
    sql += "CREATE TABLE notes (id uuid PRIMARY KEY, host uuid REFERENCES hosts)"
    plan = make(sql, {
        "users": define_table({}), "hosts": define_table({}),
        "notes": define_table({"host": v.optional(v.id("users"))}),
    })  # fmt: skip
    assert [finding.code for finding in coverage(plan) if finding.severity == "error"] == ["TypeDoesNotFit"]


POSTS = """CREATE TABLE posts (id int PRIMARY KEY, title text NOT NULL, body text NOT NULL, data jsonb,
  fts tsvector GENERATED ALWAYS AS (to_tsvector('simple', title || body || coalesce(data ->> 'note', ''))) STORED);
INSERT INTO posts (id, title, body) VALUES (1, 'a', 'b');"""
FIELDS = {"title": v.string(), "body": v.string(), "data": v.optional(v.any())}
SKIP = 'tables.posts.columns.fts.skip = "searched"\n'


def test_a_search_over_several_columns_comes_with_the_lines_for_all(make: Make, database: Database) -> None:
    table = define_table(FIELDS).search_index("search_title", search_field="title")
    (note,) = found(database, make(POSTS, {"posts": table}, SKIP), "SearchOverSeveralColumns")
    assert note.message.startswith("PostgreSQL searches title, body, data.note as one text by fts;")
    assert note.message.endswith("here it is title.")
    sql = re.search(r"fields.search_text.sql = (\".*\");", note.hint)
    assert sql is not None
    table = define_table({**FIELDS, "search_text": v.string()}).search_index("search_text", search_field="search_text")
    plan = make("", {"posts": table}, f"{SKIP}tables.posts.fields.search_text.sql = {sql[1]}")
    assert coverage(plan) == []
    assert found(database, plan, "SearchOverSeveralColumns") == []
    (field,) = [field for field in plan.moving[0].fields if field.name == "search_text"]
    assert database.value(f"SELECT {field.source} FROM public.posts t") == "a b"


def test_an_array_is_no_search_field_and_is_named_with_the_others(make: Make, database: Database) -> None:
    sql = """
        CREATE FUNCTION joined(text[]) RETURNS text IMMUTABLE LANGUAGE sql AS $$ SELECT array_to_string($1, ' ') $$;
        CREATE TABLE posts (id int PRIMARY KEY, tags text[] NOT NULL, title text NOT NULL,
          fts tsvector GENERATED ALWAYS AS (to_tsvector('simple', joined(tags) || title)) STORED);
        INSERT INTO posts (id, tags, title) VALUES (1, '{a,b}', 'c')"""
    table = define_table({"tags": v.array(v.string()), "title": v.string()}).search_index(
        "search_title", search_field="title"
    )
    (note,) = found(database, make(sql, {"posts": table}, SKIP), "SearchOverSeveralColumns")
    assert note.message.endswith(
        "searches tags, title as one text by fts; a search index has one field: here it is title."
    )
    written = re.search(r"fields.search_text.sql = \"(.*)\";", note.hint)
    assert written is not None
    whole = written[1].replace('\\"', '"')
    assert database.value(f"SELECT {whole} FROM public.posts t") == "a b c"


def test_a_search_of_one_column_that_nothing_carries_over(make: Make, database: Database) -> None:
    database.run("CREATE EXTENSION IF NOT EXISTS pg_trgm SCHEMA extensions", role=servers.SUPERUSER)
    sql = "CREATE TABLE posts (id int PRIMARY KEY, title text NOT NULL);"
    sql += "CREATE INDEX i ON posts USING gin (title extensions.gin_trgm_ops)"
    plain = define_table({"title": v.string()})
    (note,) = found(database, make(sql, {"posts": plain}), "SearchNotCarried")
    assert (note.subject, note.hint) == ("posts.title", '.search_index("search_title", search_field="title")')
    carried = plain.search_index("search_title", search_field="title")
    assert found(database, make("", {"posts": carried}), "SearchNotCarried") == []


def test_a_search_that_nothing_is_known_of(make: Make, database: Database) -> None:
    sql = "CREATE TABLE posts (id int PRIMARY KEY, title text NOT NULL, words tsvector)"
    toml = 'tables.posts.columns.words.skip = "searched"'
    (note,) = found(database, make(sql, {"posts": define_table({"title": v.string()})}, toml), "SearchNotCarried")
    assert note.subject == "posts.words"


def test_a_creation_time_that_is_open(make: Make, database: Database) -> None:
    sql = "CREATE TABLE notes (id int PRIMARY KEY, a timestamptz DEFAULT now(), b timestamptz DEFAULT now())"
    schema = {"notes": define_table({"a": v.optional(v.number()), "b": v.optional(v.number())})}
    (note,) = found(database, make(sql, schema), "CreationTimeOpen")
    assert (note.subject, note.hint) == ("notes.a", 'Set created = "a" under [tables.notes].')
    plan = make("", schema, 'tables.notes.created = "a"')
    assert found(database, plan, "CreationTimeOpen") == []
    assert plan.moving[0].creation.columns == ("a",)


def test_a_finding_of_the_whole_project_has_no_place_and_no_mark_of_one() -> None:
    assert str(Diagnostic("FilesRun", "note", "said")) == "note[FilesRun] said"
    assert str(Diagnostic("FilesRun", "note", "said", subject="t")) == "note[FilesRun] t: said"
