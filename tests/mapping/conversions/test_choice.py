"""Which conversion a column of each type gets for each kind of field, or why there is none."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import pytest

from supavex.convex.validators import Validator
from supavex.mapping.conversions import Conversion, Misfit, Target, choose, registered
from supavex.mapping.seen_text import seen_text
from supavex.postgres import server as servers
from supavex.postgres.catalog import Type
from supavex.schema import v
from supavex.settings.rules import ColumnRule, InvalidJson, NonFinite
from tests.databases import Database, new_database

#: The kinds of fields, by the names that the table below uses.
FIELDS: dict[str, Validator] = {
    "number": v.number(),
    "int64": v.int64(),
    "string": v.string(),
    "boolean": v.boolean(),
    "bytes": v.bytes(),
    "any": v.any(),
    "null": v.null(),
    "id": v.id("notes"),
    "object": v.object({"a": v.optional(v.any())}),
    "record": v.record(v.string(), v.any()),
    "strings": v.array(v.string()),
    "numbers": v.array(v.number()),
    "int64s": v.array(v.int64()),
    "booleans": v.array(v.boolean()),
    "bytes_array": v.array(v.bytes()),
    "anys": v.array(v.any()),
}
_JSON = dict.fromkeys(
    ("any", "object", "record", "strings", "numbers", "int64s", "booleans", "bytes_array", "anys"), "json"
)
_TEXT = {"string": "text", "any": "text"}
_INTEGER = {
    "number": "integer as number",
    "int64": "integer as int64",
    "string": "integer as text",
    "any": "integer as number",
}
_FLOAT = {"number": "float as number", "string": "float as text", "any": "float as number"}
_MOMENT = {"number": "moment as milliseconds", "string": "moment as text", "any": "moment as milliseconds"}
_ANY = ("anys", "any")


def _array(**elements: str) -> dict[str, str]:
    """The conversions of an array, by kind of field, from those of its elements; ``any`` stands for both such kinds."""
    named = {kind: f"array of {name}" for kind, name in elements.items()}
    anything = named.pop("any")
    return {**named, **dict.fromkeys(_ANY, anything)}


_STRINGS = _array(strings="text", any="text")
_INTEGERS = _array(
    numbers="integer as number", int64s="integer as int64", strings="integer as text", any="integer as number"
)
_DECIMALS = _array(
    numbers="numeric as number", int64s="numeric as int64", strings="numeric as text", any="numeric as number"
)
_FLOATS = _array(numbers="float as number", strings="float as text", any="float as number")


def _as_text(name: str) -> dict[str, str]:
    return {"string": f"{name} as text", "any": f"{name} as text"}


#: Type to kind of field to conversion. A kind that is not here does not fit.
TABLE: dict[str, dict[str, str]] = {
    "uuid": _TEXT,
    "text": _TEXT,
    "varchar(3)": _TEXT,
    "char(5)": _TEXT,
    '"char"': _TEXT,
    "name": _TEXT,
    "xml": _TEXT,
    "public.mood": _TEXT,
    "public.short_text": _TEXT,
    "int2": _INTEGER,
    "int4": _INTEGER,
    "int8": _INTEGER,
    "oid": _INTEGER,
    "numeric": {
        "number": "numeric as number",
        "int64": "numeric as int64",
        "string": "numeric as text",
        "any": "numeric as number",
    },
    "money": {
        "number": "money as number",
        "int64": "money as int64",
        "string": "money as text",
        "any": "money as number",
    },
    "float4": _FLOAT,
    "float8": _FLOAT,
    "bool": {"boolean": "boolean", "any": "boolean"},
    "bytea": {"bytes": "bytes", "string": "bytes as base64 text", "any": "bytes"},
    "json": {"string": "json as text", **_JSON},
    "jsonb": {"string": "json as text", **_JSON},
    "timestamptz": _MOMENT,
    "timestamp": _MOMENT,
    "date": {"string": "date as text", "number": "moment as milliseconds", "any": "date as text"},
    "time": _as_text("time"),
    "timetz": _as_text("timetz"),
    "interval": _as_text("interval"),
    "inet": _as_text("inet"),
    "int4range": _as_text("int4range"),
    "int4multirange": _as_text("int4multirange"),
    "tsvector": _as_text("tsvector"),
    "point": _as_text("point"),
    "bit(3)": _as_text("bit"),
    "app.place": {"string": "place as text", **dict.fromkeys(("any", "object", "record"), "app.place as json")},
    "extensions.hstore": {
        "string": "hstore as text",
        **dict.fromkeys(("any", "object", "record"), "extensions.hstore as json"),
    },
    "extensions.vector(3)": {"string": "vector as text", "numbers": "vector", "any": "vector"},
    "extensions.halfvec(3)": {"string": "vector as text", "numbers": "vector", "any": "vector"},
    "extensions.sparsevec(3)": _as_text("sparsevec"),
    "text[]": _STRINGS,
    "varchar(3)[]": _STRINGS,
    "uuid[]": _STRINGS,
    "public.mood[]": _STRINGS,
    "public.tags": _STRINGS,
    "int4[]": _INTEGERS,
    "int8[]": _INTEGERS,
    "numeric[]": _DECIMALS,
    "money[]": {kind: name.replace("numeric", "money") for kind, name in _DECIMALS.items()},
    "float8[]": _FLOATS,
    "float4[]": _FLOATS,
    "bool[]": _array(booleans="boolean", any="boolean"),
    "date[]": _array(numbers="moment as milliseconds", strings="date as text", any="date as text"),
    "time[]": _array(strings="time as text", any="time as text"),
    "timestamptz[]": _array(numbers="moment as milliseconds", strings="moment as text", any="moment as milliseconds"),
    "json[]": {kind: "json" for kind in _JSON if kind not in ("object", "record")},
    "jsonb[]": {kind: "json" for kind in _JSON if kind not in ("object", "record")},
    "bytea[]": _array(bytes_array="bytes", strings="bytes as base64 text", any="bytes"),
    "inet[]": _array(strings="inet as text", any="inet as text"),
    "app.place[]": {"strings": "array of place as text", **dict.fromkeys(_ANY, "app.place[] as json")},
}


@contextmanager
def database_with_types(server: servers.Server, names: Iterable[str]) -> Iterator[tuple[Database, dict[str, Type]]]:
    """A database that has the types of ``names``, and each of them as inspection reads it."""
    with new_database(server) as database:
        for extension in ("vector", "hstore"):
            database.run(f"CREATE EXTENSION {extension} SCHEMA extensions", role=servers.SUPERUSER)
        database.run("""
            CREATE SCHEMA app;
            CREATE TYPE mood AS ENUM ('good', 'bad');
            CREATE DOMAIN short_text AS varchar(9) CHECK (value <> '');
            CREATE DOMAIN tags AS text[];
            CREATE TYPE app.place AS (x int, y int);
        """)
        columns = ", ".join(f'"{name}" {name}' if '"' not in name else f"quoted {name}" for name in names)
        database.run(f"CREATE TABLE everything ({columns})")
        types = (column.type for column in database.table("everything").columns)
        yield database, dict(zip(names, types, strict=True))


@pytest.fixture(scope="module")
def types(server: servers.Server) -> Iterator[dict[str, Type]]:
    """Each type of the table as inspection reads it."""
    with database_with_types(server, list(TABLE)) as (_, types):
        yield types


@pytest.mark.parametrize("type_", TABLE)
def test_each_type_into_each_kind_of_field(types: dict[str, Type], type_: str) -> None:
    chosen = {name: choose(types[type_], Target(field), ColumnRule()) for name, field in FIELDS.items()}
    assert {name: found.name for name, found in chosen.items() if isinstance(found, Conversion)} == TABLE[type_]
    for name, found in chosen.items():
        if isinstance(found, Misfit):
            assert types[type_].name in found.message
            assert str(FIELDS[name]) in found.message


RULES = [
    ColumnRule(),
    ColumnRule(lossy=True),
    ColumnRule(nonfinite="null"),
    ColumnRule(nonfinite="keep"),
    ColumnRule(lossy=True, nonfinite="null"),
    ColumnRule(invalid_json="escape"),
    ColumnRule(truncate=3),
]


@pytest.mark.parametrize("type_", TABLE)
def test_what_the_proof_reads_is_not_made_of_what_the_copy_reads(types: dict[str, Type], type_: str) -> None:
    made = [choose(types[type_], Target(field), rule) for field in FIELDS.values() for rule in RULES]
    shared = {
        conversion.name
        for conversion in made
        # The column itself, and its text, are what PostgreSQL says without any SQL of the copy's.
        if isinstance(conversion, Conversion) and conversion.select not in ("{c}", "{c}::text")
        for text in [seen_text(types[type_], conversion)]
        if conversion.select in text or text in conversion.select.replace("{c}::text", "")
    }
    assert shared == set()


@pytest.mark.parametrize(
    ("type_", "hint"),
    [
        ("text", "Use v.string()."),
        ("uuid", "Use v.string()."),
        ("public.mood", "Use v.string()."),
        ("bool", "Use v.boolean()."),
        ("int8", "Use v.number() or v.int64()."),
        ("numeric", "Use v.number() or v.string()."),
        ("float8", "Use v.number()."),
        ("bytea", "Use v.bytes() or v.string()."),
        ("timestamptz", "Use v.number()."),
        ("date", "Use v.string() or v.number()."),
        ("time", "Use v.string()."),
        ("interval", "Use v.string()."),
        ("jsonb", "Use v.any() or v.object({…}) or v.string()."),
        ("extensions.vector(3)", "Use v.array(v.float64())."),
        ("text[]", "Use v.array(…)."),
    ],
)
def test_a_misfit_says_what_would_fit(types: dict[str, Type], type_: str, hint: str) -> None:
    found = choose(types[type_], Target(v.null()), ColumnRule())
    assert isinstance(found, Misfit)
    assert found.hint == hint
    assert found.message == f"{types[type_].name} does not fit v.null()."


def test_an_array_whose_elements_do_not_fit_says_what_would(types: dict[str, Type]) -> None:
    assert choose(types["text[]"], Target(v.array(v.number())), ColumnRule()) == Misfit(
        "text[] does not fit v.array(v.number()): text does not fit v.number().", "Use v.string()."
    )
    found = choose(types["int4[]"], Target(v.array(v.array(v.boolean()))), ColumnRule())
    assert isinstance(found, Misfit)
    assert found.message.endswith("integer does not fit v.boolean().")


# ------------------------------------------------------------------------------------------------------ kinds of fields


@pytest.mark.parametrize(
    ("type_", "field", "name"),
    [
        ("text", v.optional(v.string()), "text"),
        ("text", v.union(v.string(), v.null()), "text"),
        ("text", v.union(v.literal("a"), v.literal("b")), "text"),
        ("text", v.optional(v.union(v.union(v.literal("a"), v.null()), v.number())), "text"),
        ("public.mood", v.union(v.literal("good"), v.literal("bad")), "text"),
        ("int4", v.union(v.literal(1), v.literal(2)), "integer as number"),
        ("int4", v.union(v.literal_int64(1), v.literal_int64(2)), "integer as int64"),
        ("int4", v.union(v.string(), v.number()), "integer as number"),
        ("int4", v.union(v.literal("1"), v.literal("2")), "integer as text"),
        ("int8", v.union(v.null(), v.int64()), "integer as int64"),
        ("bool", v.literal(True), "boolean"),
        ("date", v.union(v.number(), v.null()), "moment as milliseconds"),
        ("jsonb", v.union(v.object({}), v.null()), "json"),
        ("jsonb", v.union(v.string(), v.array(v.any())), "json"),
        ("text[]", v.union(v.array(v.string()), v.null()), "array of text"),
        ("text[]", v.array(v.union(v.string(), v.null())), "array of text"),
        ("text[]", v.array(v.union(v.literal("a"), v.literal("b"))), "array of text"),
        ("text[]", v.array(v.array(v.array(v.string()))), "array of text"),
        ("int4[]", v.array(v.union(v.number(), v.null())), "array of integer as number"),
        ("int4[]", v.union(v.array(v.array(v.int64())), v.null()), "array of integer as int64"),
        ("jsonb[]", v.array(v.object({"a": v.number()})), "json"),
        ("extensions.vector(3)", v.optional(v.array(v.float64())), "vector"),
    ],
)
def test_unions_optionals_and_literals(types: dict[str, Type], type_: str, field: Validator, name: str) -> None:
    found = choose(types[type_], Target(field), ColumnRule())
    assert isinstance(found, Conversion), found
    assert found.name == name


@pytest.mark.parametrize(
    ("type_", "field"),
    [
        ("int4", v.literal(True)),
        ("bool", v.literal("true")),
        ("text", v.literal(1)),
        ("text", v.literal(True)),
        ("numeric", v.union(v.boolean(), v.null())),
        ("text", v.union()),
    ],
)
def test_literals_of_another_type_do_not_fit(types: dict[str, Type], type_: str, field: Validator) -> None:
    assert isinstance(choose(types[type_], Target(field), ColumnRule()), Misfit)


@pytest.mark.parametrize(
    ("field", "null", "allowed"),
    [
        (v.string(), False, None),
        (v.any(), True, None),
        (v.null(), True, None),
        (v.union(v.string(), v.null()), True, None),
        (v.optional(v.union(v.literal("a"), v.literal("b"))), False, ["a", "b"]),
        (v.union(v.literal("a"), v.union(v.literal(2), v.null())), True, ["a", 2.0]),
        (v.union(v.literal("a"), v.string()), False, None),
    ],
)
def test_what_a_field_takes(field: Validator, null: bool, allowed: list[object] | None) -> None:
    target = Target(field)
    assert (target.null, target.allowed()) == (null, allowed)


# --------------------------------------------------------------------------------------------------------- the rules


@pytest.mark.parametrize("format_", ["HH:MM", "HH:MM:SS"])
def test_a_time_may_be_cut(types: dict[str, Type], format_: str) -> None:
    found = choose(types["time"], Target(v.string()), ColumnRule(format=format_))
    assert isinstance(found, Conversion)
    assert found.name == f"time as {format_}"
    assert [guard.code for guard in found.guards] == ["InexactTime"]


def test_a_format_that_there_is_not(types: dict[str, Type]) -> None:
    found = choose(types["time"], Target(v.string()), ColumnRule(format="H:M"))
    assert found == Misfit("format 'H:M' is unknown.", "Use one of HH:MM, HH:MM:SS.")


def test_a_time_that_is_cut_at_any_price_is_never_refused(types: dict[str, Type]) -> None:
    found = choose(types["time"], Target(v.string()), ColumnRule(format="HH:MM", lossy=True))
    assert isinstance(found, Conversion)
    assert (found.name, found.guards) == ("time cut to HH:MM", ())


def test_json_that_may_become_text_needs_a_field_that_takes_text(types: dict[str, Type]) -> None:
    rule = ColumnRule(invalid_json="text")
    assert choose(types["jsonb"], Target(v.object({})), rule) == Misfit(
        'invalid_json = "text" makes strings, which v.object({}) does not take.',
        "Make the field v.any(), or a union with v.string().",
    )
    for field in (v.any(), v.union(v.object({}), v.string())):
        assert isinstance(choose(types["jsonb"], Target(field), rule), Conversion)


@pytest.mark.parametrize(
    ("type_", "field", "invalid_json", "loaded"),
    [
        ("jsonb", v.any(), "refuse", False),
        ("jsonb", v.object({}), "refuse", True),
        ("json", v.any(), "refuse", True),  # it may hold a key twice, which jsonb can't
        ("jsonb", v.any(), "escape", True),
        ("jsonb", v.any(), "text", True),
    ],
)
def test_rows_of_json_are_read_one_by_one_only_where_they_must(
    types: dict[str, Type], type_: str, field: Validator, invalid_json: InvalidJson, loaded: bool
) -> None:
    found = choose(types[type_], Target(field), ColumnRule(invalid_json=invalid_json))
    assert isinstance(found, Conversion)
    assert (found.load is not None) == loaded


@pytest.mark.parametrize(
    ("type_", "field", "nonfinite", "special"),
    [
        ("int8", v.int64(), "refuse", True),
        ("numeric", v.int64(), "refuse", True),
        ("bytea", v.bytes(), "refuse", True),
        ("float8", v.number(), "keep", True),
        ("timestamptz", v.number(), "keep", True),
        ("int8[]", v.array(v.int64()), "refuse", True),
        ("bytea[]", v.any(), "refuse", True),
        ("float8[]", v.array(v.number()), "keep", True),
        ("float8", v.number(), "null", False),
        ("float8", v.number(), "refuse", False),
        ("bytea", v.string(), "refuse", False),
        ("jsonb", v.any(), "refuse", False),
    ],
)
def test_what_plain_json_cannot_say_is_known_beforehand(
    types: dict[str, Type], type_: str, field: Validator, nonfinite: NonFinite, special: bool
) -> None:
    found = choose(types[type_], Target(field), ColumnRule(nonfinite=nonfinite))
    assert isinstance(found, Conversion)
    assert found.special == special
    assert found.makes_null == (nonfinite == "null")


@pytest.mark.parametrize(
    ("name", "known"),
    [("text", True), ("public.mood", True), ("app.place[]", True), ("extensions.sparsevec(3)", False)],
)
def test_types_whose_text_is_all_that_is_known(types: dict[str, Type], name: str, known: bool) -> None:
    assert registered(types[name]) == known
