"""Values the whole way round: into PostgreSQL, the copy's archive, a deployment, its export, and back by decoding.

Each field of each document is what PostgreSQL says of its row; a row that is not there is among the rejected ones.
"""

import math
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st
from psycopg.types.json import Jsonb

from supavex.convex.ids import encode_id
from supavex.convex.snapshot import SnapshotArchive
from supavex.deployment import Deployment
from supavex.deployment.transfer.exporting import export_snapshot
from supavex.deployment.transfer.importing import import_snapshot
from supavex.mapping.make_plan import make_plan
from supavex.mapping.plan import ALIAS, Plan, TablePlan
from supavex.migrate.copy.run import copy
from supavex.migrate.proof.source_sql import field_sql
from supavex.postgres.connection import connect
from supavex.postgres.inspection import inspect_catalog
from supavex.postgres.server import temporary
from supavex.settings.reading import load_settings
from supavex.settings.schema_file import load_schema

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)
MOMENTS = st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31), timezones=st.just(UTC)) | st.sampled_from(
    [
        "infinity",
        "-infinity",
        "4000-01-01 BC",
        "290000-01-01",
        "294276-12-31",
        "1684-07-29",
        "2255-06-05 00:00:00.000001",
    ]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**70), 2**70) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT | st.sampled_from(["$a", "é"]), inner, max_size=3),
    max_leaves=8,
)
DECIMALS = st.decimals(allow_nan=True, allow_infinity=False, min_value=-(10**9), max_value=10**9, places=2)
WIDE = st.decimals(-(10**30), 10**30, places=9) | st.decimals(-1, 1, places=40) | st.sampled_from(["NaN", "Infinity"])
#: Name: PostgreSQL's type, Convex's, values.
COLUMNS: dict[str, tuple[str, str, st.SearchStrategy[Any]]] = {
    "a_text": ("text", "v.string()", TEXT),
    "b_varchar": ("varchar(40)", "v.string()", TEXT),
    "c_uuid": ("uuid", "v.string()", st.uuids()),
    "d_int": ("int4", "v.number()", st.integers(-(2**31), 2**31 - 1)),
    "e_big": ("int8", "v.int64()", st.integers(-(2**63), 2**63 - 1)),
    "f_big": ("int8", "v.number()", st.integers(-(2**63), 2**63 - 1)),
    "g_money": ("numeric(12,2)", "v.number()", DECIMALS),
    "h_whole": ("numeric(12,0)", "v.number()", st.integers(-(10**12) + 1, 10**12 - 1)),
    "i_decimal": ("numeric", "v.number()", WIDE),
    "j_digits": ("numeric", "v.string()", WIDE),
    "k_float": ("float8", "v.number()", st.floats()),
    "l_real": ("float4", "v.number()", st.floats(width=32)),
    "m_bool": ("boolean", "v.boolean()", st.booleans()),
    "n_moment": ("timestamptz", "v.number()", MOMENTS),
    "o_local": ("timestamp", "v.number()", MOMENTS),
    "p_date": ("date", "v.number()", st.dates()),
    "q_time": ("time", "v.string()", st.times()),
    "r_json": ("jsonb", "v.any()", JSON.map(Jsonb)),
    "s_bytes": ("bytea", "v.bytes()", st.binary(max_size=12)),
    "t_texts": ("text[]", "v.array(v.string())", st.lists(TEXT | st.none(), max_size=3)),
    "u_numbers": ("float8[]", "v.array(v.number())", st.lists(st.floats(), max_size=3)),
    "v_bools": ("boolean[]", "v.array(v.boolean())", st.lists(st.booleans(), max_size=3)),
    "created_at": ("timestamptz", "v.number()", MOMENTS),
}


class Source:
    """No dataclass: Hypothesis would write all of the plan into its reports."""

    def __init__(self, url: str, folder: Path, plan: Plan) -> None:
        self.url, self.folder, self.plan = url, folder, plan

    @property
    def table(self) -> TablePlan:
        return self.plan.moving[0]


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Source]:
    folder = tmp_path_factory.mktemp("round_trip")
    columns = ", ".join(f"{name} {type_}" for name, (type_, _, _) in COLUMNS.items())
    fields = ", ".join(f'"{name}": v.optional({field})' for name, (_, field, _) in COLUMNS.items())
    (folder / "supavex.toml").write_text("")
    (folder / "schema.py").write_text(
        "from supavex.schema import define_schema, define_table, v\n"
        f'schema = define_schema({{"things": define_table({{{fields}}})}})\n'
    )
    with temporary() as server:
        url = server.url("supabase_admin")
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(f"CREATE TABLE things (id int PRIMARY KEY, {columns})".encode())
            catalog = inspect_catalog(connection, ["public"])
        project = load_settings(folder)
        yield Source(url, folder, make_plan(project, load_schema(project), catalog))


#: A row has a few values: where every column had one, nearly every row would be rejected for one of them.
ROWS = st.lists(
    st.lists(st.sampled_from(sorted(COLUMNS)), max_size=5, unique=True).flatmap(
        lambda names: st.fixed_dictionaries({name: COLUMNS[name][2] for name in names})
    ),
    max_size=8,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=ROWS)
def test_values_come_back_as_they_went(source: Source, rows: list[dict[str, Any]]) -> None:
    types = ", ".join(f"%s::{type_}" for type_, _, _ in COLUMNS.values())
    with psycopg.connect(source.url, autocommit=True) as connection:
        connection.execute("TRUNCATE things")
        try:
            values = [[number, *map(row.get, COLUMNS)] for number, row in enumerate(rows)]
            connection.cursor().executemany(f"INSERT INTO things VALUES (%s, {types})".encode(), values)
        except psycopg.DataError:
            event("PostgreSQL refuses it")
            return
    result = copy(source.plan, source.url, {"things": 10_001}, source.folder / "a.zip", source.folder / "work")
    with Deployment(source.folder / "there.sqlite3") as deployment:
        deployment.push(source.plan.schema.export())
        with SnapshotArchive(source.folder / "a.zip") as archive:
            import_snapshot(deployment, archive, "replace")
        export_snapshot(deployment, source.folder / "b.zip")
    with SnapshotArchive(source.folder / "b.zip") as archive:
        documents = {str(document["_id"]): document for document in archive.documents("things")}
    assert len(documents) + len(result.rejects) == len(rows)
    for reject in result.rejects:
        event(f"rejected: {reject.code}")
    gone = {reject.key for reject in result.rejects}
    with connect(source.url) as connection:
        texts = [field_sql(field) for field in source.table.fields]
        for number, *said in connection.execute(
            f"SELECT id, {', '.join(texts)} FROM public.things AS {ALIAS}".encode()
        ):
            if str(number) in gone:
                continue
            key = source.table.key
            assert key is not None
            document = documents[encode_id(10_001, key.internal_id(str(number)))]
            for field, text in zip(source.table.fields, said, strict=True):
                if text is None:
                    assert field.name not in document
                    continue
                expected, found = field.conversion.parse(text), field.conversion.decode(document[field.name])
                assert same(found, expected), (field.name, text, found)


def same(found: object, expected: object) -> bool:
    both_nan = isinstance(found, float) and isinstance(expected, float) and math.isnan(found) and math.isnan(expected)
    return both_nan or found == expected
