"""The plan: where each table goes, and how each field gets its value."""

from dataclasses import replace

import pytest

from supavex.convex.field_rules import MISSING
from supavex.convex.validators import String, Validator
from supavex.mapping.conversions import Misfit
from supavex.mapping.keys import Key
from supavex.mapping.plan import FieldPlan, IdFile, Plan, Reference, TablePlan
from supavex.schema import define_table, v
from tests.mapping.conftest import Make

NOTES = "CREATE TABLE notes (id uuid PRIMARY KEY, text text);"
UUID_KEY = Key(("id",), "uuid")


def table(plan: Plan, name: str) -> TablePlan:
    found = plan.of_source(*(name.split(".") if "." in name else ("public", name)))
    assert found is not None
    return found


def field(plan: Plan, name: str) -> FieldPlan:
    """The plan of ``table.field``, of a table of the source."""
    owner, name = name.rsplit(".", 1)
    (found,) = [planned for planned in table(plan, owner).fields if planned.name == name]
    return found


def reference(plan: Plan, name: str) -> Reference:
    """The reference of ``table.field``, whatever the row's own columns are called."""
    found = field(plan, name).reference
    assert found is not None
    assert field(plan, name).conversion.kind == "id"
    return replace(found, by_columns=())


def misfit(plan: Plan, name: str) -> Misfit:
    """Why ``table.field`` can't have what goes to it."""
    owner, name = name.rsplit(".", 1)
    (found,) = [found for _, field, found in table(plan, owner).misfits if field == name]
    return found


# --------------------------------------------------------------------------------------------------------------- tables


def test_a_table_goes_to_the_table_of_its_name(make: Make) -> None:
    plan = make(NOTES, {"notes": define_table({"text": v.string()})})
    (only,) = plan.tables
    assert (only.name, only.status, only.target) == ("public.notes", "mapped", "notes")
    assert only.key == UUID_KEY
    assert only.definition is plan.schema.tables["notes"]
    assert plan.moving == [only]
    assert plan.to_target("notes") is only


def test_a_name_in_snake_case_goes_to_the_same_name_in_camel_case(make: Make) -> None:
    plan = make(
        "CREATE TABLE ari_flow_stages (id uuid PRIMARY KEY, stage_order int);",
        {"ariFlowStages": define_table({"stageOrder": v.number()})},
    )
    assert table(plan, "ari_flow_stages").target == "ariFlowStages"
    assert field(plan, "ari_flow_stages.stageOrder").place == "stage_order"


def test_the_very_name_comes_before_the_camel_case_one(make: Make) -> None:
    plan = make(
        "CREATE TABLE my_notes (id uuid PRIMARY KEY, a_b text);",
        {
            "my_notes": define_table({"a_b": v.string(), "aB": v.optional(v.string())}),
            "myNotes": define_table({"x": v.optional(v.string())}),
        },
    )
    assert table(plan, "my_notes").target == "my_notes"
    assert field(plan, "my_notes.a_b").place == "a_b"


def test_the_project_may_name_another_table(make: Make) -> None:
    plan = make(NOTES, {"memos": define_table({"text": v.string()})}, 'tables.notes.to = "memos"')
    assert (table(plan, "notes").status, table(plan, "notes").target) == ("mapped", "memos")


def test_a_named_table_that_there_is_not_is_missing(make: Make) -> None:
    plan = make(NOTES, {"notes": define_table({"text": v.string()})}, 'tables.notes.to = "memos"')
    assert (table(plan, "notes").status, plan.moving) == ("missing", [])


def test_a_skipped_table_goes_nowhere(make: Make) -> None:
    plan = make(NOTES, {"notes": define_table({"text": v.string()})}, 'tables.notes.skip = "nobody reads it"')
    assert (table(plan, "notes").status, table(plan, "notes").target) == ("skipped", "")
    assert plan.to_target("notes") is None


def test_an_existing_table_is_matched_not_moved(make: Make) -> None:
    plan = make(
        NOTES,
        {"notes": define_table({"text": v.string()})},
        'tables.notes.existing.match.text = "text"',
    )
    assert (table(plan, "notes").status, table(plan, "notes").target) == ("existing", "notes")
    assert plan.moving == []
    assert plan.to_target("notes") is table(plan, "notes")


def test_tables_come_in_the_order_of_the_schema(make: Make) -> None:
    plan = make(
        "CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE b (id int PRIMARY KEY); CREATE TABLE c (id int PRIMARY KEY);"
        "CREATE TABLE d (id int PRIMARY KEY);",
        {"c": define_table({}), "b": define_table({})},
        'tables.a.skip = "x"',
    )
    assert [planned.name for planned in plan.tables] == ["public.c", "public.b", "public.a", "public.d"]


def test_tables_of_several_schemas(make: Make) -> None:
    plan = make(
        "CREATE SCHEMA app; CREATE TABLE app.notes (id uuid PRIMARY KEY);" + NOTES,
        {"notes": define_table({"text": v.string()}), "appNotes": define_table({})},
        'source.schemas = ["public", "app"]\ntables."app.notes".to = "appNotes"',
    )
    assert {planned.name: planned.target for planned in plan.tables} == {
        "public.notes": "notes",
        "app.notes": "appNotes",
    }


# -------------------------------------------------------------------------------------------------------------- columns


def test_a_column_goes_to_the_field_of_its_name(make: Make) -> None:
    plan = make(NOTES, {"notes": define_table({"text": v.optional(v.string(default="?", comment="c"))})})
    planned = field(plan, "notes.text")
    assert planned.column == table(plan, "notes").source.column("text")
    assert isinstance(planned.validator, String)
    assert (planned.optional, planned.fill, planned.conversion.name) == (True, MISSING, "text")
    assert planned.value == planned.column
    assert (planned.nullable, planned.takes_null, planned.null_is_rejected) == (True, False, False)


def test_where_null_goes(make: Make) -> None:
    plan = make(
        "CREATE TABLE notes (id int PRIMARY KEY, a text NOT NULL, b text, c text, d text, e text, f text);",
        {
            "notes": define_table(
                {
                    "a": v.string(),
                    "b": v.optional(v.string()),
                    "c": v.union(v.string(), v.null()),
                    "d": v.union(v.string(), v.null(), default="x"),
                    "e": v.any(),
                    "f": v.optional(v.union(v.string(), v.null())),
                }
            )
        },
    )
    found = {planned.name: (planned.nullable, planned.takes_null) for planned in table(plan, "notes").fields}
    assert found == {
        "a": (False, False),
        "b": (True, False),
        "c": (True, True),
        "d": (True, True),
        "e": (True, True),
        "f": (True, False),
    }


def test_fields_come_in_the_order_of_the_definition(make: Make) -> None:
    plan = make(
        "CREATE TABLE notes (id int PRIMARY KEY, a text, b text, c text);",
        {"notes": define_table({"c": v.any(), "a": v.any(), "extra": v.any(), "b": v.any()})},
        """tables.notes.fields.extra.sql = "1::text" """,
    )
    assert [planned.name for planned in table(plan, "notes").fields] == ["c", "a", "extra", "b"]


def test_the_primary_key_needs_no_field_and_may_have_one(make: Make) -> None:
    plan = make(
        "CREATE TABLE a (id uuid PRIMARY KEY); CREATE TABLE b (id int PRIMARY KEY);",
        {"a": define_table({}), "b": define_table({"id": v.number()})},
    )
    assert (table(plan, "a").fields, table(plan, "a").unmapped) == ([], [])
    assert field(plan, "b.id").conversion.name == "integer as number"


def test_a_column_without_a_field_is_unmapped(make: Make) -> None:
    plan = make(NOTES, {"notes": define_table({})})
    assert [column.name for column in table(plan, "notes").unmapped] == ["text"]


def test_a_column_may_be_renamed_skipped_or_both_for_all_tables(make: Make) -> None:
    plan = make(
        "CREATE TABLE notes (id int PRIMARY KEY, body text, old text, secret text, created_by text);",
        {"notes": define_table({"text": v.string(), "author": v.string()})},
        """
columns.secret.skip = "stays behind"
columns.created_by.to = "author"
tables.notes.columns.body.to = "text"
tables.notes.columns.old.skip = "unused"
""",
    )
    assert {planned.name: planned.place for planned in table(plan, "notes").fields} == {
        "text": "body",
        "author": "created_by",
    }
    assert table(plan, "notes").skipped == {"old": "unused", "secret": "stays behind"}
    assert table(plan, "notes").unmapped == []


def test_a_column_that_does_not_fit_is_a_misfit_and_no_field(make: Make) -> None:
    plan = make(NOTES, {"notes": define_table({"text": v.number()})})
    assert misfit(plan, "notes.text").message == "text does not fit v.number()."
    assert table(plan, "notes").fields == []


def test_a_column_without_a_field_of_a_table_without_a_key(make: Make) -> None:
    plan = make("CREATE TABLE notes (a text, b text);", {"notes": define_table({"a": v.any()})})
    assert table(plan, "notes").key == Key(("a", "b"), "row")
    assert [column.name for column in table(plan, "notes").unmapped] == ["b"], "the whole row keeps nothing"


def test_a_table_that_takes_anything_has_no_fields_to_fill(make: Make) -> None:
    plan = make(NOTES, {"notes": define_table(v.any())})
    assert [column.name for column in table(plan, "notes").unmapped] == ["text"]


# ------------------------------------------------------------------------------------------------------- expressions


def test_an_expression_in_the_place_of_a_column(make: Make) -> None:
    plan = make(
        "CREATE TABLE notes (id int PRIMARY KEY, text text, at timestamptz, tags text, yes text, size text);",
        {
            "notes": define_table(
                {
                    "text": v.string(),
                    "at": v.number(),
                    "tags": v.array(v.string()),
                    "yes": v.boolean(),
                    "size": v.number(),
                }
            )
        },
        """
[tables.notes.columns]
text.sql = "upper(t.text)"
at.sql = "coalesce(t.at, now())"
tags.sql = "to_jsonb(string_to_array(t.tags, ','))"
yes.sql = "t.yes = 'y'"
size.sql = "length(t.size)"
""",
    )
    assert field(plan, "notes.text").source == "(upper(t.text))"
    assert field(plan, "notes.text").column is not None
    # The column's type where the field takes it, else the one that the field wants.
    assert {planned.name: planned.conversion.name for planned in table(plan, "notes").fields} == {
        "text": "text",
        "at": "moment as milliseconds",
        "tags": "json",
        "yes": "boolean",
        "size": "float as number",
    }


def test_a_field_of_its_own(make: Make) -> None:
    plan = make(
        NOTES,
        {"notes": define_table({"text": v.string(), "kind": v.string(), "size": v.optional(v.number())})},
        """
tables.notes.fields.kind.sql = "'note'"
tables.notes.fields.size.sql = "length(t.text)"
""",
    )
    planned = field(plan, "notes.kind")
    assert (planned.source, planned.column, planned.nullable, planned.place) == ("('note')", None, True, "kind")
    assert field(plan, "notes.size").conversion.name == "float as number"


def test_a_field_of_its_own_takes_the_place_of_the_column_of_its_name(make: Make) -> None:
    plan = make(
        "CREATE TABLE notes (id int PRIMARY KEY, text text, body text);",
        {"notes": define_table({"text": v.string()})},
        """tables.notes.fields.text.sql = "coalesce(t.text, t.body)" """,
    )
    assert field(plan, "notes.text").source == "(coalesce(t.text, t.body))"
    assert [column.name for column in table(plan, "notes").unmapped] == ["text", "body"]


def test_a_field_of_its_own_that_no_expression_can_give(make: Make) -> None:
    plan = make(
        NOTES + "CREATE TABLE other (id uuid PRIMARY KEY);",
        {"notes": define_table({"text": v.string(), "other": v.id("other")}), "other": define_table({})},
        """tables.notes.fields.other.sql = "t.id" """,
    )
    assert misfit(plan, "notes.other").message == 'text does not fit v.id("other").'


def test_an_expression_says_what_becomes_of_null(make: Make) -> None:
    toml = """
columns.text.sql = "nullif(t.text, '')"
columns.size.fill = "none"
"""
    plan = make(
        "CREATE TABLE notes (id int PRIMARY KEY, text text, size int, plain int);",
        {"notes": define_table({"text": v.string(), "size": v.number(), "plain": v.number()})},
        toml,
    )
    rejected = {planned.name: planned.null_is_rejected for planned in table(plan, "notes").fields}
    assert rejected == {"text": True, "size": True, "plain": False}


# ---------------------------------------------------------------------------------------------------------- id files


def test_ids_of_users_come_from_a_file(make: Make) -> None:
    plan = make(
        "CREATE TABLE notes (id int PRIMARY KEY, author uuid REFERENCES auth.users (id), editor uuid);",
        {"notes": define_table({"author": v.optional(v.string()), "editor": v.optional(v.string())})},
        'columns.author.ids = "ids.csv"\ncolumns.editor.ids = "ids.csv"',
        {"ids.csv": "old,new\n0B7F3C52-91D4-4E0A-8A6F-5D2C1E9B4A01,user_1\n"},
    )
    planned = field(plan, "notes.author")
    assert planned.ids == {"0b7f3c52-91d4-4e0a-8a6f-5d2c1e9b4a01": "user_1"}
    assert isinstance(planned.value, IdFile)
    assert (planned.value.path, planned.conversion.kind) == ("ids.csv", "string")
    assert field(plan, "notes.editor").ids is planned.ids, "a file is read once"


def test_new_ids_need_a_field_that_takes_text(make: Make) -> None:
    plan = make(
        "CREATE TABLE notes (id int PRIMARY KEY, author uuid);",
        {"notes": define_table({"author": v.number()})},
        'columns.author.ids = "ids.csv"',
        {"ids.csv": "old,new\n"},
    )
    assert "does not fit v.number()" in misfit(plan, "notes.author").message


def test_old_ids_are_found_as_the_column_has_them(make: Make) -> None:
    plan = make(
        "CREATE TABLE notes (id int PRIMARY KEY, author text);",
        {"notes": define_table({"author": v.string()})},
        'columns.author.ids = "ids.csv"',
        {"ids.csv": "old,new\nAnn@Example.com,user_1\n"},
    )
    assert field(plan, "notes.author").ids == {"Ann@Example.com": "user_1"}


# --------------------------------------------------------------------------------------------------------- references

AUTHORS = "CREATE TABLE authors (id uuid PRIMARY KEY, slug text NOT NULL UNIQUE, number int UNIQUE);"


def to_author(
    *parts: str,
    columns: tuple[str, ...] = ("id",),
    target: str = "authors",
    existing: bool = False,
    via_unique: bool = False,
    is_array: bool = False,
) -> Reference:
    """A reference to the table of :data:`AUTHORS`, by its key unless ``columns`` says otherwise."""
    return Reference("public", "authors", target, UUID_KEY, columns, parts, existing, via_unique, is_array)


def test_a_foreign_key_becomes_the_id_of_the_row_it_names(make: Make) -> None:
    plan = make(
        AUTHORS + "CREATE TABLE notes (id int PRIMARY KEY, author_id uuid REFERENCES authors);",
        {"authors": define_table({}), "notes": define_table({"author_id": v.optional(v.id("authors"))})},
    )
    assert reference(plan, "notes.author_id") == to_author('t."author_id"')


def test_a_reference_may_stand_beside_null(make: Make) -> None:
    plan = make(
        AUTHORS + "CREATE TABLE notes (id int PRIMARY KEY, author_id uuid REFERENCES authors);",
        {"authors": define_table({}), "notes": define_table({"author_id": v.union(v.id("authors"), v.null())})},
    )
    assert reference(plan, "notes.author_id") == to_author('t."author_id"')
    assert field(plan, "notes.author_id").takes_null


def test_a_foreign_key_to_a_unique_column_leads_through_it(make: Make) -> None:
    plan = make(
        AUTHORS + "CREATE TABLE notes (id int PRIMARY KEY, author text REFERENCES authors (slug));",
        {"authors": define_table({}), "notes": define_table({"author": v.id("authors")})},
    )
    assert reference(plan, "notes.author") == to_author('t."author"', columns=("slug",), via_unique=True)


def test_a_row_may_refer_to_its_own_table(make: Make) -> None:
    plan = make(
        "CREATE TABLE notes (id int PRIMARY KEY, parent int REFERENCES notes);",
        {"notes": define_table({"parent": v.optional(v.id("notes"))})},
    )
    key = Key(("id",), "integer")
    assert reference(plan, "notes.parent") == Reference("public", "notes", "notes", key, ("id",), ('t."parent"',))


def test_two_tables_may_refer_to_each_other(make: Make) -> None:
    plan = make(
        AUTHORS + "CREATE TABLE notes (id int PRIMARY KEY, author uuid REFERENCES authors);"
        "ALTER TABLE authors ADD COLUMN best int REFERENCES notes;",
        {
            "authors": define_table({"best": v.optional(v.id("notes"))}),
            "notes": define_table({"author": v.id("authors")}),
        },
    )
    assert reference(plan, "authors.best").table == "notes"
    assert reference(plan, "notes.author").table == "authors"


def test_a_table_whose_key_is_a_foreign_key_has_ids_of_its_own_and_names_the_other_s(make: Make) -> None:
    plan = make(
        AUTHORS + "CREATE TABLE profiles (id uuid PRIMARY KEY REFERENCES authors, bio text);",
        {"authors": define_table({}), "profiles": define_table({"author": v.id("authors"), "bio": v.any()})},
        'tables.profiles.columns.id.to = "author"',
    )
    assert table(plan, "profiles").key == UUID_KEY
    assert reference(plan, "profiles.author").target == "authors"


def test_without_a_constraint_the_schema_says_where_it_points(make: Make) -> None:
    plan = make(
        AUTHORS + "CREATE TABLE notes (id int PRIMARY KEY, author_id uuid);",
        {"authors": define_table({}), "notes": define_table({"author_id": v.id("authors")})},
    )
    assert reference(plan, "notes.author_id") == to_author('t."author_id"')


def test_a_reference_to_an_existing_table_is_marked(make: Make) -> None:
    plan = make(
        AUTHORS + "CREATE TABLE notes (id int PRIMARY KEY, author_id uuid REFERENCES authors);",
        {"people": define_table({"slug": v.string()}), "notes": define_table({"author_id": v.id("people")})},
        'tables.authors = { to = "people", existing = { match = { slug = "slug" } } }',
    )
    assert reference(plan, "notes.author_id") == to_author('t."author_id"', target="people", existing=True)


def test_a_table_without_a_primary_key_can_be_named_by_its_chosen_key(make: Make) -> None:
    plan = make(
        "CREATE TABLE authors (slug text UNIQUE, name text);"
        "CREATE TABLE notes (id int PRIMARY KEY, author text REFERENCES authors (slug));",
        {"authors": define_table({"slug": v.string(), "name": v.any()}), "notes": define_table({"author": v.any()})},
    )
    assert table(plan, "authors").key == Key(("slug", "name"), "row")
    plan = make(
        "",
        {
            "authors": define_table({"slug": v.any(), "name": v.any()}),
            "notes": define_table({"author": v.id("authors")}),
        },
        'tables.authors.key = ["slug"]',
    )
    assert reference(plan, "notes.author").key == Key(("slug",), "hash")


def test_an_expression_may_give_the_key_of_the_row(make: Make) -> None:
    plan = make(
        AUTHORS + "CREATE TABLE notes (id int PRIMARY KEY, author_id text);",
        {"authors": define_table({}), "notes": define_table({"author_id": v.id("authors")})},
        "columns.author_id.sql = \"nullif(t.author_id, '')::uuid\"",
    )
    assert reference(plan, "notes.author_id").columns == ("id",)
    assert field(plan, "notes.author_id").source == "(nullif(t.author_id, '')::uuid)"


def test_a_column_with_two_foreign_keys_takes_the_one_that_the_field_names(make: Make) -> None:
    """Projects add a second key beside the one to auth.users, so that PostgREST can join the profiles."""
    plan = make(
        "CREATE TABLE profiles (id uuid PRIMARY KEY);"
        "CREATE TABLE notes (id int PRIMARY KEY, author uuid REFERENCES auth.users (id));"
        "ALTER TABLE notes ADD CONSTRAINT notes_profile FOREIGN KEY (author) REFERENCES profiles (id);",
        {"profiles": define_table({}), "notes": define_table({"author": v.id("profiles")})},
    )
    assert reference(plan, "notes.author").table == "profiles"


def test_of_two_foreign_keys_to_moved_tables_it_takes_the_one_that_the_field_names(make: Make) -> None:
    sql = AUTHORS + "CREATE TABLE profiles (id uuid PRIMARY KEY REFERENCES authors);"
    sql += "CREATE TABLE notes (id int PRIMARY KEY, by uuid REFERENCES authors, FOREIGN KEY (by) REFERENCES profiles);"
    for name in ("authors", "profiles"):
        schema = {"authors": define_table({}), "profiles": define_table({}), "notes": define_table({"by": v.id(name)})}
        assert reference(make(sql, schema), "notes.by").table == name
        sql = ""


def test_a_constraint_vouches_for_types_that_differ(make: Make) -> None:
    plan = make(
        "CREATE TABLE parts (code numeric(9, 2) PRIMARY KEY);"
        "CREATE TABLE notes (id int PRIMARY KEY, part int REFERENCES parts);",
        {"parts": define_table({"code": v.number()}), "notes": define_table({"part": v.id("parts")})},
    )
    assert reference(plan, "notes.part").key.columns == ("code",)


# ---------------------------------------------------------------------------------------- references by several columns

CITIES = "CREATE TABLE cities (country text, name text, code int, zone int, PRIMARY KEY (country, name));"
CITIES += "ALTER TABLE cities ADD UNIQUE (zone, code);"
CITY = define_table({"country": v.any(), "name": v.any(), "code": v.any(), "zone": v.any()})
CITY_KEY = Key(("country", "name"), "hash")
SHOPS = {"cities": CITY, "shops": define_table({"city": v.optional(v.id("cities"))})}


def to_city(columns: tuple[str, ...], *parts: str, via_unique: bool = False) -> Reference:
    return Reference("public", "cities", "cities", CITY_KEY, columns, parts, via_unique=via_unique)


def test_a_reference_by_several_columns(make: Make) -> None:
    plan = make(
        CITIES + "CREATE TABLE shops (id int PRIMARY KEY, land text, town text,"
        " FOREIGN KEY (land, town) REFERENCES cities (country, name));",
        SHOPS,
        'tables.shops.fields.city.references = ["land", "town"]',
    )
    assert reference(plan, "shops.city") == to_city(("country", "name"), 't."land"', 't."town"')
    planned = field(plan, "shops.city")
    assert (planned.column, planned.by_columns, planned.place) == (None, ("land", "town"), "land, town")
    assert table(plan, "shops").unmapped == [], "the columns need no fields of their own"


def test_the_foreign_key_says_which_column_is_which(make: Make) -> None:
    plan = make(
        CITIES + "CREATE TABLE shops (id int PRIMARY KEY, country text, name text,"
        " FOREIGN KEY (country, name) REFERENCES cities (name, country));",
        SHOPS,
        'tables.shops.fields.city.references = ["name", "country"]',
    )
    assert reference(plan, "shops.city") == to_city(("country", "name"), 't."name"', 't."country"')


def test_a_foreign_key_to_another_unique_key_leads_through_it(make: Make) -> None:
    plan = make(
        CITIES + "CREATE TABLE shops (id int PRIMARY KEY, code int, zone int,"
        " FOREIGN KEY (code, zone) REFERENCES cities (code, zone));",
        SHOPS,
        'tables.shops.fields.city.references = ["code", "zone"]',
    )
    assert reference(plan, "shops.city") == to_city(("code", "zone"), 't."code"', 't."zone"', via_unique=True)


def test_several_columns_may_lead_to_a_key_of_one(make: Make) -> None:
    plan = make(
        AUTHORS + "ALTER TABLE authors ADD UNIQUE (slug, number);"
        "CREATE TABLE notes (id int PRIMARY KEY, slug text, number int,"
        " FOREIGN KEY (slug, number) REFERENCES authors (slug, number));",
        {"authors": define_table({}), "notes": define_table({"author": v.id("authors")})},
        'tables.notes.fields.author.references = ["slug", "number"]',
    )
    expected = to_author('t."slug"', 't."number"', columns=("slug", "number"), via_unique=True)
    assert reference(plan, "notes.author") == expected


def test_one_column_may_lead_to_a_key_of_several(make: Make) -> None:
    plan = make(
        CITIES + "ALTER TABLE cities ADD UNIQUE (code);"
        "CREATE TABLE shops (id int PRIMARY KEY, city int REFERENCES cities (code));",
        SHOPS,
    )
    assert reference(plan, "shops.city") == to_city(("code",), 't."city"', via_unique=True)


def test_without_a_constraint_the_columns_are_the_key_s_in_its_order(make: Make) -> None:
    plan = make(
        CITIES + "CREATE TABLE shops (id int PRIMARY KEY, land text, town text);",
        SHOPS,
        'tables.shops.fields.city.references = ["land", "town"]',
    )
    assert reference(plan, "shops.city") == to_city(("country", "name"), 't."land"', 't."town"')


def test_columns_of_a_reference_may_have_fields_of_their_own(make: Make) -> None:
    plan = make(
        AUTHORS + "CREATE TABLE notes (id int PRIMARY KEY, author_id uuid REFERENCES authors);",
        {"authors": define_table({}), "notes": define_table({"author": v.id("authors"), "author_id": v.string()})},
        'tables.notes.fields.author.references = ["author_id"]',
    )
    assert reference(plan, "notes.author") == to_author('t."author_id"')
    assert field(plan, "notes.author_id").reference is None


def test_of_two_foreign_keys_by_the_same_columns_the_field_names_one(make: Make) -> None:
    plan = make(
        AUTHORS + "CREATE TABLE notes (id int PRIMARY KEY, by uuid REFERENCES auth.users (id),"
        " FOREIGN KEY (by) REFERENCES authors);",
        {"authors": define_table({}), "notes": define_table({"author": v.id("authors"), "by": v.string()})},
        'tables.notes.fields.author.references = ["by"]',
    )
    assert reference(plan, "notes.author") == to_author('t."by"')


@pytest.mark.parametrize(
    ("columns", "kind", "message"),
    [
        ('["land", "twon"]', v.id("cities"), "public.shops has no column twon."),
        ('["land", "town"]', v.string(), "v.string() holds no id."),
        ('["land", "town"]', v.array(v.id("cities")), 'v.array(v.id("cities")) holds no id.'),
        ('["land"]', v.id("cities"), "public.cities has no key of one column that it could refer to."),
        ('["land", "town", "id"]', v.id("cities"), "public.cities has no key of 3 columns that it could refer to."),
        ('["land", "town"]', v.id("shops"), "public.shops has no key of 2 columns that it could refer to."),
        ('["land", "id"]', v.id("cities"), "it is integer, but public.cities.name is text."),
    ],
)
def test_columns_that_refer_to_nothing(make: Make, columns: str, kind: Validator, message: str) -> None:
    plan = make(
        CITIES + "CREATE TABLE shops (id int PRIMARY KEY, land text, town text);",
        {"cities": CITY, "shops": define_table({"city": kind})},
        f"tables.shops.fields.city.references = {columns}",
    )
    assert misfit(plan, "shops.city").message == message


# ------------------------------------------------------------------------------------------------- arrays of references


def test_an_array_of_keys_is_an_array_of_references(make: Make) -> None:
    plan = make(
        AUTHORS + "CREATE TABLE notes (id int PRIMARY KEY, authors uuid[], tags uuid[]);",
        {
            "authors": define_table({}),
            "notes": define_table({"authors": v.array(v.id("authors")), "tags": v.array(v.string())}),
        },
    )
    assert reference(plan, "notes.authors") == to_author("e.x", is_array=True)
    assert field(plan, "notes.authors").source == 't."authors"'
    assert field(plan, "notes.tags").reference is None


@pytest.mark.parametrize(
    "kind", [v.array(v.union(v.id("authors"), v.null())), v.union(v.array(v.id("authors")), v.null())]
)
def test_an_array_of_references_and_its_elements_may_be_null(make: Make, kind: Validator) -> None:
    plan = make(
        AUTHORS + "CREATE TABLE notes (id int PRIMARY KEY, authors uuid[]);",
        {"authors": define_table({}), "notes": define_table({"authors": kind})},
    )
    assert reference(plan, "notes.authors") == to_author("e.x", is_array=True)


def test_an_expression_may_give_the_array(make: Make) -> None:
    plan = make(
        AUTHORS + "CREATE TABLE notes (id int PRIMARY KEY, authors text);",
        {"authors": define_table({}), "notes": define_table({"authors": v.array(v.id("authors"))})},
        "columns.authors.sql = \"string_to_array(t.authors, ',')::uuid[]\"",
    )
    assert reference(plan, "notes.authors") == to_author("e.x", is_array=True)
    assert field(plan, "notes.authors").source == "(string_to_array(t.authors, ',')::uuid[])"


@pytest.mark.parametrize(
    ("type_", "message", "hint"),
    [
        ("uuid", "uuid is not an array.", 'Make it v.id("authors").'),
        ("text[]", "it is text, but public.authors.id is uuid.", 'sql = "authors::uuid[]".'),
    ],
)
def test_a_column_that_is_no_array_of_keys(make: Make, type_: str, message: str, hint: str) -> None:
    plan = make(
        AUTHORS + f"CREATE TABLE notes (id int PRIMARY KEY, authors {type_});",
        {"authors": define_table({}), "notes": define_table({"authors": v.array(v.id("authors"))})},
    )
    found = misfit(plan, "notes.authors")
    assert found.message == message
    assert found.hint.endswith(hint)


# ------------------------------------------------------------------------------------------ references that don't fit


def test_a_user_of_supabase_is_in_no_table_that_is_moved(make: Make) -> None:
    plan = make(
        "CREATE TABLE notes (id int PRIMARY KEY, author uuid REFERENCES auth.users (id));",
        {"users": define_table({}), "notes": define_table({"author": v.id("users")})},
    )
    found = misfit(plan, "notes.author")
    assert found.message == (
        "it refers to auth.users, which no source table that is moved or declared existing stands for."
    )
    assert "`ids` file" in found.hint


def test_a_reference_to_a_table_that_is_left_behind(make: Make) -> None:
    plan = make(
        AUTHORS + "CREATE TABLE notes (id int PRIMARY KEY, author uuid REFERENCES authors);",
        {"authors": define_table({}), "notes": define_table({"author": v.id("authors")})},
        'tables.authors.skip = "not needed"',
    )
    assert misfit(plan, "notes.author").message.startswith("it refers to public.authors, which no source table")


@pytest.mark.parametrize("rule", ["columns.author.truncate = 3", 'columns.author = { truncate = 3, ids = "ids.csv" }'])
def test_an_id_is_not_cut(make: Make, rule: str) -> None:
    plan = make(
        AUTHORS + "CREATE TABLE notes (id int PRIMARY KEY, author uuid REFERENCES authors);",
        {
            "authors": define_table({}),
            "notes": define_table({"author": v.string() if "ids" in rule else v.id("authors")}),
        },
        rule,
        {"ids.csv": "old,new\n"},
    )
    assert misfit(plan, "notes.author") == Misfit("truncate cuts text, and this becomes an id.", "Leave truncate out.")


def test_an_id_of_a_table_that_nothing_goes_to(make: Make) -> None:
    plan = make(NOTES, {"empty": define_table({}), "notes": define_table({"text": v.id("empty")})})
    assert misfit(plan, "notes.text").message.startswith("it refers to empty, which no source table")


def test_a_field_that_names_another_table_than_the_foreign_key(make: Make) -> None:
    plan = make(
        AUTHORS + NOTES + "ALTER TABLE notes ADD COLUMN author uuid REFERENCES authors;",
        {"authors": define_table({}), "notes": define_table({"author": v.id("notes"), "text": v.any()})},
    )
    found = misfit(plan, "notes.author")
    assert found.message == (
        'its foreign key refers to public.authors, which is authors, but the field is v.id("notes").'
    )
    assert found.hint == 'Make it v.id("authors").'


def test_a_table_whose_key_has_several_columns_cannot_be_named_by_one(make: Make) -> None:
    plan = make(
        "CREATE TABLE parts (a int, b int, PRIMARY KEY (a, b)); CREATE TABLE notes (id int PRIMARY KEY, part int);",
        {"parts": define_table({"a": v.any(), "b": v.any()}), "notes": define_table({"part": v.id("parts")})},
    )
    found = misfit(plan, "notes.part")
    assert found.message == "public.parts has no key of one column that it could refer to."
    assert found.hint.endswith('{ references = ["…"] } with a column for each of a, b.')


def test_a_table_without_a_key_cannot_be_named_at_all(make: Make) -> None:
    plan = make(
        "CREATE TABLE parts (code text UNIQUE);"
        "CREATE TABLE notes (id int PRIMARY KEY, part text REFERENCES parts (code), other text);",
        {
            "parts": define_table({"code": v.any()}),
            "notes": define_table({"part": v.id("parts"), "other": v.id("parts")}),
        },
    )
    for name in ("part", "other"):
        assert misfit(plan, f"notes.{name}").message.startswith("public.parts has no key of one column")


def test_a_key_that_there_is_not_is_for_the_check_to_report(make: Make) -> None:
    plan = make(
        AUTHORS + "CREATE TABLE notes (id int PRIMARY KEY, author uuid);",
        {"authors": define_table({}), "notes": define_table({"author": v.id("authors")})},
        'tables.authors.key = ["idd"]',
    )
    assert table(plan, "authors").key == Key(("idd",), "hash")


def test_a_column_whose_type_cannot_name_the_key(make: Make) -> None:
    """Without a constraint nothing says that the types match, and comparing them fails when rows are copied."""
    plan = make(
        AUTHORS + "CREATE TABLE numbered (id int8 PRIMARY KEY); CREATE TABLE coded (code text PRIMARY KEY);"
        "CREATE TABLE notes (id int PRIMARY KEY, a text, b text, c int, d uuid, e int2, f varchar(9));",
        {
            "authors": define_table({}),
            "numbered": define_table({}),
            "coded": define_table({"code": v.string()}),
            "notes": define_table(
                {
                    "a": v.id("authors"),
                    "b": v.id("numbered"),
                    "c": v.id("coded"),
                    "d": v.id("coded"),
                    "e": v.id("numbered"),
                    "f": v.id("coded"),
                }
            ),
        },
    )
    assert misfit(plan, "notes.a").message == "it is text, but public.authors.id is uuid."
    assert misfit(plan, "notes.a").hint == 'Give the column an sql expression, such as sql = "a::uuid".'
    assert misfit(plan, "notes.d").message == "it is uuid, but public.coded.code is text."
    assert reference(plan, "notes.e").table == "numbered"
    assert reference(plan, "notes.f").table == "coded"
    assert misfit(plan, "notes.b").message == "it is text, but public.numbered.id is bigint."
    assert misfit(plan, "notes.c").message == "it is integer, but public.coded.code is text."


# ---------------------------------------------------------------------------------------------------- the source's key


def test_supabase_id_holds_the_row_s_key_as_text(make: Make) -> None:
    plan = make(
        NOTES + "CREATE TABLE pairs (a text, b int, PRIMARY KEY (a, b));",
        {
            "notes": define_table({"text": v.any(), "supabaseId": v.optional(v.string())}),
            "pairs": define_table({"a": v.any(), "b": v.any(), "supabase_id": v.string()}),
        },
    )
    assert field(plan, "notes.supabaseId").source == '(t."id"::text)'
    assert field(plan, "notes.supabaseId").column is None
    assert "to_jsonb" in field(plan, "pairs.supabase_id").source


def test_a_column_of_that_name_comes_first(make: Make) -> None:
    plan = make(
        "CREATE TABLE notes (id int PRIMARY KEY, supabase_id text);",
        {"notes": define_table({"supabase_id": v.optional(v.string())})},
    )
    assert field(plan, "notes.supabase_id").place == "supabase_id"
    assert field(plan, "notes.supabase_id").column is not None


def test_a_supabase_id_that_is_no_text_gets_nothing_and_one_of_a_row_without_a_key_the_row(make: Make) -> None:
    plan = make(
        NOTES + "CREATE TABLE keyless (text text);",
        {
            "notes": define_table({"text": v.any(), "supabaseId": v.number()}),
            "keyless": define_table({"text": v.any(), "supabaseId": v.string()}),
        },
    )
    assert [planned.name for planned in table(plan, "notes").fields] == ["text"]
    assert [planned.name for planned in table(plan, "keyless").fields] == ["text", "supabaseId"]


# ------------------------------------------------------------------------------------------------------ creation time


def creation(make: Make, columns: str, toml: str = "") -> tuple[str, ...]:
    make(f"DROP TABLE IF EXISTS notes; CREATE TABLE notes (id int PRIMARY KEY, {columns})", {}, toml)
    plan = make("", {"notes": define_table(v.any())}, toml)
    return table(plan, "notes").creation.columns


def test_the_creation_time_is_the_first_column_that_says_so(make: Make) -> None:
    for columns, expected in [
        ("inserted_at timestamptz, created_at timestamptz", ("created_at",)),
        ('"createdAt" timestamp, created date', ("createdAt",)),
        ("created_on date", ("created_on",)),
        ("created_at text, inserted_at timestamptz", ("inserted_at",)),
        ("created_at timestamptz, updated_at timestamptz", ("created_at", "updated_at")),
        ("updated_at timestamptz", ()),
        ("created_at time", ()),
        ("text text", ()),
    ]:
        assert creation(make, columns) == expected, columns


def test_the_project_may_choose_the_column(make: Make) -> None:
    columns = "created_at timestamptz, written timestamptz, updated_at timestamptz"
    assert creation(make, columns, 'tables.notes.created = "written"') == ("written", "updated_at")
    assert creation(make, columns, 'tables.notes.created = "updated_at"') == ("updated_at",)


FILLED = """CREATE TABLE notes (id int PRIMARY KEY, a int DEFAULT 5, b int DEFAULT 6, c timestamptz DEFAULT now(),
    d int DEFAULT 7 CHECK (d > 0), e int DEFAULT 8, f int DEFAULT 9, g int DEFAULT 10, UNIQUE (e),
    EXCLUDE USING btree ((f + 1) WITH =));
    CREATE UNIQUE INDEX ON notes ((abs(a))) WHERE g > 1;
    CREATE INDEX ON notes (b);"""
FIELDS = {
    "a": v.optional(v.number(default=7)), "b": v.number(), "c": v.number(), "d": v.number(default=1),
    "e": v.number(), "f": v.number(), "g": v.number(default=3),
}  # fmt: skip


def filled(make: Make, toml: str) -> dict[str, object]:
    plan = make(FILLED, {"notes": define_table(FIELDS)}, toml)
    return {planned.name: planned.fill for planned in table(plan, "notes").fields if planned.fill is not MISSING}


@pytest.mark.parametrize("toml", ["", 'fill = "none"', 'fill = "defaults"\ntables.notes.fill = "none"'])
def test_null_is_filled_only_where_that_is_asked_for(make: Make, toml: str) -> None:
    assert filled(make, toml) == {}


@pytest.mark.parametrize("toml", ['fill = "defaults"', 'tables.notes.fill = "defaults"'])
def test_what_a_constraint_reads_is_filled_by_name_only(make: Make, toml: str) -> None:
    assert filled(make, toml) == {"b": 6.0}


def test_what_a_constraint_reads_is_filled_where_it_is_named(make: Make) -> None:
    named = "".join(f'tables.notes.columns.{name}.fill = "defaults"\n' for name in "acdefg")
    assert filled(make, f'tables.notes.fill = "defaults"\n{named}') == {
        "a": 7.0,
        "b": 6.0,
        "d": 1.0,
        "e": 8.0,
        "f": 9.0,
        "g": 3.0,
    }


def test_one_column_is_not_filled(make: Make) -> None:
    assert filled(make, 'fill = "defaults"\ntables.notes.columns.b.fill = "none"') == {}


@pytest.mark.parametrize(
    ("type_", "default", "validator", "expected"),
    [
        ("text", "'x'", v.string(), "x"),
        ("text", "'x'", v.number(), MISSING),
        ("char(3)", "'x'", v.string(), "x  "),
        ("numeric(30,5)", "1.50", v.string(), "1.50000"),
        ("numeric(5,2)", "-1.5", v.number(), -1.5),
        ("jsonb", """'{"a": 1}'""", v.record(v.string(), v.number()), {"a": 1.0}),
        ("jsonb", """'{"a": 1}'""", v.any(), MISSING),
        ("text[]", "'{}'", v.array(v.string()), []),
        ("text", "'x'", v.string(one_of=["y"]), MISSING),
        ("text", "'x'", v.union(v.string(), v.null()), MISSING),
        ("text", "'x'", v.optional(v.string()), MISSING),
        ("uuid", "gen_random_uuid()", v.string(), MISSING),
        ("float8", "random()", v.number(), MISSING),
        ("date", "CURRENT_DATE", v.string(), MISSING),
    ],
)
def test_a_required_field_without_a_default_is_filled_with_the_columns_constant(
    make: Make, type_: str, default: str, validator: Validator, expected: object
) -> None:
    sql = f"CREATE TABLE notes (id int PRIMARY KEY, a {type_} DEFAULT {default});"
    plan = make(sql, {"notes": define_table({"a": validator})}, 'fill = "defaults"')
    fields = table(plan, "notes").fields
    assert (fields[0].fill if fields else MISSING) == expected
