"""pgcrypto and uuid-ossp as they are written in SQL: held to known vectors and to Python's own."""

import hashlib
import hmac
import uuid
from pathlib import Path

import bcrypt
import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from supavex.postgres import server as servers
from supavex.postgres.connection import connect, literal
from supavex.postgres.report import Report
from supavex.postgres.run_files import replay_files
from tests.databases import Database

KINDS = ("md5", "sha1", "sha224", "sha256", "sha384", "sha512")
TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=200)
many = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@many
@given(kind=st.sampled_from(KINDS), data=st.binary(max_size=300), text=TEXTS, key=st.binary(max_size=200))
def test_hashes_are_pythons(database: Database, kind: str, data: bytes, text: str, key: bytes) -> None:
    with connect(database.url()) as connection:
        row = connection.execute(
            "SELECT extensions.digest(%s::bytea, %s), extensions.digest(%s::text, %s),"
            " extensions.hmac(%s::bytea, %s::bytea, %s)",
            (data, kind, text, kind.upper(), data, key, kind),
        ).fetchone()
    assert row is not None
    assert bytes(row[0]) == hashlib.new(kind, data).digest()
    assert bytes(row[1]) == hashlib.new(kind, text.encode()).digest()
    assert bytes(row[2]) == hmac.new(key, data, kind).digest()


@many
@given(namespace=st.uuids(), name=TEXTS)
def test_uuids_of_names_are_pythons(database: Database, namespace: uuid.UUID, name: str) -> None:
    rows = database.rows(
        "SELECT extensions.uuid_generate_v3(%s, %s), extensions.uuid_generate_v5(%s, %s)",
        [namespace, name, namespace, name],
    )
    assert rows == [(uuid.uuid3(namespace, name), uuid.uuid5(namespace, name))]


def test_uuids_of_moments_and_constants(database: Database) -> None:
    before = database.value("SELECT now()")
    rows = database.rows(
        "SELECT extensions.uuid_generate_v1(), extensions.uuid_generate_v1mc(), extensions.uuid_generate_v4() "
        "FROM generate_series(1, 500)"
    )
    assert len({value for row in rows for value in row}) == 1500
    for first, second, fourth in rows:
        assert (first.version, second.version, fourth.version) == (1, 1, 4)
        assert first.variant == second.variant == uuid.RFC_4122
        assert first.node >> 40 & 1 and second.node >> 40 & 1, "no network card's own"
        assert abs((first.time - 0x01B21DD213814000) / 1e7 - before.timestamp()) < 600
    assert database.rows(
        "SELECT extensions.uuid_nil(), extensions.uuid_ns_dns(), extensions.uuid_ns_url(), extensions.uuid_ns_oid(),"
        " extensions.uuid_ns_x500()"
    ) == [(uuid.UUID(int=0), uuid.NAMESPACE_DNS, uuid.NAMESPACE_URL, uuid.NAMESPACE_OID, uuid.NAMESPACE_X500)]


@pytest.mark.parametrize(
    ("sql", "value"),
    [
        # FIPS 180-4's examples, RFC 2202's, and RFC 4880's form of armor.
        ("encode(extensions.digest('abc', 'sha1'), 'hex')", "a9993e364706816aba3e25717850c26c9cd0d89d"),
        ("encode(extensions.digest('', 'sha1'), 'hex')", "da39a3ee5e6b4b0d3255bfef95601890afd80709"),
        (
            "encode(extensions.digest(repeat('a', 1000), 'sha1'), 'hex')",
            hashlib.sha1(b"a" * 1000).hexdigest(),
        ),
        ("encode(extensions.hmac('Hi There', repeat(chr(11), 20), 'sha1'), 'hex')",
         "b617318655057264e28bc0b6fb378c8ef146be00"),
        ("encode(extensions.hmac('what do ya want for nothing?', 'Jefe', 'md5'), 'hex')",
         "750c783e6ab0b503eaa86e310a5db738"),
        ("extensions.armor('')", "-----BEGIN PGP MESSAGE-----\n\n=twTO\n-----END PGP MESSAGE-----\n"),
        ("extensions.armor('test')", "-----BEGIN PGP MESSAGE-----\n\ndGVzdA==\n=+G7Q\n-----END PGP MESSAGE-----\n"),
        (
            "extensions.armor('test', ARRAY['a', 'b'], ARRAY['1', '2'])",
            "-----BEGIN PGP MESSAGE-----\na: 1\nb: 2\n\ndGVzdA==\n=+G7Q\n-----END PGP MESSAGE-----\n",
        ),
        # As `openssl passwd -1` gives them.
        ("extensions.crypt('a much longer password with ü', '$1$abc$')", "$1$abc$wx3VxB8FZQAdeCQLJGy.I."),
        ("extensions.crypt('password', '$1$saltsalt')", "$1$saltsalt$qjXMvbEw8oaL.CzflDtaK/"),
        ("extensions.crypt('password', '$1$saltsalt$qjXMvbEw8oaL.CzflDtaK/')", "$1$saltsalt$qjXMvbEw8oaL.CzflDtaK/"),
    ],
)  # fmt: skip
def test_known_vectors(database: Database, sql: str, value: str) -> None:
    assert database.value(f"SELECT {sql}") == value


@many
@given(data=st.binary(max_size=300))
def test_armor_comes_back(database: Database, data: bytes) -> None:
    rows = database.rows(
        "SELECT extensions.dearmor(extensions.armor(%s::bytea)),"
        " extensions.dearmor(extensions.armor(%s::bytea, ARRAY['k'], ARRAY['v']))",
        [data, data],
    )
    assert [bytes(value) for value in rows[0]] == [data, data]


def test_random_bytes_and_salts(database: Database) -> None:
    rows = database.rows("SELECT extensions.gen_random_bytes(n) FROM generate_series(1, 1024) AS n")
    assert [len(row[0]) for row in rows] == list(range(1, 1025))
    assert len({bytes(row[0]) for row in rows[15:]}) == len(rows) - 15
    salt = database.value("SELECT extensions.gen_salt('md5')")
    assert salt.startswith("$1$") and len(salt) == 11
    assert database.value(
        "SELECT extensions.crypt('a', h) = h FROM (SELECT extensions.crypt('a', extensions.gen_salt('md5')) AS h) AS t"
    )


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("digest('a', 'nothing')", 'Cannot use "nothing": No such hash algorithm'),
        ("gen_random_bytes(0)", "Length not in range"),
        ("gen_random_bytes(1025)", "Length not in range"),
        ("gen_salt('nothing')", "Unknown salt algorithm"),
        ("gen_salt('xdes')", "gen_salt('xdes') is not available where migration files are replayed"),
        ("gen_salt('bf', 3)", "Incorrect number of rounds"),
        ("gen_salt('bf', 32)", "Incorrect number of rounds"),
        ("crypt('a', '$2a$06$abcdefghijklmnopqrstuv')", "crypt() with Blowfish (bf) is not available"),
        ("crypt('a', '$2a$06$abcdefghijklmnopqrstu')", "invalid salt"),
        ("crypt('a', '$2a$03$abcdefghijklmnopqrstuv')", "invalid salt"),
        ("crypt('a', '$2x$06$abcdefghijklmnopqrstuv')", "crypt() with Blowfish (bf) is not available"),
        ("crypt('a', 'ab')", "crypt() with DES is not available"),
        ("pgp_sym_encrypt('a', 'b')", "pgp_sym_encrypt() is not available"),
        ("encrypt('a', 'b', 'aes')", "encrypt() is not available"),
        ("dearmor('nothing')", "Corrupt ascii-armor"),
    ],
)
def test_what_is_not_there_raises(database: Database, sql: str, words: str) -> None:
    with connect(database.url()) as connection, pytest.raises(psycopg.Error) as caught:
        connection.execute(f"SELECT extensions.{sql}".encode())
    assert words in str(caught.value)


#: Password, and the hash that OpenBSD's bcrypt and jBCrypt give.
BCRYPT = [
    ("", "$2a$06$DCq7YPn5Rq63x1Lad4cll.TV4S6ytwfsfvkgY8jIucDrjc8deX1s."),
    ("a", "$2a$06$m0CrhHm10qJ3lXRY.5zDGO3rS2KdeeWLuGmsfGlMfOxih58VYVfxe"),
    ("abc", "$2a$06$If6bvum7DFjUnE9p2uDeDu0YHzrHM6tf.iqN8.yx.jNN1ILEf7h0i"),
    ("abcdefghijklmnopqrstuvwxyz", "$2a$08$aTsUwsyowQuzRrDqFflhgekJ8d9/7Z3GV3UcgvzQW3J5zMyrTvlz."),
    ("~!@#$%^&*()      ~!@#$%^&*()PNBFRD", "$2a$06$fPIsBO8qRqkjj273rfaOI.HtSV9jLDpTbZn782DC6/t7qT67P6FfO"),
    ("U*U", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"),
]


def replayed(database: Database, folder: Path, sql: str) -> Report:
    path = folder / "1.sql"
    path.write_text(sql)
    return replay_files(database, [path])


def test_bcrypt_gives_the_known_hashes_where_files_are_replayed(database: Database, tmp_path: Path) -> None:
    rows = ", ".join(f"({literal(password)}, {literal(known)})" for password, known in BCRYPT)
    long = "x" * 72
    report = replayed(
        database,
        tmp_path,
        f"""SET client_min_messages = error;
CREATE TABLE known AS SELECT h, crypt(p, h) AS whole, crypt(p, substr(h, 1, 29)) AS made
FROM (VALUES {rows}) AS v (p, h);
-- Only 72 bytes count, and of a salt's last character two bits.
CREATE TABLE cut AS SELECT crypt('{long}', s) = crypt('{long}more', s) AS long,
  crypt('a', '$2a$04$abcdefghijklmnopqrstuv') AS bits FROM (SELECT gen_salt('bf', 4) AS s) AS t;
CREATE TABLE people (id int PRIMARY KEY, password text DEFAULT crypt('secret', gen_salt('bf')));
INSERT INTO people SELECT n FROM generate_series(1, 20) AS n;
DO $$ BEGIN
  INSERT INTO people VALUES (21, crypt('other', gen_salt('bf', 10)));
  ASSERT (SELECT count(*) FROM people WHERE password = crypt('secret', password)) = 20;
END $$;
COPY people (id) FROM stdin;
22
23
\\.
""",
    )
    assert report.failed == ()
    assert all(h == whole == made for h, whole, made in database.rows("SELECT h, whole, made FROM public.known"))
    ((long_is_cut, bits),) = database.rows("SELECT long, bits FROM public.cut")
    assert long_is_cut and bits[28] == "u" and len(bits) == 60
    found = [row[0] for row in database.rows("SELECT password FROM public.people ORDER BY id")]
    assert len(set(found)) == 23 and all(text.startswith("$2a$06$") for text in found[:20] + found[21:])
    assert found[20].startswith("$2a$10$") and bcrypt.checkpw(b"other", found[20].encode())
    assert all(bcrypt.checkpw(b"secret", text.encode()) for text in (found[0], found[19], found[22]))


def test_a_file_that_asks_for_hashes_by_itself_gets_no_more_than_the_function_gives(
    database: Database, tmp_path: Path
) -> None:
    forged = "', '".join(["", "zz $2a$04$abcdefghijklmnopqrstuu", "00 $2a$31$abcdefghijklmnopqrstuu", "'' || $1"])
    report = replayed(
        database,
        tmp_path,
        f"""CREATE TABLE t (id int);
DO $$ DECLARE q text; BEGIN
  FOREACH q IN ARRAY ARRAY['{forged}'] LOOP RAISE INFO USING ERRCODE = 'SVX01', MESSAGE = q; END LOOP;
END $$;
SELECT * FROM supavex.password_hashes;
INSERT INTO supavex.password_hashes VALUES ('', 'x');
SELECT crypt('a', gen_salt('bf', 31));
BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT crypt('a', '$2a$04$abcdefghijklmnopqrstuu'); COMMIT;
""",
    )
    assert [(failure.line, failure.sqlstate) for failure in report.failed] == [(5, "42501"), (6, "42501"), (7, "0A000")]
    # The transaction's snapshot would not see the answer; by itself the statement works.
    assert [(failure.line, failure.sqlstate) for failure in report.out_of_order] == [(8, "0A000")]
    with connect(database.url(servers.SUPERUSER)) as connection:
        assert connection.execute("SELECT count(*) FROM supavex.password_hashes").fetchone() == (1,)
