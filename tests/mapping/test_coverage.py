"""Coverage: each finding with its severity, its place and its way out; and what Convex does not carry over."""

import pytest

from supavex.diagnostics import Diagnostic, has_errors
from supavex.mapping.coverage import coverage, table_statuses
from supavex.mapping.not_carried import NotCarried, not_carried
from supavex.mapping.plan import Plan
from supavex.postgres.server import SUPERUSER
from supavex.schema import define_table, v
from tests.databases import Database
from tests.mapping.conftest import Make

NOTES = "CREATE TABLE notes (id uuid PRIMARY KEY, text text NOT NULL);"
AUTHORS = "CREATE TABLE authors (id uuid PRIMARY KEY);"
#: Lines 3 to 7 of schema.py.
SCHEMA = """{
    "notes": define_table({
        "text": v.string(),
    }),
}"""


def the(plan: Plan, code: str) -> Diagnostic:
    """The one finding with this code."""
    findings = [finding for finding in coverage(plan) if finding.code == code]
    assert len(findings) == 1, [str(finding) for finding in coverage(plan)]
    return findings[0]


def codes(plan: Plan) -> list[str]:
    return [finding.code for finding in coverage(plan)]


def test_a_schema_that_covers_its_source_has_no_findings(make: Make) -> None:
    plan = make(NOTES, SCHEMA)
    assert coverage(plan) == []
    assert not has_errors(coverage(plan), strict=True)


# --------------------------------------------------------------------------------------------------------------- tables


def test_table_not_mapped(make: Make) -> None:
    found = the(make(NOTES + "CREATE TABLE tag_colours (id int PRIMARY KEY);", SCHEMA), "TableNotMapped")
    assert (found.severity, found.where) == ("error", "public.tag_colours")
    assert found.hint == "Define tagColours in schema.py, or skip the table with a reason."


def test_table_not_mapped_with_a_name_that_is_near(make: Make) -> None:
    found = the(make("CREATE TABLE note (id uuid PRIMARY KEY, text text);", SCHEMA), "TableNotMapped")
    assert found.hint.startswith('Is it notes? Then set to = "notes" under [tables.note]. Else: ')


def test_the_hint_for_a_table_of_another_schema_works(make: Make) -> None:
    sql = "CREATE SCHEMA app; CREATE TABLE app.note (id uuid PRIMARY KEY, text text NOT NULL);"
    found = the(make(sql, SCHEMA, 'source.schemas = ["public", "app"]'), "TableNotMapped")
    assert '[tables."app.note"]' in found.hint
    plan = make("", SCHEMA, 'source.schemas = ["public", "app"]\ntables."app.note".to = "notes"')
    assert coverage(plan) == []


def test_table_without_source(make: Make) -> None:
    schema = '{\n    "notes": define_table({"text": v.string()}),\n    "drafts": define_table({}),\n}'
    found = the(make(NOTES, schema), "TableWithoutSource")
    assert (found.severity, found.where) == ("note", "schema.py:5 drafts")


def test_unknown_table(make: Make) -> None:
    found = the(make(NOTES, SCHEMA, 'tables.note.skip = "x"'), "UnknownTable")
    assert (found.severity, found.where) == ("error", "note")
    assert found.hint == "Did you mean notes?"


def test_a_rule_that_applies_to_no_table_is_never_passed_over(make: Make) -> None:
    """A bare name is one of the first schema."""
    sql = NOTES + "CREATE SCHEMA app; CREATE TABLE app.logs (id uuid PRIMARY KEY);"
    plan = make(sql, SCHEMA, 'source.schemas = ["public", "app"]\ntables.logs.skip = "not needed"')
    found = the(plan, "UnknownTable")
    assert found.hint == "Did you mean app.logs?"


def test_two_tables_that_go_to_one(make: Make) -> None:
    """Their documents would stand in the archive twice under one name."""
    sql = NOTES + "CREATE TABLE memos (id uuid PRIMARY KEY, text text NOT NULL);"
    plan = make(sql, SCHEMA, 'tables.memos.to = "notes"')
    found = the(plan, "TargetTwice")
    assert found.severity == "error"
    assert {found.subject, *found.message.split()} >= {"public.memos", "public.notes"}


def test_no_key(make: Make) -> None:
    found = the(make("CREATE TABLE notes (text text NOT NULL);", SCHEMA), "NoKey")
    assert (found.severity, found.where) == ("warning", "schema.py:4 public.notes")
    assert found.hint.startswith('Set key = ["column", …] under [tables.notes] to columns that are unique together, or')
    for key in ("text", "*"):
        assert coverage(make("", SCHEMA, f'tables.notes.key = ["{key}"]')) == []


def test_no_key_of_a_table_without_columns(make: Make) -> None:
    found = the(make("CREATE TABLE notes ();", {"notes": define_table({})}), "NoKey")
    assert (found.severity, found.hint) == ("error", "Skip it.")


def test_key_not_kept(make: Make) -> None:
    sql = "CREATE TABLE notes (code text, number int, text text NOT NULL, PRIMARY KEY (code, number));"
    found = the(make(sql, SCHEMA), "KeyNotKept")
    assert (found.severity, found.where) == ("warning", "schema.py:4 notes.code")
    assert found.message.startswith("the key code, number is kept in no field")
    kept = {"notes": define_table({"text": v.string(), "code": v.string(), "number": v.number()})}
    assert "KeyNotKept" not in codes(make("", kept))
    as_text = {"notes": define_table({"text": v.string(), "supabaseId": v.string()})}
    assert "KeyNotKept" not in codes(make("", as_text))


# -------------------------------------------------------------------------------------------------- columns and fields


def test_column_not_mapped(make: Make) -> None:
    sql = "CREATE TABLE notes (id uuid PRIMARY KEY, text text NOT NULL, texts text, colour text);"
    plan = make(sql, SCHEMA)
    found = [finding for finding in coverage(plan) if finding.code == "ColumnNotMapped"]
    assert [(finding.severity, finding.where) for finding in found] == [
        ("error", "schema.py:4 notes.texts"),
        ("error", "schema.py:4 notes.colour"),
    ]
    fix = 'Add the field to notes, or set skip = "why" for the column in supavex.toml.'
    assert [finding.hint for finding in found] == [f"Is it text? {fix}", fix]


def test_field_without_column(make: Make) -> None:
    schema = """{
    "notes": define_table({
        "text": v.string(),
        "colour": v.string(),
        "maybe": v.optional(v.string()),
        "size": v.number(default=1),
    }),
}"""
    found = the(make(NOTES, schema), "FieldWithoutColumn")
    assert (found.severity, found.where) == ("error", "schema.py:6 public.notes")
    assert found.message.startswith("colour: the field is required")
    assert 'fields.colour = { sql = "…" }' in found.hint
    assert coverage(make("", schema, """tables.notes.fields.colour.sql = "'red'" """)) == []


def test_field_without_column_that_would_hold_the_key(make: Make) -> None:
    schema = {"notes": define_table({"text": v.string(), "supabaseId": v.number()})}
    assert the(make(NOTES, schema), "FieldWithoutColumn").hint.startswith("It would hold the row's key")


def test_type_does_not_fit(make: Make) -> None:
    found = the(make(NOTES, SCHEMA.replace("v.string", "v.number")), "TypeDoesNotFit")
    assert (found.severity, found.where) == ("error", "schema.py:5 notes.text")
    assert (found.message, found.hint) == ("text does not fit v.number().", "Use v.string().")


def test_type_does_not_fit_of_a_field_of_its_own(make: Make) -> None:
    schema = {"notes": define_table({"text": v.string(), "raw": v.bytes()})}
    found = the(make(NOTES, schema, """tables.notes.fields.raw.sql = "'x'" """), "TypeDoesNotFit")
    assert found.subject == "notes.raw"


def test_nullable_into_required(make: Make) -> None:
    sql = "CREATE TABLE notes (id uuid PRIMARY KEY, text text);"
    found = the(make(sql, SCHEMA), "NullableIntoRequired")
    assert (found.severity, found.where) == ("warning", "schema.py:5 notes.text")
    assert 'columns.text.fill = "none" under [tables.notes]' in found.hint


@pytest.mark.parametrize(
    ("field", "toml"),
    [
        ("v.string()", 'columns.text.fill = "none"'),
        ("v.string()", """columns.text.sql = "coalesce(t.text, '')" """),
        ("v.optional(v.string())", ""),
        ('v.optional(v.string(default="x"))', ""),
        ("v.union(v.string(), v.null())", ""),
        ("v.any()", ""),
    ],
)
def test_null_that_has_somewhere_to_go(make: Make, field: str, toml: str) -> None:
    sql = "CREATE TABLE notes (id uuid PRIMARY KEY, text text);"
    assert coverage(make(sql, SCHEMA.replace("v.string()", field), toml)) == []


def test_null_that_is_filled_is_told(make: Make) -> None:
    sql = "CREATE TABLE notes (id uuid PRIMARY KEY, text text, other text NOT NULL DEFAULT 'x');"
    schema = SCHEMA.replace("v.string()", 'v.string(default="none"), "other": v.string(default="x")')
    found = coverage(make(sql, schema, 'tables.notes.fill = "defaults"'))
    assert [(one.code, one.severity) for one in found] == [("NullsFilled", "note")]
    assert "fill makes the NULLs of 1 column the default" in found[0].message and "public.notes.text" in found[0].hint


def test_an_optional_field_is_filled_only_where_that_is_asked_for(make: Make) -> None:
    schema = SCHEMA.replace("v.string()", 'v.optional(v.string(default="x"))')
    sql = "CREATE TABLE notes (id uuid PRIMARY KEY, text text);"
    found = the(make(sql, schema, 'fill = "defaults"'), "DefaultOfOptional")
    assert (found.severity, found.where) == ("note", "schema.py:5 notes.text")
    assert found.message == 'the field is optional, and fill makes its NULLs "x".'
    assert found.hint == 'columns.text.fill = "none" under [tables.notes] leaves them out.'


def test_check_says_the_line_that_fills(make: Make) -> None:
    sql = "CREATE TABLE notes (id uuid PRIMARY KEY, text text DEFAULT 'x');"
    found = the(make(sql, SCHEMA), "NullableIntoRequired")
    assert found.hint.startswith('columns.text.fill = "defaults" under [tables.notes] makes NULL "x". Or make')


def test_check_takes_the_line_that_it_says(make: Make) -> None:
    sql = "CREATE TABLE notes (id uuid PRIMARY KEY, text text DEFAULT 'x' CHECK (length(text) > 0));"
    found = coverage(make(sql, SCHEMA, '[tables.notes]\ncolumns.text.fill = "defaults"'))
    assert [one.code for one in found] == ["NullsFilled"]


def test_check_says_why_a_column_is_not_filled(make: Make) -> None:
    checked = "CREATE TABLE notes (id uuid PRIMARY KEY, text text DEFAULT 'x' CHECK (length(text) > 0));"
    found = the(make(checked, SCHEMA, 'fill = "defaults"'), "NullableIntoRequired")
    assert "A constraint reads the column, so fill has to name it." in found.message


def test_a_fill_without_a_constant(make: Make) -> None:
    sql = "CREATE TABLE notes (id uuid PRIMARY KEY, text text DEFAULT now()::text);"
    found = the(make(sql, SCHEMA, 'tables.notes.columns.text.fill = "defaults"'), "FillWithoutDefault")
    assert found.severity == "error"
    assert "(now())::text gives another value at each run" in found.message


def test_field_twice(make: Make) -> None:
    sql = "CREATE TABLE notes (id uuid PRIMARY KEY, body text NOT NULL, text text NOT NULL);"
    found = the(make(sql, SCHEMA, 'columns.body.to = "text"'), "FieldTwice")
    assert (found.severity, found.where) == ("error", "schema.py:5 notes.text")
    assert found.message == "body and text both go to the field text."


@pytest.mark.parametrize(
    ("toml", "name", "near"),
    [
        ('tables.notes.columns.txt.to = "text"', "txt", "text"),
        ('tables.notes.key = ["idd"]', "idd", "id"),
        ('tables.notes.created = "texd"', "texd", "text"),
    ],
)
def test_unknown_column(make: Make, toml: str, name: str, near: str) -> None:
    found = the(make(NOTES, SCHEMA, toml), "UnknownColumn")
    assert (found.severity, found.where) == ("error", f"schema.py:4 notes.{name}")
    assert found.hint == f"Did you mean {near}?"


def test_a_rule_for_all_tables_that_names_no_column_of_any(make: Make) -> None:
    plan = make(NOTES, SCHEMA, 'columns.texd.fill = "none"')
    found = the(plan, "UnknownColumn")
    assert "texd" in str(found)
    assert found.hint == "Did you mean text?"


def test_a_creation_column_that_holds_no_moment(make: Make) -> None:
    """It would be passed over, and every row be created in 1970."""
    plan = make(NOTES, SCHEMA, 'tables.notes.created = "text"')
    found = the(plan, "CreatedIsNoMoment")
    assert (found.severity, found.where) == ("error", "schema.py:5 notes.text")


def test_unknown_field(make: Make) -> None:
    found = the(make(NOTES, SCHEMA, """tables.notes.fields.texd.sql = "'x'" """), "UnknownField")
    assert (found.severity, found.where) == ("error", "schema.py:4 notes.texd")
    assert found.hint == "Did you mean text?"
    plan = make("", SCHEMA, 'tables.notes.columns.text.to = "texd"')
    assert the(plan, "UnknownField").hint == "Did you mean text?"


def test_what_matches_existing_rows_has_to_be_there(make: Make) -> None:
    plan = make(NOTES, SCHEMA, 'tables.notes.existing.match.slug = "slog"')
    column, field = the(plan, "UnknownColumn"), the(plan, "UnknownField")
    assert (column.severity, column.where) == ("error", "schema.py:4 public.notes")
    assert "slog" in column.message
    assert (field.severity, field.where) == ("error", "schema.py:4 public.notes")
    assert "slug" in field.message


def test_columns_of_a_table_that_is_not_moved_are_nobody_s_business(make: Make) -> None:
    sql = "CREATE TABLE notes (text int, other int);"
    assert codes(make(sql, SCHEMA, 'tables.notes.existing.match.text = "text"')) == []
    assert codes(make("", SCHEMA, 'tables.notes.skip = "not needed"')) == ["TableWithoutSource"]


@pytest.mark.parametrize(
    ("type_", "field"),
    [("float8", "v.number()"), ("numeric", "v.number()"), ("timestamptz", "v.number()"), ("date", "v.number()")],
)
def test_a_choice_that_makes_null_of_a_number_makes_the_column_nullable(make: Make, type_: str, field: str) -> None:
    sql = f"CREATE TABLE notes (id uuid PRIMARY KEY, text {type_} NOT NULL);"
    schema = SCHEMA.replace("v.string()", field)
    assert codes(make(sql, schema)) == []
    assert codes(make("", schema, 'columns.text.nonfinite = "keep"')) == []
    assert codes(make("", schema, 'columns.text.nonfinite = "null"')) == ["NullableIntoRequired"]


def test_unknown_type(make: Make, database: Database) -> None:
    database.run("CREATE EXTENSION IF NOT EXISTS vector SCHEMA extensions", role=SUPERUSER)
    sql = "CREATE TABLE notes (id uuid PRIMARY KEY, text extensions.sparsevec(3) NOT NULL);"
    assert coverage(make(sql, SCHEMA)) == []
    found = the(make("", SCHEMA, 'unknown_types = "refuse"'), "UnknownType")
    assert (found.severity, found.where) == ("error", "schema.py:5 notes.text")
    assert found.hint == "Give the column an sql expression, or skip it with a reason."
    mended = """unknown_types = "refuse"\ncolumns.text.sql = "t.text::text" """
    assert coverage(make("", SCHEMA, mended)) == []


def test_types_of_postgresql_s_own_are_known(make: Make) -> None:
    sql = "CREATE TYPE place AS (x int, y int); CREATE TABLE notes (id uuid PRIMARY KEY, text {} NOT NULL);"
    for type_ in ("interval", "int4range", "place", "inet"):
        plan = make(sql.format(type_), SCHEMA, 'unknown_types = "refuse"')
        assert coverage(plan) == [], type_
        sql = "ALTER TABLE notes ALTER text TYPE {} USING NULL;"


# ------------------------------------------------------------------------------------------------------ allowed values


def test_allowed_values_lost(make: Make) -> None:
    sql = "CREATE TABLE notes (id uuid PRIMARY KEY, text text NOT NULL CHECK (text IN ('draft', 'it''s')));"
    found = the(make(sql, SCHEMA), "AllowedValuesLost")
    assert (found.severity, found.where) == ("note", "schema.py:5 notes.text")
    assert found.hint == 'Add one_of=["draft", "it\'s"].'


@pytest.mark.parametrize(
    "field",
    [
        'v.string(one_of=["draft", "sent", "more"])',
        'v.union(v.literal("draft"), v.literal("sent"))',
        'v.optional(v.union(v.literal("draft"), v.literal("sent"), v.null()))',
    ],
)
def test_allowed_values_that_the_field_knows(make: Make, field: str) -> None:
    sql = "CREATE TABLE notes (id uuid PRIMARY KEY, text text NOT NULL CHECK (text IN ('draft', 'sent')));"
    assert codes(make(sql, SCHEMA.replace("v.string()", field))) == []


@pytest.mark.parametrize("field", ['v.string(one_of=["draft"])', 'v.union(v.literal("draft"), v.literal("Sent"))'])
def test_allowed_values_differ(make: Make, field: str) -> None:
    sql = "CREATE TYPE state AS ENUM ('draft', 'sent'); CREATE TABLE notes (id uuid PRIMARY KEY, text state NOT NULL);"
    found = the(make(sql, SCHEMA.replace("v.string()", field)), "AllowedValuesDiffer")
    assert (found.severity, found.where) == ("error", "schema.py:5 notes.text")
    assert found.message == 'the source allows "sent", which the field does not.'


def test_an_expression_changes_the_values_that_a_check_allows(make: Make) -> None:
    sql = "CREATE TABLE notes (id uuid PRIMARY KEY, text text NOT NULL CHECK (text IN ('draft', 'sent')));"
    schema = SCHEMA.replace("v.string()", 'v.string(one_of=["DRAFT", "SENT"])')
    assert codes(make(sql, schema, 'columns.text.sql = "upper(t.text)"')) == []


def test_an_id_file_changes_them_too(make: Make) -> None:
    sql = "CREATE TABLE notes (id uuid PRIMARY KEY, text text NOT NULL CHECK (text IN ('a', 'b')));"
    schema = SCHEMA.replace("v.string()", 'v.string(one_of=["user_1", "user_2"])')
    assert codes(make(sql, schema, 'columns.text.ids = "ids.csv"', {"ids.csv": "old,new\na,user_1\nb,user_2"})) == []


# ---------------------------------------------------------------------------------------------------------- references


def test_reference_as_text(make: Make) -> None:
    sql = AUTHORS + "CREATE TABLE notes (id uuid PRIMARY KEY, text uuid NOT NULL REFERENCES authors);"
    schema = SCHEMA.replace("{\n", '{\n    "authors": define_table({}),\n', 1)
    found = the(make(sql, schema), "ReferenceAsText")
    assert (found.severity, found.where) == ("warning", "schema.py:6 notes.text")
    assert found.message == "it refers to public.authors, but the field keeps the old key as text."
    assert "ReferenceAsText" not in codes(make("", schema.replace("v.string()", "v.any()")))


def test_a_user_s_id_as_text_is_no_finding(make: Make) -> None:
    sql = "CREATE TABLE notes (id uuid PRIMARY KEY, text uuid NOT NULL REFERENCES auth.users (id));"
    assert coverage(make(sql, SCHEMA)) == []


def test_foreign_key_without_index(make: Make) -> None:
    schema = """{
    "authors": define_table({}),
    "notes": define_table({
        "author_id": v.id("authors"),
        "text": v.string(),
    }),
}"""
    sql = NOTES + AUTHORS + "ALTER TABLE notes ADD COLUMN author_id uuid NOT NULL REFERENCES authors;"
    found = the(make(sql, schema), "ForeignKeyWithoutIndex")
    assert (found.severity, found.where) == ("note", "schema.py:6 notes.author_id")
    assert found.hint == '.index("by_author", ["author_id"])'
    for index in ('["author_id"]', '["author_id", "text"]'):
        indexed = schema.replace("    }),\n}", f'    }}).index("by_author", {index}),\n}}')
        assert coverage(make("", indexed)) == []
    second = schema.replace("    }),\n}", '    }).index("by_text", ["text", "author_id"]),\n}')
    assert codes(make("", second)) == ["ForeignKeyWithoutIndex"]


CITIES = "CREATE TABLE cities (country text, name text, PRIMARY KEY (country, name));"
SHOPS = """{
    "cities": define_table({"country": v.string(), "name": v.string()}),
    "shops": define_table({
        "city": v.optional(v.id("cities")),
    }).index("by_city", ["city"]),
}"""


def test_a_reference_by_several_columns_that_is_covered(make: Make) -> None:
    sql = CITIES + "CREATE TABLE shops (id uuid PRIMARY KEY, land text, town text,"
    sql += " FOREIGN KEY (land, town) REFERENCES cities);"
    toml = 'tables.shops.fields.city.references = ["land", "town"]'
    assert coverage(make(sql, SHOPS, toml)) == []
    plan = make("", SHOPS.replace('.index("by_city", ["city"])', ""), toml)
    assert the(plan, "ForeignKeyWithoutIndex").where == "schema.py:6 shops.land, town"
    assert [finding.subject for finding in coverage(make("", SHOPS)) if finding.code == "ColumnNotMapped"] == [
        "shops.land",
        "shops.town",
    ]


def test_columns_that_cannot_be_null_into_a_required_reference(make: Make) -> None:
    schema = SHOPS.replace('v.optional(v.id("cities"))', 'v.id("cities")')
    toml = 'tables.shops.fields.city.references = ["land", "town"]'
    sql = CITIES + "CREATE TABLE shops (id uuid PRIMARY KEY, land text NOT NULL, town text NOT NULL);"
    assert coverage(make(sql, schema, toml)) == []
    plan = make("ALTER TABLE shops ALTER town DROP NOT NULL", schema, toml)
    assert the(plan, "NullableIntoRequired").subject == "shops.land, town"


def test_columns_that_refer_to_nothing(make: Make) -> None:
    sql = CITIES + "CREATE TABLE shops (id uuid PRIMARY KEY);"
    found = the(make(sql, SHOPS, 'tables.shops.fields.city.references = ["land"]'), "TypeDoesNotFit")
    assert (found.severity, found.where) == ("error", "schema.py:6 shops.city")
    assert found.message == "public.shops has no column land."


def test_an_array_of_references_needs_no_index(make: Make) -> None:
    sql = AUTHORS + "CREATE TABLE notes (id uuid PRIMARY KEY, text uuid[] NOT NULL);"
    schema = SCHEMA.replace("v.string()", 'v.array(v.id("authors"))').replace(
        "{\n", '{\n    "authors": define_table({}),\n', 1
    )
    assert coverage(make(sql, schema)) == []


def test_unique_without_index(make: Make) -> None:
    sql = NOTES + "ALTER TABLE notes ADD COLUMN team int NOT NULL; ALTER TABLE notes ADD UNIQUE (team, text);"
    schema = """{
    "notes": define_table({
        "text": v.string(),
        "team": v.number(),
    }),
}"""
    found = the(make(sql, schema), "UniqueWithoutIndex")
    assert (found.severity, found.where) == ("note", "schema.py:6 notes.team")
    assert found.hint == "Add an index on ['team', 'text']."
    for index in ('["team", "text"]', '["text", "team"]'):
        indexed = schema.replace("    }),\n}", f'    }}).index("by_both", {index}),\n}}')
        assert coverage(make("", indexed)) == []
    half = schema.replace("    }),\n}", '    }).index("by_team", ["team"]),\n}')
    assert codes(make("", half)) == ["UniqueWithoutIndex"]


# ------------------------------------------------------------------------------------------------------------ statuses


def test_the_status_of_each_table(make: Make) -> None:
    plan = make(
        NOTES + AUTHORS + "CREATE TABLE logs (id int PRIMARY KEY); CREATE TABLE old_things (a int, b int, c int);",
        {"notes": define_table({"text": v.string()}), "authors": define_table({})},
        'tables.authors.existing.match.a = "id"\ntables.logs.skip = "not needed"',
    )
    assert table_statuses(plan) == [
        {"source": "public.notes", "target": "notes", "status": "mapped", "columns": 2},
        {"source": "public.authors", "target": "authors", "status": "existing", "columns": 1},
        {"source": "public.logs", "target": "", "status": "skipped", "columns": 1, "reason": "not needed"},
        {"source": "public.old_things", "target": "", "status": "missing", "columns": 3},
    ]


# ----------------------------------------------------------------------------------------- what is not carried over


def lost(make: Make, sql: str) -> list[NotCarried]:
    """What is not carried over of this source, whose table ``notes`` is moved."""
    return not_carried(make(sql, {"notes": define_table(v.any())}))


def test_a_plain_table_loses_nothing(make: Make) -> None:
    assert lost(make, NOTES) == []


@pytest.mark.parametrize(
    ("sql", "kind", "where", "detail"),
    [
        ("ALTER TABLE notes ADD UNIQUE (text, n)", "unique", "public.notes", "unique (text, n)"),
        (
            "CREATE UNIQUE INDEX ON notes (text) WHERE n > 0",
            "unique",
            "public.notes",
            "unique (text) where (n > 0)",
        ),
        ("ALTER TABLE notes ADD CHECK (n > 0)", "check", "public.notes", "(n > 0)"),
        (
            "ALTER TABLE notes ADD FOREIGN KEY (owner) REFERENCES auth.users (id) ON DELETE CASCADE",
            "cascade",
            "public.notes",
            "owner on delete cascade",
        ),
        (
            "ALTER TABLE notes ADD FOREIGN KEY (owner) REFERENCES auth.users (id) ON DELETE SET NULL",
            "cascade",
            "public.notes",
            "owner on delete set null",
        ),
        ("CREATE POLICY own ON notes FOR SELECT USING (true)", "policy", "public.notes", "own (select)"),
        (
            "CREATE TRIGGER t BEFORE INSERT ON notes FOR EACH ROW EXECUTE FUNCTION "
            "supabase_functions.http_request('x')",
            "trigger",
            "public.notes",
            "t",
        ),
        ("ALTER TABLE notes ALTER n SET DEFAULT 7", "default", "public.notes.n", "7"),
        (
            "ALTER TABLE notes ADD up text GENERATED ALWAYS AS (upper(text)) STORED",
            "generated column",
            "public.notes.up",
            "",
        ),
        (
            "ALTER TABLE notes ADD serial int GENERATED ALWAYS AS IDENTITY",
            "identity",
            "public.notes.serial",
            "",
        ),
        ("ALTER TABLE notes ADD code varchar(3)", "length", "public.notes.code", "at most 3 characters"),
        ("CREATE VIEW v AS SELECT id FROM notes", "view", "public.v", ""),
        ("CREATE MATERIALIZED VIEW v AS SELECT id FROM notes", "materialized view", "public.v", ""),
        (
            "CREATE FUNCTION f(a int) RETURNS int LANGUAGE sql AS $$ SELECT 1 $$",
            "function",
            "public.f",
            "a integer",
        ),
        ("CREATE PROCEDURE p() LANGUAGE sql AS $$ SELECT 1 $$", "procedure", "public.p", ""),
        (
            "CREATE AGGREGATE a(int) (SFUNC = int4pl, STYPE = int)",
            "aggregate",
            "public.a",
            "integer",
        ),
        ("CREATE SEQUENCE s", "sequence", "public.s", ""),
        ("CREATE TYPE e AS ENUM ('a', 'b')", "enum", "public.e", "a, b"),
        (
            "ALTER PUBLICATION supabase_realtime ADD TABLE notes",
            "publication",
            "supabase_realtime",
            "public.notes",
        ),
    ],
)
def test_what_convex_does_not_carry_over(make: Make, sql: str, kind: str, where: str, detail: str) -> None:
    (found,) = lost(make, f"CREATE TABLE notes (id uuid PRIMARY KEY, text text, n int, owner uuid); {sql};")
    assert (found.kind, found.where, found.detail) == (kind, where, detail)
    assert found.instead, "each says what to do instead"


@pytest.mark.parametrize(
    ("sql", "rule"),
    [
        ("CREATE UNIQUE INDEX one_owner ON notes (lower(text))", "lower(text)"),
        ("CREATE UNIQUE INDEX one_owner ON notes (owner, (n > 0)) WHERE n > 0", "n > 0"),
        ("ALTER TABLE notes ADD EXCLUDE USING gist (during WITH &&)", "&&"),
        ("CREATE DOMAIN mail AS text CHECK (value LIKE '%@%'); ALTER TABLE notes ADD mail mail", "%@%"),
        ("CREATE DOMAIN code AS varchar(3); ALTER TABLE notes ADD code code", "3 characters"),
    ],
    ids=["expression index", "partial expression index", "exclusion", "domain check", "domain length"],
)
def test_rules_in_rarer_forms_are_not_lost_silently(make: Make, sql: str, rule: str) -> None:
    columns = "id uuid PRIMARY KEY, text text, n int, owner uuid, during tsrange"
    found = lost(make, f"CREATE TABLE notes ({columns}); {sql};")
    assert any(rule in item.detail for item in found), found


def test_what_belongs_to_tables_that_are_not_moved_is_not_listed(make: Make) -> None:
    assert lost(make, NOTES + "CREATE TABLE logs (id int PRIMARY KEY CHECK (id > 0));") == []


def test_rules_without_an_effect_are_not_listed(make: Make) -> None:
    sql = "ALTER TABLE notes ADD owner uuid REFERENCES auth.users (id); CREATE INDEX ON notes (owner);"
    assert lost(make, NOTES + sql) == []
