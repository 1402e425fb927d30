"""supavex.toml: what it says, and what it is told when it says it wrong."""

from pathlib import Path

import pytest

from supavex.errors import UsageError
from supavex.settings.reading import load_settings
from supavex.settings.rules import ColumnRule, FieldRule, StorageRule, TableRule, UsersRule
from supavex.settings.settings import Settings

FIELD = 'a field of its own is { sql = "…" } or { references = ["…"] }.'


def project(folder: Path, toml: str = "") -> Settings:
    (folder / "supavex.toml").write_text(toml)
    return load_settings(folder)


def refused(folder: Path, toml: str) -> UsageError:
    """The error that this file is refused with."""
    with pytest.raises(UsageError) as caught:
        project(folder, toml)
    assert caught.value.exit_code == 2
    return caught.value


# ----------------------------------------------------------------------------------------------------------- defaults


def test_an_empty_file_is_a_project_with_supabase_s_own_places(tmp_path: Path) -> None:
    assert project(tmp_path) == Settings(
        root=tmp_path,
        config=tmp_path / "supavex.toml",
        schema_file=tmp_path / "schema.py",
        convex_folder=tmp_path / "convex",
        lock_file=tmp_path / "supavex.lock",
        migrations=tmp_path / "supabase/migrations",
        seeds=None,
        database_url=None,
        schemas=("public",),
        replay_gb=4.0,
        replay_minutes=15.0,
        postgres_bin=None,
        summary=None,
        max_rejects=0,
        unknown_types="text",
        tables={},
        columns={},
    )


def test_the_seed_that_is_there_is_taken(tmp_path: Path) -> None:
    (tmp_path / "supabase").mkdir()
    (tmp_path / "supabase/seed.sql").touch()
    assert project(tmp_path).seeds is None, "those that config.toml names, or seed.sql"
    assert project(tmp_path, "[source]\nseed = []").seeds == ()


def test_an_empty_list_of_schemas_is_the_default(tmp_path: Path) -> None:
    assert project(tmp_path, "[source]\nschemas = []").schemas == ("public",)


def test_every_setting(tmp_path: Path) -> None:
    (tmp_path / "one.sql").touch()
    (tmp_path / "two.sql").touch()
    loaded = project(
        tmp_path,
        """
schema = "model/convex_schema.py"
convex = "app/convex"
lock = "locks/ids.lock"
summary = "docs/summary.md"
max_rejects = 7
unknown_types = "refuse"
fill = "defaults"

[source]
migrations = "db/migrations"
seed = ["one.sql", "two.sql"]
schemas = ["app", "public"]
database_url = "postgresql://localhost/app"
replay_gb = 8
replay_minutes = 0.5
postgres_bin = "PATH"

[columns.created_at]
fill = "none"

[tables.notes]
to = "memos"
fill = "none"
created = "written_at"
key = ["team", "number"]
fields.title = { sql = "upper(t.name)" }
fields.kind = { sql = "'note'" }
fields.place = { references = ["country", "city"] }

[tables.notes.columns]
author = { to = "author_id", ids = "ids.csv" }
old = { skip = "nobody reads it" }
starts = { format = "HH:MM", fill = "defaults" }
text = { sql = "trim(t.text)" }
size = { lossy = true, nonfinite = "null" }
data = { invalid_json = "escape" }
cover = { storage = "covers" }
file = { storage = true }

[users]
for = "convex-auth"
password_hashes = true

[storage]
files = "s3://backup/x"
buckets = ["covers", "docs"]
endpoint = "http://127.0.0.1:9000"
region = "eu-west-1"

[tables.logs]
skip = "not moved"

[tables.events]
key = ["*"]

[tables."audit.entries"]
existing = { match = { slug = "slug_column", team = "team" } }
""",
    )
    assert loaded == Settings(
        root=tmp_path,
        config=tmp_path / "supavex.toml",
        schema_file=tmp_path / "model/convex_schema.py",
        convex_folder=tmp_path / "app/convex",
        lock_file=tmp_path / "locks/ids.lock",
        migrations=tmp_path / "db/migrations",
        seeds=(tmp_path / "one.sql", tmp_path / "two.sql"),
        migrations_chosen=True,
        database_url="postgresql://localhost/app",
        database_url_place="supavex.toml [source]",
        schemas=("app", "public"),
        replay_gb=8.0,
        replay_minutes=0.5,
        postgres_bin="PATH",
        summary=tmp_path / "docs/summary.md",
        max_rejects=7,
        unknown_types="refuse",
        fill="defaults",
        columns={"created_at": ColumnRule(fill="none")},
        tables={
            "notes": TableRule(
                to="memos",
                fill="none",
                created="written_at",
                key=("team", "number"),
                fields={
                    "title": FieldRule(sql="upper(t.name)"),
                    "kind": FieldRule(sql="'note'"),
                    "place": FieldRule(references=("country", "city")),
                },
                columns={
                    "author": ColumnRule(to="author_id", ids="ids.csv"),
                    "old": ColumnRule(skip="nobody reads it"),
                    "starts": ColumnRule(format="HH:MM", fill="defaults"),
                    "text": ColumnRule(sql="trim(t.text)"),
                    "size": ColumnRule(lossy=True, nonfinite="null"),
                    "data": ColumnRule(invalid_json="escape"),
                    "cover": ColumnRule(storage="covers"),
                    "file": ColumnRule(storage=True),
                },
            ),
            "logs": TableRule(skip="not moved"),
            "events": TableRule(key=("*",)),
            "audit.entries": TableRule(existing={"slug": "slug_column", "team": "team"}),
        },
        users=UsersRule("convex-auth", password_hashes=True),
        storage=StorageRule("s3://backup/x", ("covers", "docs"), "http://127.0.0.1:9000", "eu-west-1"),
    )


def test_users_and_storage_that_make_no_sense(tmp_path: Path) -> None:
    for toml, message in (
        ('[users]\nfor = "auth0"', "for is one of clerk, convex-auth."),
        ("[users]\npassword_hashes = true", 'password_hashes goes with for = "convex-auth".'),
        ('[users]\nfor = "clerk"\npassword_hashes = true', 'password_hashes goes with for = "convex-auth".'),
        ("[storage]\nfiles = 3", "files is a text, not 3."),
        ("columns.a.storage = 3", "storage is a text or true or false, not 3."),
        ("columns.a.storage = ''", "storage is a bucket's id, or true."),
        ("columns.a = { storage = true, ids = 'a.csv' }", "storage and ids: give one of them."),
    ):
        assert refused(tmp_path, toml).message == message
    hint = refused(tmp_path, "[storage]\nfile = 'x'").hint
    assert hint is not None
    assert "files" in hint


def test_another_file_beside_it(tmp_path: Path) -> None:
    (tmp_path / "supavex.remaining.toml").write_text("max_rejects = 3")
    loaded = load_settings(tmp_path, "supavex.remaining.toml")
    assert loaded.max_rejects == 3
    assert loaded.config == tmp_path / "supavex.remaining.toml"


def test_paths_are_absolute_wherever_one_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "inner").mkdir()
    (tmp_path / "supavex.toml").touch()
    monkeypatch.chdir(tmp_path / "inner")
    loaded = load_settings(Path(".."))
    assert loaded.root == tmp_path.resolve()
    assert loaded.schema_file == tmp_path.resolve() / "schema.py"


# ------------------------------------------------------------------------------------------------------- database_url


def test_the_address_may_be_in_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APP_DATABASE", "postgresql://localhost/app")
    assert project(tmp_path, 'source.database_url_env = "APP_DATABASE"').database_url == "postgresql://localhost/app"


@pytest.mark.parametrize("value", [None, "", " "])
def test_a_variable_that_is_not_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str | None) -> None:
    monkeypatch.delenv("APP_DATABASE", raising=False)
    if value is not None:
        monkeypatch.setenv("APP_DATABASE", value)
    error = refused(tmp_path, 'source.database_url_env = "APP_DATABASE"')
    assert error.code == "NoDatabaseUrl"
    assert "APP_DATABASE" in error.message
    assert (error.hint or "").startswith("export APP_DATABASE=postgresql://…, or write the line APP_DATABASE=")


def test_a_blank_address_is_refused(tmp_path: Path) -> None:
    error = refused(tmp_path, 'source.database_url = " "')
    assert (error.code, error.message) == ("InvalidConfig", "database_url is blank.")


def test_two_addresses_are_one_too_many(tmp_path: Path) -> None:
    error = refused(tmp_path, '[source]\ndatabase_url = "postgresql://u:topsecret@h/d"\ndatabase_url_env = "X"')
    assert error.code == "InvalidConfig"
    assert "topsecret" not in str(error.to_json())


# ------------------------------------------------------------------------------------------------------- what is wrong


def test_a_folder_without_a_project(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        load_settings(tmp_path)
    assert (caught.value.code, caught.value.where) == ("NoProject", str(tmp_path))
    assert "-C DIR" in (caught.value.hint or "")
    with pytest.raises(UsageError, match=r"there is no other\.toml here"):
        load_settings(tmp_path, "other.toml")


@pytest.mark.parametrize("content", [b"schema = ", b"schema = 'a'\nschema = 'b'", b"\xff\xfe", b"[tables.notes"])
def test_a_file_that_is_not_toml(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "supavex.toml").write_bytes(content)
    with pytest.raises(UsageError) as caught:
        load_settings(tmp_path)
    assert caught.value.code == "InvalidConfig"
    assert caught.value.where == str(tmp_path / "supavex.toml")


@pytest.mark.parametrize(
    ("toml", "where", "nearest"),
    [
        ('shema = "x.py"', "supavex.toml", "schema"),
        ("max_reject = 3", "supavex.toml", "max_rejects"),
        ("table.notes.skip = 'x'", "supavex.toml", "tables"),
        ('source.migration = "x"', "supavex.toml [source]", "migrations"),
        ('source.databse_url = "x"', "supavex.toml [source]", "database_url"),
        ('tables.notes.skipp = "x"', "supavex.toml [tables.notes]", "skip"),
        ('tables.notes.column.a.to = "x"', "supavex.toml [tables.notes]", "columns"),
        ('tables.notes.columns.a.fil = "none"', "supavex.toml [tables.notes.columns.a]", "fill"),
        ('columns.a.sq = "x"', "supavex.toml [columns.a]", "sql"),
        ('tables.notes.fields.a.sqll = "x"', "supavex.toml [tables.notes.fields.a]", "sql"),
        ('tables.notes.fields.a.reference = ["x"]', "supavex.toml [tables.notes.fields.a]", "references"),
        ('columns.a.non_finite = "keep"', "supavex.toml [columns.a]", "nonfinite"),
        ("columns.a.losy = true", "supavex.toml [columns.a]", "lossy"),
        ('unknown_type = "text"', "supavex.toml", "unknown_types"),
        ('tables.notes.existing.mach.slug = "x"', "supavex.toml [tables.notes] existing", "match"),
    ],
)
def test_an_unknown_key_is_named_with_the_nearest_known_one(
    tmp_path: Path, toml: str, where: str, nearest: str
) -> None:
    error = refused(tmp_path, toml)
    assert (error.code, error.where, error.hint) == ("UnknownKey", where, f"Did you mean {nearest}?")


def test_a_key_that_is_like_none_is_told_all_that_are_known(tmp_path: Path) -> None:
    error = refused(tmp_path, "source.zzz = 1")
    assert error.message == "zzz is not a setting here."
    known = "database_url, database_url_env, migrations, postgres_bin, replay_gb, replay_minutes, schemas, seed"
    assert error.hint == f"Known here: {known}."


@pytest.mark.parametrize(
    ("toml", "said"),
    [
        ("schema = 1", "schema is a text, not 1."),
        ("convex = ['a']", "convex is a text, not ['a']."),
        ("max_rejects = '3'", "max_rejects is a whole number, not '3'."),
        ("max_rejects = true", "max_rejects is a whole number, not True."),
        ("max_rejects = 1.5", "max_rejects is a whole number, not 1.5."),
        ("source = 'supabase'", "source is a table, not 'supabase'."),
        ("source.seed = 'seed.sql'", "seed is a list, not 'seed.sql'."),
        ("source.schemas = 'public'", "schemas is a list, not 'public'."),
        ("source.database_url = 1", "database_url is a text, not a number."),
        ("tables = []", "tables is a table, not []."),
        ("tables.notes = 1", "a table's rules are a TOML table."),
        ("tables.notes.skip = true", "skip is a text, not True."),
        ("tables.notes.key = 'id'", "key is a list, not 'id'."),
        ("tables.notes.columns = 1", "columns is a table, not 1."),
        ("tables.notes.columns.a = 'b'", "a column's rules are a TOML table."),
        ("tables.notes.columns.a.sql = 1", "sql is a text, not 1."),
        ("tables.notes.columns.a.fill = 'all'", "fill is one of defaults, none."),
        ("tables.notes.fields.a = 'b'", FIELD),
        ("tables.notes.fields.a = {}", FIELD),
        ("tables.notes.fields.a = { sql = 't.b', references = ['b'] }", FIELD),
        ("tables.notes.fields.a.references = []", FIELD),
        ("tables.notes.fields.a.references = 'b'", "references is a list, not 'b'."),
        ("tables.notes.fields.a.references = [1]", "references is a list of texts, not [1]."),
        ("columns.a.lossy = 'yes'", "lossy is true or false, not 'yes'."),
        ("columns.a.lossy = 1", "lossy is true or false, not 1."),
        ("columns.a.nonfinite = 'drop'", "nonfinite is one of refuse, keep, null."),
        ("columns.a.nonfinite = true", "nonfinite is a text, not True."),
        ("columns.a.invalid_json = 'null'", "invalid_json is one of refuse, escape, text."),
        ("unknown_types = 'skip'", "unknown_types is one of text, refuse."),
        ("tables.notes.existing = {}", "existing names what matches a row with its document."),
        ("tables.notes.existing.match = {}", "existing names what matches a row with its document."),
        ("tables.notes.existing.match.slug = 1", "existing names what matches a row with its document."),
        ("tables.notes.existing.match = 'slug'", "match is a table, not 'slug'."),
        ("columns.a = 1", "a column's rules are a TOML table."),
    ],
)
def test_a_value_of_the_wrong_type_is_told_what_it_is_instead(tmp_path: Path, toml: str, said: str) -> None:
    error = refused(tmp_path, toml)
    assert (error.code, error.message) == ("InvalidConfig", said)
    assert error.where is not None and error.where.startswith("supavex.toml")


@pytest.mark.parametrize(
    "toml", ["source.seed = [1]", "source.schemas = [1]", "tables.notes.key = [1]", "source.schemas = ['a', {}]"]
)
def test_what_a_list_holds_is_checked_too(tmp_path: Path, toml: str) -> None:
    assert refused(tmp_path, toml).code == "InvalidConfig"


def test_a_number_of_rejects_below_zero(tmp_path: Path) -> None:
    assert refused(tmp_path, "max_rejects = -1").code == "InvalidConfig"


def test_a_seed_that_is_missing(tmp_path: Path) -> None:
    error = refused(tmp_path, "source.seed = ['supabase/seed.sql']")
    assert (error.code, error.where) == ("NoSeed", str(tmp_path / "supabase/seed.sql"))


def test_a_state_folder_that_is_a_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "supavex.toml").write_text("")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / ".supavex").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UsageError, match="symbolic link") as caught:
        load_settings(tmp_path)
    assert caught.value.where == str(tmp_path / ".supavex") and not list((tmp_path / "elsewhere").iterdir())
