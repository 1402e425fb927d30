"""Tables read by blocks of pages: the same columns as row by row, whatever their values."""

from collections.abc import Iterable, Iterator

import pyarrow as pa
import pytest

from supavex.errors import SupavexError
from supavex.postgres.columns import ColumnReader
from supavex.postgres.heap import HeapReader, NotByBlocksError
from supavex.postgres.server import Server
from supavex.postgres.snapshot import exported
from tests.databases import Database, new_database

TYPES = """
CREATE TABLE kinds (
  u uuid NOT NULL, n uuid, z timestamptz, m timestamp, b boolean, s smallint, i integer NOT NULL, l bigint, r real,
  d double precision, t text, v varchar(8), c character(4), o name, x bytea);
INSERT INTO kinds SELECT gen_random_uuid(), CASE WHEN i % 3 > 0 THEN gen_random_uuid() END,
  CASE i % 5 WHEN 0 THEN NULL WHEN 1 THEN 'infinity' WHEN 2 THEN '-infinity' WHEN 3 THEN '4713-01-01 BC'::timestamptz
    ELSE '2024-01-01'::timestamptz + i * interval '1.000001 s' END,
  CASE WHEN i % 2 > 0 THEN '1969-12-31 23:59:59.999999'::timestamp - i * interval '1 day' END,
  CASE i % 3 WHEN 0 THEN true WHEN 1 THEN false END, CASE WHEN i % 4 > 0 THEN -i % 32768 END, -i,
  CASE WHEN i % 2 > 0 THEN 9223372036854775807 - i END, CASE WHEN i % 2 > 0 THEN i / 3.0 END,
  CASE i % 4 WHEN 0 THEN 'NaN' WHEN 1 THEN '-Infinity' WHEN 2 THEN i / 7.0::float8 END,
  CASE i % 6 WHEN 0 THEN NULL WHEN 1 THEN '' WHEN 2 THEN E'\\x01\\x02' WHEN 3 THEN chr(1114111) || 'þÿ'
    ELSE 'ä"' || i END,
  CASE WHEN i % 2 > 0 THEN 'v' || i END, CASE WHEN i % 2 > 0 THEN 'c' END, 'o' || i,
  CASE i % 4 WHEN 0 THEN NULL WHEN 1 THEN '' WHEN 2 THEN '\\xff'::bytea ELSE decode(repeat('fe', i % 9), 'hex') END
FROM generate_series(1, 6000) AS i;
DELETE FROM kinds WHERE i BETWEEN -3000 AND -1500;
CREATE TABLE emptied (t text);
INSERT INTO emptied SELECT NULL FROM generate_series(1, 500);
DELETE FROM emptied;
CREATE TABLE unseen (u uuid);
INSERT INTO unseen SELECT gen_random_uuid() FROM generate_series(1, 1000);
INSERT INTO unseen VALUES (NULL);
ALTER TABLE unseen ADD CONSTRAINT unseen_u NOT NULL u NOT VALID;
"""
EVERYTHING = (
    "SELECT u, n, z, m, b, s, i, l, r, d, t, v, c, o, x, NULL::text AS none, t.i % 2 = 0 AS even FROM public.kinds"
)


@pytest.fixture(scope="module")
def kinds(server: Server) -> Iterator[Database]:
    with new_database(server) as database:
        database.run(TYPES)
        yield database


@pytest.fixture
def readers(kinds: Database) -> Iterator[tuple[HeapReader, ColumnReader]]:
    with exported(kinds.url()) as (snapshot, _), HeapReader(snapshot) as blocks, ColumnReader(snapshot) as columns:
        yield blocks, columns


def pages_of(database: Database, table: str, step: int) -> range:
    return range(0, database.value("SELECT (pg_relation_size(%s::regclass) / 8192)::int", (f"public.{table}",)), step)


def in_arrow(batches: Iterable[pa.RecordBatch]) -> dict[str, pa.Array]:
    """The columns of all batches, extension types as they are stored."""
    table = pa.Table.from_batches(list(batches))
    columns = {name: table[name].combine_chunks() for name in table.schema.names}
    return {name: c.storage if isinstance(c, pa.ExtensionArray) else c for name, c in columns.items()}


@pytest.mark.parametrize("step", [1, 7, 1000])
def test_the_columns_are_those_that_are_read_row_by_row(
    kinds: Database, readers: tuple[HeapReader, ColumnReader], step: int
) -> None:
    blocks, columns = readers
    expected = in_arrow(columns.read(f"{EVERYTHING} AS t"))
    found = in_arrow(blocks.read(f"{EVERYTHING} AS t", "t", pages_of(kinds, "kinds", step)))
    assert len(expected["u"]) == 4499
    for name, column in expected.items():
        found[name].validate(full=True)
        assert found[name].type == column.type
        if pa.types.is_floating(column.type):  # NaN equals itself as text alone
            column, found[name] = column.cast(pa.string()), found[name].cast(pa.string())
        assert found[name].equals(column), name


def test_pages_without_rows_are_passed_over(kinds: Database, readers: tuple[HeapReader, ColumnReader]) -> None:
    blocks, _ = readers
    assert list(blocks.read("SELECT t.t FROM public.emptied AS t", "t", pages_of(kinds, "emptied", 1))) == []
    assert list(blocks.read("SELECT x.t FROM public.kinds AS x", "x", range(0, 0, 5))) == []


def test_what_has_no_place_in_a_block_is_said_beforehand(readers: tuple[HeapReader, ColumnReader]) -> None:
    blocks, _ = readers
    assert blocks.columns("SELECT t.t, t.i FROM public.kinds AS t")
    for other in ("ARRAY[t.i]", "t.i::numeric", "'1 s'::interval", "t.z::date"):
        assert not blocks.columns(f"SELECT t.t, {other} AS other FROM public.kinds AS t"), other


def test_a_null_that_a_constraint_did_not_see_is_read_row_by_row(
    kinds: Database, readers: tuple[HeapReader, ColumnReader]
) -> None:
    blocks, _ = readers
    sql, pages = "SELECT t.u FROM public.unseen AS t", pages_of(kinds, "unseen", 1)
    found: list[pa.RecordBatch] = []
    with pytest.raises(NotByBlocksError) as caught:
        found.extend(blocks.read(sql, "t", pages))
    assert caught.value.page == pages.stop - 1, "NULL is on the last page"
    before = f"SELECT count(*) FROM public.unseen WHERE ctid < '({pages.stop - 1},0)'"
    assert sum(batch.num_rows for batch in found) == kinds.value(before)
    again = next(blocks.read(sql, "t", pages))
    assert again.num_rows, "the connection can be used again"


def test_large_rows_are_left_to_be_read_row_by_row(kinds: Database, readers: tuple[HeapReader, ColumnReader]) -> None:
    blocks, _ = readers
    found: list[pa.RecordBatch] = []
    with pytest.raises(NotByBlocksError) as caught:
        found.extend(blocks.read("SELECT repeat(t.o, 900) FROM public.kinds AS t", "t", range(0, 40, 20)))
    assert len(found) == 1
    assert caught.value.page == 16


def test_what_stops_a_block_is_said(readers: tuple[HeapReader, ColumnReader]) -> None:
    blocks, _ = readers
    with pytest.raises(SupavexError, match="division by zero") as caught:
        list(blocks.read("SELECT 1 / (t.i + 4000) FROM public.kinds AS t", "t", range(0, 200, 5)))
    assert caught.value.code == "ReadFailed"
    assert next(blocks.read("SELECT t.i FROM public.kinds AS t", "t", range(0, 200, 5))).num_rows
