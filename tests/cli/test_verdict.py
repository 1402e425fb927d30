"""What `init`, `check`, `migrate` and `verify` say where the files do not give all of the source."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import projects
from tests.projects import Ran, supavex

GOOD = "CREATE TABLE good (id int PRIMARY KEY, name text NOT NULL);\nINSERT INTO good VALUES (1, 'one');\n"


@pytest.fixture
def folder() -> Iterator[Path]:
    with projects.folder() as path:
        yield path


def init(folder: Path, *migrations: str, **others: str) -> Ran:
    """Writes a project of these migrations and other files (by path, / as __ and . as _), and runs init."""
    place = folder / "supabase/migrations"
    place.mkdir(parents=True)
    for number, text in enumerate(migrations, start=1):
        (place / f"{number}_migration.sql").write_text(text)
    for name, text in others.items():
        path = folder / name.replace("__", "/").replace("_sql", ".sql")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return supavex("init", "-C", folder)


def findings(folder: Path, code: str) -> list[Any]:
    ran = supavex("check", "-C", folder, "--json")
    return [found for found in ran.json["diagnostics"] if found["code"] == code]


def moved(folder: Path) -> Ran:
    """The project taken all the way; what verify does."""
    for command in ("build", "deploy", "migrate"):
        ran = supavex(command, "-C", folder)
        assert ran.code == 0, ran.err
    return supavex("verify", "-C", folder)


#: What loses the table ``bad``, and what the messages must name.
LOSING = {
    "CREATE TABLE": (
        "CREATE TABLE bad (id int PRIMARY KEY, x int PRIMARY KEY);",
        "multiple primary keys for table",
    ),
    "what is no SQL": ("CREATE TABLE bad (id int PRIMARY KEY, x int,);", "syntax error"),
    "CREATE TABLE AS": ("CREATE TABLE bad AS SELECT nothing();", "function nothing() does not exist"),
    "SELECT INTO": ("SELECT nothing() INTO bad;", "function nothing() does not exist"),
    "a block of code": ("DO $$ BEGIN CREATE TABLE bad (id int); PERFORM nothing(); END $$;", "nothing()"),
    "a partition": (
        "CREATE TABLE parts (n int PRIMARY KEY) PARTITION BY RANGE (n); "
        "CREATE TABLE bad PARTITION OF parts FOR VALUES FROM (2) TO (1);",
        "empty range bound specified",
    ),
    "renamed later": (
        "CREATE TABLE old (id int PRIMARY KEY, x int PRIMARY KEY); ALTER TABLE old RENAME TO bad;",
        "multiple primary keys",
    ),
}


@pytest.mark.parametrize("kind", LOSING)
def test_a_lost_table_is_an_error(kind: str, folder: Path) -> None:
    sql, reason = LOSING[kind]
    ran = init(folder, f"{GOOD}{sql}")
    assert ran.code == 1
    assert "error[TableLost] 1_migration.sql:3 public.bad" in ran.out
    assert reason in ran.out
    assert '"good": define_table' in (folder / "schema.py").read_text(), "the files are written all the same"
    checked = supavex("check", "-C", folder)
    assert checked.code == 1
    assert "1_migration.sql:3 public.bad" in checked.out
    assert reason in checked.out
    (found,) = findings(folder, "TableLost")
    assert (found["severity"], found["where"]) == ("error", "1_migration.sql:3 public.bad")
    for command in ("migrate", "verify"):
        refused = supavex(command, "-C", folder)
        assert refused.code == 1
        assert "TableLost" in refused.err
        assert "proven" not in refused.out
    ran = supavex("inspect", "-C", folder)
    assert "The table public.bad is lost" in ran.out


@pytest.mark.parametrize(
    "sql",
    [
        "CREATE TABLE bad (id int PRIMARY KEY, x int PRIMARY KEY); DROP TABLE IF EXISTS bad;",
        "CREATE TEMP TABLE bad (id int PRIMARY KEY, x int PRIMARY KEY);",
        "BEGIN; CREATE TABLE bad (id int PRIMARY KEY, x int PRIMARY KEY); ROLLBACK;",
        "CREATE TABLE good (id int);",
        "CREATE TABLE good (id int); ALTER TABLE good RENAME TO better;",
    ],
)
def test_what_nobody_misses_is_no_error(sql: str, folder: Path) -> None:
    assert init(folder, GOOD + sql).code == 0
    assert findings(folder, "TableLost") == []
    assert supavex("check", "-C", folder).code == 0


def test_a_lost_table_may_be_left_behind_with_a_reason(folder: Path) -> None:
    init(folder, f"{GOOD}CREATE TABLE bad (id int PRIMARY KEY, x int PRIMARY KEY);")
    with (folder / "supavex.toml").open("a") as file:
        file.write('[tables.bad]\nskip = "of an old version"\n')
    assert [found["severity"] for found in findings(folder, "TableLost")] == ["note"]
    assert moved(folder).code == 0


def test_no_table_at_all_is_an_error(folder: Path) -> None:
    ran = init(folder, "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1';")
    assert ran.code == 1
    assert "error[NoTables]" in ran.err
    assert not (folder / "supavex.toml").exists(), "nothing is begun"
    (folder / "supavex.toml").write_text("")
    (folder / "schema.py").write_text("from supavex.schema import define_schema\n\nschema = define_schema({})\n")
    checked = supavex("check", "-C", folder)
    assert checked.code == 1
    assert "no table" in checked.out
    assert supavex("verify", "-C", folder).code == 1


def test_init_as_json_says_what_is_lost(folder: Path) -> None:
    (folder / "supabase/migrations").mkdir(parents=True)
    (folder / "supabase/migrations/1_a.sql").write_text(
        f"{GOOD}CREATE TABLE bad (id int PRIMARY KEY, x int PRIMARY KEY);"
    )
    ran = supavex("init", "-C", folder, "--json")
    assert ran.code == 1
    assert ran.json["ok"] is False
    assert ran.json["tables"] == ["good"]
    assert [(loss["code"], loss["where"]) for loss in ran.json["lost"]] == [("TableLost", "1_a.sql:3 public.bad")]


# -------------------------------------------------------------------------------------------------------- base tables

ARTICLES = (
    "CREATE TABLE articles (id int PRIMARY KEY, team int NOT NULL REFERENCES teams, title text);\n"
    "INSERT INTO articles VALUES (1, 7, 'Hello');\nALTER TABLE teams ADD COLUMN colour text;\n"
)


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("supabase__schema_sql", "supabase/schema.sql"),
        ("schema_sql", "schema.sql"),
        ("supabase__schemas__10teams_sql", "supabase/schemas/10teams.sql"),
    ],
)
def test_a_base_table_is_named_with_the_file_that_holds_it(name: str, shown: str, folder: Path) -> None:
    ran = init(folder, f"{GOOD}{ARTICLES}", **{name: "create table public.teams (id int primary key);"})
    checked = supavex("check", "-C", folder)
    if checked.code == 0:
        return  # the file was read by itself
    assert ran.code == 1
    (found,) = findings(folder, "BaseTableMissing")
    assert found["severity"] == "error"
    assert "public.teams" in found["message"] and "public.articles" in found["message"]
    assert found["hint"].startswith(f"{shown} creates it.")
    (folder / "supabase/migrations/00000000000000_base.sql").write_text((folder / shown).read_text())
    assert findings(folder, "BaseTableMissing") == []


def test_a_base_table_that_is_nowhere(folder: Path) -> None:
    assert init(folder, f"{GOOD}{ARTICLES}").code == 1
    (found,) = findings(folder, "BaseTableMissing")
    assert found["severity"] == "error"
    assert "for public.articles" in found["message"]
    assert "1 other statement failed for its want" in found["message"]
    assert "supabase db dump" in found["hint"]
    assert "articles" in (folder / "schema.py").read_text(), "what can be known is known"
    with (folder / "supavex.toml").open("a") as file:
        file.write('[tables.teams]\nskip = "stays where it is"\n')
    verified = moved(folder)
    assert verified.code == 0
    assert "2 rows equal" in verified.out


@pytest.mark.parametrize(
    "sql",
    [
        "DROP INDEX nothing;",
        "ALTER INDEX nothing RENAME TO other;",
        "DROP VIEW nothing;",
        "COMMENT ON VIEW nothing IS 'x';",
        "ALTER TABLE good DROP COLUMN nothing;",
        "SELECT nothing();",
        "DROP TYPE nothing;",
        "CREATE VIEW nothing AS SELECT nowhere(); GRANT SELECT ON nothing TO anon;",
        "ALTER SEQUENCE nothing RESTART;",
    ],
)
def test_only_tables_are_base_tables(sql: str, folder: Path) -> None:
    assert init(folder, GOOD + sql).code == 0
    assert findings(folder, "BaseTableMissing") == []


def test_what_a_view_reads_may_be_a_view(folder: Path) -> None:
    assert init(folder, f"{GOOD}CREATE VIEW v AS SELECT * FROM nothing;").code == 0
    (found,) = findings(folder, "BaseTableMissing")
    assert found["severity"] == "warning"
    assert "table or view public.nothing" in found["message"]


# -------------------------------------------------------------------------------------------------------------- data


FAILING = {
    "INSERT": "INSERT INTO good VALUES (2, NULL);",
    "UPDATE": "UPDATE good SET name = NULL;",
    "DELETE": "DELETE FROM good WHERE nothing = 1;",
    "COPY": "COPY good (id, name) FROM stdin;\n2\t\\N\n\\.\n",
    "statement": "WITH x AS (INSERT INTO good VALUES (1, 'again') RETURNING id) SELECT * FROM x;",
    "MERGE": "MERGE INTO good SET nothing at all;",
    "TRUNCATE": "CREATE TABLE child (id int PRIMARY KEY REFERENCES good); TRUNCATE good;",
}


@pytest.mark.parametrize("verb", FAILING)
def test_data_that_did_not_run_is_a_warning_and_part_of_the_verdict(verb: str, folder: Path) -> None:
    assert init(folder, GOOD + FAILING[verb]).code == 0
    (found,) = findings(folder, "DataNotRun")
    assert (found["severity"], found["where"]) == ("warning", "1_migration.sql:3 public.good")
    assert f"this {verb} did not run" in found["message"]
    verified = moved(folder)
    assert verified.code == 0
    assert "proven for what the files gave; 1 statement of data did not run: 1 row equal" in verified.out
    kept = folder / ".supavex/migration"
    proof = json.loads((kept / "proof.json").read_text())
    assert (proof["verdict"], proof["remarks"]) == (
        "proven for what the files gave",
        ["1 statement of data did not run"],
    )
    assert json.loads((kept / "report.json").read_text())["remarks"] == proof["remarks"]
    page = (kept / "proof.html").read_text()
    assert "<h1>Proven for what the files gave</h1>" in page
    assert "1 statement of data did not run" in page
    assert supavex("check", "-C", folder, "--strict").code == 1


def test_a_source_without_a_remark_is_proven(folder: Path) -> None:
    assert init(folder, GOOD).code == 0
    verified = moved(folder)
    assert verified.out.splitlines()[-2].startswith("proven: 1 row equal")


def test_migrate_says_what_did_not_run(folder: Path) -> None:
    init(folder, GOOD + "".join(FAILING[verb] for verb in ("INSERT", "UPDATE", "DELETE")))
    supavex("deploy", "-C", folder)
    ran = supavex("migrate", "-C", folder)
    assert ran.code == 0
    assert "warning[DataNotRun]" in ran.err
    assert "warning: of the source's files, 3 statements of data did not run (supavex check)." in ran.out


def test_a_statement_that_only_works_out_of_its_order_is_a_warning(folder: Path) -> None:
    init(folder, "INSERT INTO good VALUES (2, 'two');\n", GOOD)
    (found,) = findings(folder, "OutOfOrder")
    assert (found["severity"], found["where"]) == ("warning", "1_migration.sql:1 public.good")
    verified = moved(folder)
    assert "proven for what the files gave; 1 statement worked only out of its order: 2 rows equal" in verified.out


def test_a_column_that_could_not_be_added_is_named(folder: Path) -> None:
    init(folder, f"{GOOD}ALTER TABLE good ADD COLUMN size int DEFAULT 'x', ADD COLUMN weight int;")
    found = findings(folder, "ColumnLost")
    assert [(one["severity"], one["where"]) for one in found] == [
        ("warning", "1_migration.sql:3 public.good.size"),
        ("warning", "1_migration.sql:3 public.good.weight"),
    ]
    assert "2 columns could not be made" in moved(folder).out


def test_code_that_did_not_run_is_a_warning(folder: Path) -> None:
    init(folder, f"{GOOD}DO $$ BEGIN UPDATE good SET name = nothing(); END $$;")
    (found,) = findings(folder, "CodeNotRun")
    assert (found["severity"], found["where"]) == ("warning", "1_migration.sql:3 public.good")
    assert "1 block of code did not run" in moved(folder).out


def test_a_prepared_statement_that_failed_says_why(folder: Path) -> None:
    """And not that the session which prepared it is gone."""
    init(folder, f"{GOOD}PREPARE p AS INSERT INTO good VALUES (1, 'x');\nEXECUTE p;")
    (found,) = findings(folder, "CodeNotRun")
    assert found["where"] == "1_migration.sql:4"
    assert "duplicate key value" in found["message"]


def test_a_statement_that_failed_tells_its_first_reason(folder: Path) -> None:
    """And not that a later statement has renamed what it names."""
    init(folder, f"{GOOD}ALTER TABLE good ALTER name TYPE int USING name::int;\nALTER TABLE good RENAME name TO title;")
    (found,) = findings(folder, "StatementFailed")
    assert found["where"] == "1_migration.sql:3 public.good"
    assert "invalid input syntax for type integer" in found["message"]


def test_a_trigger_of_auth_users_that_could_not_be_made_is_told(folder: Path) -> None:
    """It would have written the project's rows."""
    init(folder, f"{GOOD}CREATE TRIGGER t AFTER INSERT ON auth.users FOR EACH ROW EXECUTE FUNCTION public.nothing();")
    (found,) = findings(folder, "StatementFailed")
    assert (found["severity"], found["where"]) == ("warning", "1_migration.sql:3")


def test_users_that_were_not_written_are_told_though_auth_users_stays_behind(folder: Path) -> None:
    init(folder, f"{GOOD}INSERT INTO auth.users (id, email) VALUES (gen_random_uuid(), repeat('x', 999));")
    (found,) = findings(folder, "DataNotRun")
    assert (found["severity"], found["where"]) == ("warning", "1_migration.sql:3 auth.users")


def test_what_can_touch_no_table_that_moves_is_counted_in_one_line(folder: Path) -> None:
    noise = (
        "GRANT SELECT ON nothing TO anon;\nGRANT ALL ON good TO nobody_at_all;\nCREATE INDEX ON good (nothing);\n"
        "COMMENT ON TABLE nothing IS 'x';\nALTER PUBLICATION nothing ADD TABLE good;\n"
        "CREATE POLICY p ON storage.nothing USING (true);\nCREATE TABLE good (id int);\nDROP VIEW nothing;\n"
        "SELECT cron.nothing('x');\n"
    )
    ran = init(folder, GOOD + noise)
    assert ran.code == 0
    checked = supavex("check", "-C", folder)
    assert "no warnings" in checked.out
    (found,) = findings(folder, "StatementsWithoutEffect")
    assert found["severity"] == "note"
    assert found["message"].startswith("9 statements failed that can change no table that moves")
    assert "2 GRANT" in found["message"]
    assert moved(folder).out.splitlines()[-2].startswith("proven: 1 row equal")


def test_data_that_a_file_takes_back_is_no_loss(folder: Path) -> None:
    init(folder, f"{GOOD}BEGIN;\nINSERT INTO good VALUES (2, NULL);\nROLLBACK;")
    assert findings(folder, "DataNotRun") == []


def test_a_column_that_is_dropped_or_renamed_later_is_not_lost_by_its_first_name(folder: Path) -> None:
    bad = "ALTER TABLE good ADD COLUMN a int DEFAULT 'x';\nALTER TABLE good ADD COLUMN b int DEFAULT 'x';\n"
    init(folder, GOOD + bad, "ALTER TABLE good DROP COLUMN IF EXISTS a;\nALTER TABLE good RENAME COLUMN b TO c;")
    lost = [found["where"] for found in findings(folder, "ColumnLost")]
    assert lost == ["1_migration.sql:4 public.good.c", "2_migration.sql:2 public.good.c"]


def test_a_command_of_psql_that_is_not_followed_is_a_warning(folder: Path) -> None:
    init(folder, f"{GOOD}SELECT 'INSERT INTO good VALUES (2, ''two'')' \\gexec\n")
    (found,) = findings(folder, "NotRun")
    assert (found["severity"], found["where"]) == ("warning", "1_migration.sql:3")
    assert "proven for what the files gave; 1 psql command was not followed: 1 row equal" in moved(folder).out


def test_a_copy_of_psql_from_a_file_is_data_that_did_not_run(folder: Path) -> None:
    (folder / "rows.csv").write_text("2,two\n")
    init(folder, f"{GOOD}\\copy good FROM 'rows.csv' CSV\n")
    (found,) = findings(folder, "DataNotRun")
    assert (found["severity"], found["where"]) == ("warning", "1_migration.sql:3 public.good")
    assert "COPY of the file rows.csv is not run" in found["message"]
    assert findings(folder, "NotRun") == [], "one statement, one finding"
    assert "proven for what the files gave; 1 statement of data did not run: 1 row equal" in moved(folder).out


def test_a_type_of_postgis_is_a_stand_in(folder: Path) -> None:
    init(folder, f"{GOOD}CREATE EXTENSION postgis;\nALTER TABLE good ADD COLUMN place geography(Point, 4326);")
    (found,) = findings(folder, "StandInUsed")
    assert (found["severity"], found["where"]) == ("warning", "public.good.place")
    assert "1 stand-in was used" in moved(folder).out


def test_each_column_of_a_type_of_postgis_that_moves_is_named_once(folder: Path) -> None:
    more = (
        "CREATE EXTENSION postgis;\nCREATE DOMAIN spot AS geography(Point, 4326);\n"
        "ALTER TABLE good ADD COLUMN a geography, ADD COLUMN b geography[], ADD COLUMN c spot, ADD COLUMN d box2d;\n"
        "CREATE TABLE left_behind (id int PRIMARY KEY, place geography);\n"
    )
    init(folder, GOOD + more)
    with (folder / "supavex.toml").open("a") as toml:
        toml.write('\n[tables.left_behind]\nskip = "it is not needed"\n')
    found = [one["where"] for one in findings(folder, "StandInUsed")]
    assert sorted(found) == [f"public.good.{column}" for column in "abcd"]


def test_an_extension_that_is_not_there_is_a_note(folder: Path) -> None:
    init(folder, f"CREATE EXTENSION pgjwt;\n{GOOD}")
    assert [found["severity"] for found in findings(folder, "StandInUsed")] == ["note"]


def test_many_warnings_of_a_kind_are_counted_on_the_terminal(folder: Path) -> None:
    init(folder, GOOD + "".join(f"INSERT INTO good VALUES ({n}, NULL);\n" for n in range(30)))
    checked = supavex("check", "-C", folder)
    assert checked.out.count("this INSERT did not run") == 5
    assert "warning[DataNotRun] … and 25 more of this kind (all of them: --json)" in checked.out
    assert len(findings(folder, "DataNotRun")) == 30
