"""Random scripts leave the same database whether supavex's replay runs them or psql does, on the same server.

A file without BEGIN is run by ``psql --single-transaction``, as the Supabase CLI does; a file with a BEGIN of its own
by plain ``psql -f``. The profile ``explore`` (``pytest --hypothesis-profile explore``) runs thousands.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from supavex.postgres import server as servers
from supavex.postgres.budget import DEFAULT_LIMITS, Budget
from supavex.postgres.connection import connect
from supavex.postgres.file_run import FileRun
from supavex.postgres.file_session import FileSessions
from supavex.postgres.psql import statements_of
from tests.databases import Database, new_database

NAMES = ["a", "b", "c"]
OPTIONS = (
    r'-c search_path="$user",\ public,\ extensions -c check_function_bodies=off -c createrole_self_grant=set,\ inherit'
)
BEGIN = re.compile(r"(?:begin|start transaction)\b", re.IGNORECASE)

names = st.sampled_from(NAMES)
numbers = st.integers(1, 4)
#: Statements over few names, so that they often meet; many of them fail.
STATEMENTS: list[str] = [
    "create table {x} (id int primary key, n int)",
    "create table {x} (id serial primary key, n int default 7)",
    "create table if not exists {x} (id int primary key, n int references {y} deferrable initially deferred)",
    "create table {x} (id int primary key, n int references {y} deferrable initially immediate)",
    "create temp table t_{x} (id int, n int) on commit drop",
    "create temp table t_{x} (id int) on commit delete rows",
    "create temp table t_{x} (id int)",
    "insert into t_{x} (id) values ({i})",
    "insert into {x} (id, n) select id, id from t_{y}",
    "alter table {x} add column k{i} text default 'k'",
    "alter table {x} add constraint n_{i} check (n > {j}) not valid",
    "alter table {x} rename to {y}",
    "alter table {x} alter column n type bigint",
    "drop table {x}",
    "drop table if exists {x} cascade",
    "create index on {x} (n)",
    "create unique index u_{x} on {x} (n)",
    "create view v_{x} as select id, n + {i} as m from {x}",
    "create schema s{i}",
    "create table s{i}.{x} (id int)",
    "create type e{i} as enum ('one', 'two')",
    "alter type e{i} add value if not exists 'three{j}'",
    "create sequence q{i} start {j}",
    "select nextval('q{i}')",
    "insert into {x} (id, n) values ({i}, {j})",
    "insert into {x} (id, n) values ({i}, {j}) on conflict do nothing",
    "insert into {x} (n) values ({j})",
    "insert into {x} (n) values ({j}), (1 / ({i} - {j}))",
    "update {x} set n = {j} where id = {i}",
    "update {x} set n = n + 1",
    "delete from {x} where id = {i}",
    "delete from {x}",
    "truncate {x} cascade",
    "comment on table {x} is 'said {i}'",
    "create or replace function f{i}() returns int language sql as $$ select {j}; $$",
    "do $$ begin insert into {x} (id, n) values ({i}, {j}); end $$",
    "do $$ begin insert into {x} (id, n) values ({i}, 1); perform 1 / 0; exception when others then null; end $$",
    "set search_path = s{i}, public",
    "set local search_path = s{i}, public",
    "reset search_path",
    "select set_config('app.x', '{i}', true)",
    "select set_config('app.x', '{i}', false)",
    "set app.x = '{i}'",
    "set local app.x = '{i}'",
    "create table if not exists log (said text); insert into log select current_setting('app.x', true)",
    "insert into log select current_setting('search_path')",
    "insert into log select current_setting('transaction_isolation') || current_setting('transaction_read_only')",
    "set constraints all deferred",
    "set constraints all immediate",
    "set transaction isolation level serializable",
    "prepare p{i} as select {j}",
    "execute p{i}",
    "declare cursor_{i} cursor for select 1",
    "fetch cursor_{i}",
    "lock table {x}",
    "select 1 / 0",
    "selec 1",
    "select 'unknown'::nothing",
    "commit prepared 'p'",
]
CONTROL = [
    "begin",
    "begin",
    "begin",
    "start transaction",
    "begin isolation level repeatable read",
    "commit",
    "commit",
    "commit",
    "end",
    "rollback",
    "rollback",
    "abort",
    "commit and chain",
    "rollback and chain",
    "savepoint {x}",
    "savepoint {x}",
    "release {x}",
    "rollback to {x}",
    "rollback to savepoint {x}",
    'rollback to savepoint "{x}"',
    "prepare transaction 'p'",
]


@st.composite
def statements(draw: st.DrawFn, pool: list[str]) -> str:
    text = draw(st.sampled_from(pool))
    return text.format(x=draw(names), y=draw(names), i=draw(numbers), j=draw(numbers))


@st.composite
def files(draw: st.DrawFn) -> list[str]:
    """The lines of a file, a statement each; half of the files have transactions of their own."""
    inner = st.lists(statements(STATEMENTS), min_size=1, max_size=25)
    if not draw(st.booleans()):
        inside = [*STATEMENTS, "savepoint {x}", "release {x}", "rollback to {x}"]
        return draw(st.lists(statements(inside), min_size=1, max_size=25))
    lines = draw(inner)
    for control in draw(st.lists(statements(CONTROL), min_size=1, max_size=10)):
        lines.insert(draw(st.integers(0, len(lines))), control)
    if not any(BEGIN.match(line) for line in lines):
        lines.insert(draw(st.integers(0, len(lines))), "begin")
    return lines


@dataclass
class Pair:
    """Two databases, one for psql and one for the replay, and a folder for the scripts."""

    psql: Database
    replay: Database
    folder: Path


@pytest.fixture(scope="module")
def pair(server: servers.Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    with new_database(server) as first, new_database(server) as second:
        yield Pair(first, second, tmp_path_factory.mktemp("scripts"))


def emptied(database: Database) -> None:
    with connect(database.url(servers.SUPERUSER)) as connection:
        for (schema,) in connection.execute(
            "SELECT nspname::text FROM pg_namespace WHERE nspname = 'public' OR nspname ~ '^s[0-9]'"
        ).fetchall():
            connection.execute(f"SET client_min_messages = error; DROP SCHEMA {schema} CASCADE")
        connection.execute("CREATE SCHEMA public AUTHORIZATION postgres")


def run_by_psql(database: Database, path: Path, lines: list[str]) -> list[int]:
    """Runs a script; the lines of its statements that failed."""
    own = any(BEGIN.match(line) for line in lines)
    command = [str(servers.programs() / "psql"), "-X", "-q", "-v", "ON_ERROR_ROLLBACK=on", "-f", str(path)]
    command += [] if own else ["--single-transaction"]
    environment = {**os.environ, "PGOPTIONS": OPTIONS, "PGUSER": "postgres", "PGDATABASE": database.name}
    environment |= {"PGHOST": str(database.socket_folder), "PGCLIENTENCODING": "UTF8"}
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=180)
    return [int(line) for line in re.findall(r":(\d+): ERROR:", ran.stderr)]


def run_by_replay(database: Database, sessions: FileSessions, path: Path) -> list[int]:
    with Budget(database, 0, DEFAULT_LIMITS) as budget:
        outcome = FileRun(sessions, lambda: statements_of(path, path.name, path.parent), budget).run()
    return [one.statement.line for one in outcome.failed]


STATE = {
    "relations": """SELECT n.nspname::text, c.relname::text, c.relkind::text, obj_description(c.oid, 'pg_class')
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname = 'public' OR n.nspname ~ '^s[0-9]' ORDER BY 1, 2""",
    "columns": """SELECT c.oid::regclass::text, a.attname::text, format_type(a.atttypid, a.atttypmod), a.attnotnull,
        pg_get_expr(d.adbin, d.adrelid) FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
        LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
        JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE (n.nspname = 'public' OR n.nspname ~ '^s[0-9]') AND a.attnum > 0 AND NOT a.attisdropped
        AND c.relkind IN ('r', 'v') ORDER BY 1, 2""",
    "constraints": """SELECT conrelid::regclass::text, conname::text, pg_get_constraintdef(oid) FROM pg_constraint
        WHERE connamespace IN (SELECT oid FROM pg_namespace WHERE nspname = 'public' OR nspname ~ '^s[0-9]')
        ORDER BY 1, 2""",
    "labels": """SELECT enumtypid::regtype::text, enumlabel::text FROM pg_enum JOIN pg_type t ON t.oid = enumtypid
        WHERE typnamespace::regnamespace::text = 'public' ORDER BY 1, enumsortorder""",
    "sequences": "SELECT schemaname::text, sequencename::text, last_value FROM pg_sequences ORDER BY 1, 2",
    "functions": """SELECT proname::text, prosrc FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
        WHERE n.nspname = 'public' OR n.nspname ~ '^s[0-9]' ORDER BY 1""",
}


def state(database: Database) -> dict[str, Any]:
    """The catalog and the rows of a database."""
    found: dict[str, Any] = {name: database.rows(sql) for name, sql in STATE.items()}
    tables = [(schema, name) for schema, name, kind, _ in found["relations"] if kind == "r"]
    for schema, name in tables:
        found[f"rows of {schema}.{name}"] = database.rows(f'SELECT t::text FROM "{schema}"."{name}" t ORDER BY 1')
    return found


def both(pair: Pair, scripts: list[list[str]]) -> list[list[int]]:
    """Runs scripts both ways into empty databases; the lines that failed in psql. They must agree on every file."""
    emptied(pair.psql)
    emptied(pair.replay)
    failed = []
    with closing(FileSessions(pair.replay)) as sessions:
        for number, lines in enumerate(scripts):
            path = pair.folder / f"{number}.sql"
            path.write_text("".join(f"{line};\n" for line in lines))
            failed.append(run_by_psql(pair.psql, path, lines))
            run_by_replay(pair.replay, sessions, path)
            assert state(pair.replay) == state(pair.psql), f"after file {number}:\n" + "\n".join(lines)
    return failed


#: Shrinking would take minutes, for each try runs psql: a script is short enough to read as it is.
PHASES = (Phase.explicit, Phase.reuse, Phase.generate)
SETTINGS = settings(deadline=None, suppress_health_check=list(HealthCheck), max_examples=12, phases=PHASES)


@pytest.mark.slow
@SETTINGS
@given(scripts=st.lists(files(), min_size=1, max_size=3))
def test_scripts_with_failures_leave_what_psql_leaves(pair: Pair, scripts: list[list[str]]) -> None:
    """As with ON_ERROR_ROLLBACK=on, before anything is retried."""
    both(pair, scripts)


@pytest.mark.slow
@SETTINGS
@given(scripts=st.lists(files(), min_size=1, max_size=3))
def test_scripts_in_which_every_statement_succeeds_leave_what_psql_leaves(pair: Pair, scripts: list[list[str]]) -> None:
    """Statements that fail are taken out until none does; then no statement of the replay fails either."""
    for _ in range(6):
        failed = both(pair, scripts)
        if not any(failed):
            break
        scripts = [
            [line for number, line in enumerate(lines, start=1) if number not in gone]
            for lines, gone in zip(scripts, failed, strict=True)
        ]
