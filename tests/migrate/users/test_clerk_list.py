"""Clerk's list of its users, in each form that Clerk's tools give it."""

import json
from pathlib import Path

import pytest

from supavex.errors import SupavexError, UsageError
from supavex.migrate.users.clerk_list import listed_ids

OLD, OTHER = "0b7f3c52-91d4-4e0a-8a6f-5d2c1e9b4a01", "3e5a9d10-6c2b-47f8-b1d3-7f4e0a8c6b02"
API = [{"id": "user_1", "external_id": OLD, "banned": False}, {"id": "user_2", "external_id": OTHER.upper()}]


def read(folder: Path, content: str, name: str = "users.json", **how: int) -> list[tuple[str | None, str]]:
    (folder / name).write_text(content, encoding="utf-8")
    return list(listed_ids(folder / name, name, **how))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("users.json", json.dumps(API)),
        ("users.json", "\ufeff \n" + json.dumps(API, indent=2) + "\n \n"),
        ("users.json", json.dumps({"data": API, "total_count": 2})),
        ("users.json", json.dumps([{"id": "user_1", "externalId": OLD}, {"id": "user_2", "externalId": OTHER}])),
        (
            "users.json",
            json.dumps(
                [{"id": f"user_{n}", "private_metadata": {"clerkExternalId": i}} for n, i in ((1, OLD), (2, OTHER))]
            ),
        ),
        ("log.jsonl", "".join(json.dumps(line) + "\n" for line in API) + "\n"),
        (
            "run.ndjson",
            f'{{"sourceId": "{OLD}", "clerkId": "user_1", "status": "created"}}\n'
            f'{{"sourceId": "{OLD[::-1]}", "status": "failed", "error": "taken"}}\n'
            f'{{"sourceId": "{OTHER}", "clerkId": "user_2", "status": "created"}}\n',
        ),
        ("users.csv", f"id,first_name,external_id\r\nuser_1,Ann,{OLD}\r\nuser_2,,{OTHER}\r\n"),
    ],
    ids=["api", "pretty", "data", "sdk", "clerk export", "json lines", "import log", "csv"],
)
def test_forms(tmp_path: Path, name: str, content: str) -> None:
    assert read(tmp_path, content, name) == [(OLD, "user_1"), (OTHER, "user_2")]


def test_users_without_an_id_of_supabase(tmp_path: Path) -> None:
    entries = [{"id": "user_1"}, {"id": "user_2", "external_id": None}, {"id": "user_3", "external_id": "crm-7"}]
    assert read(tmp_path, json.dumps(entries)) == [(None, "user_1"), (None, "user_2"), (None, "user_3")]
    assert read(tmp_path, " [ ] ") == []


def test_a_list_longer_than_what_is_read_at_once(tmp_path: Path) -> None:
    users = [{"id": f"user_{n}", "external_id": OLD, "name": "},{" * n} for n in range(50)]
    found = read(tmp_path, json.dumps(users, indent=1), piece_size=7)
    assert [new for _, new in found] == [f"user_{n}" for n in range(50)]


@pytest.mark.parametrize(
    "content",
    ["", "nonsense", '"text"', "{}", '{"data": {}}', "[1]", '[{"id": 7}]', '[{"id": "x"}]', "[{", '[{"id": "user_1"}',
     '[{"id": "user_1"} {"id": "user_2"}]', '[{"id": "user_1"},]', '[,{"id": "user_1"}]', '[{"id": "user_1"}] more'],
)  # fmt: skip
def test_what_is_no_list_is_refused_without_saying_what_it_holds(tmp_path: Path, content: str) -> None:
    with pytest.raises(SupavexError) as caught:
        read(tmp_path, content)
    assert caught.value.code == "InvalidClerkList"
    assert str(caught.value.where).startswith("users.json")
    secret = content.replace("{", '{"password_digest": "$2a$10$secret", ')
    with pytest.raises(SupavexError) as caught:
        read(tmp_path, secret)
    assert "secret" not in f"{caught.value.message} {caught.value.hint} {caught.value.where}"


def test_a_file_that_is_missing_or_unreadable(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        list(listed_ids(tmp_path / "none.json", "none.json"))
    assert (caught.value.code, caught.value.where) == ("NoClerkList", "none.json")
    (tmp_path / "bytes.json").write_bytes(b'[{"id": "\xff"}]')
    with pytest.raises(UsageError):
        list(listed_ids(tmp_path / "bytes.json", "bytes.json"))
