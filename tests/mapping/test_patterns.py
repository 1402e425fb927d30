"""PostgreSQL's patterns as patterns of Python: what PostgreSQL accepts, the translation accepts."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from supavex.mapping.patterns import of_like, portable
from tests.databases import Database


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("^[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+\\.[A-Za-z]{2,}$", r"^[A-Za-z0-9._%+\-]+@[A-Za-z0-9.\-]+\.[A-Za-z]{2,}$"),
        ("^#[0-9a-f]{6}$", "^#[0-9a-f]{6}$"),
        ("^.+$", r"^[\s\S]+$"),
        ("^\\+[1-9]\\d{1,14}$", r"^\+[1-9]\d{1,14}$"),
        ("^https?://", "^https?://"),
        ("^[[:digit:]]+$", r"^[\d]+$"),
        ("[]a]", r"[\]a]"),
        ("^(a|bc)$", "^(?:a|bc)$"),
        ("a{,2}", r"a\{,2\}"),
        ("(?i)^ab", "^[aA][bB]"),
        ("größe", "größe"),
        ("a/b", "a/b"),
        ("[\\[\\]-]", r"[\[\]\-]"),
    ],
)
def test_what_is_translated(pattern: str, expected: str) -> None:
    assert portable(pattern) == expected


@pytest.mark.parametrize(
    "pattern",
    ["\\w+", "\\mword", "(a)\\1", "(?=a)b", "(a+)+$", "([a-z]+-?)*", "(a|aa)*b+(c*)*", "[[:alpha:]]", "[^\\d]", "***=a",
     "a**", "(", "[", "a)", "\\", "[b-a]", "(-[a-z-]+)*"],
)  # fmt: skip
def test_what_is_not_translated(pattern: str) -> None:
    assert portable(pattern) is None


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("%@%", "@"), ("a%", "^a"), ("%.png", r"\.png$"), ("a_c", r"^a[\s\S]c$"), ("50\\%%", "^50%"), ("%", None),
        ("___", None), ("", None), ("a\\", None),
    ],
)  # fmt: skip
def test_like(pattern: str, expected: str | None) -> None:
    assert of_like(pattern) == expected


ALPHABET = "aAbZ09_-.@ \n\t%ß"
PARTS = st.sampled_from(
    ["a", "b", "Z", "0", "\\.", "\\-", "-", "@", ".", "[a-z]", "[^a]", "[A-Z0-9_-]", "[]^]", "\\d", "\\s", "^", "$",
     "|", "(", ")", "(?:", "*", "+", "?", "{2}", "{1,}", "[[:space:]a]", "ß"]
)  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("ignore_case", [False, True])
def test_what_postgresql_accepts_the_translation_accepts(database: Database, ignore_case: bool) -> None:
    @settings(max_examples=200)
    @given(st.lists(PARTS, max_size=8).map("".join), st.lists(st.text(ALPHABET, max_size=6), min_size=1, max_size=12))
    def accepts(pattern: str, texts: list[str]) -> None:
        translated = portable(pattern, ignore_case=ignore_case)
        if translated is None:
            return
        sign = "~*" if ignore_case else "~"
        rows = database.rows(f"SELECT x FROM unnest(%s::text[]) AS u(x) WHERE x {sign} %s", (texts, pattern))
        assert all(re.search(translated, text) for (text,) in rows), translated
        refused = [text for text in texts if (text,) not in rows and re.search(translated, text)]
        assert all(text.endswith("\n") for text in refused), (translated, refused)

    accepts()


def test_what_like_accepts(database: Database) -> None:
    @given(st.text("ab%_\\.\n", max_size=6), st.lists(st.text("ab%._\n", max_size=5), min_size=1, max_size=9))
    def accepts(pattern: str, texts: list[str]) -> None:
        translated = of_like(pattern)
        if translated is not None:
            rows = database.rows("SELECT x FROM unnest(%s::text[]) AS u(x) WHERE x LIKE %s", (texts, pattern))
            assert all(re.search(translated, text) for (text,) in rows)
            refused = [text for text in texts if (text,) not in rows and re.search(translated, text)]
            assert all(text.endswith("\n") for text in refused)

    accepts()
