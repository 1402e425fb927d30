"""What a statement is for, as reports of failures say it."""

import pytest

from supavex.postgres.statement_kinds import Described, described


@pytest.mark.parametrize(
    ("sql", "kind", "node", "tables"),
    [
        ("CREATE TABLE a.b (c int REFERENCES d)", "create table", "CreateStmt", [("a", "b"), (None, "d")]),
        ("CREATE TABLE b AS SELECT * FROM c", "create table", "CreateTableAsStmt", [(None, "b"), (None, "c")]),
        ("SELECT * INTO b FROM c", "create table", "SelectStmt", [(None, "b"), (None, "c")]),
        ("CREATE TEMP TABLE b (c int)", "other", "CreateStmt", [(None, "b")]),
        ("CREATE FOREIGN TABLE f (a int) SERVER s", "create table", "CreateForeignTableStmt", [(None, "f")]),
        ("CREATE MATERIALIZED VIEW v AS SELECT * FROM c", "other", "CreateTableAsStmt", [(None, "c")]),
        ("INSERT INTO b SELECT * FROM c", "data", "InsertStmt", [(None, "b"), (None, "c")]),
        ("WITH x AS (SELECT 1) UPDATE b SET c = 1", "data", "UpdateStmt", [(None, "b")]),
        ("DELETE FROM ONLY b", "data", "DeleteStmt", [(None, "b")]),
        ("TRUNCATE b, c", "data", "TruncateStmt", [(None, "b"), (None, "c")]),
        ("COPY s.b (c) FROM stdin", "data", "CopyStmt", [("s", "b")]),
        ("COPY b TO stdout", "other", "CopyStmt", [(None, "b")]),
        ("CREATE INDEX ON b (c)", "other", "IndexStmt", [(None, "b")]),
        ("ALTER TABLE b ADD COLUMN c int", "other", "AlterTableStmt", [(None, "b")]),
        ("GRANT SELECT ON b TO x", "other", "GrantStmt", [(None, "b")]),
        ("DO $$ BEGIN INSERT INTO s.b VALUES (1); END $$", "code", "DoStmt", [("s", "b")]),
        ("CALL p()", "code", "CallStmt", []),
        ("EXECUTE e (1)", "code", "ExecuteStmt", []),
        ("WITH x AS (INSERT INTO b VALUES (1) RETURNING c) SELECT * FROM x, d", "data", "SelectStmt", [(None, "b")]),
        (
            "WITH x AS (SELECT 1), y AS (DELETE FROM s.b RETURNING c) SELECT * FROM y",
            "data",
            "SelectStmt",
            [("s", "b")],
        ),
        ("WITH x AS (SELECT 1) SELECT * FROM x", "other", "SelectStmt", [(None, "x")]),
        ("COMMIT", "transaction", "TransactionStmt", []),
        ("helo", "other", "", []),
        # No SQL: what it was meant for.
        ("CREATE TABLE a.b (c int,)", "create table", "CreateStmt", [("a", "b")]),
        (
            "create table if not exists `Orders` (`id` int AUTO_INCREMENT)",
            "create table",
            "CreateStmt",
            [(None, "Orders")],
        ),
        ("CREATE TEMP TABLE b (c int,)", "other", "", []),
        ('INSERT INTO "A".b VALEUS (1)', "data", "InsertStmt", [("A", "b")]),
        ("UPDATE ONLY B SET", "data", "UpdateStmt", [(None, "b")]),
        ("ALTER TABLE ONLY b ADD COLUMN c int,", "other", "AlterTableStmt", [(None, "b")]),
    ],
)
def test_a_statement_s_kind_and_tables(sql: str, kind: str, node: str, tables: list[tuple[str | None, str]]) -> None:
    found = described(sql)
    assert (found.kind, found.node) == (kind, node)
    assert list(found.tables)[: len(tables)] == tables
    assert isinstance(found, Described)
