"""Tables that are not there when all files have run: which are lost, and which nobody misses."""

from pathlib import Path

import pytest

from supavex.postgres.report import Report
from supavex.postgres.run_files import replay_files
from tests.databases import Database


def replayed(database: Database, folder: Path, *files: str) -> Report:
    paths = []
    for number, text in enumerate(files, start=1):
        paths.append(folder / f"{number}.sql")
        paths[-1].write_text(text)
    return replay_files(database, paths)


#: Files, and the tables that are lost, each with the place of the statement.
LOST = {
    "two primary keys": (
        ["CREATE TABLE t (id int);\nCREATE TABLE a (id int PRIMARY KEY, x int PRIMARY KEY);"],
        ["public.a 1.sql:2"],
    ),
    "CREATE TABLE AS": (["CREATE TABLE a AS SELECT nothing();"], ["public.a 1.sql:1"]),
    "SELECT INTO": (["SELECT nothing() INTO a;"], ["public.a 1.sql:1"]),
    "a partition": (
        ["CREATE TABLE p (n int) PARTITION BY RANGE (n);\nCREATE TABLE a PARTITION OF p FOR VALUES FROM (2) TO (1);"],
        ["public.a 1.sql:2"],
    ),
    "an inheriting table": (
        ["CREATE TABLE a (n int PRIMARY KEY, x int PRIMARY KEY);\nCREATE TABLE b () INHERITS (a);"],
        None,
    ),
    "a block": (["DO $$ BEGIN CREATE TABLE a (id int); PERFORM nothing(); END $$;"], ["public.a 1.sql:1"]),
    "a function that is called": (
        [
            "CREATE FUNCTION make() RETURNS void LANGUAGE plpgsql AS $$ BEGIN\n"
            "CREATE TABLE a (id int); PERFORM nothing(); END $$;\nSELECT make();"
        ],
        ["public.a 1.sql:3"],
    ),
    "a schema that is not there": (["CREATE TABLE nowhere.a (id int);"], ["nowhere.a 1.sql:1"]),
    "renamed afterwards": (
        ["CREATE TABLE a (id int PRIMARY KEY, x int PRIMARY KEY);", "ALTER TABLE a RENAME TO b;"],
        ["public.b 1.sql:1"],
    ),
    "moved to a schema": (
        ["CREATE SCHEMA s; CREATE TABLE a (id int PRIMARY KEY, x int PRIMARY KEY);", "ALTER TABLE a SET SCHEMA s;"],
        ["s.a 1.sql:1"],
    ),
    "dropped before": (
        ["DROP TABLE IF EXISTS a;\nCREATE TABLE a (id int PRIMARY KEY, x int PRIMARY KEY);"],
        ["public.a 1.sql:2"],
    ),
    "with a name that has to be quoted": (
        ['CREATE TABLE "My Table" (id int PRIMARY KEY, x int PRIMARY KEY);'],
        ["public.My Table 1.sql:1"],
    ),
    "dropped afterwards": (
        ["CREATE TABLE a (id int PRIMARY KEY, x int PRIMARY KEY);", "DROP TABLE IF EXISTS public.a;"],
        [],
    ),
    "dropped in a block": (
        ["CREATE TABLE a (id int PRIMARY KEY, x int PRIMARY KEY);", "DO $$ BEGIN DROP TABLE IF EXISTS a; END $$;"],
        [],
    ),
    "dropped with its schema": (
        ["CREATE TABLE s.a (id int PRIMARY KEY, x int PRIMARY KEY);", "DROP SCHEMA IF EXISTS s CASCADE;"],
        [],
    ),
    "renamed and dropped": (
        ["CREATE TABLE a (id int PRIMARY KEY, x int PRIMARY KEY);", "ALTER TABLE a RENAME TO b;", "DROP TABLE b;"],
        [],
    ),
    "temporary": (
        [
            "CREATE TEMP TABLE a (id int PRIMARY KEY, x int PRIMARY KEY);\n"
            "CREATE TABLE pg_temp.b (id int PRIMARY KEY, x int PRIMARY KEY);"
        ],
        [],
    ),
    "there already": (["CREATE TABLE a (id int);\nCREATE TABLE a (id int);"], []),
    "there already, and renamed": (
        ["CREATE TABLE a (id int);\nCREATE TABLE a (id int);", "ALTER TABLE a RENAME TO b;"],
        [],
    ),
    "made by a later file": (
        ["CREATE TABLE a (id int PRIMARY KEY, x int PRIMARY KEY);", "CREATE TABLE a (id int);"],
        [],
    ),
    "of a type that a later file makes": (["CREATE TABLE a (id later);", "CREATE DOMAIN later AS int;"], []),
    "rolled back": (["BEGIN;\nCREATE TABLE a (id int PRIMARY KEY, x int PRIMARY KEY);\nROLLBACK;"], []),
    "rolled back to a savepoint": (
        [
            "BEGIN;\nSAVEPOINT s;\nCREATE TABLE a (id int PRIMARY KEY, x int PRIMARY KEY);\n"
            "ROLLBACK TO SAVEPOINT s;\nCOMMIT;"
        ],
        [],
    ),
    "committed": (
        ["BEGIN;\nCREATE TABLE a (id int PRIMARY KEY, x int PRIMARY KEY);\nCOMMIT;\nROLLBACK;"],
        ["public.a 1.sql:2"],
    ),
    "a savepoint that came later": (
        ["BEGIN;\nCREATE TABLE a (id int PRIMARY KEY, x int PRIMARY KEY);\nSAVEPOINT s;\nROLLBACK TO s;\nCOMMIT;"],
        ["public.a 1.sql:2"],
    ),
    "a foreign table": (["CREATE FOREIGN TABLE a (id int) SERVER nothing;"], []),
    "of Supabase's own": (["CREATE TABLE storage.more (id int PRIMARY KEY, x int PRIMARY KEY);"], []),
}


@pytest.mark.parametrize("name", LOST)
def test_tables_that_are_lost(name: str, database: Database, tmp_path: Path) -> None:
    files, expected = LOST[name]
    report = replayed(database, tmp_path, *files)
    lost = [f"{loss.table} {loss.file}:{loss.line}" for loss in report.lost if loss.made]
    assert lost == (["public.a 1.sql:1", "public.b 1.sql:2"] if expected is None else expected)
    assert all(loss.error for loss in report.lost)
    assert Report.from_json(report.to_json()) == report


#: Files, and the tables that they need and none of them makes; those that may be views end in ?.
NEEDED = {
    "a foreign key": (["CREATE TABLE a (id int, b int REFERENCES b);"], ["public.b"]),
    "LIKE": (["CREATE TABLE a (LIKE b);"], ["public.b"]),
    "INHERITS": (["CREATE TABLE a () INHERITS (b);"], ["public.b"]),
    "PARTITION OF": (["CREATE TABLE a PARTITION OF b DEFAULT;"], ["public.b"]),
    "ALTER TABLE": (["ALTER TABLE b ADD c int;"], ["public.b"]),
    "a row": (["INSERT INTO b VALUES (1);"], ["public.b"]),
    "a policy": (["CREATE POLICY p ON b USING (true);"], ["public.b"]),
    "a trigger": (["CREATE TRIGGER g BEFORE INSERT ON b FOR EACH ROW EXECUTE FUNCTION nothing();"], ["public.b"]),
    "an index": (["CREATE INDEX i ON app.b (c);", "CREATE SCHEMA app;"], ["app.b"]),
    "a view": (["CREATE VIEW v AS SELECT * FROM b;"], ["public.b?"]),
    "a view and a row": (["CREATE VIEW v AS SELECT * FROM b;", "INSERT INTO b VALUES (1);"], ["public.b"]),
    "renamed": (["ALTER TABLE b RENAME TO c;"], ["public.c"]),
    "dropped in the end": (["ALTER TABLE b ADD c int;", "DROP TABLE IF EXISTS b;"], []),
    "made and dropped before": (["CREATE TABLE b (c int); DROP TABLE b;\nINSERT INTO b VALUES (1);"], []),
    "a table that is lost": (["CREATE TABLE b (c int PRIMARY KEY, x int PRIMARY KEY);\nINSERT INTO b VALUES (1);"], []),
    "a view that is lost": (["CREATE VIEW b AS SELECT nothing();\nGRANT SELECT ON b TO anon;"], []),
    "a view that reads a view": (["CREATE VIEW b AS SELECT nothing();\nCREATE VIEW c AS SELECT * FROM b;"], []),
    "an index of its own": (["DROP INDEX nothing;\nALTER INDEX nothing RENAME TO other;"], []),
    "a sequence": (["CREATE TABLE a (n int DEFAULT nextval('nothing'));\nALTER SEQUENCE nothing RESTART;"], []),
    "a view of its own": (["ALTER VIEW nothing RENAME TO other;\nDROP VIEW nothing;"], []),
    "a column": (["CREATE TABLE a (id int);\nALTER TABLE a DROP COLUMN nothing;"], []),
    "a function, a type, a schema": (["SELECT nothing();\nDROP TYPE nothing;\nDROP SCHEMA nothing;"], []),
    "a table of Supabase's own": (["INSERT INTO auth.nothing VALUES (1);\nALTER TABLE storage.nothing ADD c int;"], []),
    "rolled back": (["BEGIN;\nINSERT INTO b VALUES (1);\nROLLBACK;"], []),
    "a common table expression": (["WITH b AS (SELECT 1) SELECT nothing() FROM b;"], []),
}


@pytest.mark.parametrize("name", NEEDED)
def test_tables_that_no_file_makes(name: str, database: Database, tmp_path: Path) -> None:
    files, expected = NEEDED[name]
    report = replayed(database, tmp_path, *files)
    needed = [f"{loss.table}{'' if loss.certain else '?'}" for loss in report.lost if not loss.made]
    assert needed == expected


def test_what_can_be_known_without_a_base_table_is_known(database: Database, tmp_path: Path) -> None:
    report = replayed(
        database,
        tmp_path,
        "CREATE TABLE a (id int PRIMARY KEY, base int NOT NULL REFERENCES base (id) ON DELETE CASCADE DEFERRABLE);\n"
        "CREATE TABLE b (id int PRIMARY KEY, a int REFERENCES a, other int, FOREIGN KEY (other) REFERENCES base);\n"
        "ALTER TABLE b ADD more int REFERENCES base;\n"
        "INSERT INTO a VALUES (1, 7); INSERT INTO b VALUES (1, 1);",
    )
    assert [f"{failure.file}:{failure.line}" for failure in report.without_foreign_keys] == [
        "1.sql:1",
        "1.sql:2",
        "1.sql:3",
    ]
    assert report.failed == ()
    assert [loss.table for loss in report.lost] == ["public.base"]
    a, b = database.catalog()
    assert a.foreign_keys == ()
    assert [key.referenced_table for key in b.foreign_keys] == ["a"], "what is there stays a foreign key"
    assert [column.name for column in b.columns] == ["id", "a", "other", "more"]
    assert database.rows("SELECT * FROM public.a") == [(1, 7)]


def test_tables_that_refer_to_each_other_are_made_when_nothing_else_helps(database: Database, tmp_path: Path) -> None:
    report = replayed(
        database,
        tmp_path,
        "CREATE TABLE a (id int PRIMARY KEY, b int REFERENCES b);\n"
        "CREATE TABLE b (id int PRIMARY KEY, a int REFERENCES a);",
    )
    assert report.lost == ()
    assert [table.name for table in database.catalog()] == ["a", "b"]
    assert len(report.without_foreign_keys) >= 1


@pytest.mark.slow
def test_many_rows_into_a_table_that_is_not_there_take_no_time_of_their_own(database: Database, tmp_path: Path) -> None:
    rows = "\n".join(f"INSERT INTO b VALUES ({n});" for n in range(1000))
    report = replayed(database, tmp_path, rows)
    assert len(report.failed) == 1000
    assert [(loss.table, loss.line) for loss in report.lost] == [("public.b", 1)]
