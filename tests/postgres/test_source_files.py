"""Which files are run and in which order: those that the Supabase CLI runs."""

from pathlib import Path

import pytest

from supavex.errors import UsageError
from supavex.postgres.report import NotRun
from supavex.postgres.source_files import SourceFiles, files_of_folder, find_files
from supavex.postgres.supabase_config import read_config


def write(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def found(root: Path, **options: bool) -> SourceFiles:
    return find_files(root, root / "supabase/migrations", **options)


def names(root: Path) -> list[str]:
    return [str(file.relative_to(root)) for file in found(root).files]


ONE = {"supabase/migrations/1_one.sql": "CREATE TABLE one (id int);"}


def test_files_that_the_cli_skips_are_named_and_not_run(tmp_path: Path) -> None:
    write(tmp_path, ONE | {"supabase/migrations/rollback_1.sql": "DROP TABLE one;", "supabase/migrations/x.sql": ""})
    assert names(tmp_path) == ["supabase/migrations/1_one.sql"]
    reason = "its name is not <digits>_name.sql: the Supabase CLI does not run it"
    assert found(tmp_path).not_run == (NotRun("rollback_1.sql", reason), NotRun("x.sql", reason))


def test_where_no_name_is_the_cli_s_all_files_run_by_name(tmp_path: Path) -> None:
    write(tmp_path, {"supabase/migrations/b.sql": "", "supabase/migrations/a.sql": ""})
    assert names(tmp_path) == ["supabase/migrations/a.sql", "supabase/migrations/b.sql"]


def test_roles_come_first_and_the_seed_last(tmp_path: Path) -> None:
    write(tmp_path, ONE | {"supabase/roles.sql": "", "supabase/seed.sql": ""})
    assert names(tmp_path) == ["supabase/roles.sql", "supabase/migrations/1_one.sql", "supabase/seed.sql"]


def test_seeds_are_those_of_config_toml_in_its_order_each_once(tmp_path: Path) -> None:
    config = '[db.seed]\nsql_paths = ["./seeds/b.sql", "seeds/*.sql", "nowhere/*.sql", "../outside.sql"]'
    seeds = {f"supabase/seeds/{name}.sql": "" for name in "abc"}
    write(tmp_path / "p", ONE | seeds | {"supabase/config.toml": config, "supabase/seed.sql": ""})
    (tmp_path / "outside.sql").touch()
    root = tmp_path / "p"
    assert names(root)[1:] == [f"supabase/seeds/{name}.sql" for name in "bac"]
    assert [item.file for item in found(root).not_run] == ["nowhere/*.sql", "../outside.sql"]


def test_seeds_that_are_switched_off_are_named(tmp_path: Path) -> None:
    write(tmp_path, ONE | {"supabase/config.toml": "[db.seed]\nenabled = false", "supabase/seed.sql": ""})
    assert names(tmp_path) == ["supabase/migrations/1_one.sql"]
    assert found(tmp_path).not_run == (NotRun("supabase/seed.sql", "db.seed.enabled is false in supabase/config.toml"),)


def test_a_schema_file_is_run_first_where_migrations_need_its_tables(tmp_path: Path) -> None:
    base = "CREATE TABLE people (id int PRIMARY KEY);"
    needs = "CREATE TABLE notes (author int REFERENCES people (id));"
    write(tmp_path, {"supabase/migrations/1_notes.sql": needs, "supabase/schema.sql": base})
    assert names(tmp_path) == ["supabase/schema.sql", "supabase/migrations/1_notes.sql"]


@pytest.mark.parametrize("place", ["supabase/schemas/a/people.sql", "schema.sql", "supabase/tables/people.sql"])
def test_a_declared_schema_is_found_and_not_run_where_the_migrations_make_its_tables(
    tmp_path: Path, place: str
) -> None:
    config = '[db.migrations]\nschema_paths = ["./tables/*.sql"]'
    table = "CREATE TABLE people (id int PRIMARY KEY);"
    write(tmp_path, {"supabase/config.toml": config, "supabase/migrations/1_p.sql": table, place: table})
    assert names(tmp_path) == ["supabase/migrations/1_p.sql"]
    assert place in [item.file for item in found(tmp_path).not_run]
    (tmp_path / "supabase/migrations/1_p.sql").unlink()
    (tmp_path / "supabase/migrations").rmdir()
    assert names(tmp_path) == [place]


@pytest.mark.parametrize(
    "files",
    [
        {"supabase/migrations/1_roles.sql": "GRANT USAGE ON SCHEMA public TO anon;"},
        {
            "supabase/migrations/1_other.sql": "CREATE TABLE other (id int PRIMARY KEY);",
            "supabase/seed.sql": "INSERT INTO people VALUES (1);",
        },
    ],
    ids=["no migration makes a table", "a seed names one"],
)
def test_a_declared_schema_is_run_where_its_tables_are_the_projects(tmp_path: Path, files: dict[str, str]) -> None:
    write(tmp_path, {"supabase/schemas/people.sql": "CREATE TABLE people (id int PRIMARY KEY);"} | files)
    assert names(tmp_path)[0] == "supabase/schemas/people.sql"


def test_migrations_of_other_tools_are_read_where_there_are_none_of_supabase(tmp_path: Path) -> None:
    write(tmp_path, {"prisma/migrations/2/migration.sql": "", "prisma/migrations/1/migration.sql": ""})
    assert names(tmp_path) == ["prisma/migrations/1/migration.sql", "prisma/migrations/2/migration.sql"]
    source = found(tmp_path)
    assert [source.shown(file) for file in source.files] == names(tmp_path), "two files of one name have their folders"
    write(tmp_path, ONE | {"drizzle/0000_a.sql": ""})
    assert names(tmp_path) == ["supabase/migrations/1_one.sql"]
    assert [note.split(" ")[0] for note in found(tmp_path).notes] == ["prisma/migrations", "drizzle"]


def test_migrations_that_are_switched_off_are_not_run(tmp_path: Path) -> None:
    write(tmp_path, ONE | {"supabase/config.toml": "[db.migrations]\nenabled = false", "drizzle/0_a.sql": ""})
    assert names(tmp_path) == ["drizzle/0_a.sql"]
    assert [item.file for item in found(tmp_path).not_run] == ["supabase/migrations"]


def test_nothing_to_run_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        found(tmp_path)
    assert caught.value.code == "NoMigrations"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[db", "can't be read"),
        ("db = 3", "db is a table"),
        ("[db.seed]\nenabled = 3", "enabled is true or false, not 3"),
        ("[db.seed]\nsql_paths = 'a'", "sql_paths is a list of texts"),
        ("[db]\nmajor_version = 'new'", "major_version is a whole number"),
    ],
)
def test_a_broken_config_toml_is_told_with_its_place(tmp_path: Path, text: str, message: str) -> None:
    write(tmp_path, {"supabase/config.toml": text})
    with pytest.raises(UsageError, match=message) as caught:
        read_config(tmp_path / "supabase")
    assert (caught.value.where or "").startswith("supabase/config.toml")


def test_values_of_the_environment_and_schemas_of_the_api(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = '[api]\nschemas = ["public", "app", "graphql_public", "storage"]\n[db]\nmajor_version = 15\n'
    write(tmp_path, {"supabase/config.toml": text + '[db.seed]\nenabled = "env(SEEDS)"\n'})
    monkeypatch.setenv("SEEDS", "false")
    config = read_config(tmp_path / "supabase")
    assert (config.seed_enabled, config.schemas, config.major_version) == (False, ("public", "app"), 15)
    monkeypatch.delenv("SEEDS")
    assert read_config(tmp_path / "supabase").seed_enabled is True


def test_a_folder_that_is_named_is_read_with_what_is_beside_it(tmp_path: Path) -> None:
    write(tmp_path, ONE | {"supabase/seed.sql": "", "other/b.sql": "", "other/a.sql": ""})
    assert [file.name for file in files_of_folder(tmp_path / "supabase/migrations").files] == ["1_one.sql", "seed.sql"]
    assert [file.name for file in files_of_folder(tmp_path / "other").files] == ["a.sql", "b.sql"]
