"""The way back: what was migrated is restored into empty tables, and is what it was."""

import json
import shutil
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from psycopg.conninfo import make_conninfo

from supavex.convex.field_rules import MISSING
from supavex.mapping.check import checked_plan
from supavex.mapping.key_sql import key_text_sql
from supavex.mapping.plan import ALIAS, Plan, TablePlan
from supavex.mapping.source import Source
from supavex.postgres import server as servers
from supavex.postgres.connection import connect, literal, quoted
from supavex.settings.reading import load_settings
from tests import catalogs, faker, projects
from tests.databases import new_database
from tests.projects import supavex

SCENARIOS = Path(__file__).parents[2] / "scenarios"
#: Columns that don't come back, by scenario: they were skipped, or an sql expression made their field.
LEFT = {
    "convex_auth": {"auth.users", "auth.identities", "public.posts.created_at"},
    "creation_times": {"public.usual.created_at", "public.usual.updated_at"},
    "my21staff": {"public.ari_flow_stages.created_at"},
    "inherited_keys": {"public.cities"},
    "renames": {"public.Order-Lines.email", "public.Order-Lines._secret", "public._prisma_migrations"},
    "stored_files": {"public.articles.cover", "public.articles.attachment"},
    "stand_ins": {"public.things.what"},
    "wide_references": {"public.posts.csv"},
}
#: Tables that others inherit from: documents of the heirs' rows are left, and the table's own rows come back.
PARENTS = {"inherited_keys": {"public.cities"}}
#: Columns whose values were made others by choice.
NEAREST = {
    "nonfinite": {
        *(f"public.nulled.{name}" for name in ("f8", "f4", "dec", "tz", "ts", "day")),
        *(f"public.choices.{name}" for name in ("filled", "empty", "required")),
    },
    "truncated": {"public.posts.body", "public.posts.code"},
}
#: What stands for a value of the source: a JSON string that holds refused JSON can't be told from that JSON itself; of
#: a text that was cut its beginning is left; a reference comes back as its row's key, to which it is equal.
INSTEAD = {
    ("equal_keys", "public.plans", "term"): "(SELECT p.id FROM public.terms AS p WHERE p.id = t.term)",
    (
        "equal_keys",
        "public.plans",
        "others",
    ): "CASE t.id WHEN 1 THEN '{2 days,NULL,1 day}'::interval[] ELSE t.others END",
    (
        "equal_keys",
        "public.parts",
        "lasts",
    ): "(SELECT p.lasts FROM public.wholes AS p WHERE (p.n, p.lasts) = (t.n, t.lasts))",
    ("equal_keys", "public.grades", "mark"): "(SELECT p.id FROM public.marks AS p WHERE p.id = t.mark)",
    ("equal_keys", "public.grades", "small"): "(SELECT p.id FROM public.marks AS p WHERE p.id = t.small)::float4",
    ("refused_json", "public.as_text", "raw"): "CASE WHEN t.id = 2 THEN '{\"$ref\": 1}'::json ELSE t.raw END",
    ("truncated", "public.posts", "body"): "left(t.body, 10)",
    ("truncated", "public.posts", "code"): "left(t.code, 3)",
}

#: What has to be done to the tables first: NaN that became null is NULL now, which PostgreSQL rightly refuses. So is
#: a skipped column that is required and has no default: restore names it, and writes nothing.
FIRST = {
    "nonfinite": "ALTER TABLE public.choices ALTER empty DROP NOT NULL",
    "stand_ins": "ALTER TABLE public.things ALTER what DROP NOT NULL",
    "stored_files": "ALTER TABLE public.articles ALTER cover DROP NOT NULL",
}


def expected_sql(scenario: str, table: TablePlan, name: str, nonfinite: bool) -> str:
    """SQL for what a column of the source comes back as: itself, or what the plan says that becomes of it."""
    column = table.source.column(name)
    assert column is not None
    sql = INSTEAD.get((scenario, table.name, name), f"{ALIAS}.{quoted(name)}")
    if nonfinite:
        sql = f"CASE WHEN lower({sql}::text) NOT IN ('nan', 'infinity', '-infinity') THEN {sql} END"
    planned = next((f for f in table.fields if f.column is not None and f.column.name == name), None)
    if planned is not None and planned.fill is not MISSING:
        default = "{}" if planned.fill == [] else planned.conversion.restore(planned.fill)
        assert default is not None
        sql = f"COALESCE({sql}, {literal(default)}::{column.type.name})"
    for whole in (f.by_columns for f in table.fields if planned is None and name in f.by_columns):
        # Half a reference is none.
        there = " AND ".join(f"{ALIAS}.{quoted(part)} IS NOT NULL" for part in whole)
        sql = f"CASE WHEN {there} THEN {sql} END"
    return sql


def contents(
    url: str,
    table: TablePlan,
    columns: dict[str, str],
    rejected: set[str | None] = frozenset(),  # type: ignore[assignment]
    only: str = "",
) -> Counter[tuple[Any, ...]]:
    """The rows of a table, without rejected ones; columns as text, and as numbers where 1.50 and 1.5 are one.

    ``only``: ``ONLY``, for the table's own rows, without those of tables that inherit from it.
    """
    assert table.key is not None
    types = [table.source.column(name).type for name in columns]  # type: ignore[union-attr]
    shown = []
    for type_, sql in zip(types, columns.values(), strict=True):
        if type_.element is not None:
            shown.append(f"to_jsonb({sql})::text")  # without the bounds of its dimensions
        else:
            shown.append(f"trim_scale({sql})::text" if type_.base == "numeric" else f"({sql})::text")
    key = key_text_sql(table.key, table.key.own(ALIAS))
    source = f"{only} {quoted(table.source.schema, table.source.name)}"
    with connect(url) as connection:
        rows = connection.execute(f"SELECT {', '.join([key, *shown])} FROM {source} AS {ALIAS}".encode()).fetchall()
    found: Counter[tuple[Any, ...]] = Counter()
    for row_key, *texts in rows:
        if row_key not in rejected:
            found[tuple(map(value, types, texts))] += 1
    return found


def value(type_: Any, text: str | None) -> Any:
    if text is None:
        return None
    base = type_.base if type_.element is None else type_.element.base
    if base in ("json", "jsonb") or type_.element is not None:
        return json.dumps(json.loads(text, parse_int=float), sort_keys=True)  # numbers in JSON are doubles
    return text


def rejected_keys(folder: Path) -> dict[str, set[str | None]]:
    found: dict[str, set[str | None]] = {}
    for line in (folder / ".supavex/migration/rejects.jsonl").read_text().split("\n")[:-1]:
        reject = json.loads(line)
        found.setdefault(reject["table"], set()).add(reject["key"])
    return found


def assert_equal(
    plan: Plan, source: str, target: str, ran: Any, folder: Path, left: set[str], scenario: str = ""
) -> int:
    """Holds every table of the target against the source; the number of rows that are equal."""
    names = [(note["kind"], note["table"], f"{note['table']}.{note['column']}".rstrip(".")) for note in ran["notes"]]
    assert {name for kind, _, name in names if kind == "left"} == left
    nearest = {name for kind, _, name in names if kind == "nearest"}
    assert nearest == NEAREST.get(scenario, set())
    rejected = rejected_keys(folder)
    rows = 0
    parents = PARENTS.get(scenario, set())
    for table in (table for table in plan.moving if table.name not in left - parents):
        columns = {
            column.name: expected_sql(scenario, table, column.name, f"{table.name}.{column.name}" in nearest)
            for column in table.source.columns
            if f"{table.name}.{column.name}" not in left
        }
        only = "ONLY" if table.name in parents else ""
        expected = contents(source, table, columns, rejected.get(table.name, set()), only)
        found = contents(target, table, {name: f"{ALIAS}.{quoted(name)}" for name in columns}, only=only)
        assert found == expected, table.name
        rows += found.total()
    assert rows == sum(table["rows"] for table in ran["tables"])
    return rows


@contextmanager
def emptied(plan: Plan, source: str, role: str = "postgres", password: str = "") -> Iterator[str]:
    """A copy of a database whose tables that the plan knows are empty; its URL for ``role``.

    ``password``: the superuser's, where ``source`` does not have it.
    """
    admin = make_conninfo(source, user=servers.SUPERUSER, **({"password": password} if password else {}))
    name = psycopg.conninfo.conninfo_to_dict(source)["dbname"]
    with connect(make_conninfo(admin, dbname="template1")) as connection:
        connection.execute("DROP DATABASE IF EXISTS restored")
        connection.execute(f"CREATE DATABASE restored TEMPLATE {quoted(str(name))} STRATEGY FILE_COPY".encode())
    try:
        with connect(make_conninfo(admin, dbname="restored")) as connection:
            # The users are there already: Supabase Auth's own are never restored.
            for table in (table for table in plan.tables if table.source.schema != "auth"):
                connection.execute(f"TRUNCATE {quoted(table.source.schema, table.source.name)} CASCADE".encode())
        yield make_conninfo(source, user=role, dbname="restored")
    finally:
        with connect(make_conninfo(admin, dbname="template1")) as connection:
            connection.execute("DROP DATABASE restored WITH (FORCE)")


@pytest.mark.parametrize("name", ["my21staff", *sorted(path.parent.name for path in SCENARIOS.glob("*/setup.sql"))])
def test_a_scenario_comes_back(name: str) -> None:
    with projects.folder() as folder:
        if name == "my21staff":
            projects.copy_of_my21staff(folder)
        else:
            shutil.copytree(SCENARIOS / name, folder, dirs_exist_ok=True)
            (folder / "supabase/migrations").mkdir(parents=True)
            (folder / "setup.sql").rename(folder / "supabase/migrations/1_setup.sql")
        archive = folder / "archive.zip"
        assert supavex("migrate", "-C", folder, "--out", archive).code == 0
        project = load_settings(folder)
        plan, _ = checked_plan(project)
        # The role of the migrations, which owns the tables and is no superuser.
        secret = (folder / ".supavex/source/database/password").read_text().split()[0]
        with Source(project).running() as source, emptied(plan, source, password=secret) as target:
            with connect(target) as connection:
                connection.execute(FIRST.get(name, "SELECT 1").encode())
            ran = supavex("restore", archive, "-C", folder, "--to", target, "--json")
            assert ran.code == 0, ran.out + ran.err
            assert assert_equal(plan, source, target, ran.json, folder, LEFT.get(name, set()), name) > 0


@settings(max_examples=15, phases=[Phase.generate], suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sql=catalogs.databases(), seed=st.integers(0, 99))
def test_a_random_database_comes_back(server: servers.Server, sql: str, seed: int) -> None:
    with new_database(server) as database, projects.folder() as folder:
        database.run(catalogs.PRELUDE, role=servers.SUPERUSER)
        database.run(sql, role=servers.SUPERUSER)
        url = database.url(servers.SUPERUSER)
        faker.fill(url, database.catalog(), rows=12, seed=seed)
        (folder / "supavex.toml").write_text(f"[source]\ndatabase_url = {json.dumps(url)}\n")
        assert supavex("scaffold", "-C", folder).code == 0
        archive = folder / "archive.zip"
        migrated = supavex("migrate", "-C", folder, "--max-rejects", "1000000", "--out", archive)
        assert migrated.code == 0, migrated.out + migrated.err
        plan, _ = checked_plan(load_settings(folder))
        # Scaffold leaves tsvectors behind: a search index of Convex takes their place.
        columns = [(table, table.source.column(name)) for table in plan.moving for name in table.skipped]
        assert all(column is not None and column.type.base == "tsvector" for _, column in columns)
        # PostgreSQL makes a generated one again.
        skipped = [(table, column.name) for table, column in columns if column is not None and not column.generated]
        with emptied(plan, url, servers.SUPERUSER) as target:
            with connect(target) as connection:
                for table, column in skipped:
                    name = quoted(table.source.schema, table.source.name)
                    connection.execute(f"ALTER TABLE {name} ALTER {quoted(column)} DROP NOT NULL".encode())
            ran = supavex("restore", archive, "-C", folder, "--to", target, "--json")
            assert ran.code == 0, ran.out + ran.err
            left = {f"{table.name}.{column}" for table, column in skipped}
            left |= {table.name for table in plan.moving if len(table.skipped) == len(table.source.columns)}
            assert_equal(plan, url, target, ran.json, folder, left)
