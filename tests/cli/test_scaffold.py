"""From a folder of migrations to a proven deployment, without a line written by hand."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from supavex.deployment import Deployment
from supavex.postgres import server as servers
from supavex.settings.reading import load_settings
from supavex.settings.schema_file import load_schema
from tests import projects
from tests.projects import supavex

STRANGE = """
CREATE EXTENSION IF NOT EXISTS vector;
CREATE EXTENSION IF NOT EXISTS citext;
CREATE TYPE plan AS ENUM ('free', 'pro "x"');
CREATE TABLE "User Accounts" (
  id uuid PRIMARY KEY REFERENCES auth.users (id), email citext UNIQUE NOT NULL, "größe" int CHECK ("größe" >= 0),
  _private text, plan plan NOT NULL DEFAULT 'free', prefs jsonb DEFAULT '{"a": [1]}', odd jsonb DEFAULT '{"$x": 1}',
  ratio numeric(5,2) DEFAULT 1.5, total numeric(30,5), big int8, tags text[] NOT NULL DEFAULT '{}', scores float8[],
  embedding vector(3), fts tsvector GENERATED ALWAYS AS (to_tsvector('simple', 'x')) STORED,
  born date, opens time, span interval, spot point, raw bytea, flag boolean DEFAULT false,
  at timestamptz DEFAULT now());
COMMENT ON TABLE "User Accounts" IS 'People
who pay';
CREATE INDEX ON "User Accounts" USING gin (fts);
CREATE INDEX ON "User Accounts" (plan, born);
CREATE INDEX ON "User Accounts" (plan, born) WHERE flag;
CREATE TABLE posts (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, author uuid NOT NULL REFERENCES "User Accounts",
  parent bigint REFERENCES posts, slug text NOT NULL, lang text NOT NULL,
  state text NOT NULL CHECK (state IN ('new', 'it''s done')), score int CHECK (score >= 0 AND score <= 10),
  UNIQUE (lang, slug));
CREATE TABLE likes (post bigint REFERENCES posts, account uuid REFERENCES "User Accounts", PRIMARY KEY (post, account));
CREATE TABLE countries (code char(2) PRIMARY KEY, name text);
CREATE TABLE keyless (a int);
CREATE TABLE "class" (id uuid PRIMARY KEY, "from" text, "order" int, country char(2) REFERENCES countries);
INSERT INTO auth.users (id) VALUES ('00000000-0000-4000-8000-000000000001');
INSERT INTO "User Accounts" (id, email, "größe", big, scores, embedding, raw, spot, odd)
  VALUES ('00000000-0000-4000-8000-000000000001', 'A@b', 3, 7, '{1.5}', '[1,2,3]', '\\x00', '(1,2)', NULL);
INSERT INTO posts (author, slug, lang, state) VALUES ('00000000-0000-4000-8000-000000000001', 's', 'id', 'it''s done');
INSERT INTO posts (author, parent, slug, lang, state)
  VALUES ('00000000-0000-4000-8000-000000000001', 1, 't', 'id', 'new');
INSERT INTO likes VALUES (1, '00000000-0000-4000-8000-000000000001');
INSERT INTO countries VALUES ('ID', 'Indonesia');
INSERT INTO "class" VALUES ('00000000-0000-4000-8000-000000000002', 'x', 1, 'ID');
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    with projects.folder() as path:
        yield path


def migrations(folder: Path, **files: str) -> Path:
    (folder / "supabase/migrations").mkdir(parents=True)
    for name, text in files.items():
        (folder / f"supabase/migrations/{name}.sql").write_text(text)
    return folder


def proven(folder: Path) -> None:
    for command in (["check", "--strict"], ["build"], ["deploy"], ["migrate"], ["verify"]):
        ran = supavex(*command, "-C", folder)
        assert ran.code == 0, ran.out + ran.err


def test_a_strangers_project_is_proven_without_a_line_by_hand(folder: Path) -> None:
    migrations(folder, a=STRANGE)
    ran = supavex("init", "-C", folder)
    assert ran.code == 0, ran.err
    assert "supavex check" in ran.out
    proven(folder)
    with Deployment(folder / ".supavex/deployment.sqlite3") as deployment:
        account = next(deployment.documents("userAccounts"))
        assert (account["prefs"], account["grosse"], account.get("private")) == ({"a": [1.0]}, 3.0, None)
        replies = [post for post in deployment.documents("posts") if "parent" in post]
        assert [post["_id"] for post in deployment.documents("posts") if post["slug"] == "s"] == [replies[0]["parent"]]
        assert deployment.count("likes") == 1


def test_what_it_writes_is_what_a_careful_person_would_write(folder: Path) -> None:
    migrations(folder, a=STRANGE)
    supavex("init", "-C", folder)
    text = (folder / "schema.py").read_text()
    for line in (
        '"plan": v.union(v.literal("free"), v.literal("pro \\"x\\""), default="free"),',
        '"email": v.string(unique=True),',
        '"grosse": v.optional(v.number(ge=0)),',
        "\"prefs\": v.optional(v.any(default={'a': [1]})),",
        '"odd": v.optional(v.any()),',
        '"ratio": v.optional(v.number(default=1.5)),',
        '"total": v.optional(v.string()),',
        '"tags": v.array(v.string(), default=[]),',
        '"state": v.string(one_of=["new", "it\'s done"]),',
        '"score": v.optional(v.number(ge=0, le=10)),',
        '"author": v.id("userAccounts"),',
        '"parent": v.optional(v.id("posts")),',
        '"country": v.optional(v.id("countries")),',
        '.unique(["lang", "slug"])',
        '.unique(["post", "account"])',
        '.vector_index("vector_embedding", vector_field="embedding", dimensions=3)',
        '.index("by_plan_born", ["plan", "born"])',
        'comment="People who pay"',
        "# the user's id in auth.users, as text; _id is computed from it",
    ):
        assert line in text, line
    assert '"fts"' not in text
    assert text.count("by_plan_born") == 1
    toml = (folder / "supavex.toml").read_text()
    assert 'columns."größe".to = "grosse"' in toml
    assert '[tables.keyless]\nkey = ["*"]' in toml


#: Each kind of thing that a careless scaffold gets wrong: what it writes has to be proven, without a line by hand.
KINDS = """
CREATE EXTENSION IF NOT EXISTS pg_trgm;
CREATE SCHEMA archive;
CREATE TYPE no_mood AS ENUM ();
CREATE DOMAIN any_size AS text NOT NULL DEFAULT 'm' CHECK (value IN ('s', 'm', 'l'));
CREATE DOMAIN size AS any_size CHECK (value IN ('s', 'm'));
CREATE DOMAIN weight AS int DEFAULT 1 CHECK (value > 0);
CREATE DOMAIN currency AS text CHECK (value ~ '^[A-Z]{3}$');
CREATE TABLE archive.orders (id int PRIMARY KEY, total int);
CREATE TABLE orders (tenant_id uuid, id int, total int, PRIMARY KEY (tenant_id, id));
CREATE TABLE user_profile (id uuid PRIMARY KEY, a int);
CREATE TABLE "userProfile" (id uuid PRIMARY KEY, b int);
CREATE TABLE profiles (id uuid PRIMARY KEY REFERENCES auth.users, name text, "dateCreated" timestamptz);
CREATE TABLE settings (user_id uuid PRIMARY KEY, theme text);
CREATE TABLE parcels (id int PRIMARY KEY, size size, sizes size[], grams weight, currency currency, mood no_mood,
  moods no_mood[], level int CHECK (level IN (1, 2)), url text CHECK (url LIKE 'https://%'), tenant_id uuid,
  order_id int, sender uuid CONSTRAINT a_user REFERENCES auth.users,
  FOREIGN KEY (tenant_id, order_id) REFERENCES orders,
  CONSTRAINT b_profile FOREIGN KEY (sender) REFERENCES profiles);
CREATE TABLE posts (id text PRIMARY KEY, _id int, "ID" int, author uuid NOT NULL, readers uuid[] NOT NULL DEFAULT '{}',
  title text NOT NULL, body text NOT NULL, slug text, data jsonb NOT NULL DEFAULT '{}', tags text[],
  written timestamptz NOT NULL DEFAULT now(), touched timestamptz DEFAULT now(),
  fts tsvector GENERATED ALWAYS AS (
    setweight(to_tsvector('english', title), 'A') || to_tsvector('english', body)) STORED,
  words tsvector);
CREATE INDEX ON posts USING gin (fts); CREATE INDEX ON posts USING gin (words); CREATE INDEX ON posts (data);
CREATE INDEX ON posts USING gin (slug gin_trgm_ops); CREATE INDEX ON posts (tags, slug); CREATE INDEX ON posts (author);
CREATE INDEX ON posts USING gin (to_tsvector('simple', data ->> 'note')); CREATE INDEX ON posts (author, slug);
CREATE TRIGGER words BEFORE INSERT OR UPDATE ON posts FOR EACH ROW
  EXECUTE FUNCTION tsvector_update_trigger(words, 'pg_catalog.english', slug, body);
INSERT INTO auth.users (id) VALUES ('00000000-0000-4000-8000-000000000001');
INSERT INTO archive.orders VALUES (9, 90);
INSERT INTO orders VALUES ('00000000-0000-4000-8000-0000000000f1', 1, 10);
INSERT INTO user_profile VALUES ('00000000-0000-4000-8000-0000000000e1', 1);
INSERT INTO "userProfile" VALUES ('00000000-0000-4000-8000-0000000000e2', 2);
INSERT INTO profiles VALUES ('00000000-0000-4000-8000-000000000001', 'ann', '2024-01-01');
INSERT INTO settings VALUES ('00000000-0000-4000-8000-000000000001', 'dark');
INSERT INTO parcels (id, sizes, currency, level, url, tenant_id, order_id, sender) VALUES (1, '{s,m}', 'USD', 2,
  'https://x', '00000000-0000-4000-8000-0000000000f1', 1, '00000000-0000-4000-8000-000000000001');
INSERT INTO posts (id, _id, "ID", author, readers, title, body, slug, data) VALUES ('p', 1, 2,
  '00000000-0000-4000-8000-000000000001', '{00000000-0000-4000-8000-000000000001}', 't', 'b', 's', '{"note": "n"}');
"""


def test_every_kind_is_proven_as_it_is_written(folder: Path) -> None:
    migrations(folder, **{"20240101000000_kinds": KINDS})
    assert supavex("init", "-C", folder).code == 0
    proven(folder)
    with Deployment(folder / ".supavex/deployment.sqlite3") as deployment:
        found = {table: next(deployment.documents(table)) for table in deployment.tables()}
    assert (found["orders"]["total"], found["archiveOrders"]["total"]) == (10, 90)
    assert (found["user_profile"]["a"], found["userProfile"]["b"]) == (1, 2)
    assert found["profiles"]["_creationTime"] == 1704067200000.0
    parcel, post = found["parcels"], found["posts"]
    assert (parcel["size"], parcel["sizes"], parcel["grams"]) == ("m", ["s", "m"], 1)
    assert (parcel["order"], parcel["sender"]) == (found["orders"]["_id"], found["profiles"]["_id"])
    assert (post["id"], post["id_column"], post["ID"]) == ("p", 1, 2)
    checked = supavex("check", "-C", folder)
    for said in ("posts.author: no foreign key", "posts.readers: no foreign key", "searches title, body as one text"):
        assert said in checked.out + checked.err, checked.out + checked.err


def test_the_lines_of_the_notes_are_proven_too(folder: Path) -> None:
    migrations(folder, **{"20240101000000_kinds": KINDS})
    supavex("init", "-C", folder)
    text = (folder / "schema.py").read_text().splitlines()
    lines = [number for number, line in enumerate(text) if line.lstrip().startswith("#     ")]
    assert len(lines) == 3
    for number in lines:
        text[number : number + 2] = [text[number].replace("#     ", ""), ""]
    (folder / "schema.py").write_text("\n".join(text))
    proven(folder)
    with Deployment(folder / ".supavex/deployment.sqlite3") as deployment:
        (ann,), (post,) = deployment.documents("profiles"), deployment.documents("posts")
        (settings,) = deployment.documents("settings")
    assert (post["author"], post["readers"], settings["user_id"]) == (ann["_id"], [ann["_id"]], ann["_id"])
    assert "ReferenceWithoutForeignKey" not in supavex("check", "-C", folder).out


def test_a_second_scaffold_adds_nothing(folder: Path) -> None:
    migrations(folder, a=STRANGE)
    supavex("init", "-C", folder)
    before = {name: (folder / name).read_bytes() for name in ("schema.py", "supavex.toml")}
    ran = supavex("scaffold", "-C", folder)
    assert "Nothing to add" in ran.out
    assert {name: (folder / name).read_bytes() for name in before} == before


@pytest.mark.parametrize(
    "hand_written",
    [
        'schema = define_schema({"a": define_table({"x": v.optional(v.string())})})\n',
        'schema = define_schema(\n    {\n        # mine, "quoted" é\n'
        '        "a": define_table({"x": v.optional(v.string())}),\n'
        "    },\n    schema_validation=True,\n)\nafter = 1  # stays\n",
        'schema = define_schema({\n    "a": define_table({"x": v.optional(v.string())})  # no comma but this\n})\n',
        "schema = define_schema({})\n",
    ],
)
def test_what_is_there_stays_to_the_letter(folder: Path, hand_written: str) -> None:
    migrations(
        folder,
        a="CREATE TABLE a (id uuid PRIMARY KEY, x text); CREATE TABLE b (id uuid PRIMARY KEY, a uuid REFERENCES a);",
    )
    projects.write(folder, schema=hand_written)
    old = (folder / "schema.py").read_text()
    ran = supavex("scaffold", "-C", folder)
    assert ran.code == 0, ran.err
    new = (folder / "schema.py").read_text()
    kept = iter(new.replace(" ", "").replace("\n", ""))
    assert all(character in kept for character in old.replace(" ", "").replace("\n", "")), "in order, all of it"
    assert set(load_schema(load_settings(folder)).tables) == {"a", "b"}
    assert supavex("check", "-C", folder, "--strict").code == 0


def test_a_schema_that_is_no_literal_is_left_alone(folder: Path) -> None:
    migrations(folder, a="CREATE TABLE a (id uuid PRIMARY KEY);")
    projects.write(folder, schema="tables = {}\nschema = define_schema(tables)\n")
    before = (folder / "schema.py").read_text()
    ran = supavex("scaffold", "-C", folder)
    assert (ran.code, "CannotInsert" in ran.err, "--stdout" in ran.err) == (1, True, True)
    assert (folder / "schema.py").read_text() == before
    printed = supavex("scaffold", "-C", folder, "--stdout")
    assert '"a": define_table({' in printed.out


@pytest.mark.parametrize("rules", ['[tables.a]\ncreated = "n"\n\n[tables.c]\nskip = "old"\n', "[tables.a]", ""])
def test_rules_are_added_under_a_table_s_own_header(folder: Path, rules: str) -> None:
    migrations(
        folder,
        a='CREATE TABLE a (id uuid PRIMARY KEY, n timestamptz, "größe" int, fts tsvector);',
        b="CREATE TABLE c (id uuid PRIMARY KEY); CREATE TABLE b (_x int);",
    )
    projects.write(folder, toml=rules)
    ran = supavex("scaffold", "-C", folder)
    assert ran.code == 0, ran.err
    project = load_settings(folder)
    assert project.tables["a"].columns["größe"].to == "grosse"
    assert project.tables["b"].key == ("*",)
    assert (project.tables["a"].created == "n") == ("created" in rules)
    assert supavex("check", "-C", folder).code == 0


def test_rules_that_can_t_be_added_to_are_left_alone(folder: Path) -> None:
    migrations(folder, a="CREATE TABLE a (id uuid PRIMARY KEY, n timestamptz, fts tsvector);")
    projects.write(folder, toml='tables.a.created = "n"\n')
    ran = supavex("scaffold", "-C", folder)
    assert (ran.code, "CannotInsert" in ran.err, "--stdout" in ran.err) == (1, True, True)
    assert (folder / "supavex.toml").read_text() == 'tables.a.created = "n"\n'
    assert not (folder / "schema.py").exists()


def test_init_finds_tables_outside_public(folder: Path) -> None:
    migrations(folder, a="CREATE SCHEMA app; CREATE TABLE app.things (id uuid PRIMARY KEY, n int);")
    assert supavex("init", "-C", folder).code == 0
    assert (folder / "supavex.toml").read_text() == '[source]\nschemas = ["app"]\n'
    proven(folder)


def test_init_says_which_statements_failed_and_still_succeeds(folder: Path) -> None:
    migrations(folder, a="CREATE TABLE a (id uuid PRIMARY KEY);\nSELECT nothing();")
    ran = supavex("init", "-C", folder)
    assert ran.code == 0
    assert "a.sql:2" in ran.out


def test_init_leaves_a_project_alone_and_nothing_behind_when_it_fails(folder: Path) -> None:
    ran = supavex("init", "-C", folder)
    assert (ran.code, "NoMigrations" in ran.err) == (1, True)
    assert list(folder.iterdir()) == []
    migrations(folder, a="CREATE TABLE a (id uuid PRIMARY KEY);")
    assert supavex("init", "-C", folder).code == 0
    again = supavex("init", "-C", folder)
    assert (again.code, "ProjectExists" in again.err) == (2, True)


def test_init_from_a_live_database_writes_no_address(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUPABASE_DB_URL", "overwritten and put back by this test")
    with servers.temporary() as server:
        servers.execute_script(
            server, "CREATE TABLE a (id uuid PRIMARY KEY, n int); INSERT INTO a VALUES (gen_random_uuid(), 1)"
        )
        url = f"postgresql://{servers.SUPERUSER}:{server.password}@/postgres?host={server.socket_folder}"
        ran = supavex("init", "-C", folder, "--database-url", url)
        assert ran.code == 0, ran.err
        assert (folder / "supavex.toml").read_text() == '[source]\ndatabase_url_env = "SUPABASE_DB_URL"\n'
        proven(folder)


def test_inspect_keeps_its_contract(folder: Path) -> None:
    migrations(folder, a=STRANGE, b="SELECT nothing();")
    (folder / "supabase/seed.sql").write_text("INSERT INTO countries VALUES ('MY', 'Malaysia');")
    ran = supavex("inspect", folder / "supabase/migrations", "--json")
    assert ran.code == 0
    assert set(ran.json) >= {"tables", "not_carried", "replay"}
    countries = next(t for t in ran.json["tables"] if t["name"] == "countries")
    assert set(countries) >= {
        "schema", "name", "columns", "primary_key", "foreign_keys", "uniques", "checks", "indexes", "policies",
        "triggers",
    }  # fmt: skip
    assert countries["rows"] == 2
    assert countries["columns"][0] == {"name": "code", "type": "character(2)", "nullable": False, "default": None}
    (failure,) = ran.json["replay"]["failed"]
    assert (failure["file"], failure["line"]) == ("b.sql", 1)
    assert (failure["error"], failure["sqlstate"]) == ("function nothing() does not exist", "42883")
    assert {item["kind"] for item in ran.json["not_carried"]} >= {
        "unique",
        "check",
        "enum",
        "generated column",
        "default",
    }


def test_inspect_says_each_way_out_of_a_kind_and_which_table_of_which_schema_is_meant(folder: Path) -> None:
    (folder / "dump.sql").write_text(
        "CREATE TABLE a (id uuid PRIMARY KEY REFERENCES auth.users, t text UNIQUE);\n"
        "CREATE TABLE users (id uuid PRIMARY KEY, a uuid REFERENCES a ON DELETE CASCADE);\n"
        "ALTER TABLE a ENABLE ROW LEVEL SECURITY;\nCREATE POLICY p ON a USING (true);\n"
        "CREATE POLICY q ON storage.objects USING (true);"
    )
    lines = supavex("inspect", folder / "dump.sql").out.splitlines()
    assert next(line for line in lines if line.startswith("a ")).endswith(" auth.users")
    for kind in ("unique ", "cascade ", "policy "):
        assert "supavex rules writes it" in next(line for line in lines if line.startswith(kind))
    assert "Supabase's own tables: check ctx.auth" in next(line for line in lines if line.startswith("policy "))


def test_inspect_reads_one_file_and_needs_no_project(folder: Path) -> None:
    (folder / "dump.sql").write_text("CREATE TABLE a (id int PRIMARY KEY);")
    ran = supavex("inspect", folder / "dump.sql")
    assert ran.code == 0
    assert "a " in ran.out
    assert [path.name for path in folder.iterdir()] == ["dump.sql"]
    missing = supavex("inspect", folder / "nowhere")
    assert (missing.code, "NoSource" in missing.err) == (2, True)


def test_inspect_and_init_share_one_replay_before_there_is_a_project(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "supabase/migrations").mkdir(parents=True)
    (folder / "supabase/migrations/1_notes.sql").write_text("CREATE TABLE notes (id int PRIMARY KEY, text text);")
    first = supavex("inspect", "-C", folder, "--json")
    assert first.code == 0 and [table["name"] for table in first.json["tables"]] == ["notes"]
    assert (folder / ".supavex/.gitignore").read_text() == "*\n"

    def replayed(*arguments: object) -> None:
        raise AssertionError("the files are run again")

    monkeypatch.setattr("supavex.postgres.replay.replay_files", replayed)
    again = supavex("inspect", "-C", folder, "--json")
    assert (again.code, again.json) == (0, first.json)
    assert supavex("init", "-C", folder).code == 0


def test_inspect_says_what_is_wrong_with_a_project_s_file(folder: Path) -> None:
    (folder / "supavex.toml").write_text("schema = 7\n")
    ran = supavex("inspect", "-C", folder)
    assert ran.code == 2 and "InvalidConfig" in ran.err
