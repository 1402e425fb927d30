"""The proof's page in a browser: it reads nothing else, complains of nothing, and fits in any window."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from supavex.migrate.proof.comparison import Mismatch
from supavex.migrate.proof.findings import Finding, Proof, TableProof
from supavex.migrate.proof.page import About, proof_page
from supavex.migrate.state.rejects import Reject

from .conftest import NASTY, Open


@pytest.fixture
def page_file(tmp_path: Path) -> Path:
    nasty = TableProof(
        f"public.{NASTY}",
        NASTY,
        rows=100,
        matched=90,
        rejected=1,
        changed=1,
        counts=Counter({"mismatch": 1, "missing document": 7}),
        mismatches=[Mismatch("public.t", NASTY, "column", NASTY, "long" * 2000)],
        findings=[Finding("missing document", "public.t", NASTY, NASTY)],
        changes=[Finding("changed since the copy", "public.t", NASTY, NASTY)],
    )
    reject = Reject(nasty.source, NASTY, "column", "X", NASTY, NASTY)
    proof = Proof([nasty, TableProof("public.empty", "empty")], "2026-01-02T00:00:00Z", 1.0)
    path = tmp_path / "proof.html"
    path.write_text(proof_page(proof, About("project", "source", "target"), [reject]))
    return path


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1180])
def test_it_is_whole_by_itself(window: Open, page_file: Path, scheme: str, width: int) -> None:
    page = window(color_scheme=scheme, viewport={"width": width, "height": 800})
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(page_file.as_uri())
    assert asked == [page_file.as_uri()]
    assert page.get_by_role("heading", level=1).inner_text() == "Not proven"
    assert page.get_by_role("img").count() == 3, "a picture of all tables, and of each"
    assert page.evaluate("window.broken") is None
    assert page.evaluate("document.documentElement.scrollWidth") <= width, "wide tables scroll, the page does not"
    back = page.evaluate("getComputedStyle(document.body).backgroundColor")
    light = sum(int(part) for part in back.removeprefix("rgb(").removesuffix(")").split(",")) > 3 * 128
    assert light == (scheme == "light")
