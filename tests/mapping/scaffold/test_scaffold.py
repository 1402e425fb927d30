"""What the scaffold writes for a table, line by line. (tests/cli/test_scaffold.py takes whole projects to the end.)"""

from collections.abc import Callable
from pathlib import Path

import pytest

from supavex.convex.compile import compile_schema
from supavex.convex.schema import Schema
from supavex.diagnostics import has_errors
from supavex.mapping.scaffold import Scaffolded, insert, new_file, scaffold
from supavex.postgres import server as servers
from supavex.postgres.connection import connect
from supavex.postgres.key_values import look
from supavex.settings.reading import load_settings
from supavex.settings.schema_file import load_schema
from tests.databases import Database

Write = Callable[..., Scaffolded]


@pytest.fixture
def write(database: Database, tmp_path: Path) -> Write:
    """``write(sql, toml, schema)``: the scaffold of a database, which compiles without an error or a warning."""

    def write(sql: str, toml: str = "", schema: Schema | None = None) -> Scaffolded:
        database.run("CREATE EXTENSION IF NOT EXISTS pg_trgm SCHEMA extensions", role=servers.SUPERUSER)
        database.run("CREATE EXTENSION IF NOT EXISTS vector SCHEMA extensions", role=servers.SUPERUSER)
        database.run(sql)
        (tmp_path / "supavex.toml").write_text(toml)
        project = load_settings(tmp_path)
        with connect(database.url()) as connection:
            made = scaffold(project, schema, database.catalog(*project.schemas), lambda asked: look(connection, asked))
        if schema is None:
            project.schema_file.write_text(new_file(made))
            assert not has_errors(compile_schema(load_schema(project)), strict=True)
        return made

    return write


def lines(made: Scaffolded, table: str) -> list[str]:
    return [line.strip() for line in made.tables[table].splitlines()]


# --------------------------------------------------------------------------------------------------------------- names


@pytest.mark.parametrize("schemas", ['["public", "archive"]', '["archive", "public"]'])
def test_public_keeps_the_plain_name(write: Write, schemas: str) -> None:
    sql = "CREATE SCHEMA archive; CREATE TABLE archive.orders (id int PRIMARY KEY, n int);"
    sql += "CREATE TABLE orders (id int PRIMARY KEY); CREATE TABLE archive.parts (id int PRIMARY KEY);"
    made = write(sql, f"source.schemas = {schemas}")
    assert set(made.names) == {"orders", "archiveOrders", "parts"}
    assert '"n": v.optional(v.number()),' in lines(made, "archiveOrders")
    assert 'to = "archiveOrders"' in made.toml
    assert not any("parts" in line for line in made.toml)


def test_the_very_name_keeps_the_plain_name(write: Write) -> None:
    made = write("""CREATE TABLE user_profile (id uuid PRIMARY KEY, a int);
                    CREATE TABLE "userProfile" (id uuid PRIMARY KEY, b int);
                    CREATE TABLE "Order" (id uuid PRIMARY KEY, c int); CREATE TABLE orders (id uuid PRIMARY KEY);""")
    assert set(made.names) == {"userProfile", "user_profile", "order", "orders"}
    assert '"b": v.optional(v.number()),' in lines(made, "userProfile")
    assert made.toml == []


def test_what_is_there_keeps_its_name_and_is_one_table_s(write: Write) -> None:
    from supavex.schema import define_schema, define_table, v

    schema = define_schema({"orders": define_table({"n": v.optional(v.number())})})
    sql = "CREATE SCHEMA archive; CREATE TABLE archive.orders (id uuid PRIMARY KEY);"
    sql += "CREATE TABLE orders (id uuid PRIMARY KEY)"
    made = write(sql, 'source.schemas = ["public", "archive"]', schema)
    assert made.names == ["archiveOrders"]


def test_names_in_other_letters(write: Write) -> None:
    made = write("""CREATE TABLE "größe" (id uuid PRIMARY KEY, "naïve Straße" int, "цена" int, "$ref" int, _id text,
                    "1st" int, "a b" int, "a_b" int)""")
    assert made.names == ["grosse"]
    assert [line.split('"')[1] for line in lines(made, "grosse") if line.startswith('"')][1:] == [
        "naive_Strasse", "field", "ref", "id_column", "f1st", "a_b_column", "a_b",
    ]  # fmt: skip
    assert '[tables."größe"]' in made.toml


def test_id_keeps_its_name(write: Write) -> None:
    made = write('CREATE TABLE notes (id bigint PRIMARY KEY, "ID" text, "Id" text, _id text)')
    found = [line.split('"')[1] for line in lines(made, "notes") if line.startswith('"')]
    assert found[1:] == ["id", "ID", "Id", "id_column"]


# -------------------------------------------------------------------------------------------------------------- fields


def test_domains_and_checks(write: Write) -> None:
    found = lines(
        write("""
            CREATE DOMAIN any_size AS text DEFAULT 's' CHECK (value IN ('s', 'm', 'l'));
            CREATE DOMAIN size AS any_size NOT NULL CHECK (value IN ('s', 'm'));
            CREATE DOMAIN percent AS int CHECK (value BETWEEN 0 AND 100);
            CREATE DOMAIN currency AS varchar(3) DEFAULT 'usd' CHECK (value ~ '^[A-Z]{3}$');
            CREATE TYPE no_mood AS ENUM ();
            CREATE TABLE notes (a size, b size[], c percent DEFAULT 120, d percent[], e currency, f no_mood,
              g no_mood[], h int CHECK (h IN (1, 2)), i text CHECK (i LIKE 'https://%'));
        """),
        "notes",
    )
    for line in (
        '"a": v.string(one_of=["s", "m"], default="s"),',
        '"b": v.optional(v.array(v.union(v.literal("s"), v.literal("m")))),',
        "# the source's default 120 breaks its own check",
        '"c": v.optional(v.number(ge=0, le=100)),',
        '"d": v.optional(v.array(v.number(ge=0, le=100))),',
        '# the source\'s default "usd" breaks its own check',
        '"e": v.optional(v.string(pattern="^[A-Z]{3}$")),',
        "# the enum public.no_mood has no labels",
        '"f": v.optional(v.string()),',
        '"g": v.optional(v.array(v.string())),',
        '"h": v.optional(v.number(one_of=[1, 2])),',
        '"i": v.optional(v.string(pattern="^https://")),',
    ):
        assert line in found, line


def test_composite_types_are_objects(write: Write, tmp_path: Path) -> None:
    made = write("""
        CREATE EXTENSION hstore SCHEMA extensions;
        CREATE TYPE mood AS ENUM ('sad', 'ok');
        CREATE TYPE spot AS (x float8, at timestamptz, mood mood, doc jsonb, names text[]);
        CREATE TYPE place AS (name text, spot spot, "größe" numeric);
        CREATE TYPE first_last AS ("first name" text);
        CREATE DOMAIN good AS spot CHECK ((VALUE).x > 0);
        CREATE TABLE t (id uuid PRIMARY KEY, spot good NOT NULL, spots spot[], place place, tags hstore,
          name first_last);
        CREATE INDEX ON t (spot);
    """)
    spot = (
        'v.object({"x": v.union(v.number(), v.null()), "at": v.union(v.string(), v.null()), "mood": '
        'v.union(v.union(v.literal("sad"), v.literal("ok")), v.null()), "doc": v.any(), '
        '"names": v.union(v.array(v.string()), v.null())})'
    )
    text = "\n".join(lines(made, "t"))
    assert f'"spot": {spot},' in text
    assert f'"spots": v.optional(v.array({spot})),' in text
    assert '"tags": v.optional(v.record(v.string(), v.union(v.string(), v.null()))),' in text
    assert '"place": v.optional(v.any()),' in text and '"name": v.optional(v.any()),' in text
    assert ".index(" not in text
    # A key that Convex refuses.
    assert [line for line in made.toml if "invalid_json" in line] == ['columns.place.invalid_json = "escape"']
    assert not has_errors(compile_schema(load_schema(load_settings(tmp_path))), strict=True)


def test_a_check_that_is_not_valid_is_no_rule(write: Write) -> None:
    found = lines(
        write("""
            CREATE TABLE notes (state text NOT NULL, n int, code text);
            ALTER TABLE notes ADD CONSTRAINT states CHECK (state IN ('open', 'closed')) NOT VALID,
              ADD CONSTRAINT small CHECK (n < 9) NOT VALID, ADD CONSTRAINT codes CHECK (code ~ '^a') NOT VALID;
        """),
        "notes",
    )
    assert found[2:8] == [
        "# rows may break states: it is NOT VALID", '"state": v.string(),',
        "# rows may break small: it is NOT VALID", '"n": v.optional(v.number()),',
        "# rows may break codes: it is NOT VALID", '"code": v.optional(v.string()),',
    ]  # fmt: skip


@pytest.mark.parametrize("first", ["auth.users", "people"])
def test_of_several_foreign_keys_the_one_to_a_table_that_moves(write: Write, first: str) -> None:
    second = {"auth.users": "people", "people": "auth.users"}[first]
    found = lines(
        write(f"""
            CREATE TABLE people (id uuid PRIMARY KEY);
            CREATE TABLE notes (id int PRIMARY KEY, owner uuid CONSTRAINT a REFERENCES {first},
              CONSTRAINT b FOREIGN KEY (owner) REFERENCES {second});
        """),
        "notes",
    )
    assert '"owner": v.optional(v.id("people")),' in found
    assert "# also refers to auth.users" in found


def test_remarks_that_are_said_once(write: Write) -> None:
    made = write("""CREATE TABLE a (id int PRIMARY KEY, x bigint, y bigint, z uuid REFERENCES auth.users);
                    CREATE TABLE b (id int PRIMARY KEY, x bigint, z uuid REFERENCES auth.users)""")
    text = "".join(made.tables.values())
    assert (text.count("2^53"), text.count("`ids`"), text.count("refers to auth.users")) == (1, 1, 2)


HOSTS = (
    "CREATE TABLE profiles (id uuid PRIMARY KEY); CREATE TABLE sessions (id int PRIMARY KEY, host uuid NOT NULL UNIQUE,"
)
HOSTS += "guests uuid[] NOT NULL DEFAULT '{}', profile_id uuid, token uuid);"
ANN = "00000000-0000-4000-8000-000000000001"


def test_a_column_of_keys_is_told_with_the_line_to_write(write: Write) -> None:
    made = write(f"{HOSTS} INSERT INTO profiles VALUES ('{ANN}');"
                 f"INSERT INTO sessions VALUES (1, '{ANN}', '{{{ANN}}}', NULL, gen_random_uuid())")  # fmt: skip
    assert lines(made, "sessions")[3:14] == [
        "# no foreign key, but its one value is a key of public.profiles. As a reference, it would be",
        '#     "host": v.id("profiles", unique=True),',
        '"host": v.string(unique=True),',
        "# no foreign key, but its one element is a key of public.profiles. As a reference, it would be",
        '#     "guests": v.array(v.id("profiles"), default=[]),',
        '"guests": v.array(v.string(), default=[]),',
        "# no foreign key, but it is named after public.profiles; no row has a value in it. "
        "As a reference, it would be",
        '#     "profile_id": v.optional(v.id("profiles")),',
        '"profile_id": v.optional(v.string()),',
        '"token": v.optional(v.string()),',
        "})",
    ]


def test_the_line_to_write_compiles(write: Write, tmp_path: Path) -> None:
    write(f"{HOSTS} INSERT INTO profiles VALUES ('{ANN}'); INSERT INTO sessions VALUES (1, '{ANN}', '{{{ANN}}}')")
    project = load_settings(tmp_path)
    text = project.schema_file.read_text().splitlines()
    pasted = [line.replace("#     ", "") for line in text if "#     " in line]
    fields = {line.split('"')[1] for line in pasted}
    kept = [line for line in text if not any(line.strip().startswith(f'"{field}": ') for field in fields)]
    where = next(number for number, line in enumerate(kept) if '"sessions"' in line)
    project.schema_file.write_text("\n".join([*kept[: where + 1], *pasted, *kept[where + 1 :]]))
    assert len(pasted) == 3
    assert not has_errors(compile_schema(load_schema(project)), strict=True)


def test_references_by_several_columns_are_named_for_what_they_refer_to(write: Write) -> None:
    found = lines(
        write("""
            CREATE TABLE addresses (tenant uuid, id int, PRIMARY KEY (tenant, id));
            CREATE TABLE order_lines (no int, tenant uuid, PRIMARY KEY (no, tenant));
            CREATE TABLE bills (id uuid PRIMARY KEY, tenant uuid NOT NULL, billing_address_id int,
              shipping_address_id int, line int, line_no int, tenant_id uuid, address int,
              FOREIGN KEY (tenant, billing_address_id) REFERENCES addresses, address_id int,
              FOREIGN KEY (shipping_address_id, tenant) REFERENCES addresses (id, tenant),
              FOREIGN KEY (tenant, address_id) REFERENCES addresses,
              FOREIGN KEY (line_no, tenant_id) REFERENCES order_lines);
        """),
        "bills",
    )
    named = {line.split('"')[1] for line in found if '"v.id' not in line and "v.id(" in line}
    assert named == {"billing_address", "shipping_address", "address_ref", "order_line"}


# ------------------------------------------------------------------------------------------------------------- indexes


def calls(made: Scaffolded, table: str) -> list[str]:
    return [line.rstrip(",") for line in lines(made, table) if line.startswith((".", "# "))][1:]


def test_indexes_are_few_and_have_no_numbers(write: Write) -> None:
    made = write("""
        CREATE TABLE people (id uuid PRIMARY KEY);
        CREATE TABLE notes (id text PRIMARY KEY, user_id uuid NOT NULL REFERENCES people, "user" text, data jsonb,
          tags text[], a int, b int, a_b int, creation_time int, UNIQUE (a, b));
        CREATE INDEX ON notes (user_id, a); CREATE INDEX ON notes ("user"); CREATE INDEX ON notes (data);
        CREATE INDEX ON notes (tags, a); CREATE INDEX ON notes USING gin (data); CREATE INDEX ON notes (a);
        CREATE INDEX ON notes (a_b); CREATE INDEX ON notes (creation_time); CREATE INDEX ON notes (lower("user"));
        CREATE INDEX ON notes (a, b) WHERE b > 3;
    """)
    assert calls(made, "notes") == [
        '.index("by_a_b", ["a", "b"])',
        '.index("by_a_b_field", ["a_b"])',
        '.index("by_creation_time_field", ["creation_time"])',
        '.index("by_user_a", ["user_id", "a"])',
        '.index("by_user", ["user"])',
        '.index("by_id_field", ["id"])',
        '.unique(["a", "b"])',
    ]


def test_rows_without_a_key_have_no_index_by_all_columns(write: Write) -> None:
    assert calls(write("CREATE TABLE notes (a int, b text)"), "notes") == []


def test_search_indexes(write: Write) -> None:
    made = write("""
        CREATE TABLE teams (id uuid PRIMARY KEY);
        CREATE TABLE posts (id int PRIMARY KEY, team_id uuid NOT NULL REFERENCES teams, slug text, title text,
          body text, data jsonb, embedding extensions.vector(3),
          fts tsvector GENERATED ALWAYS AS (to_tsvector('simple', title || body)) STORED, words tsvector);
        CREATE INDEX ON posts USING gin (slug extensions.gin_trgm_ops);
        CREATE INDEX z ON posts USING gin (to_tsvector('simple', data ->> 'note'));
    """)
    assert calls(made, "posts")[1:] == [
        '.index("by_team", ["team_id"])',
        "# fts also searched body: to search all, the app writes their texts into one field",
        '.search_index("search_title", search_field="title", filter_fields=["team_id"])',
        '.search_index("search_slug", search_field="slug", filter_fields=["team_id"])',
        '.search_index("search_data_note", search_field="data.note", filter_fields=["team_id"])',
        '.vector_index("vector_embedding", vector_field="embedding", dimensions=3, filter_fields=["team_id"])',
    ]
    assert calls(made, "posts")[0].startswith("# words: its source columns are unknown")
    assert any("source columns are title, body" in line for line in made.toml)


def test_a_creation_time_that_is_open(write: Write) -> None:
    made = write("CREATE TABLE notes (id int PRIMARY KEY, a timestamptz DEFAULT now(), b timestamptz DEFAULT now())")
    assert '# _creationTime: a or b? Choose one in supavex.toml: created = "a"' in lines(made, "notes")


# ------------------------------------------------------------------------------------------- what is said only once


def test_an_enum_of_several_fields_is_written_once(write: Write, tmp_path: Path) -> None:
    made = write(
        "CREATE TYPE state AS ENUM ('draft', 'live'); CREATE TYPE once AS ENUM ('x');"
        "CREATE TABLE a (id uuid PRIMARY KEY, s state NOT NULL DEFAULT 'draft', o once NOT NULL);"
        "CREATE TABLE b (id uuid PRIMARY KEY, s state, many state[]);"
    )
    assert made.unions == {"STATE": '[v.literal("draft"), v.literal("live")]'}
    assert '"s": v.union(*STATE, default="draft"),' in lines(made, "a")
    assert '"o": v.union(v.literal("x")),' in lines(made, "a")
    assert '"many": v.optional(v.array(v.union(*STATE))),' in lines(made, "b")
    text = (tmp_path / "schema.py").read_text()
    assert text.count('v.literal("draft")') == 1
    # A file that is there gets the list behind its imports, once.
    old = "from supavex.schema import define_schema, define_table, v\n\nschema = define_schema({})\n"
    added = insert(old, made, "schema.py")
    assert added.index("STATE = [") < added.index("schema = define_schema")
    assert insert(added, made, "schema.py").count("STATE = [") == 1


def test_a_key_that_is_a_user_s_id_is_written_as_one_identity(write: Write) -> None:
    made = write("CREATE TABLE profiles (id uuid PRIMARY KEY REFERENCES auth.users, name text);")
    assert '"user_id": v.string(unique=True),' in lines(made, "profiles")
    assert '.index("by_user", ["user_id"]),' in lines(made, "profiles")
    assert 'columns.id.to = "user_id"' in made.toml
    made = write("DROP TABLE profiles;CREATE TABLE people (id uuid PRIMARY KEY REFERENCES auth.users, user_id text);")
    assert '"auth_user_id": v.string(unique=True),' in lines(made, "people")


def test_what_refers_to_users_refers_to_the_table_with_their_key(write: Write) -> None:
    made = write("""
        CREATE TABLE profiles (id uuid PRIMARY KEY REFERENCES auth.users, name text);
        CREATE TABLE settings (user_id uuid PRIMARY KEY REFERENCES auth.users, theme text);
        CREATE TABLE posts (id int PRIMARY KEY, author uuid NOT NULL REFERENCES auth.users,
                            x uuid DEFAULT auth.uid() REFERENCES auth.users);
        CREATE TABLE members (user_id uuid REFERENCES auth.users, org int, PRIMARY KEY (user_id, org));
    """)
    assert '"user_id": v.string(unique=True),' in lines(made, "profiles")
    assert '"user_id": v.id("profiles", unique=True),' in lines(made, "settings")
    assert '"author": v.id("profiles"),' in lines(made, "posts")
    assert '"x": v.optional(v.id("profiles")),' in lines(made, "posts")
    assert '"user_id": v.id("profiles"),' in lines(made, "members")
    text = "".join(made.tables.values())
    assert (text.count("As a reference"), text.count("`ids`"), text.count("rejects its row")) == (0, 1, 1)


def test_what_refers_to_users_without_a_row_there_stays_text(write: Write) -> None:
    made = write(f"""
        CREATE TABLE profiles (id uuid PRIMARY KEY REFERENCES auth.users);
        CREATE TABLE posts (id int PRIMARY KEY, author uuid REFERENCES auth.users, other uuid REFERENCES auth.users);
        INSERT INTO auth.users (id) VALUES ('{ANN}'), ('{ANN[:-1]}2'); INSERT INTO profiles VALUES ('{ANN}');
        INSERT INTO posts VALUES (1, '{ANN}', '{ANN}'), (2, '{ANN}', '{ANN[:-1]}2');
    """)
    assert '"author": v.optional(v.id("profiles")),' in lines(made, "posts")
    assert '"other": v.optional(v.string()),' in lines(made, "posts")


def test_a_search_is_cut_down_to_the_tenant(write: Write) -> None:
    made = write(
        "CREATE TABLE notes (id uuid PRIMARY KEY, org_id uuid, team_code text, body text NOT NULL,"
        " e extensions.vector(3), fts tsvector GENERATED ALWAYS AS (to_tsvector('english', body)) STORED);"
        "CREATE INDEX ON notes USING gin (fts);"
    )
    found = [line for line in lines(made, "notes") if "filter_fields" in line]
    assert len(found) == 2
    assert all('filter_fields=["org_id"]' in line for line in found)


def test_two_references_to_one_table_are_named_for_what_they_refer_to(write: Write) -> None:
    made = write(
        "CREATE TABLE customers (tenant int, customer_no int, PRIMARY KEY (tenant, customer_no));"
        "CREATE TABLE orders (id int PRIMARY KEY, tenant int, customer_no int, ship_no int,"
        " FOREIGN KEY (tenant, customer_no) REFERENCES customers, FOREIGN KEY (tenant, ship_no) REFERENCES customers);"
        "CREATE TABLE bills (id int PRIMARY KEY, tenant int, payer int,"
        " FOREIGN KEY (tenant, payer) REFERENCES customers);"
    )
    assert {'"customer": v.optional(v.id("customers")),', '"ship_customer": v.optional(v.id("customers")),'} <= set(
        lines(made, "orders")
    )
    assert '"customer": v.optional(v.id("customers")),' in lines(made, "bills")


def test_references_by_several_columns_are_named_by_the_word_that_these_share(write: Write) -> None:
    made = write(
        "CREATE TABLE orders (tenant_id int, order_no int, PRIMARY KEY (tenant_id, order_no));"
        "CREATE TABLE lines (id int PRIMARY KEY, tenant_id int, order_no int, parent_tenant int, parent_no int,"
        " FOREIGN KEY (tenant_id, order_no) REFERENCES orders,"
        " FOREIGN KEY (parent_tenant, parent_no) REFERENCES orders);"
    )
    assert 'fields.order.references = ["tenant_id", "order_no"]' in made.toml
    assert 'fields.parent_order.references = ["parent_tenant", "parent_no"]' in made.toml


def test_names_that_differ_in_their_spelling_keep_it(write: Write) -> None:
    made = write(
        'CREATE TABLE "userProfile" (id int PRIMARY KEY); CREATE TABLE user_profile (id int PRIMARY KEY);'
        'CREATE TABLE "UserProfile" (id int PRIMARY KEY);'
    )
    assert not any(character.isdigit() for name in made.names for character in name), made.names


def test_no_index_holds_json_or_a_whole_row(write: Write) -> None:
    made = write(
        "CREATE TABLE j (id uuid PRIMARY KEY, data jsonb, n int);"
        "CREATE INDEX ON j (data); CREATE INDEX ON j (n, data);"
        "CREATE TABLE k (a int, b int); CREATE TABLE l (data jsonb PRIMARY KEY);"
    )
    for table in ("j", "k", "l"):
        assert not any(".index(" in line for line in lines(made, table)), lines(made, table)
