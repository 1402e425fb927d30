"""References to keys that an extension's type or a collation calls equal, though their text differs."""

from __future__ import annotations

import json
import zipfile

import psycopg
import pytest

from supavex.mapping.make_plan import make_plan
from supavex.mapping.row_sql import parent_sql
from supavex.postgres.connection import connect
from supavex.postgres.inspection import inspect_catalog
from supavex.settings.reading import load_settings
from supavex.settings.schema_file import load_schema
from tests import projects
from tests.databases import Database
from tests.projects import supavex

#: A type as the extension citext makes it, whose operators are in no schema of the reader's search path.
CITEXT = """
CREATE SCHEMA other;
GRANT USAGE ON SCHEMA other TO public;
CREATE TYPE other.citext;
CREATE FUNCTION other.citextin(cstring) RETURNS other.citext IMMUTABLE STRICT LANGUAGE internal AS 'textin';
CREATE FUNCTION other.citextout(other.citext) RETURNS cstring IMMUTABLE STRICT LANGUAGE internal AS 'textout';
CREATE FUNCTION other.citextrecv(internal) RETURNS other.citext STABLE STRICT LANGUAGE internal AS 'textrecv';
CREATE FUNCTION other.citextsend(other.citext) RETURNS bytea STABLE STRICT LANGUAGE internal AS 'textsend';
CREATE TYPE other.citext (INPUT = other.citextin, OUTPUT = other.citextout,
    RECEIVE = other.citextrecv, SEND = other.citextsend, INTERNALLENGTH = VARIABLE, STORAGE = extended,
    CATEGORY = 'S', COLLATABLE = true);
CREATE CAST (other.citext AS text) WITHOUT FUNCTION AS IMPLICIT;
CREATE CAST (text AS other.citext) WITHOUT FUNCTION AS ASSIGNMENT;
CREATE FUNCTION other.citext_cmp(other.citext, other.citext) RETURNS int IMMUTABLE STRICT LANGUAGE sql
    AS 'SELECT pg_catalog.bttextcmp(lower($1::text), lower($2::text))';
"""
for _name, _sign in (("lt", "<"), ("le", "<="), ("eq", "="), ("ge", ">="), ("gt", ">")):
    CITEXT += f"""
CREATE FUNCTION other.citext_{_name}(other.citext, other.citext) RETURNS bool IMMUTABLE STRICT
    LANGUAGE sql AS 'SELECT lower($1::text) {_sign} lower($2::text)';
CREATE OPERATOR other.{_sign} (LEFTARG = other.citext, RIGHTARG = other.citext,
    FUNCTION = other.citext_{_name});
"""
CITEXT += """
CREATE OPERATOR CLASS other.citext_ops DEFAULT FOR TYPE other.citext USING btree AS
    OPERATOR 1 other.<, OPERATOR 2 other.<=, OPERATOR 3 other.=, OPERATOR 4 other.>=,
    OPERATOR 5 other.>, FUNCTION 1 other.citext_cmp(other.citext, other.citext);
"""
SCHEMA = """
schema = define_schema({
    "accounts": define_table({"email": v.string()}),
    "logins": define_table({
        "id": v.number(), "email": v.id("accounts"), "other": v.optional(v.id("accounts")),
        "several": v.optional(v.array(v.id("accounts"))),
    }),
})
"""


def test_a_key_of_an_extension_s_type_is_found_by_its_own_operator(database: Database) -> None:
    database.run(CITEXT, role="supabase_admin")
    database.run("""
        CREATE TABLE accounts (email other.citext PRIMARY KEY);
        CREATE TABLE logins (id int PRIMARY KEY, email other.citext NOT NULL REFERENCES accounts, other text,
                             several text[]);
        INSERT INTO accounts VALUES ('Ann@x.org'), ('bob@x.org');
        INSERT INTO logins VALUES
            (1, 'ann@x.org', 'BOB@x.org', '{ANN@X.ORG,bob@x.org}'), (2, 'bob@x.org', NULL, '{}'),
            (3, 'bob@x.org', 'eve@x.org', NULL), (4, 'bob@x.org', NULL, '{ann@x.org,eve@x.org}');
    """)
    with projects.folder() as folder:
        projects.write(folder, schema=SCHEMA, toml=f'max_rejects = 2\n[source]\ndatabase_url = "{database.url()}"\n')
        assert supavex("migrate", "-C", folder, "--out", folder / "out.zip").code == 0
        with zipfile.ZipFile(folder / "out.zip") as archive:
            accounts, logins = (
                [json.loads(line) for line in archive.read(f"{table}/documents.jsonl").splitlines()]
                for table in ("accounts", "logins")
            )
        ids = {account["_id"]: account["email"] for account in accounts}
        found = {login["id"]: (ids[login["email"]], ids.get(login.get("other"))) for login in logins}
        assert found == {1: ("Ann@x.org", "bob@x.org"), 2: ("bob@x.org", None)}
        assert [ids[id_] for login in logins for id_ in login["several"]] == ["Ann@x.org", "bob@x.org"]
        rejects = [json.loads(line) for line in (folder / ".supavex/migration/rejects.jsonl").read_text().splitlines()]
        assert [(reject["key"], reject["column"], reject["code"]) for reject in rejects] == [
            ("3", "other", "DanglingReference"), ("4", "several", "DanglingReference")
        ]  # fmt: skip
        proof = supavex("verify", "-C", folder, folder / "out.zip", "--json")
        assert proof.code == 0, proof.out
        assert proof.json["proof"] is True


def test_a_key_whose_collation_calls_different_texts_equal_is_read_from_its_row(database: Database) -> None:
    # The embedded server is built without ICU, whose collations alone are such.
    database.run(
        """
        CREATE COLLATION public.same (locale = 'C');
        UPDATE pg_collation SET collisdeterministic = false WHERE collname = 'same';
        CREATE TABLE public.teams (slug text COLLATE public.same PRIMARY KEY);
        CREATE TABLE public.members (id int PRIMARY KEY, team text COLLATE public.same REFERENCES public.teams);
        """,
        role="supabase_admin",
    )
    schema = """
schema = define_schema({
    "teams": define_table({"slug": v.string()}),
    "members": define_table({"id": v.number(), "team": v.optional(v.id("teams"))}),
})
"""
    with projects.folder() as folder, connect(database.url("supabase_admin")) as connection:
        project = load_settings(projects.write(folder, schema=schema))
        plan = make_plan(project, load_schema(project), inspect_catalog(connection, ["public"]))
    (field,) = (field for table in plan.moving for field in table.fields if field.reference is not None)
    assert field.reference is not None
    assert field.reference.via_unique
    assert field.reference.comparisons == ()


def test_two_collations_are_compared_by_the_referenced_column_s(database: Database) -> None:
    database.run("""
        CREATE TABLE words (word text COLLATE "C" PRIMARY KEY);
        CREATE TABLE plain (word text PRIMARY KEY);
        CREATE TABLE notes (id int PRIMARY KEY, word text COLLATE "POSIX", plain text COLLATE "POSIX");
        INSERT INTO words VALUES ('A');
        INSERT INTO plain VALUES ('B');
        INSERT INTO notes VALUES (1, 'a', 'b');
    """)
    schema = """
schema = define_schema({
    "words": define_table({"word": v.string()}), "plain": define_table({"word": v.string()}),
    "notes": define_table({"id": v.number(), "word": v.id("words"), "plain": v.id("plain")}),
})
"""
    with projects.folder() as folder, connect(database.url()) as connection:
        project = load_settings(projects.write(folder, schema=schema))
        plan = make_plan(project, load_schema(project), inspect_catalog(connection, ["public"]))
        found = {
            field.name: parent_sql(field.reference, field.reference.parts)
            for table in plan.moving
            for field in table.fields
            if field.reference is not None
        }
        assert found == {
            "word": 'p."word" = t."word" COLLATE pg_catalog."C"',
            "plain": 'p."word" = t."plain" COLLATE pg_catalog."default"',
        }
        for table, condition in zip(("words", "plain"), found.values(), strict=True):
            sql = f"SELECT 1 FROM public.notes AS t WHERE EXISTS (SELECT 1 FROM public.{table} AS p WHERE {condition})"
            assert connection.execute(sql.encode()).fetchall() == []
        with_both = "SELECT 1 FROM public.notes AS t JOIN public.words AS p ON p.word = t.word"
        with pytest.raises(psycopg.errors.IndeterminateCollation):
            connection.execute(with_both)
