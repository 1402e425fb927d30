"""pgcrypto and uuid-ossp as they are written in SQL: held to known vectors and to Python's own."""

import hashlib
import hmac
import uuid

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from supavex.postgres.connection import connect
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
        ("gen_salt('bf')", "gen_salt('bf') is not available where migration files are replayed"),
        ("gen_salt('bf', 8)", "gen_salt('bf') is not available"),
        ("crypt('a', '$2a$06$abcdefghijklmnopqrstuv')", "crypt() with Blowfish (bf) is not available"),
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
