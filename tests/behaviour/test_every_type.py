"""The value of every type against the JSON of its row, which is what PostgREST, and so supabase-js, gave the app.

Values of every type of pg_catalog that a column can have, and arrays of them, are copied, proven and restored. A type
that is named nowhere here fails.
"""

import datetime
import ipaddress
import json
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from supavex.convex.snapshot import SnapshotArchive
from supavex.postgres import server as servers
from supavex.postgres.connection import literal, quoted
from tests.databases import Database
from tests.migrate.restore.test_rows import moved, restored
from tests.projects import supavex

#: Values of each type; arrays hold some of them.
EXAMPLES = 20

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)
ASCII = st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=8)
SMALL = st.floats(-1e6, 1e6).map(repr)
POINT = st.tuples(SMALL, SMALL).map(lambda xy: f"({xy[0]},{xy[1]})")
POINTS = st.lists(POINT, min_size=2, max_size=4).map(",".join)
DATES = st.dates().map(str) | st.sampled_from(["infinity", "-infinity", "0044-03-15 BC", "12024-01-01"])
MOMENTS = st.datetimes().map(str) | st.sampled_from(
    ["infinity", "-infinity", "0044-03-15 10:00:00.5 BC", "12024-01-01"]
)
ZONES = st.sampled_from(["+00", "+07", "-03:30", "+05:45"])
INT4 = st.integers(-(2**31), 2**31 - 1)
INT8 = st.integers(-(2**63), 2**63 - 1)
DECIMALS = st.decimals(-(10**20), 10**20, places=5)
BITS = st.text("01", max_size=9)
JSON = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**70), 2**70) | ASCII,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.from_regex(r"[a-z]{1,4}", fullmatch=True), inner),
    max_leaves=6,
).map(json.dumps)


def _ranges(values: st.SearchStrategy[Any]) -> st.SearchStrategy[str]:
    """Ranges of some values, open or closed, with an end or without."""

    def text(drawn: tuple[Any, Any, str, str, int]) -> str:
        first, second, opening, closing, ends = drawn
        lower = "" if ends == 1 else f'"{min(first, second)}"'
        upper = "" if ends == 2 else f'"{max(first, second)}"'
        return "empty" if ends == 0 else f"{opening}{lower},{upper}{closing}"

    return st.tuples(values, values, st.sampled_from("[("), st.sampled_from("])"), st.integers(0, 5)).map(text)


def _several(ranges: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.lists(ranges, max_size=3).map(lambda some: f"{{{','.join(some)}}}")


INT4S, INT8S, NUMBERS = _ranges(st.integers(-(2**30), 2**30)), _ranges(st.integers(-(2**60), 2**60)), _ranges(DECIMALS)
DAYS, TIMES = _ranges(st.dates()), _ranges(st.datetimes())
NETWORKS = st.tuples(st.ip_addresses(), st.integers(0, 32))


@dataclass(frozen=True)
class Kind:
    """Values of a type as PostgreSQL's text of them, the field that they go to, and how the column is declared."""

    values: st.SearchStrategy[str]
    field: str = "v.string()"
    declared: str = ""
    arrays: bool = True


NUMBER, ANY = "v.number()", "v.any()"
KINDS = {
    "aclitem": Kind(st.sampled_from(["postgres=r/postgres", "=r/postgres"])),
    "bit": Kind(st.text("01", min_size=5, max_size=5), declared="bit(5)"),
    "bool": Kind(st.sampled_from(["true", "false"]), "v.boolean()"),
    "box": Kind(st.tuples(POINT, POINT).map(",".join)),
    "bpchar": Kind(TEXT.map(lambda text: text[:5]), declared="char(5)"),
    "bytea": Kind(st.binary(max_size=6).map(lambda data: f"\\x{data.hex()}"), "v.bytes()"),
    "char": Kind(st.sampled_from([*"aZ9 \"'\\", ""]), declared='"char"'),
    "cid": Kind(st.integers(0, 2**32 - 1).map(str)),
    "cidr": Kind(NETWORKS.map(lambda found: str(ipaddress.ip_network(found, strict=False)))),
    "circle": Kind(st.tuples(POINT, st.floats(0, 1e6)).map(lambda found: f"<{found[0]},{found[1]!r}>")),
    "date": Kind(DATES),
    "datemultirange": Kind(_several(DAYS)),
    "daterange": Kind(DAYS),
    "float4": Kind(st.floats(width=32, allow_nan=False, allow_infinity=False).map(repr), NUMBER),
    "float8": Kind(st.floats(allow_nan=False, allow_infinity=False).map(repr), NUMBER),
    "inet": Kind(st.ip_addresses().map(str) | NETWORKS.map(lambda found: f"{found[0]}/{found[1]}")),
    "int2": Kind(st.integers(-(2**15), 2**15 - 1).map(str), NUMBER),
    "int2vector": Kind(
        st.lists(st.integers(0, 99).map(str), max_size=3).map(" ".join), "v.array(v.number())", "", False
    ),
    "int4": Kind(INT4.map(str), NUMBER),
    "int4multirange": Kind(_several(INT4S)),
    "int4range": Kind(INT4S),
    "int8": Kind(INT8.map(str), "v.int64()"),
    "int8multirange": Kind(_several(INT8S)),
    "int8range": Kind(INT8S),
    "interval": Kind(
        st.tuples(st.integers(-999, 999), st.integers(-999, 999), st.integers(-(10**12), 10**12)).map(
            lambda parts: f"{parts[0]} months {parts[1]} days {parts[2]} microseconds"
        )
    ),
    "json": Kind(JSON, ANY),
    "jsonb": Kind(JSON, ANY),
    "jsonpath": Kind(st.sampled_from(["$.a", 'strict $."b c"[*] ? (@ > 1)'])),
    "line": Kind(st.tuples(SMALL, SMALL).map(lambda found: f"{{1,{found[0]},{found[1]}}}")),
    "lseg": Kind(st.tuples(POINT, POINT).map(lambda found: f"[{','.join(found)}]")),
    "macaddr": Kind(st.binary(min_size=6, max_size=6).map(lambda data: data.hex(":"))),
    "macaddr8": Kind(st.binary(min_size=8, max_size=8).map(lambda data: data.hex(":"))),
    "money": Kind(st.integers(-(10**12), 10**12).map(lambda cents: str(Decimal(cents) / 100))),
    "name": Kind(ASCII),
    "numeric": Kind(DECIMALS.map(str) | st.sampled_from(["NaN", "Infinity", "1e400"])),
    "nummultirange": Kind(_several(NUMBERS)),
    "numrange": Kind(NUMBERS),
    "oid": Kind(st.integers(0, 2**32 - 1).map(str)),
    "oidvector": Kind(
        st.lists(st.integers(0, 99).map(str), max_size=3).map(" ".join), "v.array(v.string())", "", False
    ),
    "path": Kind(POINTS.map(lambda text: f"[{text}]") | POINTS.map(lambda text: f"({text})")),
    "pg_lsn": Kind(st.integers(0, 2**64 - 1).map(lambda n: f"{n >> 32:X}/{n & (2**32 - 1):X}")),
    "pg_snapshot": Kind(st.sampled_from(["10:20:10,14", "1:1:"])),
    "point": Kind(POINT),
    "polygon": Kind(POINTS.map(lambda text: f"({text})")),
    "refcursor": Kind(TEXT),
    "regclass": Kind(st.sampled_from(["pg_class", "0"])),
    "regcollation": Kind(st.sampled_from(['"C"', "0"])),
    "regconfig": Kind(st.sampled_from(["english", "simple"])),
    "regdictionary": Kind(st.just("simple")),
    "regnamespace": Kind(st.sampled_from(["pg_catalog", "public"])),
    "regoper": Kind(st.sampled_from(["||/", "0"])),
    "regoperator": Kind(st.sampled_from(["+(integer,integer)", "0"])),
    "regproc": Kind(st.sampled_from(["now", "-"])),
    "regprocedure": Kind(st.sampled_from(["lower(text)", "-"])),
    "regrole": Kind(st.just("postgres")),
    "regtype": Kind(st.sampled_from(["integer", "timestamp with time zone"])),
    "text": Kind(TEXT),
    "tid": Kind(st.tuples(st.integers(0, 99), st.integers(0, 99)).map(lambda found: f"({found[0]},{found[1]})")),
    "time": Kind(st.times().map(str) | st.just("24:00:00")),
    "timestamp": Kind(MOMENTS),
    "timestamptz": Kind(st.tuples(st.datetimes(datetime.datetime(2, 1, 1)).map(str), ZONES).map("".join) | MOMENTS),
    "timetz": Kind(st.tuples(st.times().map(str), ZONES).map("".join)),
    "tsmultirange": Kind(_several(TIMES)),
    "tsquery": Kind(st.sampled_from(["'fat' & !'rat':AB", "'a' <-> 'b'", ""])),
    "tsrange": Kind(TIMES),
    "tstzmultirange": Kind(_several(TIMES)),
    "tstzrange": Kind(TIMES),
    "tsvector": Kind(st.sampled_from(["'fat':2A,4 'it''s':1", "'a' 'b'", ""])),
    "txid_snapshot": Kind(st.sampled_from(["10:20:10,14", "1:1:"])),
    "uuid": Kind(st.uuids().map(str)),
    "varbit": Kind(BITS),
    "varchar": Kind(TEXT),
    "xid": Kind(st.integers(0, 2**32 - 1).map(str)),
    "xid8": Kind(st.integers(0, 2**64 - 1).map(str)),
}
#: Types that no statement can give a value of, each with the reason.
WITHOUT_VALUES = {
    "xml": "the embedded PostgreSQL is built without libxml",
    **dict.fromkeys(
        [
            "gtsvector", "pg_brin_bloom_summary", "pg_brin_minmax_multi_summary", "pg_dependencies", "pg_mcv_list",
            "pg_ndistinct", "pg_node_tree",
        ],
        "PostgreSQL's own, whose input function refuses every text",
    ),
}  # fmt: skip


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _composite(*attributes: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Values of a composite type, whose attributes may be NULL."""
    each = [values.map(_quoted) | st.just("") for values in attributes]
    return st.tuples(*each).map(lambda texts: f"({','.join(texts)})")


def _arrays(values: st.SearchStrategy[str], delimiter: str = ",") -> st.SearchStrategy[str]:
    return st.lists(values.map(_quoted) | st.just("NULL"), max_size=3).map(lambda all_: f"{{{delimiter.join(all_)}}}")


HSTORE = st.dictionaries(ASCII.filter(lambda key: key[0] != "$"), TEXT.map(_quoted) | st.just("NULL"), max_size=3).map(
    lambda found: ",".join(f"{_quoted(key)}=>{value}" for key, value in found.items())
)
PAIR = _composite(INT4.map(str), TEXT)
MOODS = st.sampled_from(["sad", "o'k"])
#: Types that files and extensions make; the name of each table is that of its type.
MADE_SQL = """
CREATE TYPE mood AS ENUM ('sad', 'o''k');
CREATE TYPE pair AS (a int, "b c" text);
CREATE TYPE empty_row AS ();
CREATE DOMAIN checked AS pair CHECK ((VALUE).a IS DISTINCT FROM 7);
CREATE DOMAIN twice AS checked;
CREATE DOMAIN words AS text[];
CREATE TYPE span AS RANGE (subtype = float8);
CREATE TYPE whole AS (
  big int8, exact numeric, rough float8, less float4, flag bool, made timestamptz, day date, doc jsonb, old json,
  mood mood, pair pair, pairs pair[], tags hstore, data bytea, id uuid, among int4range, host inet, boxes box[],
  padded char(3), moods mood[], lots hstore[], twice twice, words words, vector vector(2), numbers int2vector,
  cash money, docs jsonb[]
);
"""
DATA = st.binary(max_size=4).map(lambda data: f"\\x{data.hex()}")
CHECKED = PAIR.filter(lambda text: not text.startswith('("7"'))
WHOLE = _composite(
    INT8.map(str), DECIMALS.map(str), st.floats().map(repr), st.floats(width=32).map(repr), st.sampled_from("tf"),
    MOMENTS, DATES, JSON, JSON, MOODS, PAIR, _arrays(PAIR), HSTORE, DATA, st.uuids().map(str), INT4S,
    KINDS["inet"].values, _arrays(KINDS["box"].values, ";"), TEXT.map(lambda text: text[:3]), _arrays(MOODS),
    _arrays(HSTORE), CHECKED, _arrays(TEXT), st.just("[1,2.5]"), st.just("1 2"), st.just("$1.50"), _arrays(JSON),
)  # fmt: skip
MADE = {
    "checked": Kind(CHECKED, ANY),
    "citext": Kind(TEXT),
    "cube": Kind(st.tuples(SMALL, SMALL).map(lambda found: f"({found[0]}, {found[1]})")),
    "ean13": Kind(st.just("978-0-393-04002-9")),
    "empty_row": Kind(st.just("()"), ANY),
    "halfvec": Kind(st.just("[1,2.5]"), declared="halfvec(2)"),
    "hstore": Kind(HSTORE, ANY),
    "isbn": Kind(st.just("0-393-04002-X")),
    "lquery": Kind(st.just("a.*{1,2}.b|c")),
    "ltree": Kind(st.sampled_from(["", "Top.Science", "a.b_c"])),
    "mood": Kind(MOODS),
    "pair": Kind(PAIR, ANY),
    "query_int": Kind(st.just("1&(2|3)")),
    "seg": Kind(st.sampled_from(["1.50", "1 .. 2", "<3.0", "5(+-)0.3"])),
    "span": Kind(_ranges(st.floats(-1e6, 1e6))),
    "sparsevec": Kind(st.just("{1:1,3:2.5}/4"), declared="sparsevec(4)"),
    "twice": Kind(CHECKED, ANY),
    "whole": Kind(WHOLE, ANY),
    "words": Kind(_arrays(TEXT), "v.array(v.union(v.string(), v.null()))", arrays=False),
}
EXTENSIONS = ("citext", "cube", "hstore", "intarray", "isn", "ltree", "seg", "vector")
ALL = {**KINDS, **MADE}
#: Types of JSON, whose numbers come back as the doubles that they went as.
OF_JSON = {name for name, kind in ALL.items() if kind.field == ANY}


class Number(str):
    """A number of JSON, as its digits."""


def drawn(strategy: st.SearchStrategy[Any]) -> list[Any]:
    """Some values of a strategy."""
    found: list[Any] = []

    @settings(max_examples=EXAMPLES, database=None)
    @given(strategy)
    def collect(value: Any) -> None:
        found.append(value)

    collect()
    return found


def _rows(name: str, kind: Kind) -> tuple[str, str]:
    """The SQL of the table of a type, and of its rows."""
    declared = kind.declared or name
    table = f"CREATE TABLE {quoted(f't_{name}')} (id int PRIMARY KEY, v {declared}"
    table += f", a {declared}[]);" if kind.arrays else ");"
    lines = [f"INSERT INTO {quoted(f't_{name}')} (id) VALUES (0);"]
    lists = drawn(st.lists(kind.values | st.none(), max_size=3)) if kind.arrays else []
    for number, value in enumerate(drawn(kind.values), 1):
        values = [str(number), f"{literal(value)}::{declared}"]
        if kind.arrays:
            items = lists[number] if number < len(lists) else []
            casts = ", ".join("NULL" if item is None else f"{literal(item)}::{declared}" for item in items)
            values.append(f"ARRAY[{casts}]::{declared}[]")
        lines.append(f"INSERT INTO {quoted(f't_{name}')} VALUES ({', '.join(values)});")
    return table, "\n".join(lines)


@dataclass
class Moved:
    folder: Path
    source: Database
    target: Database


@pytest.fixture(scope="module")
def values(server: servers.Server) -> Iterator[Moved]:
    made = {name: _rows(name, kind) for name, kind in ALL.items()}
    sql = "\n".join([MADE_SQL, *(table for table, _ in made.values()), "-- rows", *(rows for _, rows in made.values())])
    fields = [
        f'"t_{name}": define_table({{"v": o({kind.field}), "a": o(v.array(v.union({kind.field}, v.null())))}})'
        if kind.arrays
        else f'"t_{name}": define_table({{"v": o({kind.field})}})'
        for name, kind in ALL.items()
    ]
    first = "".join(f"CREATE EXTENSION IF NOT EXISTS {name} SCHEMA extensions;" for name in EXTENSIONS)
    with moved(server, sql, ", ".join(fields), first=first) as (folder, source, target):
        yield Moved(folder, source, target)


def as_the_app_had_it(database: Database, name: str) -> dict[int, dict[str, Any]]:
    """The rows of a type's table, as JSON, on a session as the database has it."""
    with psycopg.connect(database.url()) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        rows = connection.execute(f"SELECT id, row_to_json(t)::text FROM public.{quoted(f't_{name}')} AS t".encode())
        return {id_: json.loads(text, parse_int=Number, parse_float=Number) for id_, text in rows}


def expected(said: Any, field: str) -> Any:
    """What a document has to hold for a value of JSON."""
    if isinstance(said, list) and field != ANY:
        element = field[len("v.array(") : -1] if field.startswith("v.array(") else field
        return [expected(item, element) for item in said]
    if said is None:
        return None
    if field == "v.bytes()":
        return bytes.fromhex(said[2:])
    if field == "v.int64()":
        return int(said)
    if field in (NUMBER, ANY):
        return doubles(said)
    return str(said) if isinstance(said, str) else said


def doubles(said: Any) -> Any:
    if isinstance(said, list):
        return [doubles(item) for item in said]
    if isinstance(said, dict):
        return {key: doubles(item) for key, item in said.items()}
    return float(said) if isinstance(said, Number) else said


def test_every_type_of_the_catalog_is_here(server: servers.Server) -> None:
    with psycopg.connect(server.url()) as connection:
        found = connection.execute(
            "SELECT typname FROM pg_catalog.pg_type WHERE typnamespace = 'pg_catalog'::regnamespace "
            "AND typtype IN ('b', 'd', 'e', 'r', 'm') AND NOT (typcategory = 'A' AND typname LIKE '\\_%')"
        ).fetchall()
    assert {name for (name,) in found} == KINDS.keys() | WITHOUT_VALUES.keys()


@pytest.mark.parametrize("name", sorted(WITHOUT_VALUES))
def test_a_type_without_values_has_none(server: servers.Server, name: str) -> None:
    with psycopg.connect(server.url()) as connection, pytest.raises(psycopg.Error):
        connection.execute(f"SELECT '1'::pg_catalog.{name}".encode())


@pytest.mark.parametrize("name", sorted(ALL))
def test_the_document_holds_what_the_rows_json_says(values: Moved, name: str) -> None:
    kind, rows = ALL[name], as_the_app_had_it(values.source, name)
    with SnapshotArchive(values.folder / "archive.zip") as archive:
        documents = {document["_id"]: document for document in archive.documents(f"t_{name}")}
    assert len(documents) == len(rows) > 1
    said = [{column: expected(value, kind.field) for column, value in row.items()} for row in rows.values()]
    assert sorted(map(shown, documents.values())) == sorted(map(shown, said))


def shown(row: dict[str, Any]) -> str:
    """The fields of a type's table as text; NULL and JSON's null are one in the JSON of a row."""
    kept = {name: value for name, value in row.items() if name in ("v", "a") and value is not None}
    return json.dumps(kept, sort_keys=True, default=repr)


def test_all_of_it_is_proven(values: Moved) -> None:
    ran = supavex("verify", values.folder / "archive.zip", "-C", values.folder, "--json")
    assert ran.code == 0, ran.out[-3000:] + ran.err
    assert all(table["ok"] for table in ran.json["tables"])


def test_all_of_it_comes_back(values: Moved) -> None:
    restored(values.folder, values.target)
    for name in ALL:
        before, after = (as_the_app_had_it(database, name) for database in (values.source, values.target))
        if name in OF_JSON:
            before, after = doubles(list(before.values())), doubles(list(after.values()))
        assert before == after, name
