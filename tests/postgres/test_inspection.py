"""The catalog of everything.sql: what inspection reads, and that it reads the same wherever the database is."""

import json
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from supavex.mapping.source import Source
from supavex.postgres import server as servers
from supavex.postgres.catalog import (
    Attribute,
    Catalog,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    NamedObject,
    Policy,
    Table,
    Trigger,
    Type,
    Unique,
)
from supavex.postgres.connection import connect
from supavex.postgres.inspection import SYSTEM_SCHEMAS, inspect_catalog
from supavex.postgres.replay import Replay
from supavex.postgres.run_files import replay_files
from supavex.settings.reading import load_settings
from tests.databases import Database, new_database

EVERYTHING = Path(__file__).parent / "everything.sql"
SCHEMAS = ["public", "app"]


@pytest.fixture(scope="module")
def everything(server: servers.Server) -> Iterator[Database]:
    with new_database(server) as database:
        report = replay_files(database, [EVERYTHING])
        assert report.failed == ()
        yield database


@pytest.fixture(scope="module")
def catalog(everything: Database) -> Catalog:
    return everything.catalog(*SCHEMAS)


@pytest.fixture(scope="module")
def people(catalog: Catalog) -> Table:
    return table(catalog, "people")


def table(catalog: Catalog, name: str, schema: str = "public") -> Table:
    found = catalog.table(schema, name)
    assert found is not None
    return found


def column(table: Table, name: str) -> Column:
    found = table.column(name)
    assert found is not None
    return found


# -------------------------------------------------------------------------------------------------------------- tables


def test_tables_come_by_schema_and_name_partitions_only_as_their_parent(catalog: Catalog) -> None:
    assert [table.qualified for table in catalog] == [
        "app.teams",
        "public.bookings",
        "public.events",
        "public.fast",
        "public.keyless",
        "public.people",
        "public.types",
    ]


def test_other_schemas_are_read_when_they_are_asked_for(everything: Database) -> None:
    assert [table.qualified for table in everything.catalog("aside")] == ["aside.hidden"]
    assert "auth.users" in [table.qualified for table in everything.catalog("auth")]
    assert [table.qualified for table in everything.catalog("nowhere")] == []


def test_tables_of_an_extension_belong_to_it(everything: Database) -> None:
    """As spatial_ref_sys does, in every project with PostGIS."""
    with new_database(everything) as database:
        database.run("CREATE TABLE spatial_ref_sys (id int); CREATE TABLE notes (id int);")
        database.run("ALTER EXTENSION plpgsql ADD TABLE spatial_ref_sys", role=servers.SUPERUSER)
        assert [table.name for table in database.catalog()] == ["notes"]


def test_the_server_s_version(catalog: Catalog) -> None:
    assert catalog.server_version.split(".")[0] == "18"


def test_comments(people: Table) -> None:
    assert people.comment == "Who works here"
    assert column(people, "boss").comment == "Nobody's own"
    assert column(people, "age").comment == ""


def test_row_security(catalog: Catalog, people: Table) -> None:
    assert people.row_security
    assert not table(catalog, "types").row_security


# -------------------------------------------------------------------------------------------------------------- columns


def test_columns_come_in_their_order_without_dropped_ones(people: Table) -> None:
    assert [column.name for column in people.columns] == [
        "id",
        "team_id",
        "team_slug",
        "boss",
        "auth_id",
        "email",
        "order",
        "age",
        "born",
    ]


def test_nulls_and_defaults(catalog: Catalog, people: Table) -> None:
    assert [column.name for column in people.columns if not column.nullable] == ["id", "team_id", "email"]
    assert column(people, "email").default == "('nobody'::text || '@example.com'::text)"
    assert column(people, "age").default is None
    assert column(table(catalog, "types"), "id").default == "gen_random_uuid()"


def test_identity_and_generated_columns(catalog: Catalog, people: Table) -> None:
    teams = table(catalog, "teams", "app")
    assert [(c.name, c.identity, c.generated, c.default, c.expression) for c in teams.columns] == [
        ("id", "always", "", None, ""),
        ("slug", "", "", None, ""),
        ("Name", "", "", None, ""),
        ("upper_name", "", "stored", None, 'upper("Name")'),
        ("lower_name", "", "virtual", None, 'lower("Name")'),
    ]
    assert column(people, "id").identity == "by default"


INTEGER = Type("integer", "int4")
POINT = Type("app.point", "point", "app", "c", attributes=(Attribute("x", INTEGER), Attribute("y", INTEGER)))
MOOD = Type("public.mood", "mood", "public", "e", labels=("best", "good", "so-so", "it's bad"))
TEXT = Type("text", "text")
NOT_EMPTY = CheckConstraint("short_text_check", "((VALUE)::text <> ''::text)")
SHORTER = CheckConstraint("shorter_text_check", "(length((VALUE)::text) < 9)")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("id", Type("uuid", "uuid")),
        ("small", Type("smallint", "int2")),
        ("whole", Type("integer", "int4")),
        ("big", Type("bigint", "int8")),
        ("exact", Type("numeric", "numeric")),
        ("money_like", Type("numeric(12,2)", "numeric", precision=12, scale=2)),
        ("hundreds", Type("numeric(5,-2)", "numeric", precision=5, scale=-2)),
        ("tiny", Type("numeric(3,5)", "numeric", precision=3, scale=5)),
        ("digits", Type("numeric(78,0)", "numeric", precision=78, scale=0)),
        ("real4", Type("real", "float4")),
        ("real8", Type("double precision", "float8")),
        ("coin", Type("money", "money")),
        ("words", TEXT),
        ("up_to_three", Type("character varying(3)", "varchar", length=3)),
        ("unbounded", Type("character varying", "varchar")),
        ("fixed", Type("character(5)", "bpchar", length=5)),
        ("one_char", Type('"char"', "char")),
        ("label", Type("name", "name")),
        ("yes", Type("boolean", "bool")),
        ("raw", Type("bytea", "bytea")),
        ("document", Type("json", "json")),
        ("binary_document", Type("jsonb", "jsonb")),
        ("day", Type("date", "date")),
        ("at_time", Type("time without time zone", "time")),
        ("at_time_3", Type("time(3) without time zone", "time")),
        ("moment", Type("timestamp with time zone", "timestamptz")),
        ("local_moment", Type("timestamp(3) without time zone", "timestamp")),
        ("span", Type("interval", "interval")),
        ("feeling", MOOD),
        (
            "text_domain",
            Type("public.short_text", "varchar", length=20, domain="public.short_text", checks=(NOT_EMPTY,)),
        ),
        (
            "nested_domain",
            Type(
                "public.shorter_text", "varchar", length=20, domain="public.shorter_text", checks=(NOT_EMPTY, SHORTER)
            ),
        ),
        ("array_domain", Type("public.tags", "_text", element=TEXT, domain="public.tags")),
        ("many_words", Type("text[]", "_text", element=TEXT)),
        (
            "many_short",
            Type("character varying(10)[]", "_varchar", element=Type("character varying", "varchar", length=10)),
        ),
        ("matrix", Type("integer[]", "_int4", element=Type("integer", "int4"))),
        ("feelings", Type("public.mood[]", "_mood", "public", element=MOOD)),
        (
            "amounts",
            Type("numeric(10,2)[]", "_numeric", element=Type("numeric", "numeric", precision=10, scale=2)),
        ),
        ("place", POINT),
        ("places", Type("app.point[]", "_point", "app", element=POINT)),
        ("address", Type("inet", "inet")),
        ("ranges", Type("int4range", "int4range", category="r")),
        ("ranges_many", Type("int4multirange", "int4multirange", category="m")),
        ("embedding", Type("extensions.vector(3)", "vector", "extensions")),
        ("xml_text", Type("xml", "xml")),
        ("search", Type("tsvector", "tsvector")),
    ],
)
def test_types(catalog: Catalog, name: str, expected: Type) -> None:
    assert column(table(catalog, "types"), name).type == expected


def test_every_column_of_types_is_among_the_examples(catalog: Catalog) -> None:
    (marks,) = [m for m in test_types.pytestmark if m.name == "parametrize"]  # type: ignore[attr-defined]
    assert {name for name, _ in marks.args[1]} == {column.name for column in table(catalog, "types").columns}


# ------------------------------------------------------------------------------------------------------ constraints


def test_primary_keys_have_their_columns_in_the_key_s_order(catalog: Catalog, people: Table) -> None:
    assert people.primary_key == ("team_id", "id")
    assert table(catalog, "events").primary_key == ("id", "at")
    assert table(catalog, "keyless").primary_key == ()


def test_foreign_keys(people: Table) -> None:
    assert {key.name: key for key in people.foreign_keys} == {
        "people_team_slug_fkey": ForeignKey(
            "people_team_slug_fkey", ("team_slug",), "app", "teams", ("slug",), "SET NULL", "CASCADE"
        ),
        "people_auth_id_fkey": ForeignKey("people_auth_id_fkey", ("auth_id",), "auth", "users", ("id",), "CASCADE"),
        "people_team_id_fkey": ForeignKey("people_team_id_fkey", ("team_id",), "app", "teams", ("id",)),
        "boss_in_team": ForeignKey(
            "boss_in_team", ("team_id", "boss"), "public", "people", ("team_id", "id"), "RESTRICT"
        ),
    }


def test_a_foreign_key_of_a_partitioned_table_comes_once(catalog: Catalog) -> None:
    (key,) = table(catalog, "events").foreign_keys
    assert (key.columns, key.referenced_schema, key.referenced_table) == (("owner",), "auth", "users")


def test_uniques_are_constraints_and_indexes_on_plain_columns(catalog: Catalog, people: Table) -> None:
    assert people.uniques == (
        Unique("email_once", ("email",)),
        Unique("order_once", ("team_id", "order"), nulls_not_distinct=True),
        Unique("people_boss", ("boss", "order")),
        Unique("people_partial", ("team_slug",), predicate="(age > 20)"),
    )
    assert table(catalog, "events").uniques == (Unique("events_at_id_key", ("at", "id")),)


def test_checks(people: Table) -> None:
    assert people.checks == (
        CheckConstraint("born_first", "((born < '2100-01-01'::date) OR (age IS NULL))", ("age", "born")),
        CheckConstraint("grown", "((age >= 18) AND (age < 150))", ("age",)),
        CheckConstraint("later", "(age <> 99)", ("age",), validated=False),
        CheckConstraint("people_email_check", "(email ~~ '%@%'::text)", ("email",)),
    )


def test_indexes(people: Table) -> None:
    by_name = {index.name: index for index in people.indexes}
    assert sorted(by_name) == [
        "email_once",
        "order_once",
        "people_boss",
        "people_lower",
        "people_mixed",
        "people_partial",
        "people_words",
    ]
    assert by_name["people_mixed"] == Index(
        "people_mixed",
        ("team_slug", None, "born"),
        unique=False,
        method="btree",
        definition="CREATE INDEX people_mixed ON public.people USING btree (team_slug, ((age + 1)), born DESC) "
        "INCLUDE (email)",
    )
    assert (by_name["people_lower"].unique, by_name["people_lower"].columns) == (True, (None,))
    assert by_name["people_partial"].predicate == "(age > 20)"
    assert by_name["people_words"].method == "gin"


def test_policies(people: Table) -> None:
    assert people.policies == (
        Policy("everybody", "ALL", ("public",), "true", None),
        Policy("reading", "SELECT", ("anon", "authenticated"), "(auth_id = auth.uid())", None),
        Policy("writing", "INSERT", ("authenticated",), None, "(age > 17)", permissive=False),
    )


def test_triggers_are_those_that_a_person_made(people: Table) -> None:
    assert people.triggers == (
        Trigger(
            "touch",
            "CREATE TRIGGER touch BEFORE UPDATE OF email ON public.people FOR EACH ROW WHEN ((old.age > 1)) "
            "EXECUTE FUNCTION public.touch()",
            " BEGIN RETURN new; END ",
        ),
    )


def test_a_column_has_what_its_domain_says(database: Database) -> None:
    database.run("""
        CREATE DOMAIN size AS text NOT NULL DEFAULT 's' CHECK (value IN ('s', 'm'));
        CREATE DOMAIN small AS size;
        CREATE DOMAIN late AS int;
        ALTER DOMAIN late ADD CONSTRAINT new_ones CHECK (value > 3) NOT VALID;
        CREATE TABLE parcels (a size, b small, c small DEFAULT 'm', d size[], e late, f late DEFAULT 7,
                              g size GENERATED ALWAYS AS ('m') STORED);
    """)
    found = database.table("parcels")
    said = {c.name: (c.nullable, c.default, [check.validated for check in c.type.checks]) for c in found.columns}
    assert said == {
        "a": (False, "'s'::text", [True]),
        "b": (False, "'s'::text", [True]),
        "c": (False, "'m'::text", [True]),
        "d": (True, None, []),
        "e": (True, None, [False]),
        "f": (True, "7", [False]),
        "g": (False, None, [True]),
    }
    element = column(found, "d").type.element
    assert element is not None
    assert [check.expression for check in element.checks] == ["(VALUE = ANY (ARRAY['s'::text, 'm'::text]))"]
    catalog = database.catalog()
    assert Catalog.from_json(json.loads(json.dumps(catalog.to_json()))) == catalog


def test_what_else_there_is(catalog: Catalog) -> None:
    assert catalog.others == (
        NamedObject("aggregate", "app.total", "integer"),
        NamedObject("domain", "public.short_text", "CHECK (((VALUE)::text <> ''::text))"),
        NamedObject("domain", "public.shorter_text", "CHECK ((length((VALUE)::text) < 9))"),
        NamedObject("enum", "public.mood", "best, good, so-so, it's bad"),
        NamedObject(
            "exclusion", "public.bookings", "EXCLUDE USING gist (during WITH &&) WHERE ((NOT isempty(during)))"
        ),
        NamedObject("function", "public.touch", ""),
        NamedObject("function", "public.touch", "text, VARIADIC many integer[]"),
        NamedObject("materialized view", "app.people_count", ""),
        NamedObject("procedure", "app.sweep", "IN days integer"),
        NamedObject("publication", "supabase_realtime", "app.teams, public.people"),
        NamedObject("sequence", "public.tickets", ""),
        NamedObject("view", "public.people_view", ""),
        NamedObject("extension", "vector", ""),
    )


def test_what_a_project_keeps_in_supabase_s_own_schemas(database: Database) -> None:
    database.run("""
        SELECT cron.schedule('nightly', '0 3 * * *', 'SELECT 1');
        INSERT INTO storage.buckets (id, name, public) VALUES ('avatars', 'avatars', true), ('files', 'files', false);
        CREATE FUNCTION public.welcome() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
        CREATE TRIGGER on_sign_up AFTER INSERT ON auth.users FOR EACH ROW EXECUTE FUNCTION public.welcome();
        CREATE POLICY anyone ON storage.objects FOR SELECT USING (bucket_id = 'avatars');
    """)
    found = [(other.kind, other.name) for other in database.catalog().others if other.kind != "function"]
    assert found == [
        ("bucket", "avatars"),
        ("bucket", "files"),
        ("cron job", "nightly"),
        ("policy", "storage.objects"),
        ("trigger", "auth.users"),
    ]


# ------------------------------------------------------------------------------------------- the same wherever it is


def test_the_whole_catalog_goes_to_json_and_back(catalog: Catalog) -> None:
    again = Catalog.from_json(json.loads(json.dumps(catalog.to_json())))
    assert again == catalog
    assert hash(again) == hash(catalog), "tuples all the way down, not lists"


def test_a_changed_catalog_is_not_equal(catalog: Catalog) -> None:
    data = json.loads(json.dumps(catalog.to_json()))
    data["tables"][0]["columns"][1]["nullable"] = True
    assert Catalog.from_json(data) != catalog


def test_a_replay_a_live_database_and_a_project_with_its_address_read_the_same(
    catalog: Catalog, everything: Database, folder: Path
) -> None:
    replay = Replay(folder / "source", [EVERYTHING], SCHEMAS)
    with replay.running() as url, connect(url) as connection:
        assert inspect_catalog(connection, SCHEMAS) == catalog
    assert replay.cached() is not None and replay.cached()[0] == catalog

    (folder / "supavex.toml").write_text(
        f"[source]\ndatabase_url = '{everything.url()}'\nschemas = ['public', 'app']\n"
    )
    live, report = Source(load_settings(folder)).catalog()
    assert live == catalog
    assert report is None


def test_another_role_reads_the_same_catalog(catalog: Catalog, everything: Database) -> None:
    """The catalog is everybody's: a role that may not read the rows can still check a schema."""
    with connect(everything.url("authenticator")) as connection:
        assert inspect_catalog(connection, SCHEMAS).tables == catalog.tables


def test_the_schemas_of_a_new_project_are_all_known_as_supabase_s(database: Database) -> None:
    found = database.rows("SELECT nspname FROM pg_catalog.pg_namespace WHERE nspname !~ '^pg_'")
    assert {name for (name,) in found} - {"public"} <= set(SYSTEM_SCHEMAS)


def test_what_rows_may_break_is_not_read_as_held(database: Database) -> None:
    database.run(
        "CREATE TABLE notes (id int PRIMARY KEY, a int, b int, parent int);"
        "INSERT INTO notes VALUES (1, NULL, -1, 7), (2, NULL, -1, 7);"
        "ALTER TABLE notes ADD CONSTRAINT a_there NOT NULL a NOT VALID;"
        "ALTER TABLE notes ADD CONSTRAINT b_good CHECK (b > 0) NOT ENFORCED;"
        "ALTER TABLE notes ADD CONSTRAINT parents FOREIGN KEY (parent) REFERENCES notes NOT ENFORCED;"
    )
    with connect(database.url()) as connection, pytest.raises(psycopg.errors.UniqueViolation):
        connection.execute("CREATE UNIQUE INDEX CONCURRENTLY one_b ON public.notes (b)")
    (notes,) = database.catalog()
    assert [column.nullable for column in notes.columns] == [False, True, True, True]
    assert [check.validated for check in notes.checks] == [False]
    assert [key.validated for key in notes.foreign_keys] == [False]
    assert notes.uniques == ()
    assert [(index.name, index.unique) for index in notes.indexes] == [("one_b", False)]
