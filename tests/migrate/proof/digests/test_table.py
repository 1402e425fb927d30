"""A digest is as strict as the comparison row by row: equal for equal rows, and for no others.

Rows and documents are invented together, as a table with every quick form and some slow ones has them; then one thing
of a document is changed. What the comparison says of the pair is what the digests have to say.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from supavex.convex.ids import encode_id
from supavex.convex.values import InvalidValue, parse_export_json
from supavex.mapping.plan import TablePlan
from supavex.migrate.proof.comparison import RowComparison
from supavex.migrate.proof.digests.sums import Sums
from supavex.migrate.proof.digests.table import NotVerbatim, TableDigests, table_digests
from supavex.postgres.server import Server
from tests.migrate.subjects import Subject, subject_of

SQL = """
CREATE SCHEMA digested;
CREATE TABLE digested.parents (id uuid PRIMARY KEY, name text);
CREATE TABLE digested.numbered (id int8 PRIMARY KEY);
CREATE TABLE digested.named (id text PRIMARY KEY);
CREATE TABLE digested.there (id uuid PRIMARY KEY, slug text);
CREATE TABLE digested.rows (id uuid PRIMARY KEY, parent uuid REFERENCES digested.parents,
  numbered int8 REFERENCES digested.numbered, named text REFERENCES digested.named,
  there uuid REFERENCES digested.there, text text, status text, flag bool, small int4, big int8, money numeric(12,2),
  free numeric, float float8, single float4,
  seen timestamptz, day date, data jsonb, raw json, tags text[], clerk uuid, token uuid, filled text,
  parents uuid[], numbers int8[], theres uuid[], anything jsonb, created_at timestamptz NOT NULL);
"""
SCHEMA = """
o = v.optional
schema = define_schema({
    "parents": define_table({"name": o(v.string())}), "numbered": define_table({}), "named": define_table({}),
    "there": define_table({"slug": v.string()}),
    "rows": define_table({
        "parent": o(v.id("parents")), "numbered": o(v.id("numbered")), "named": o(v.id("named")),
        "there": o(v.id("there")), "text": v.union(v.string(), v.null()), "status": o(v.string(one_of=["a", "b"])),
        "flag": o(v.boolean()), "small": o(v.number()), "big": o(v.number()), "money": o(v.number()),
        "free": o(v.number()), "float": o(v.number()), "single": o(v.number()), "seen": o(v.number()),
        "day": o(v.number()), "data": o(v.any()), "raw": o(v.any()), "tags": o(v.array(v.string())),
        "clerk": o(v.string()), "token": o(v.string()), "filled": v.string(default="none"),
        "parents": o(v.array(v.id("parents"))), "numbers": o(v.array(v.union(v.id("numbered"), v.null()))),
        "theres": o(v.array(v.id("there"))), "anything": v.any(), "created_at": v.number(),
    }),
})
"""
TOML = """fill = "defaults"
[tables.there]
existing = { match = { slug = "slug" } }
[tables.rows.columns.clerk]
ids = "clerk.json"
"""
CLERKS = {str(uuid.UUID(int=n)): f"user_{n}" for n in range(4)}
NUMBERS = {"parents": 10001, "numbered": 10002, "named": 10003, "there": 10004, "rows": 10005}
EXISTING = {str(uuid.UUID(int=n)): encode_id(NUMBERS["there"], bytes([n]) * 16) for n in range(1, 5)}
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Case:
    """A field's two sides: what the digests read of the source, what the comparison does, and the document's value."""

    digested: str | None
    compared: str | None
    value: Any


ABSENT = object()


@pytest.fixture(scope="module")
def subject(server: Server) -> Iterator[Subject]:
    with subject_of(server, "digested", SQL, SCHEMA, TOML, {"clerk.json": json.dumps(CLERKS)}) as found:
        yield found


def comparison_of(table: TablePlan) -> RowComparison:
    return RowComparison(table, NUMBERS, {"there": EXISTING}, 1_700_000_000_000_000)


def plain(text: str) -> Case:
    return Case(text, text, text)


def same(text: str, value: Any) -> Case:
    return Case(text, text, value)


def moment(micros: int) -> Case:
    at = EPOCH + timedelta(microseconds=micros)
    text = f"{at:%Y-%m-%d %H:%M:%S}".rjust(19, "0") + (f".{at:%f}".rstrip("0") if at.microsecond else "") + "+00"
    return Case(text, str(micros), micros / 1000)


def reference(table: str, key: uuid.UUID) -> Case:
    return same(str(key), encode_id(NUMBERS[table], key.bytes))


def by_integer(number: int) -> Case:
    return same(str(number), encode_id(NUMBERS["numbered"], b"supavex0" + number.to_bytes(8, "big", signed=True)))


def by_text(text: str) -> Case:
    import hashlib

    return same(text, encode_id(NUMBERS["named"], hashlib.sha256(text.encode()).digest()[:16]))


def listed(cases: list[Case]) -> Case:
    """An array of references."""
    return same(json.dumps([case.digested for case in cases]), [case.value for case in cases])


TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8) | st.sampled_from(
    ['"', "\\", "null", "a,b", "a\nb", "", " ", "{}\n{", ",", "🎓", "\x7f", "NULL", "x" * 300]
)
UUIDS = st.uuids() | st.sampled_from([uuid.UUID(int=n) for n in range(4)])
MOMENTS = st.integers(-(2**43) * 1000, 2**43 * 1000) | st.integers(0, 5).map(lambda n: n * 1000)
DOUBLES = st.floats(allow_nan=False, allow_infinity=False)
LEAVES = st.none() | st.booleans() | TEXTS | st.integers(-(2**53) + 1, 2**53 - 1) | DOUBLES
KEYS = st.text("abcxyz", min_size=1, max_size=3)
JSONS = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3), max_leaves=6
)


def floats(value: Any) -> Any:
    """JSON as Convex holds it: every number a double."""
    if isinstance(value, list):
        return [floats(item) for item in value]
    if isinstance(value, dict):
        return {key: floats(item) for key, item in value.items()}
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


def as_json(value: Any) -> Case:
    return same(json.dumps(value, ensure_ascii=False), floats(value))


FIELDS: dict[str, st.SearchStrategy[Case]] = {
    "parent": UUIDS.map(lambda key: reference("parents", key)),
    "numbered": st.integers(-(2**63), 2**63 - 1).map(by_integer),
    "named": TEXTS.map(by_text),
    "there": st.sampled_from(sorted(EXISTING)).map(lambda key: same(key, EXISTING[key])),
    "text": TEXTS.map(plain),
    "status": st.sampled_from(["a", "b"]).map(plain),
    "flag": st.booleans().map(lambda flag: same("true" if flag else "false", flag)),
    "small": st.integers(-(2**31), 2**31 - 1).map(lambda n: same(str(n), float(n))),
    "big": st.integers(-(2**53), 2**53).map(lambda n: same(str(n), float(n))),
    "money": st.integers(-(10**12) + 1, 10**12 - 1).map(lambda n: same(str(Decimal(n).scaleb(-2)), n / 100)),
    "free": st.integers(-(10**14), 10**14).map(
        lambda n: same(f"{Decimal(n).scaleb(-5):f}", float(Decimal(n).scaleb(-5)))
    ),
    "float": DOUBLES.map(lambda x: same(repr(x), x)),
    "single": st.floats(width=32, allow_nan=False, allow_infinity=False).map(lambda x: same(repr(x), x)),
    "seen": MOMENTS.map(moment),
    "day": st.integers(-100_000, 100_000).map(lambda n: same(str(n * 86_400_000_000), n * 86_400_000.0)),
    "data": JSONS.filter(lambda value: value is not None).map(as_json),
    "raw": JSONS.filter(lambda value: value is not None).map(as_json),
    "tags": st.lists(TEXTS, max_size=3).map(lambda tags: same(json.dumps(tags, ensure_ascii=False), tags)),
    "anything": JSONS.filter(lambda value: value is not None).map(as_json),
    "clerk": st.sampled_from(sorted(CLERKS)).map(lambda key: same(key, CLERKS[key])),
    "token": UUIDS.map(lambda key: plain(str(key))),
    "filled": TEXTS.map(plain),
    "parents": st.lists(UUIDS.map(lambda key: reference("parents", key)), max_size=3).map(listed),
    "numbers": st.lists(st.integers(-3, 3).map(by_integer) | st.just(Case(None, None, None)), max_size=3).map(listed),
    "theres": st.lists(st.sampled_from(sorted(EXISTING)).map(lambda key: same(key, EXISTING[key])), max_size=2).map(
        listed
    ),
    "created_at": MOMENTS.map(moment),
}
#: What stands in the document where the source is NULL.
NULLS = {"text": None, "filled": "none", "anything": None}


@st.composite
def pairs(draw: st.DrawFn) -> tuple[uuid.UUID, dict[str, Case]]:
    """A row's key, and both sides of each field."""
    cases = {}
    for name, strategy in FIELDS.items():
        null = name != "created_at" and draw(st.integers(0, 4)) == 0
        cases[name] = Case(None, None, NULLS.get(name, ABSENT)) if null else draw(strategy)
    return draw(UUIDS), cases


def document_of(key: uuid.UUID, cases: dict[str, Case]) -> dict[str, Any]:
    created = max(int(cases["created_at"].compared or 0), 1000)
    document = {"_id": encode_id(NUMBERS["rows"], key.bytes), "_creationTime": created / 1000}
    return document | {name: case.value for name, case in cases.items() if case.value is not ABSENT}


#: Values to put in the place of others: of every kind, and near misses of each.
ODD = (
    LEAVES
    | JSONS
    | st.sampled_from(
        [0.0, -0.0, 1.0, True, "1", "0", "true", [], {}, "none", "user_1", 2.0**53 + 2, 1e300, "a", "b", "c"]
    )
    | UUIDS.map(str)
    | UUIDS.map(lambda key: encode_id(NUMBERS["parents"], key.bytes))
    | UUIDS.map(lambda key: encode_id(NUMBERS["numbered"], key.bytes))
    | st.sampled_from(sorted(EXISTING.values()))
    | st.lists(
        UUIDS.map(lambda key: encode_id(NUMBERS["parents"], key.bytes))
        | st.sampled_from([*EXISTING.values(), "", None, 1.0, []]),
        max_size=2,
    )
)


@st.composite
def changed(draw: st.DrawFn, document: dict[str, Any], cases: dict[str, Case]) -> dict[str, Any]:
    """The document with one thing changed."""
    name = draw(st.sampled_from([*FIELDS, "_creationTime", "more"]))
    how = draw(st.sampled_from(["other", "odd", "near", "absent", "null"]))
    made = dict(document)
    old = document.get(name)
    if how == "other" and name in FIELDS:
        made[name] = draw(FIELDS[name]).value
    elif how == "near" and isinstance(old, float):
        made[name] = draw(
            st.sampled_from(
                [old + 0.001, old + 0.0006, old + 0.0004, old + 1, -old, old * (1 + 2**-52), float(int(old))]
            )
        )
    elif how == "near" and isinstance(old, str) and old:
        made[name] = draw(
            st.sampled_from([old[:-1], old + " ", old.upper(), old[::-1], old[:-1] + chr(ord(old[-1]) ^ 1)])
        )
    elif how == "absent" and name != "_creationTime":
        made.pop(name, None)
    elif how == "null" and name != "_creationTime":
        made[name] = None
    elif name == "_creationTime":
        made[name] = draw(st.sampled_from([document[name] + 0.001, document[name] + 1, document[name]]))
    else:
        made[name] = draw(ODD)
    return made


def line_of(document: dict[str, Any], form: int) -> bytes:
    """One of the ways to write a document."""
    items = sorted(document.items(), reverse=form % 2 == 1)
    separators = (",", ":") if form < 2 else (", ", " : ")
    return json.dumps(dict(items), separators=separators, ensure_ascii=form % 3 == 0, sort_keys=form == 4).encode(
        "utf-8", "surrogatepass"
    )


def digests_agree(
    table: TablePlan,
    rows: list[tuple[uuid.UUID, dict[str, Case]]],
    lines: list[bytes],
    digests: TableDigests | None = None,
) -> bool:
    digests = digests or table_digests(table, comparison_of(table))
    assert digests is not None
    source, target = Sums(), Sums()
    columns = [[str(key) for key, _ in rows]]
    columns += [[cases[planned.name].digested for _, cases in rows] for planned in table.fields]
    columns.append([cases["created_at"].digested for _, cases in rows])
    names = [str(number) for number in range(len(columns))]
    batch = pa.RecordBatch.from_arrays([pa.array(column, pa.string()) for column in columns], names)
    digests._add_rows(batch, source)
    assert list(digests.target(iter([b"\n".join(lines) + b"\n"]), target, uniform=False))
    return not source.differing(target).any()


def comparison_agrees(table: TablePlan, key: uuid.UUID, cases: dict[str, Case], line: bytes) -> bool:
    row = [str(key), *(cases[planned.name].compared for planned in table.fields), cases["created_at"].compared]
    try:
        document = parse_export_json(line, uniform=False)
    except InvalidValue:
        return False  # no target takes it
    comparison = comparison_of(table)
    return document["_id"] == comparison.id_of(str(key)) and not list(comparison.compare(tuple(row), document))


#: Text that could be taken for a field, or for the end of a value.
TRAPS = st.sampled_from(
    ['"data":', '{"data": 1}', '"data":0', "}", "{", "]", ',"text":', '\\"data\\":', "null", '"', "\\", '}\n{"data":1']
)
TRAP_KEYS = KEYS | st.sampled_from(["data", "text", "_id", "n", "$integer", "$x", "a}b", 'x"', "\\", "{"])
TRAP_JSONS = st.recursive(
    LEAVES | TRAPS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TRAP_KEYS, inner, max_size=3),
    max_leaves=8,
).filter(lambda value: value is not None)


def with_texts(document: dict[str, Any], text: str | None, form: int) -> bytes:
    """A document's line, with ``text`` for its JSON."""
    rest = line_of({name: value for name, value in document.items() if name != "data"}, form % 2)
    if text is None:
        return rest
    return rest[:-1] + b',"data":' + text.encode() + b"}" if form < 2 else b'{"data":' + text.encode() + b"," + rest[1:]


def only(subject: Subject, *more: str) -> TablePlan:
    """The table with its plain fields, its jsonb and ``more``."""
    others = {"raw", "tags", "free", "single", "day", "parents", "numbers", "theres", "anything"}
    forms = set(FIELDS) - others | set(more)
    return replace(subject.table, fields=[planned for planned in subject.table.fields if planned.name in forms])


@settings(max_examples=250)
@given(pairs(), TRAP_JSONS, st.none() | TRAP_JSONS, st.integers(0, 3), st.booleans(), st.data())
def test_json_as_text_is_never_less_strict(
    subject: Subject,
    pair: tuple[uuid.UUID, dict[str, Case]],
    value: Any,
    other: Any,
    form: int,
    bent: bool,
    data: st.DataObject,
) -> None:
    table = only(subject)
    names = {planned.name for planned in table.fields}
    key, cases = pair[0], {name: case for name, case in pair[1].items() if name in names}
    text = json.dumps(value, ensure_ascii=False)
    cases["data"] = same(text, floats(value))
    if cases["text"].value is None:
        cases["text"] = plain("a")  # null goes the other way
    document = document_of(key, cases)
    if bent:
        document = data.draw(changed(document, cases))
    found = text if other is None else json.dumps(other, ensure_ascii=False)
    line = with_texts(document, found, form)
    digests = table_digests(table, comparison_of(table), verbatim=True)
    assert digests is not None
    assert digests.verbatim
    try:
        agree = digests_agree(table, [(key, cases)], [line], digests)
    except NotVerbatim:
        agree = False
    if agree:
        assert comparison_agrees(table, key, cases, line), line


@pytest.mark.parametrize(
    "text",
    [
        '{"a": 1, "b": [1, 2.50, {"c": "d"}], "e": {"f": {"g": true}}}', "[1, [2, 3], []]", '"text"', "1.5", "true",
        '{"a": null, "b": "null"}', '{"a": "x\\"y"}', "{}", '{"a b": "ö🎓"}',
    ],
)  # fmt: skip
def test_json_as_text_is_equal_where_it_is_verbatim(subject: Subject, text: str) -> None:
    table = only(subject)
    key = uuid.UUID(int=7)
    cases = {planned.name: Case(None, None, NULLS.get(planned.name, ABSENT)) for planned in table.fields}
    cases |= {"created_at": moment(5_000), "data": same(text, floats(json.loads(text))), "text": plain("x")}
    other = {**cases, "data": Case(None, None, ABSENT)}
    rows = [(key, cases), (uuid.UUID(int=8), other)]
    lines = [with_texts(document_of(key, cases), text, 0), line_of(document_of(*rows[1]), 0)]
    digests = table_digests(table, comparison_of(table), verbatim=True)
    assert digests is not None
    assert digests_agree(table, rows, lines, digests)
    assert digests.seems_verbatim(b"\n".join(lines), uniform=False)
    assert comparison_agrees(table, key, cases, lines[0])


def test_json_written_in_another_way_is_parsed(subject: Subject) -> None:
    table = only(subject)
    digests = table_digests(table, comparison_of(table), verbatim=True)
    assert digests is not None
    line = b'{"_creationTime":5.0,"_id":"x","data":{"a":{"b":1}}}\n'
    assert not digests.seems_verbatim(line, uniform=False)
    assert not table_digests(only(subject, "tags"), comparison_of(subject.table), verbatim=True).verbatim  # type: ignore[union-attr]


@pytest.mark.parametrize("key", ["$integer", "$float", "$bytes", "\\u0024integer"])
def test_an_object_that_is_a_special_value_is_no_object(subject: Subject, key: str) -> None:
    """In an archive, these are int64, numbers and bytes; in PostgreSQL, they are objects."""
    text = json.dumps({"$" + key.removeprefix("$").removeprefix("\\u0024"): "AAAAAAAA8D8="})
    for table in (subject.table, only(subject)):
        cases = {planned.name: Case(None, None, NULLS.get(planned.name, ABSENT)) for planned in table.fields}
        cases |= {"created_at": moment(5_000), "data": same(text, None), "text": plain("x")}
        document = {name: value for name, value in document_of(uuid.UUID(int=7), cases).items() if name != "data"}
        line = with_texts(document, text.replace("$", "\\u0024") if key.startswith("\\") else text, 0)
        assert not comparison_agrees(table, uuid.UUID(int=7), cases, line)
        for verbatim in (True, False):
            digests = table_digests(table, comparison_of(table), verbatim=verbatim)
            try:
                assert not digests_agree(table, [(uuid.UUID(int=7), cases)], [line], digests)
            except NotVerbatim:
                assert verbatim


@pytest.mark.parametrize(
    "value", [b"9007199254740992", b"9007199254740994.0", b"0.0", b"NaN", b"-0", b"null", b"1e400"]
)
@pytest.mark.parametrize("text", ["9007199254740993", "9007199254740994", "-9007199254740993"])
def test_a_whole_number_that_no_double_is_equals_nothing(subject: Subject, text: str, value: bytes) -> None:
    table = subject.table
    cases = {planned.name: Case(None, None, NULLS.get(planned.name, ABSENT)) for planned in table.fields}
    cases |= {"created_at": moment(5_000), "big": same(text, ABSENT), "text": plain("x")}
    line = line_of(document_of(uuid.UUID(int=7), cases), 0)[:-1] + b',"big":' + value + b"}"
    assert not digests_agree(table, [(uuid.UUID(int=7), cases)], [line])


def test_every_field_is_in_the_plan(subject: Subject) -> None:
    table = subject.table
    assert sorted(planned.name for planned in table.fields) == sorted(FIELDS)
    found = table_digests(table, comparison_of(table))
    assert found is not None
    quick = {planned.name for planned, form in zip(table.fields, found._forms, strict=True) if form.type is not None}
    parsed = {"data", "raw", "tags", "free", "single", "day", "parents", "numbers", "theres", "anything"}
    assert set(FIELDS) - quick == parsed


@settings(max_examples=150)
@given(st.lists(pairs(), min_size=1, max_size=12, unique_by=lambda pair: pair[0]), st.integers(0, 4), st.randoms())
def test_equal_rows_have_equal_digests(
    subject: Subject, rows: list[tuple[uuid.UUID, dict[str, Case]]], form: int, random: Any
) -> None:
    lines = [line_of(document_of(key, cases), form) for key, cases in rows]
    for (key, cases), line in zip(rows, lines, strict=True):
        assert comparison_agrees(subject.table, key, cases, line)
    random.shuffle(lines)
    assert digests_agree(subject.table, rows, lines)


@settings(max_examples=250)
@given(pairs(), st.integers(0, 4), st.data())
def test_one_change_is_in_the_digest_where_the_comparison_sees_it(
    subject: Subject, pair: tuple[uuid.UUID, dict[str, Case]], form: int, data: st.DataObject
) -> None:
    key, cases = pair
    document = data.draw(changed(document_of(key, cases), cases))
    others = data.draw(st.lists(pairs(), max_size=3, unique_by=lambda pair: pair[0]))
    line = line_of(document, form)
    if not comparison_agrees(subject.table, key, cases, line):
        assert not digests_agree(subject.table, [pair], [line]), line
        # Nor does it hide among others.
        others = [other for other in others if other[0] != key]
        lines = [line, *(line_of(document_of(*other), form) for other in others)]
        assert not digests_agree(subject.table, [pair, *others], lines)
