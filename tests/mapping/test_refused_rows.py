"""``check`` on a live source says beforehand which rows a migration would reject."""

from __future__ import annotations

from pathlib import Path

import pytest

from supavex.diagnostics import Diagnostic
from supavex.mapping import refused_rows
from supavex.mapping.check import check
from supavex.settings.reading import load_settings
from tests.databases import Database
from tests.projects import write

SCHEMA = (
    'schema = define_schema({"t": define_table({"n": v.optional(v.number()), "at": v.optional(v.number()), '
    '"body": v.optional(v.string()), "name": v.string()})})\n'
)
TABLE = "CREATE TABLE t (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), n int8, at timestamptz, body text, name text);"


def found(database: Database, folder: Path, sql: str, toml: str = "") -> list[Diagnostic]:
    database.run(TABLE + sql)
    write(folder, schema=SCHEMA, toml=f"source.database_url = '{database.url()}'\n{toml}")
    findings = check(load_settings(folder)).diagnostics
    return [finding for finding in findings if finding.code in ("RowsRefused", "RowsNotLookedAt")]


def test_rows_that_would_be_rejected_are_counted_with_the_line_that_mends_them(
    database: Database, tmp_path: Path
) -> None:
    rows = (
        "INSERT INTO t (n, name) SELECT 9007199254740993 + i, 'x' FROM generate_series(1, 3) i;"
        "INSERT INTO t (at, name) VALUES ('infinity', 'x'), (now(), NULL);"
        "INSERT INTO t (body, name) VALUES (repeat('x', 1048577), 'x');"
    )
    said = {finding.subject: finding for finding in found(database, tmp_path, rows)}
    assert set(said) == {"t.n", "t.at", "t.name", "t"}
    assert said["t.n"].message.startswith("3 rows would be rejected (InexactNumber)")
    assert said["t.n"].hint.endswith("Under [tables.t.columns.n] in supavex.toml: lossy = true")
    assert 'nonfinite = "null"' in said["t.at"].hint
    assert "1 row would be rejected (NullInRequired)" in said["t.name"].message
    assert "ValueTooLargeError" in said["t"].message
    assert {finding.severity for finding in said.values()} == {"warning"}
    assert said["t.n"].place is not None


def test_what_goes_is_no_finding(database: Database, tmp_path: Path) -> None:
    assert found(database, tmp_path, "INSERT INTO t (n, at, name) VALUES (1, now(), 'x');") == []


def test_what_the_rules_allow_is_no_finding(database: Database, tmp_path: Path) -> None:
    toml = "[tables.t.columns.n]\nlossy = true\n[tables.t.columns.body]\ntruncate = 10\n"
    rows = "INSERT INTO t (n, body, name) VALUES (9007199254740993, repeat('x', 2000000), 'x');"
    assert found(database, tmp_path, rows, toml) == []


def test_a_table_that_takes_too_long_is_named(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(refused_rows, "SECONDS", -1.0)
    (note,) = found(database, tmp_path, "INSERT INTO t (n, name) VALUES (9007199254740993, 'x');")
    assert (note.code, note.severity) == ("RowsNotLookedAt", "note")
    assert "public.t" in note.message
