"""Users as Clerk imports them, and those that can't be."""

import json
from dataclasses import replace
from typing import Any

import pytest

from supavex.migrate.users.clerk_user import clerk_user, hasher_of, why_not
from supavex.postgres.auth import AuthUser, count_left, read_users
from supavex.postgres.connection import connect
from supavex.postgres.snapshot import exported
from tests.databases import Database
from tests.users import ARGON2, HASH, ID, SQL


def users(database: Database, *, hashes: bool = True) -> dict[str, AuthUser]:
    with exported(database.url()) as (_, connection):
        return {user.id: user for user in read_users(connection, hashes=hashes)}


@pytest.fixture
def everybody(database: Database) -> dict[str, AuthUser]:
    database.run(SQL)
    return users(database)


def clerk(user: AuthUser, *, hashes: bool = True) -> tuple[dict[str, Any], list[str]]:
    assert why_not(user) is None
    text, remarks = clerk_user(user, hashes=hashes)
    return json.loads(text), [remark.code for remark in remarks]


def test_a_user_with_a_password(everybody: dict[str, AuthUser]) -> None:
    assert clerk(everybody[ID(1)]) == (
        {
            "userId": ID(1),
            "email": "ann@example.com",
            "firstName": "Ann",
            "lastName": "van Lee",
            "password": HASH,
            "passwordHasher": "bcrypt",
            "createdAt": "2024-01-01T10:00:00.500Z",
            "unsafeMetadata": {"full_name": "Ann van Lee#1234", "avatar_url": "https://a.example/1.png"},
            "publicMetadata": {"role": "admin"},
        },
        [],
    )
    assert everybody[ID(1)].providers == ("email", "google")


def test_no_hash_unless_it_is_asked_for(database: Database, everybody: dict[str, AuthUser]) -> None:
    assert {"password", "passwordHasher"}.isdisjoint(clerk(everybody[ID(1)], hashes=False)[0])
    unasked = users(database, hashes=False)
    assert all(user.password_hash is None for user in unasked.values())
    assert [user.has_password for user in unasked.values()] == [user.has_password for user in everybody.values()]
    assert HASH not in repr(everybody[ID(1)])


def test_names_and_an_unconfirmed_email(everybody: dict[str, AuthUser]) -> None:
    record, remarks = clerk(everybody[ID(2)])
    assert record == {
        "userId": ID(2),
        "unverifiedEmailAddresses": "ben@example.com",
        "firstName": "Ben",
        "createdAt": "2024-01-02T00:00:00.000Z",
        "unsafeMetadata": {"first_name": " Ben ", "name": "B"},
    }
    assert remarks == ["Unconfirmed"]


def test_a_phone_gets_its_plus(everybody: dict[str, AuthUser]) -> None:
    assert clerk(everybody[ID(3)])[0]["phone"] == "+6281234567"
    assert clerk(everybody[ID(11)])[0]["unverifiedPhoneNumbers"] == "+6281111"


def test_bans(everybody: dict[str, AuthUser]) -> None:
    for_ever, ending, past = (clerk(everybody[ID(number)]) for number in (6, 7, 8))
    assert (for_ever[0]["banned"], "banEndsAt" in for_ever[0], for_ever[1]) == (True, False, [])
    assert (ending[0]["banEndsAt"], ending[1]) == ("2031-01-01T00:00:00.000Z", ["BanWithEnd"])
    assert "banned" not in past[0]


def test_hashes_of_other_kinds(everybody: dict[str, AuthUser]) -> None:
    assert clerk(everybody[ID(8)])[0]["passwordHasher"] == "argon2id"
    record, remarks = clerk(everybody[ID(11)])
    assert "password" not in record
    assert "UnknownHash" in remarks
    assert (hasher_of(HASH), hasher_of(ARGON2), hasher_of(HASH[:-1]), hasher_of(f"{HASH}\n")) == (
        "bcrypt",
        "argon2id",
        None,
        None,
    )


def test_metadata_that_clerk_refuses_is_left_and_said(everybody: dict[str, AuthUser]) -> None:
    record, remarks = clerk(everybody[ID(11)])
    assert "unsafeMetadata" not in record
    assert "MetadataTooLarge" in remarks
    record, remarks = clerk(everybody[ID(12)])
    assert "publicMetadata" not in record
    assert remarks == ["OddMetadata"]


def test_an_email_with_a_comma_is_no_list(everybody: dict[str, AuthUser]) -> None:
    assert clerk(everybody[ID(12)])[0]["email"] == ['"a,b"@example.com']


@pytest.mark.parametrize(
    ("number", "code"), [(4, "Anonymous"), (5, "Deleted"), (9, "EmailTaken"), (10, "NoIdentifier")]
)
def test_users_that_clerk_cannot_have(everybody: dict[str, AuthUser], number: int, code: str) -> None:
    reason = why_not(everybody[ID(number)])
    assert reason is not None
    assert reason.code == code


def test_of_two_with_one_email_the_one_without_sso_keeps_it(everybody: dict[str, AuthUser]) -> None:
    assert everybody[ID(9)].email_owner == ID(1)
    assert why_not(everybody[ID(1)]) is None


def test_a_deleted_user_takes_no_email(everybody: dict[str, AuthUser], database: Database) -> None:
    assert everybody[ID(5)].email_owner == ID(5)
    database.run(f"UPDATE auth.users SET email = 'gone@example.com' WHERE id = '{ID(7)}'")
    assert why_not(users(database)[ID(7)]) is None


def test_a_creation_time_that_is_no_moment_is_left_out(everybody: dict[str, AuthUser]) -> None:
    assert everybody[ID(10)].created is None
    assert "createdAt" not in clerk(replace(everybody[ID(10)], email="x@example.com", email_owner=ID(10)))[0]


def test_an_older_auth_schema(database: Database) -> None:
    """Before 2022 there were no bans, deletions, SSO, sessions or factors, and an identity's id was the provider's."""
    database.run(
        SQL + "ALTER TABLE auth.users DROP COLUMN banned_until, DROP COLUMN deleted_at, DROP COLUMN is_sso_user, "
        "DROP COLUMN is_anonymous, DROP COLUMN phone CASCADE; "
        "ALTER TABLE auth.identities DROP COLUMN id, DROP COLUMN email; "
        "ALTER TABLE auth.identities RENAME COLUMN provider_id TO id; "
        "DROP TABLE auth.sessions, auth.mfa_factors CASCADE;"
    )
    found = users(database)
    assert clerk(found[ID(8)])[0]["email"] == "past@example.com"
    assert found[ID(1)].providers == ("email", "google")
    assert not any(user.ban or user.deleted or user.sso for user in found.values())
    with connect(database.url()) as connection:
        assert count_left(connection) == {}


def test_sessions_and_second_factors_are_counted(database: Database) -> None:
    database.run(
        SQL + f"INSERT INTO auth.sessions (id, user_id) VALUES (gen_random_uuid(), '{ID(1)}'); "
        "INSERT INTO auth.mfa_factors (id, user_id, factor_type, status, created_at, updated_at) "
        f"SELECT gen_random_uuid(), '{ID(1)}', 'totp', 'verified', now(), now() FROM generate_series(1, 2)"
    )
    with connect(database.url()) as connection:
        assert count_left(connection) == {"mfaFactors": 2, "sessions": 1}
