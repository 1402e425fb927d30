"""Random databases as SQL, for Hypothesis: every type, every kind of key and reference, names that need renaming."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import strategies as st

from supavex.postgres.connection import quoted

TYPES = (
    "text", "varchar(10)", "char(3)", "citext", "uuid", "int2", "int4", "int8", "numeric", "numeric(10,2)",
    "numeric(5)",
    "numeric(78,0)", "float4", "float8", "bool", "date", "time", "timetz", "timestamp", "timestamptz", "timestamptz(3)",
    "interval", "json", "jsonb", "bytea", "inet", "cidr", "macaddr", "bit(3)", "varbit", "money", "xml", "tsvector",
    "point", "int4range", "numrange", "tstzrange", "daterange", "int4multirange", "vector(3)", "mood", "positive",
    "pair",
    "text[]", "int4[]", "int8[]", "numeric[]", "float8[]", "float4[]", "bool[]", "uuid[]", "timestamptz[]", "date[]",
    "jsonb[]", "bytea[]", "mood[]", "time[]", "int4[][]", "text[][]", "pair[]", "numeric(6,2)[]", "name", "oid",
    '"char"',
    "email", "interval[]", "inet[]", "timestamp[]",
    "no_mood", "no_mood[]", "size", "size[]", "level", "percent[]", "currency", "tags", "some_id",
)  # fmt: skip
PRELUDE = """
CREATE EXTENSION IF NOT EXISTS vector SCHEMA extensions;
CREATE EXTENSION IF NOT EXISTS citext SCHEMA extensions;
CREATE TYPE mood AS ENUM ('sad', 'it''s "ok"', 'größer');
CREATE DOMAIN positive AS int4 CHECK (VALUE > 0);
CREATE DOMAIN email AS text CHECK (VALUE LIKE '%@%');
CREATE TYPE pair AS (a int4, b text);
CREATE EXTENSION IF NOT EXISTS pg_trgm SCHEMA extensions;
CREATE TYPE no_mood AS ENUM ();
CREATE DOMAIN any_size AS varchar(8) DEFAULT 'm' CHECK (VALUE IN ('s', 'm', 'l', 'it''s'));
CREATE DOMAIN size AS any_size CHECK (VALUE <> 'l');
CREATE DOMAIN level AS int2 NOT NULL DEFAULT 1 CHECK (VALUE BETWEEN 1 AND 9);
CREATE DOMAIN percent AS numeric(5,2) CHECK (VALUE >= 0 AND VALUE <= 100);
CREATE DOMAIN currency AS text CHECK (VALUE ~ '^[A-Z]{3}$');
CREATE DOMAIN tags AS text[] DEFAULT '{}';
CREATE DOMAIN some_id AS uuid;
"""
TABLE_NAMES = (
    "users", "orders", "order_lines", "Order", "user accounts", "_prisma_migrations", "größe", "$cash", "API_ACCESS",
    "class",
    "a" * 63, "order-lines", "select", "audit_log", "OrderLines", "1st", "таблица",
)  # fmt: skip
COLUMN_NAMES = (
    "name", "title", "from", "order", "größe", "_private", "$ref", "a b", "created_at", "updated_at", "Kind",
    "b" * 63, "1st",
    "status", "data", "user_id", "order_id", "author", "class", "date_created", "opened", "id",
    "creation_time", "_id", "_creationTime", "цена", "is_active", "constructor",
    "supabase_id",
)  # fmt: skip
KEYS = ("uuid", "int8", "int4", "int2", "text", "varchar(20)", "mood", "numeric(8,2)", "date", "timestamptz", "citext")


@dataclass(frozen=True)
class _Made:
    """A table that others may refer to: its name, and its key's columns with their types."""

    name: str
    key: tuple[tuple[str, str], ...]
    unique: tuple[str, str] | None


@st.composite
def databases(draw: st.DrawFn) -> str:
    """The SQL of a database with one to four tables."""
    names = draw(st.lists(st.sampled_from(TABLE_NAMES), min_size=1, max_size=4, unique=True))
    made: list[_Made] = []
    statements = [_table(draw, name, made) for name in names]
    # Cycles can only be closed afterwards.
    if len(made) > 1 and draw(st.booleans()):
        child, parent = made[0], made[-1]
        if len(parent.key) == 1:
            column, type_ = f"back_to_{len(made)}", parent.key[0][1]
            statements.append(
                f"ALTER TABLE {quoted(child.name)} ADD COLUMN {column} {type_} REFERENCES {quoted(parent.name)}"
            )
    return ";\n".join(statements) + ";\n"


def _table(draw: st.DrawFn, name: str, made: list[_Made]) -> str:
    parts: list[str] = []
    kind = draw(st.sampled_from(("single", "single", "single", "composite", "none", "shared")))
    key: tuple[tuple[str, str], ...] = ()
    parents = [parent for parent in made if parent.key]
    if kind == "shared" and parents:
        # One-to-one: the key is the parent's.
        parent = draw(st.sampled_from(parents))
        key = tuple((f"of_{column}", type_) for column, type_ in parent.key)
        parts += [f"{quoted(column)} {type_}" for column, type_ in key]
        own, theirs = _names(key), _names(parent.key)
        parts.append(f"PRIMARY KEY ({own}), FOREIGN KEY ({own}) REFERENCES {quoted(parent.name)} ({theirs})")
    elif kind == "composite":
        types = draw(st.lists(st.sampled_from(KEYS), min_size=2, max_size=3))
        key = tuple((f"k{number}", type_) for number, type_ in enumerate(types))
        parts += [f"{column} {type_}" for column, type_ in key]
        parts.append(f"PRIMARY KEY ({_names(key)})")
    elif kind != "none":
        type_ = draw(st.sampled_from((*KEYS, "uuid", "uuid", "int8 GENERATED ALWAYS AS IDENTITY")))
        key = ((draw(st.sampled_from(("id", "ID", "slug"))), type_.partition(" ")[0]),)
        parts.append(f"{quoted(key[0][0])} {type_} PRIMARY KEY")
    taken = {column.lower() for column, _ in key}
    unique = None
    columns = draw(st.lists(st.tuples(st.sampled_from(COLUMN_NAMES), st.sampled_from(TYPES)), max_size=6))
    for column, type_ in columns:
        if column.lower() in taken:
            continue
        taken.add(column.lower())
        parts.append(_column(draw, column, type_))
        if type_ in ("text", "int4", "uuid") and unique is None and draw(st.booleans()):
            unique = (column, type_)
            parts.append(f"UNIQUE ({quoted(column)})")
    for number in range(draw(st.integers(0, 2))):
        reference = _reference(draw, number, made, _Made(name, key, unique))
        if reference:
            parts += reference
    if not parts:
        parts.append("only_column text")
    made.append(_Made(name, key, unique))
    texts = [column for column, type_ in columns if type_ in ("text", "varchar(10)") and _is_first(column, columns)]
    texts = [column for column in texts if column.lower() not in {other.lower() for other, _ in key}]
    created, after = _searches(draw, name, texts)
    return ";\n".join([f"CREATE TABLE {quoted(name)} ({', '.join([*parts, *created])})", *after])


def _is_first(column: str, columns: list[tuple[str, str]]) -> bool:
    """Whether a column is the one that is made of those that have its name in any case."""
    return next(other for other, _ in columns if other.lower() == column.lower()) == column


def _searches(draw: st.DrawFn, table: str, texts: list[str]) -> tuple[list[str], list[str]]:
    """Columns that hold a text's words, and indexes that search texts."""
    if not texts or draw(st.booleans()):
        return [], []
    columns, indexes = [], []
    words = " || ' ' || ".join(f"coalesce({quoted(text)}, '')" for text in texts)
    if draw(st.booleans()):
        columns.append(f"words tsvector GENERATED ALWAYS AS (to_tsvector('simple', {words})) STORED")
        indexes.append(f"CREATE INDEX ON {quoted(table)} USING gin (words)")
    if draw(st.booleans()):
        indexes.append(f"CREATE INDEX ON {quoted(table)} USING gin ({quoted(texts[-1])} extensions.gin_trgm_ops)")
    if draw(st.booleans()):
        indexes.append(f"CREATE INDEX ON {quoted(table)} USING gin (to_tsvector('simple', {words}))")
    return columns, indexes


def _column(draw: st.DrawFn, name: str, type_: str) -> str:
    text = f"{quoted(name)} {type_}"
    if draw(st.booleans()):
        text += " NOT NULL"
    if type_ == "text" and draw(st.booleans()):
        text += f" CHECK ({quoted(name)} IN ('new', 'it''s done', 'größer'))"
        return text + (" DEFAULT 'new'" if draw(st.booleans()) else "")
    if type_ in ("int4", "int2", "float8", "numeric(10,2)") and draw(st.booleans()):
        text += f" CHECK ({quoted(name)} >= 0 AND {quoted(name)} < 100)"
    elif type_ == "varchar(10)" and draw(st.booleans()):
        text += f" CHECK (char_length({quoted(name)}) BETWEEN 2 AND 8)"
    defaults = {
        "text": "'it''s'", "int4": "0", "numeric(10,2)": "1.50", "float8": "-1.5", "bool": "true",
        "jsonb": "'{\"a\": [1]}'",
        "text[]": "'{}'", "timestamptz": "now()", "uuid": "gen_random_uuid()", "mood": "'sad'", "int8": "5",
    }  # fmt: skip
    if type_ in defaults and draw(st.booleans()):
        text += f" DEFAULT {defaults[type_]}"
    return text


def _reference(draw: st.DrawFn, number: int, made: list[_Made], own: _Made) -> list[str] | None:
    """A foreign key, with the columns it needs."""
    kinds = ["auth", *(["parent"] * 3 if made else []), *(["self"] if len(own.key) == 1 else [])]
    kind = draw(st.sampled_from(kinds))
    required = " NOT NULL" if draw(st.booleans()) else ""
    if kind == "auth":
        return [f"owner_{number} uuid{required} REFERENCES auth.users ON DELETE CASCADE"]
    if kind == "self":
        return [f"parent_{number} {own.key[0][1]} REFERENCES {quoted(own.name)}"]
    parent = draw(st.sampled_from(made))
    if len(parent.key) == 1 and parent.key[0][1] == "uuid" and draw(st.booleans()):
        column = f"both_{number}"
        return [
            f"{column} uuid CONSTRAINT a_{column} REFERENCES auth.users",
            f"CONSTRAINT b_{column} FOREIGN KEY ({column}) REFERENCES {quoted(parent.name)}",
        ]
    if parent.unique is not None and draw(st.booleans()):
        column, type_ = parent.unique
        return [f"by_{number} {type_}{required} REFERENCES {quoted(parent.name)} ({quoted(column)})"]
    if not parent.key:
        return None
    columns = tuple((f"ref_{number}_{position}", type_) for position, (_, type_) in enumerate(parent.key))
    order = list(range(len(columns)))
    if draw(st.booleans()):
        order.reverse()
    parts = [f"{column} {type_}{required}" for column, type_ in columns]
    names = ", ".join(columns[i][0] for i in order)
    theirs = ", ".join(quoted(parent.key[i][0]) for i in order)
    parts.append(f"FOREIGN KEY ({names}) REFERENCES {quoted(parent.name)} ({theirs}) ON DELETE SET NULL")
    return parts


def _names(key: tuple[tuple[str, str], ...]) -> str:
    return ", ".join(quoted(column) for column, _ in key)
