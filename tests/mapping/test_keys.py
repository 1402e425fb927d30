"""Row keys: PostgreSQL and Python compute the same 16 bytes, and different rows get different ones."""

import hashlib
import json
import uuid
from collections.abc import Iterator, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supavex.mapping.key_sql import key_sql, key_text_sql
from supavex.mapping.keys import Key, key_of
from supavex.postgres import server as servers
from supavex.postgres.catalog import Column, Table, Type, Unique
from tests.databases import Database, new_database

AWKWARD = [
    "",
    "plain",
    "it's",
    'a "quoted" word',
    "back\\slash",
    "\\",
    "new\nline",
    "tab\tand\rreturn",
    "\x01\x1f\x7f",
    "čaj €",
    "日本語 😀",
    "\u00e9",
    "e\u0301",
    "null",
    "[1, 2]",
    '","',
    " leading and trailing ",
    "%s {0} $1",
    "a" * 5000,
]
UUID, INTEGER = Key(("id",), "uuid"), Key(("id",), "integer")
TEXT, PAIR = Key(("code",), "hash"), Key(("a", "b"), "hash")


@pytest.fixture(scope="module")
def shared(server: servers.Server) -> Iterator[Database]:
    with new_database(server) as database:
        yield database


def in_postgresql(database: Database, key: Key, *values: tuple[str, str | None]) -> tuple[bytes | None, str | None]:
    """The bytes and the text that PostgreSQL computes of a key whose parts are ``values``: each a type and a text."""
    parts = ", ".join(f"%s::text::{type_} AS c{index}" for index, (type_, _) in enumerate(values))
    columns = [f"t.c{index}" for index in range(len(values))]
    sql = f"SELECT {key_sql(key, columns)}, {key_text_sql(key, columns)} FROM (SELECT {parts}) AS t".replace("%", "%%")
    ((found, text),) = database.rows(sql.replace("%%s", "%s"), [value for _, value in values])
    return (found.bytes if isinstance(found, uuid.UUID) else found), text


def check(database: Database, key: Key, *values: tuple[str, str | None]) -> bytes:
    """The bytes of the key, which PostgreSQL and Python have to agree on."""
    found, text = in_postgresql(database, key, *values)
    assert found is not None and text is not None
    assert len(found) == 16
    assert key.internal_id(text) == found
    return found


# ------------------------------------------------------------------------------------------------- uuids and integers


def test_a_uuid_is_its_own_bytes(shared: Database) -> None:
    text = "0b7f3c52-91d4-4e0a-8a6f-5d2c1e9b4a01"
    assert check(shared, UUID, ("uuid", text)) == bytes.fromhex(text.replace("-", ""))
    assert check(shared, UUID, ("uuid", text.upper())) == bytes.fromhex(text.replace("-", ""))


@pytest.mark.parametrize("number", [0, 1, -1, 42, 255, 256, 2**31, 2**53 + 1, 2**63 - 1, -(2**63)])
def test_an_integer_is_a_mark_and_its_eight_bytes(shared: Database, number: int) -> None:
    expected = b"supavex0" + number.to_bytes(8, "big", signed=True)
    assert check(shared, INTEGER, ("int8", str(number))) == expected


def test_integers_of_every_width_are_the_same_key(shared: Database) -> None:
    """A foreign key may be narrower than the key it names."""
    assert len({check(shared, INTEGER, (width, "-7")) for width in ("int2", "int4", "int8")}) == 1


@given(st.integers(-(2**63), 2**63 - 1))
def test_integers_can_be_told_from_their_bytes(number: int) -> None:
    assert INTEGER.text_of(INTEGER.internal_id(str(number))) == str(number)


@given(st.uuids())
def test_uuids_can_be_told_from_their_bytes(value: uuid.UUID) -> None:
    assert UUID.text_of(value.bytes) == str(value)
    assert UUID.internal_id(str(value)) == value.bytes


def test_bytes_that_are_no_integer_key_of_ours_tell_nothing() -> None:
    assert INTEGER.text_of(bytes(16)) is None


# ------------------------------------------------------------------------------------------------------ text and many


@pytest.mark.parametrize("text", AWKWARD)
def test_a_text_is_hashed(shared: Database, text: str) -> None:
    assert check(shared, TEXT, ("text", text)) == hashlib.sha256(text.encode()).digest()[:16]
    assert TEXT.text_of(TEXT.internal_id(text)) is None


@pytest.mark.parametrize("text", AWKWARD)
def test_several_columns_are_hashed_as_their_json_array(shared: Database, text: str) -> None:
    as_json = json.dumps([text, "7"], ensure_ascii=False)
    assert check(shared, PAIR, ("text", text), ("int4", "7")) == hashlib.sha256(as_json.encode()).digest()[:16]


def test_different_rows_have_different_keys(shared: Database) -> None:
    pairs = [
        ("a", "b"),
        ("b", "a"),
        ("ab", ""),
        ("", "ab"),
        ('a", "b', ""),
        ("a", 'b", "'),
        ('a\\", \\"b', ""),
        ("a, b", ""),
        ("null", ""),
        ("[", "]"),
    ]
    keys = {check(shared, PAIR, ("text", a), ("text", b)) for a, b in pairs}
    keys |= {check(shared, TEXT, ("text", text)) for text in AWKWARD}
    assert len(keys) == len(pairs) + len(AWKWARD)


@pytest.mark.parametrize(
    ("types", "values", "text"),
    [
        (["uuid", "date"], ["0b7f3c52-91d4-4e0a-8a6f-5d2c1e9b4a01", "2024-02-29"], None),
        (["timestamptz", "bool"], ["2024-02-29 12:00:00.5+02", "true"], '["2024-02-29 10:00:00.5+00", "true"]'),
        (["bytea", "date"], ["\\x00ff", "2024-02-29"], '["\\\\x00ff", "2024-02-29"]'),
        (["interval", "float8"], ["1 day 02:00", "0.1"], '["1 day 02:00:00", "0.1"]'),
    ],
)
def test_other_types_have_one_text_whatever_the_server_is_set_to(
    shared: Database, types: Sequence[str], values: Sequence[str], text: str | None
) -> None:
    parts = list(zip(types, values, strict=True))
    check(shared, PAIR, *parts)
    assert in_postgresql(shared, PAIR, *parts)[1] == (text or json.dumps(list(values)))


@pytest.mark.parametrize(
    ("key", "values"),
    [
        (UUID, [("uuid", None)]),
        (INTEGER, [("int4", None)]),
        (TEXT, [("text", None)]),
        (PAIR, [("text", "a"), ("text", None)]),
        (PAIR, [("text", None), ("text", "b")]),
    ],
)
def test_a_key_with_a_null_is_null(shared: Database, key: Key, values: list[tuple[str, str | None]]) -> None:
    assert in_postgresql(shared, key, *values) == (None, None)


@pytest.mark.parametrize(
    ("key_type", "key_value", "foreign_type", "foreign_value"),
    [
        ("text", "ab", "varchar(9)", "ab"),
        ("char(5)", "ab", "char(9)", "ab"),
        ("char(5)", "ab", "text", "ab"),
        ("numeric(9, 2)", "1.5", "numeric(9, 1)", "1.5"),
        ("numeric", "7", "numeric", "7.00"),
        ("numeric(9, 2)", "7", "int4", "7"),
        ("date", "2024-02-29", "date", "2024-02-29"),
        ("timestamptz", "2024-02-29 12:00+02", "timestamptz", "2024-02-29 10:00+00"),
    ],
)
def test_a_foreign_key_that_equals_a_key_names_it(
    database: Database, key_type: str, key_value: str, foreign_type: str, foreign_value: str
) -> None:
    """PostgreSQL holds these equal, so the constraint lets them in; their ids must be equal as well."""
    database.run(f"CREATE TABLE parents (code {key_type} PRIMARY KEY);")
    database.run(f"CREATE TABLE children (code {foreign_type} REFERENCES parents);")
    database.run(f"INSERT INTO parents VALUES ('{key_value}'); INSERT INTO children VALUES ('{foreign_value}');")
    key = key_of(database.table("parents"))
    assert key is not None
    ((parent, child),) = database.rows(
        f"SELECT {key_sql(key, ['p.code'])}, {key_sql(key, ['c.code'])} FROM public.parents AS p, public.children AS c"
    )
    assert child == parent


def test_the_key_s_own_columns_are_quoted(shared: Database) -> None:
    assert Key(("order", 'a"b'), "hash").own("t") == ['t."order"', 't."a""b"']


# ------------------------------------------------------------------------------------------------------ the whole row


def row_keys(database: Database, rows: str) -> list[tuple[str, bytes]]:
    """Text and bytes of each of ``rows`` (VALUES), in the order of the texts, which Python has to agree on."""
    key = Key(("a", "b"), "row")
    own = key.own("t")
    text, id_ = key_text_sql(key, own), key_sql(key, own)
    found = database.rows(f"SELECT {text} AS k, {id_} FROM ({rows}) AS t (a, b) ORDER BY k")
    assert [key.internal_id(text) for text, _ in found] == [content for _, content in found]
    assert {key.text_of(content) for _, content in found} == {None}
    return found


def test_equal_rows_are_numbered(shared: Database) -> None:
    rows = row_keys(shared, "VALUES (1, 'x'), (1, 'x'), (2, 'x'), (1, 'x')")
    assert [text for text, _ in rows] == ["(1,x) #1", "(1,x) #2", "(1,x) #3", "(2,x) #1"]
    assert len({content for _, content in rows}) == 4


def test_rows_that_only_look_alike_are_different(shared: Database) -> None:
    rows = "VALUES ('a', NULL), ('a', ''), (NULL, NULL), ('', NULL), ('a,', NULL), ('a', ','), ('a #1', NULL), "
    rows += "('(a,) #1', NULL), ('a\"', NULL), ('a\\', NULL)"
    assert len({content for _, content in row_keys(shared, rows)}) == 10


# ------------------------------------------------------------------------------------------------------- which it is


def table(*columns: Column, primary_key: Sequence[str] = (), uniques: Sequence[Unique] = ()) -> Table:
    return Table("public", "notes", columns, primary_key=tuple(primary_key), uniques=tuple(uniques))


ID = Column("id", Type("uuid", "uuid"), nullable=False)
NUMBER = Column("number", Type("bigint", "int8"), nullable=False)
SLUG = Column("slug", Type("text", "text"), nullable=False)
NICK = Column("nick", Type("text", "text"), nullable=True)


@pytest.mark.parametrize(
    ("column", "form"),
    [
        (ID, "uuid"),
        (Column("id", Type("public.user_id", "uuid", domain="public.user_id"), nullable=False), "uuid"),
        (NUMBER, "integer"),
        (Column("id", Type("integer", "int4"), nullable=False), "integer"),
        (Column("id", Type("smallint", "int2"), nullable=False), "integer"),
        (SLUG, "hash"),
        (Column("id", Type("numeric(20,0)", "numeric"), nullable=False), "hash"),
        (Column("id", Type("date", "date"), nullable=False), "hash"),
    ],
)
def test_the_type_of_the_column_decides_the_form(column: Column, form: str) -> None:
    key = key_of(table(column, primary_key=[column.name]))
    assert key is not None
    assert (key.columns, key.form) == ((column.name,), form)
    assert any(key.numeric) == (column.type.base == "numeric"), "7 and 7.00 are one key"


def test_a_composite_key_is_hashed_in_its_own_order() -> None:
    assert key_of(table(ID, NUMBER, primary_key=["number", "id"])) == Key(("number", "id"), "hash")


def test_what_the_project_chooses_comes_first() -> None:
    assert key_of(table(ID, SLUG, primary_key=["id"]), ["slug"]) == Key(("slug",), "hash")


def test_a_chosen_column_that_there_is_not_is_for_the_check_to_report() -> None:
    assert key_of(table(ID, primary_key=["id"]), ["idd"]) == Key(("idd",), "hash")


def test_without_a_primary_key_a_unique_one_serves() -> None:
    uniques = [Unique("a", ("nick",)), Unique("b", ("slug",), predicate="(number > 1)"), Unique("c", ("number",))]
    assert key_of(table(NUMBER, SLUG, NICK, uniques=uniques)) == Key(("number",), "integer")


@pytest.mark.parametrize(
    "uniques", [[], [Unique("a", ("nick",))], [Unique("a", ("slug", "nick"))], [Unique("a", ("slug",), False, "x")]]
)
def test_where_no_column_tells_rows_apart_the_whole_row_does(uniques: list[Unique]) -> None:
    key = key_of(table(SLUG, NICK, uniques=uniques))
    assert key == Key(("slug", "nick"), "row")
    assert not key.refers


def test_the_project_may_choose_the_whole_row() -> None:
    assert key_of(table(ID, SLUG, primary_key=["id"]), ["*"]) == Key(("id", "slug"), "row")


def test_a_table_without_columns_has_no_key() -> None:
    assert key_of(table()) is None
