"""The proof as a page: whole by itself, with nothing in it that the rows could turn into markup."""

from __future__ import annotations

import re
from collections import Counter
from html.parser import HTMLParser

import pytest

from supavex.migrate.proof.comparison import Mismatch
from supavex.migrate.proof.findings import Finding, Proof, TableProof
from supavex.migrate.proof.page import About, proof_page
from supavex.migrate.state.rejects import Reject

NASTY = "\"'><script>alert(1)</script><img src=x onerror=alert(2)>&amp;"
VOID = {"meta", "rect", "link", "br", "hr", "img"}


class Page(HTMLParser):
    """Its tags, each with attributes, and its text; tags must close in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data if "style" not in self.open else ""


def table(name: str = "public.notes", **values: object) -> TableProof:
    made = TableProof(name, name.split(".")[-1])
    for key, value in values.items():
        setattr(made, key, value)
    return made


def page(*tables: TableProof, sampled: int | None = None, rejects: tuple[Reject, ...] = ()) -> Page:
    proof = Proof(list(tables), "2026-01-02T00:00:00Z", 1.25, sampled, "2026-01-01T00:00:00Z")
    return Page(proof_page(proof, About(NASTY, "postgresql://user:***@host/db", NASTY), rejects))


def everything() -> Page:
    mismatch = Mismatch("public.notes", NASTY, NASTY, NASTY, NASTY * 100)
    nasty = table(
        NASTY,
        rows=10,
        matched=5,
        rejected=2,
        changed=60,
        counts=Counter({"mismatch": 70, NASTY: 1}),
        mismatches=[mismatch],
        findings=[Finding(NASTY, NASTY, NASTY, NASTY)],
        changes=[Finding("changed since the copy", NASTY, NASTY, NASTY)],
    )
    reject = Reject(NASTY, NASTY, NASTY, "X", NASTY, NASTY)
    return page(nasty, table("public.empty"), rejects=(reject,))


def test_nothing_in_the_rows_becomes_markup() -> None:
    found = everything()
    names = Counter(tag for tag, _ in found.tags)
    assert names["script"] == names["img"] == names["link"] == 0
    assert all(not name.startswith("on") and name not in ("src", "href") for _, attrs in found.tags for name in attrs)
    assert NASTY in found.text
    policy = next(attrs["content"] for tag, attrs in found.tags if attrs.get("http-equiv") == "Content-Security-Policy")
    assert policy is not None
    assert policy.startswith("default-src 'none'")


def test_what_cannot_be_seen_is_shown_by_its_number() -> None:
    text = "a\x00b\u202ec\x1b[31m\ud800"
    found = page(table(rows=1, counts=Counter(mismatch=1), mismatches=[Mismatch("t", "k", "c", text, text)]))
    assert "a\\u0000b\\u202ec\\u001b[31m\\ud800" in found.text
    found.text.encode()


def test_it_counts_what_it_does_not_list() -> None:
    text = everything().text
    assert "… and 69 more." in text
    assert "… and 59 more." in text
    assert "characters" in text, "long values are cut, and say so"


@pytest.mark.parametrize(
    ("made", "sampled", "title"),
    [
        (table(rows=2, matched=2), None, "Proven"),
        (table(rows=2, matched=1, changed=1), None, "Changed since the copy"),
        (table(rows=2, matched=1, changed=1, counts=Counter({"extra document": 1})), None, "Not proven"),
        (table(rows=2, matched=2), 2, "Sample equal: this is no proof"),
        (table(rows=2, matched=1, counts=Counter(mismatch=1)), 2, "The sample differs"),
    ],
)
def test_the_verdict_is_the_title(made: TableProof, sampled: int | None, title: str) -> None:
    found = page(made, sampled=sampled)
    assert title in found.text
    assert ("no proof" in found.text) == (sampled is not None)


def test_each_table_has_a_picture_that_says_its_numbers() -> None:
    made = table(rows=1_000_000, matched=999_990, rejected=6, changed=3, counts=Counter(mismatch=2))
    text = proof_page(Proof([made], "now", 1.0), About("p", "s", "t"))
    # One of all tables, one of the table.
    pictures = re.findall(r"<svg .*?</svg>", text)
    assert len(pictures) == 2
    assert "public.notes: 999,990 equal, 6 rejected, with a reason, 3 changed since, 1 wrong" in pictures[1]
    sizes = {kind: float(width) for kind, width in re.findall(r'class="(\w+)"[^>]*? width="([\d.]+)"', pictures[1])}
    assert min(sizes.values()) >= 12, "what is there can be seen, however few rows it is"
    assert abs(sum(sizes.values()) - 1000) < 0.2


def test_a_broken_rule_of_a_matched_row_is_in_the_picture() -> None:
    text = proof_page(
        Proof([table(rows=2, matched=2, counts=Counter({"broken unique": 1}))], "now", 1.0), About("p", "s", "t")
    )
    assert 'class="wrong"' in text
