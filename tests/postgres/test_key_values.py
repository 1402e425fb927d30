"""Whether values are keys: of a small table all of them are looked at, of a large one a sample, and never for long."""

import pytest

from supavex.postgres.connection import connect
from supavex.postgres.key_values import BOUNDS, Answer, Asked, Bounds, KeyColumn, look
from tests.databases import Database

HOSTS = KeyColumn("public", "hosts", "id", "uuid")
OTHERS = KeyColumn("public", "others", "id", "uuid")
TABLES = """
CREATE FUNCTION key(n int) RETURNS uuid IMMUTABLE LANGUAGE sql
  AS $$ SELECT ('00000000-0000-4000-8000-' || lpad(to_hex(n), 12, '0'))::uuid $$;
CREATE TABLE hosts (id uuid PRIMARY KEY);
CREATE TABLE others (id uuid PRIMARY KEY);
CREATE TABLE visits (id int PRIMARY KEY, host uuid, guests uuid[]);
INSERT INTO hosts SELECT key(n) FROM generate_series(1, 1000) n;
INSERT INTO others SELECT key(n) FROM generate_series(1, 10) n;
"""
SAMPLED = Bounds(whole_bytes=8192, sample_bytes=200_000, sample_values=500)


@pytest.fixture
def tables(database: Database) -> Database:
    database.run(TABLES)
    return database


def looked(database: Database, column: str = "host", *, bounds: Bounds = BOUNDS) -> Answer:
    with connect(database.url()) as connection:
        asked = Asked("public", "visits", column, column == "guests", (HOSTS, OTHERS))
        (answer,) = look(connection, [asked], bounds)
    return answer


def visits(database: Database, count: int, host: str = "key(1 + n % 1000)") -> None:
    database.run(f"INSERT INTO visits SELECT n, {host}, ARRAY[{host}] FROM generate_series(1, {count}) n")


@pytest.mark.parametrize("column", ["host", "guests"])
def test_all_of_a_small_table(tables: Database, column: str) -> None:
    visits(tables, 3000)
    assert looked(tables, column) == Answer((HOSTS,), 1000, whole=True)


def test_one_stranger_among_thousands_is_found(tables: Database) -> None:
    visits(tables, 3000)
    tables.run("INSERT INTO visits VALUES (0, key(5000), ARRAY[key(1), key(5000)])")
    assert looked(tables).keys == looked(tables, "guests").keys == ()


def test_keys_of_several_tables(tables: Database) -> None:
    visits(tables, 10)
    assert looked(tables) == Answer((HOSTS,), 10)
    tables.run("DELETE FROM visits WHERE host = key(11)")
    assert looked(tables) == Answer((HOSTS, OTHERS), 9)


@pytest.mark.parametrize("column", ["host", "guests"])
def test_no_rows_and_no_values(tables: Database, column: str) -> None:
    assert looked(tables, column) == Answer()
    tables.run("INSERT INTO visits VALUES (1, NULL, NULL), (2, NULL, '{}'), (3, NULL, '{NULL}')")
    assert looked(tables, column) == Answer()


def test_of_a_large_table_a_sample_says_that_it_is_one(tables: Database) -> None:
    visits(tables, 50_000)
    answer = looked(tables, bounds=SAMPLED)
    assert (answer.keys, answer.whole) == ((HOSTS,), False)
    assert 20 < answer.values <= 500


def test_a_partitioned_table_is_as_large_as_its_partitions(tables: Database) -> None:
    tables.run("""
        DROP TABLE visits;
        CREATE TABLE visits (id int, host uuid, guests uuid[]) PARTITION BY RANGE (id);
        CREATE TABLE visits_1 PARTITION OF visits FOR VALUES FROM (0) TO (30000);
        CREATE TABLE visits_2 PARTITION OF visits DEFAULT;
    """)
    visits(tables, 50_000)
    answer = looked(tables, bounds=SAMPLED)
    assert (answer.keys, answer.whole) == ((HOSTS,), False)


def test_what_may_not_be_read_is_no_answer(tables: Database) -> None:
    visits(tables, 10)
    tables.run("GRANT SELECT ON visits TO anon; REVOKE ALL ON hosts, others FROM anon")
    with connect(tables.url()) as connection:
        connection.execute("SET ROLE anon")
        (answer,) = look(connection, [Asked("public", "visits", "host", False, (HOSTS,))])
    assert (answer.keys, answer.problem) == ((), "permission denied for table hosts")


def test_a_statement_that_takes_long_is_given_up(tables: Database) -> None:
    visits(tables, 10)
    with connect(tables.url(), autocommit=False) as holding:
        holding.execute("LOCK TABLE public.hosts IN ACCESS EXCLUSIVE MODE")
        answer = looked(tables, bounds=Bounds(statement_seconds=0.2))
        holding.rollback()
    assert (answer.keys, answer.problem) == ((), "it takes more than 0.2 s")


def test_all_of_it_has_an_end(tables: Database) -> None:
    visits(tables, 10)
    answer = looked(tables, bounds=Bounds(seconds=-1))
    assert (answer.keys, answer.values, "took more than" in answer.problem) == ((), 0, True)


def test_other_types_of_keys(tables: Database) -> None:
    tables.run("""
        CREATE TABLE countries (code varchar(2) PRIMARY KEY); INSERT INTO countries VALUES ('ID'), ('MY');
        CREATE TABLE tags (id smallint PRIMARY KEY); INSERT INTO tags VALUES (1), (-2);
        CREATE DOMAIN code AS text;
        CREATE TABLE notes (country code, tag_id bigint, tag_ids int[]);
        INSERT INTO notes VALUES ('ID', -2, '{1,-2}'), ('MY', 1, '{}');
    """)
    country, tag = KeyColumn("public", "countries", "code", "text"), KeyColumn("public", "tags", "id", "int8")
    asked = [
        Asked("public", "notes", "country", False, (country,)), Asked("public", "notes", "tag_id", False, (tag,)),
        Asked("public", "notes", "tag_ids", True, (tag,)),
    ]  # fmt: skip
    with connect(tables.url()) as connection:
        assert look(connection, asked) == [Answer((country,), 2), Answer((tag,), 2), Answer((tag,), 2)]
