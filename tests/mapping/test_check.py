"""``check``: the schema compiles, and it covers the source."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from supavex.errors import SupavexError, UsageError
from supavex.mapping.check import Check, check, checked_plan
from supavex.mapping.source import Source
from supavex.postgres.connection import connect
from supavex.settings.reading import load_settings
from supavex.settings.settings import Settings
from tests.databases import Database, open_folder
from tests.projects import copy_of_my21staff, write

SCHEMA = 'schema = define_schema({"notes": define_table({"text": v.string()})})\n'
NOTES = "CREATE TABLE notes (id uuid PRIMARY KEY, text text NOT NULL);"


@pytest.fixture
def live(database: Database, tmp_path: Path) -> Settings:
    """A project whose source is the test's own database."""
    database.run(NOTES)
    write(tmp_path, schema=SCHEMA, toml=f"source.database_url = '{database.url()}'")
    return load_settings(tmp_path)


def findings(result: Check) -> list[tuple[str, str, str]]:
    return [(found.code, found.severity, found.where) for found in result.diagnostics]


# ------------------------------------------------------------------------------------------------------ the user's own


@pytest.fixture(scope="module")
def my21staff() -> Iterator[Check]:
    """The whole move of the user's project."""
    with open_folder() as folder:
        yield check(load_settings(copy_of_my21staff(folder)))


def test_the_user_s_project_is_good(my21staff: Check) -> None:
    assert my21staff.ok(strict=True)
    assert my21staff.replay is not None
    assert my21staff.replay.failed == ()
    assert my21staff.replay.files == 8


def test_the_notes_on_the_user_s_project_are_these(my21staff: Check) -> None:
    assert [(found.code, found.severity, found.subject) for found in my21staff.diagnostics] == [
        ("UniqueWithoutIndex", "note", "contacts.workspace_id"),
        ("UniqueWithoutIndex", "note", "ari_payments.gateway"),
        ("ForeignKeyWithoutIndex", "note", "ari_appointments.payment_id"),
        ("UniqueWithoutIndex", "note", "webinar_registrations.webinar_id"),
        ("NullsFilled", "note", ""),
        ("SearchOverSeveralColumns", "note", "ari_knowledge_entries.title"),
    ]


def test_every_table_of_the_user_s_project_has_its_place(my21staff: Check) -> None:
    tables = my21staff.to_json()["tables"]
    assert {table["source"]: table["target"] for table in tables} == {
        "public.workspaces": "workspaces",
        "public.contacts": "contacts",
        "public.ari_conversations": "ariConversations",
        "public.ari_destinations": "ariDestinations",
        "public.ari_payments": "ariPayments",
        "public.ari_appointments": "ariAppointments",
        "public.ari_ai_comparison": "ariAiComparison",
        "public.ari_flow_stages": "ariFlowStages",
        "public.ari_knowledge_categories": "ariKnowledgeCategories",
        "public.ari_knowledge_entries": "ariKnowledgeEntries",
        "public.ari_scoring_config": "ariScoringConfig",
        "public.consultant_slots": "consultantSlots",
        "public.articles": "articles",
        "public.webinars": "webinars",
        "public.webinar_registrations": "webinarRegistrations",
    }
    assert {table["status"] for table in tables} == {"mapped"}


def test_references_of_the_user_s_project_point_where_they_should(my21staff: Check) -> None:
    assert my21staff.plan is not None
    references = {
        f"{table.target}.{field.name}": field.reference.target
        for table in my21staff.plan.moving
        for field in table.fields
        if field.reference is not None
    }
    assert {name: target for name, target in references.items() if not name.endswith("workspace_id")} == {
        "ariConversations.contact_id": "contacts",
        "ariPayments.ari_conversation_id": "ariConversations",
        "ariAppointments.ari_conversation_id": "ariConversations",
        "ariAppointments.payment_id": "ariPayments",
        "ariKnowledgeEntries.category_id": "ariKnowledgeCategories",
        "webinarRegistrations.webinar_id": "webinars",
        "webinarRegistrations.contact_id": "contacts",
    }
    assert {target for name, target in references.items() if name.endswith("workspace_id")} == {"workspaces"}


def test_the_move_of_the_remaining_tables_is_good_too(folder: Path) -> None:
    result = check(load_settings(copy_of_my21staff(folder), "supavex.remaining.toml"))
    assert result.ok(strict=True)
    assert [(found.code, found.severity, found.subject) for found in result.diagnostics] == [
        ("UniqueWithoutIndex", "note", "ari_payments.gateway"),
        ("ForeignKeyWithoutIndex", "note", "ari_appointments.payment_id"),
        ("UniqueWithoutIndex", "note", "webinar_registrations.webinar_id"),
        ("NullsFilled", "note", ""),
        ("SearchOverSeveralColumns", "note", "ari_knowledge_entries.title"),
    ]
    assert result.plan is not None
    existing = [table.target for table in result.plan.tables if table.status == "existing"]
    assert existing == ["workspaces", "contacts", "ariConversations"]
    assert len(result.plan.moving) == 12
    references = [field.reference for table in result.plan.moving for field in table.fields if field.reference]
    assert {reference.target for reference in references if reference.existing} == set(existing)


# ------------------------------------------------------------------------------------------------------------- results


def test_a_good_project(live: Settings) -> None:
    result = check(live)
    assert result.ok(strict=True)
    assert result.diagnostics == []
    assert json.loads(json.dumps(result.to_json())) == {
        "ok": True,
        "tables": [{"source": "public.notes", "target": "notes", "status": "mapped", "columns": 2}],
        "diagnostics": [],
    }


def test_findings_of_the_schema_and_of_the_source_come_together(live: Settings, database: Database) -> None:
    database.run("ALTER TABLE notes ADD colour text")
    write(live.root, schema=SCHEMA.replace("})})", '}).index("by_size", ["size"])})'), toml=live.config.read_text())
    result = check(load_settings(live.root))
    assert not result.ok()
    assert findings(result) == [
        ("SchemaDefinitionError", "error", "schema.py:2 notes.by_size"),
        ("ColumnNotMapped", "error", "schema.py:2 notes.colour"),
    ]


def test_a_warning_counts_only_when_one_is_strict(live: Settings, database: Database) -> None:
    database.run("ALTER TABLE notes ALTER text DROP NOT NULL")
    result = check(live)
    assert findings(result) == [("NullableIntoRequired", "warning", "schema.py:2 notes.text")]
    assert result.ok()
    assert not result.ok(strict=True)
    assert (result.to_json()["ok"], result.to_json(strict=True)["ok"]) == (True, False)


def test_a_schema_that_raises_is_a_finding(live: Settings) -> None:
    live.schema_file.write_text("\n1 / 0\n")
    result = check(live)
    assert not result.ok()
    assert (result.schema, result.plan, result.replay) == (None, None, None)
    assert findings(result) == [("SchemaRaises", "error", "schema.py:2")]
    assert result.to_json()["tables"] == []


def test_what_is_no_validator_is_a_finding_and_the_source_is_not_read(live: Settings) -> None:
    write(live.root, schema=SCHEMA.replace("v.string()", "str"), toml="source.database_url = 'host=/nowhere'")
    result = check(load_settings(live.root))
    assert [code for code, _, _ in findings(result)] == ["NotAValidator"]
    assert result.plan is None


def test_a_missing_piece_is_misuse(live: Settings) -> None:
    live.schema_file.unlink()
    with pytest.raises(UsageError) as caught:
        check(live)
    assert caught.value.code == "NoSchema"


def test_a_project_without_migrations_is_misuse(tmp_path: Path) -> None:
    write(tmp_path, schema=SCHEMA)
    with pytest.raises(UsageError) as caught:
        check(load_settings(tmp_path))
    assert caught.value.code == "NoMigrations"


def test_statements_that_failed_are_warnings(folder: Path) -> None:
    write(folder, schema=SCHEMA, migrations={"1.sql": f"{NOTES}\n\nCREATE VIEW broken AS SELECT 1::nothing;"})
    result = check(load_settings(folder))
    assert result.ok()
    (found,) = result.diagnostics
    assert (found.code, found.severity, found.where) == ("StatementFailed", "warning", "1.sql:3")
    assert found.message == 'type "nothing" does not exist.'


# --------------------------------------------------------------------------------------------------------- to carry out


def test_a_good_plan_is_given_with_its_warnings(live: Settings, database: Database) -> None:
    database.run("ALTER TABLE notes ALTER text DROP NOT NULL")
    plan, diagnostics = checked_plan(live)
    assert [table.target for table in plan.moving] == ["notes"]
    assert [found.code for found in diagnostics] == ["NullableIntoRequired"]


def test_a_plan_with_errors_is_not_given(live: Settings, database: Database) -> None:
    database.run("ALTER TABLE notes ADD colour text; CREATE TABLE more (id int PRIMARY KEY);")
    with pytest.raises(SupavexError) as caught:
        checked_plan(live)
    error = caught.value
    assert (error.code, error.exit_code, error.where) == ("CheckFailed", 1, "schema.py:2 notes.colour")
    assert error.message == "ColumnNotMapped: the column has no field. (and 1 more)"
    assert error.hint == "`supavex check` shows all findings."


# ------------------------------------------------------------------------------------------------------------- sources


def test_a_source_is_described_without_its_password(tmp_path: Path) -> None:
    write(tmp_path, toml='source.database_url = "postgresql://ann:topsecret@host/db"')
    assert Source(load_settings(tmp_path)).described == "postgresql://ann:***@host/db"
    write(tmp_path)
    assert Source(load_settings(tmp_path)).described == "supabase/migrations"


def test_a_live_source_is_used_as_it_is(live: Settings) -> None:
    with Source(live).running() as url:
        assert url == live.database_url
    assert not live.state.exists(), "nothing is replayed"


def test_a_replayed_source_holds_the_seed_s_rows(folder: Path) -> None:
    write(folder, migrations={"2.sql": "ALTER TABLE notes ADD n int DEFAULT 7;", "1.sql": NOTES})
    (folder / "supabase/seed.sql").write_text("INSERT INTO notes VALUES (gen_random_uuid(), 'seeded');")
    source = Source(load_settings(folder))
    catalog, report = source.catalog()
    assert report is not None
    assert (report.files, report.failed) == (3, ())
    assert [column.name for column in catalog.tables[0].columns] == ["id", "text", "n"]
    with source.running() as url, connect(url) as connection:
        assert connection.execute("SELECT text, n FROM public.notes").fetchall() == [("seeded", 7)]


# ------------------------------------------------------------------------------------------------ names Convex misreads


@pytest.mark.parametrize(
    ("field", "column", "target", "refused"),
    [
        ("v.int64()", "bigint", "user_storage", True),
        ("v.bytes()", "bytea", "user_storage", True),
        ("v.number()", "int", "user_storage", False),
        ("v.int64()", "bigint", "userStorage", False),
        ("v.int64()", "bigint", "user_storages", False),
    ],
)
def test_a_name_that_convex_takes_for_stored_files(
    database: Database, tmp_path: Path, field: str, column: str, target: str, refused: bool
) -> None:
    database.run(f"CREATE TABLE user_storage (id uuid PRIMARY KEY, size {column} NOT NULL)")
    schema = f'schema = define_schema({{"{target}": define_table({{"size": {field}}})}})\n'
    toml = f"source.database_url = '{database.url()}'\n[tables.user_storage]\nto = '{target}'\n"
    write(tmp_path, schema=schema, toml=toml)
    result = check(load_settings(tmp_path))
    found = [d for d in result.diagnostics if d.code == "TableNameLikeStorage"]
    assert [(d.severity, d.where) for d in found] == ([("error", target)] if refused else [])
    assert not refused or "`to` in supavex.toml" in found[0].hint
