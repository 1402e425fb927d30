"""What the settings say of paths, tables and columns."""

from pathlib import Path

from supavex.settings.reading import load_settings
from supavex.settings.rules import ColumnRule, TableRule
from supavex.settings.settings import Settings


def written(folder: Path, toml: str = "") -> Settings:
    """The settings of a supavex.toml with that text."""
    (folder / "supavex.toml").write_text(toml)
    return load_settings(folder)


def test_paths_as_a_person_in_the_folder_writes_them(tmp_path: Path) -> None:
    loaded = written(tmp_path)
    assert loaded.shown(tmp_path / "supabase/migrations/1.sql") == "supabase/migrations/1.sql"
    assert loaded.shown(Path("/elsewhere/schema.py")) == "/elsewhere/schema.py"
    assert loaded.state == tmp_path / ".supavex"


def test_each_configuration_file_has_a_migration_folder_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "supavex.remaining.toml").touch()
    whole, rest = written(tmp_path), load_settings(tmp_path, "supavex.remaining.toml")
    assert whole.migration_folder == tmp_path / ".supavex/migration"
    assert rest.migration_folder == tmp_path / ".supavex/migration-supavex.remaining"


# -------------------------------------------------------------------------------------------------------------- rules


def test_a_table_s_rule_is_found_by_bare_name_in_the_first_schema_only(tmp_path: Path) -> None:
    loaded = written(
        tmp_path,
        """
source.schemas = ["app", "public"]
tables.notes.to = "bare"
tables."public.notes".to = "public"
tables."app.logs".to = "qualified"
""",
    )
    assert loaded.table_rule("app", "notes").to == "bare"
    assert loaded.table_rule("public", "notes").to == "public"
    assert loaded.table_rule("app", "logs").to == "qualified"
    assert loaded.table_rule("public", "logs") == TableRule()


def test_a_table_s_own_column_rule_takes_the_place_of_the_one_for_all_tables(tmp_path: Path) -> None:
    loaded = written(
        tmp_path,
        """
columns.created_at.fill = "none"
columns.name.to = "title"
tables.notes.columns.created_at.to = "written"
""",
    )
    rule = loaded.table_rule("public", "notes")
    assert loaded.column_rule(rule, "created_at") == ColumnRule(to="written")
    assert loaded.column_rule(rule, "name") == ColumnRule(to="title")
    assert loaded.column_rule(loaded.table_rule("public", "logs"), "created_at") == ColumnRule(fill="none")
    assert loaded.column_rule(rule, "other") == ColumnRule()
