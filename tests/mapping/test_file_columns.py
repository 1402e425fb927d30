"""Bucket and path that a text names, as PostgreSQL tells them."""

import pytest

from supavex.mapping.file_columns import object_parts
from supavex.postgres.connection import literal
from tests.databases import Database

HOST = "https://abcdefgh.supabase.co"


def parts(database: Database, text: str | None, bucket: str | bool) -> tuple[str | None, str | None]:
    value = "NULL::text" if text is None else f"{literal(text)}::text"
    bucket_sql, name = object_parts("s.v", bucket)
    ((found, path),) = database.rows(f"SELECT {bucket_sql}, {name} FROM (SELECT {value} AS v) AS s")
    return found, path


@pytest.mark.parametrize(
    "text",
    [
        f"{HOST}/storage/v1/object/public/docs/a/b.png",
        f"{HOST}/storage/v1/object/public/docs/a/b.png?download=",
        f"{HOST}/storage/v1/object/sign/docs/a/b.png?token=e30.x/y#z",
        f"{HOST}/storage/v1/object/authenticated/docs/a/b.png",
        f"{HOST}/storage/v1/object/docs/a/b.png",
        f"{HOST}/storage/v1/render/image/public/docs/a/b.png?width=10&height=10",
        "http://127.0.0.1:54321/storage/v1/object/public/docs/a/b.png",
        "https://own.example/below/storage/v1/object/public/docs/a/b.png",
        "/storage/v1/object/public/docs/a/b.png",
        f"{HOST}/storage/v1/object/public/docs/%61/b%2Epng",
    ],
)
def test_addresses(database: Database, text: str) -> None:
    assert parts(database, text, True) == ("docs", "a/b.png")
    # An address says its bucket itself.
    assert parts(database, text, "covers") == ("docs", "a/b.png")


@pytest.mark.parametrize(
    ("encoded", "name"),
    [
        ("gr%C3%B6%C3%9Fe.png", "größe.png"),
        ("größe.png", "größe.png"),
        ("a%20b%2Bc%25d.png", "a b+c%d.png"),
        ("100%.png", "100%.png"),
        ("%F0%9F%98%80.png", "😀.png"),
        ("a%0Ab.png", "a\nb.png"),
        ("a%FFb.png", None),
        ("a%00b.png", None),
        ("%C3.png", None),
        ("%ED%A0%80.png", None),
        ("%C0%AF.png", None),
    ],
)
def test_percent_encoding(database: Database, encoded: str, name: str | None) -> None:
    """What is no UTF-8 names no file, and ends no copy."""
    assert parts(database, f"{HOST}/storage/v1/object/public/docs/{encoded}", True) == ("docs", name)


def test_every_character_comes_back(database: Database) -> None:
    from urllib.parse import quote

    for text in ("".join(map(chr, range(1, 0x250))), "אב日本語\u2028\ud7ff\ue000\U0010ffff", "%41%"):
        assert parts(database, f"{HOST}/storage/v1/object/public/docs/{quote(text)}", True) == ("docs", text)


@pytest.mark.parametrize(
    ("text", "name"),
    [("a/b.png", "a/b.png"), ("//a/b.png", "a/b.png"), ("a%20b.png", "a%20b.png"), ("https://x.example/a", "https://x.example/a")],
)  # fmt: skip
def test_paths_in_a_bucket(database: Database, text: str, name: str) -> None:
    assert parts(database, text, "covers") == ("covers", name)


def test_what_is_no_address_names_nothing(database: Database) -> None:
    assert parts(database, "a/b.png", True) == (None, None)
    assert parts(database, "https://x.example/a.png", True) == (None, None)
    assert parts(database, None, True) == (None, None)
    assert parts(database, None, "covers")[1] is None
