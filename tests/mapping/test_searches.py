"""What a table is searched by, read from what PostgreSQL makes of columns, triggers and indexes."""

import pytest

from supavex.mapping.searches import searches
from supavex.postgres import server as servers
from tests.databases import Database

COLUMNS = "title text, body text, slug varchar(9), status text, data jsonb, n int, tags text[], lang regconfig"


def found(database: Database, columns: str = "", after: str = "") -> dict[str, str]:
    """Of a table ``posts`` with more columns, and what comes after it: each search by its name, as its texts."""
    database.run("CREATE EXTENSION IF NOT EXISTS pg_trgm SCHEMA extensions", role=servers.SUPERUSER)
    database.run(f"CREATE TABLE posts ({COLUMNS}{columns}); {after}")
    return {search.name: " ".join(map(str, search.texts)) for search in searches(database.table("posts"))}


@pytest.mark.parametrize(
    ("expression", "texts"),
    [
        ("to_tsvector('english', title)", "title"),
        ("to_tsvector('english', title || ' ' || body)", "title body"),
        ("to_tsvector('english', coalesce(body, '') || ' ' || coalesce(title, '') || body)", "body title"),
        ("setweight(to_tsvector('simple', coalesce(title, '')), 'A') || setweight(to_tsvector('simple', body), 'B')",
         "title body"),
        ("to_tsvector('simple', data ->> 'name')", "data.name"),
        ("to_tsvector('simple', title || (data -> 'a' ->> 'b') || (data #>> '{c,d}'))", "title data.a.b data.c.d"),
        ("to_tsvector('simple', data)", ""),
        ("to_tsvector('simple', data ->> 'no field')", ""),
        ("CASE WHEN status = 'draft' THEN to_tsvector('simple', '') ELSE to_tsvector('simple', title) END", "title"),
        ("to_tsvector(lang, body)", "body"),
        ("to_tsvector('simple', joined(tags) || title)", "tags title"),
        ("to_tsvector('simple', 'title')", ""),
        ("words(title, slug)", "title slug"),
    ],
)  # fmt: skip
def test_generated_columns(database: Database, expression: str, texts: str) -> None:
    database.run("""
        CREATE FUNCTION words(text, varchar) RETURNS tsvector IMMUTABLE LANGUAGE sql
          AS $$ SELECT to_tsvector('simple', $1 || $2) $$;
        CREATE FUNCTION joined(text[]) RETURNS text IMMUTABLE LANGUAGE sql AS $$ SELECT array_to_string($1, ' ') $$;
    """)
    column = f", fts tsvector GENERATED ALWAYS AS ({expression}) STORED"
    assert found(database, column, "CREATE INDEX posts_fts ON posts USING gin (fts)") == {"fts": texts}


TRIGGERS = {
    "tsvector_update_trigger(fts, 'pg_catalog.english', body, title)": "body title",
    "tsvector_update_trigger_column(fts, lang, title)": "title",
    "keep()": "title body",
}


@pytest.mark.parametrize(("function", "texts"), TRIGGERS.items())
def test_columns_that_a_trigger_keeps(database: Database, function: str, texts: str) -> None:
    database.run("""
        CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
          -- NEW.fts := to_tsvector(NEW.slug);
          IF NEW.status = 'draft' THEN RETURN NEW; END IF;
          NEW.fts := setweight(to_tsvector('english', coalesce(NEW.title, '')), 'A') || to_tsvector(NEW."body");
          RETURN NEW;
        END $$
    """)
    after = f"CREATE TRIGGER keep BEFORE INSERT OR UPDATE ON posts FOR EACH ROW EXECUTE FUNCTION {function}"
    assert found(database, ", fts tsvector", after) == {"fts": texts}


def test_a_column_that_nothing_says_anything_of(database: Database) -> None:
    assert found(database, ", fts tsvector") == {"fts": ""}


@pytest.mark.parametrize(
    ("index", "texts"),
    [
        ("gin (title extensions.gin_trgm_ops)", ["title"]),
        ("gist (title extensions.gist_trgm_ops (siglen=32))", ["title"]),
        ("gin (title extensions.gin_trgm_ops, body extensions.gin_trgm_ops)", ["title", "body"]),
        ("gin ((title || ' ' || body) extensions.gin_trgm_ops)", ["title body"]),
        ("gin (lower(slug) extensions.gin_trgm_ops) WHERE status = 'new'", ["slug"]),
        ("gin (to_tsvector('english', title || ' ' || coalesce(body, '')))", ["title body"]),
        ("gin (to_tsvector('english', body)) WHERE title <> ''", ["body"]),
        ("gin ((data ->> 'name') extensions.gin_trgm_ops)", ["data.name"]),
        ("gin (tags)", []),
        ("gin (data)", []),
        ("btree (title)", []),
        ("btree (title text_pattern_ops)", []),
    ],
)
def test_indexes(database: Database, index: str, texts: list[str]) -> None:
    database.run("CREATE EXTENSION IF NOT EXISTS pg_trgm SCHEMA extensions", role=servers.SUPERUSER)
    database.run(f"CREATE TABLE posts ({COLUMNS}); CREATE INDEX i ON posts USING {index}")
    assert [" ".join(map(str, search.texts)) for search in searches(database.table("posts"))] == texts


def test_the_same_search_twice_is_one(database: Database) -> None:
    after = "CREATE INDEX a ON posts USING gin (to_tsvector('simple', title)); "
    after += "CREATE INDEX b ON posts USING gin (title extensions.gin_trgm_ops)"
    column = ", fts tsvector GENERATED ALWAYS AS (to_tsvector('simple', title)) STORED"
    assert found(database, column, after) == {"fts": "title"}


def test_columns_with_names_that_need_quotes(database: Database) -> None:
    database.run("""CREATE TABLE posts ("Title" text, "the body" text, "größe" text,
        fts tsvector GENERATED ALWAYS AS (to_tsvector('simple', "the body" || "Title" || "größe")) STORED)""")
    (search,) = searches(database.table("posts"))
    assert [text.column for text in search.texts] == ["the body", "Title", "größe"]
