"""int64 and bytes in the digests: as strict as the comparison row by row, in archives and in deployments."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from supavex.convex.ids import encode_id
from supavex.convex.values import (
    InvalidValue,
    from_internal_json,
    parse_export_json,
    to_export_json,
    to_internal_json,
)
from supavex.mapping.plan import TablePlan
from supavex.migrate.proof.comparison import RowComparison
from supavex.migrate.proof.digests.sums import Sums
from supavex.migrate.proof.digests.table import table_digests
from supavex.postgres.server import Server
from tests.migrate.subjects import Subject, subject_of

SQL = """
CREATE SCHEMA special;
CREATE TABLE special.rows (id uuid PRIMARY KEY, wide int8, exact numeric, blob bytea, filled int8, small int4,
  text text, data jsonb);
"""
SCHEMA = """
o = v.optional
schema = define_schema({
    "rows": define_table({
        "wide": o(v.int64()), "exact": o(v.int64(ge=-5)), "blob": o(v.bytes()), "filled": v.int64(default=7),
        "small": o(v.number()), "text": o(v.string()), "data": o(v.any()),
    }),
})
"""
NUMBER = 10001
INT64 = st.integers(-(2**63), 2**63 - 1) | st.integers(-3, 3)
BYTES = st.binary(max_size=9)
JSONS = st.recursive(
    st.booleans() | st.floats(allow_nan=False, allow_infinity=False).map(abs) | st.text("ab5=", max_size=12),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from(["wide", "blob", "filled", "x"]), inner, max_size=2)
    ),
    max_leaves=4,
)
#: What a field is given, and PostgreSQL's text of it.
FIELDS: dict[str, st.SearchStrategy[tuple[str, Any]]] = {
    "wide": INT64.map(lambda n: (str(n), n)),
    "exact": st.integers(-5, 2**63 - 1).map(lambda n: (f"{n}.00", n)),
    "blob": BYTES.map(lambda data: (f"\\x{data.hex()}", data)),
    "filled": INT64.map(lambda n: (str(n), n)),
    "small": st.integers(-(2**31), 2**31 - 1).map(lambda n: (str(n), float(n))),
    "text": st.text("ab5=", max_size=12).map(lambda text: (text, text)),
    "data": JSONS.map(lambda value: (json.dumps(value), value)),
}
#: Near misses of each other.
ODD = INT64 | BYTES | INT64.map(float) | INT64.map(str) | JSONS | st.sampled_from(["AQAAAAAAAAA=", "AQ==", "7", None])


@pytest.fixture(scope="module")
def subject(server: Server) -> Iterator[Subject]:
    with subject_of(server, "special", SQL, SCHEMA, 'fill = "defaults"\n') as found:
        yield found


@st.composite
def rows(draw: st.DrawFn) -> tuple[list[str | None], dict[str, Any]]:
    """A row's texts, and its document."""
    key = draw(st.uuids())
    texts: list[str | None] = [str(key)]
    document: dict[str, Any] = {"_id": encode_id(NUMBER, key.bytes), "_creationTime": 1.0}
    for name, strategy in FIELDS.items():
        text, value = (None, None) if draw(st.integers(0, 4)) == 0 else draw(strategy)
        texts.append(text)
        if text is not None:
            document[name] = value
        elif name == "filled":
            document[name] = 7
    return texts, document


def line_of(document: dict[str, Any], *, uniform: bool, spaced: bool = False) -> bytes:
    """A document as an archive has it, or as a deployment keeps it."""
    if uniform:
        return to_export_json(document).encode()
    return json.dumps(to_internal_json(document), separators=(", ", " : ") if spaced else (",", ":")).encode()


def agree(
    table: TablePlan, texts: list[list[str | None]], lines: list[bytes], *, uniform: bool, verbatim: bool = False
) -> bool:
    digests = table_digests(table, RowComparison(table, {"rows": NUMBER}, {}, None), verbatim=verbatim)
    assert digests is not None
    arrays = [pa.array(column, pa.string()) for column in zip(*texts, strict=True)]
    source, target = Sums(), Sums()
    digests._add_rows(pa.RecordBatch.from_arrays(arrays, [str(n) for n in range(len(arrays))]), source)
    assert list(digests.target(iter([b"\n".join(lines) + b"\n"]), target, uniform=uniform))
    return not source.differing(target).any() and not digests.broken


def compared(table: TablePlan, texts: list[str | None], line: bytes, *, uniform: bool) -> bool:
    """What the comparison row by row says."""
    try:
        if uniform:
            document: Any = parse_export_json(line, uniform=True)
        else:
            document = from_internal_json(json.loads(line, parse_int=float))
    except (InvalidValue, ValueError):
        return False
    comparison = RowComparison(table, {"rows": NUMBER}, {}, None)
    return document["_id"] == comparison.id_of(texts[0]) and not list(comparison.compare(tuple(texts), document))


@given(some=st.lists(rows(), min_size=1, max_size=4), uniform=st.booleans(), spaced=st.booleans())
def test_equal_rows_have_equal_digests(
    subject: Subject, some: list[tuple[list[str | None], dict[str, Any]]], uniform: bool, spaced: bool
) -> None:
    lines = [line_of(document, uniform=uniform, spaced=spaced) for _, document in some]
    assert all(
        compared(subject.table, texts, line, uniform=uniform) for (texts, _), line in zip(some, lines, strict=True)
    )
    assert agree(subject.table, [texts for texts, _ in some], lines, uniform=uniform)


@settings(max_examples=500)
@given(row=rows(), name=st.sampled_from([*FIELDS, "more"]), odd=ODD, uniform=st.booleans(), data=st.data())
def test_another_value_is_told(
    subject: Subject,
    row: tuple[list[str | None], dict[str, Any]],
    name: str,
    odd: Any,
    uniform: bool,
    data: st.DataObject,
) -> None:
    texts, document = row
    how = data.draw(st.sampled_from(["odd", "other", "gone"]))
    document = {key: value for key, value in document.items() if key != name}
    if how == "odd":
        document[name] = odd
    elif how == "other" and name in FIELDS:
        document[name] = data.draw(FIELDS[name])[1]
    line = line_of(document, uniform=uniform)
    found = agree(subject.table, [texts], [line], uniform=uniform)
    expected = compared(subject.table, texts, line, uniform=uniform)
    # A rule of the schema is looked at beside the comparison.
    assert found == (expected and not (isinstance(document.get("exact"), int) and document["exact"] < -5))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("wide", b'"5"'),
        ("wide", b"5.0"),
        ("wide", b"-0"),
        ("wide", b"05"),
        ("wide", b"9223372036854775808"),
        ("wide", b'{"$integer":"BQAAAAAAAAA"}'),
        ("wide", b'{"$integer":"BQAAAAAA"}'),
        ("wide", b'{"$bytes":"BQAAAAAAAAA="}'),
        ("wide", b'{"$integer":"BQAAAAAAAAA=","x":1.0}'),
        ("wide", b'"BQAAAAAAAAA="'),
        ("blob", b'"BQ=="'),
        ("blob", b'{"$bytes":"B!Q=="}'),
        ("blob", b'{"$integer":"BQ=="}'),
        ("small", b"5"),
        ("data", b'{"wide":5}'),
        ("data", b'{"wide":{"$integer":"BQAAAAAAAAA="}}'),
    ],
)
@pytest.mark.parametrize("uniform", [True, False])
@pytest.mark.parametrize("beside", [b"", b',"data":{"wide":5,"blob":{"$bytes":"BQ=="}}'])
def test_only_the_very_value_is_equal(subject: Subject, field: str, value: bytes, beside: bytes, uniform: bool) -> None:
    """Beside it, values of the same names inside another value."""
    key = uuid.UUID(int=3)
    said = {"wide": "5", "blob": "\\x05", "small": "5", "data": '{"wide": "5"}', "filled": "7"}
    texts = [str(key), *(said[name] if name in (field, "filled") else None for name in FIELDS)]
    filled = b"7" if uniform else b'{"$integer":"BwAAAAAAAAA="}'
    start = b'{"_creationTime":1.0,"_id":"%b","filled":%b' % (encode_id(NUMBER, key.bytes).encode(), filled)
    line = start + b',"%b":%b%b}' % (field.encode(), value, beside)
    expected = compared(subject.table, texts, line, uniform=uniform)
    assert not expected or (field, value, uniform) == ("small", b"5", False)
    assert agree(subject.table, [texts], [line], uniform=uniform) == expected
