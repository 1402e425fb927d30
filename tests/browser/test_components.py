"""The dashboard's pages of components in Chromium: from one to the other, on a phone and in the dark."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Open
from tests.browser.test_dashboard import PALE
from tests.official.node import missing
from tests.official.served import App, served_app

SOURCES = Path(__file__).parents[1] / "official/components"
SECTIONS = ["tables", "tables/counts", "schema", "deployments", "functions", "files", "logs"]
#: Places with the table ``counts``: the app, a component of it, and one that another component mounts.
BASES = ["", "/components/counter", "/components/shop.stock"]


@pytest.fixture(scope="module")
def pushed() -> Iterator[App]:
    """The app with its components, as the official CLI pushes it, and a document in the component ``counter``."""
    problem = missing()
    assert problem is None, problem
    with served_app() as app:
        shutil.copytree(SOURCES, app.path, dirs_exist_ok=True)
        app.push()
        for command in (
            ["run", "app:add", '{"name": "apples", "by": 2}'],
            ["run", "--component", "counter", "lib:later", '{"name": "pears", "by": 3}'],
            ["run", "--component", "counter", "lib:add", '{"name": "plums", "by": 4}'],
        ):
            ran = app.convex(*command)
            assert ran.code == 0, ran.text
        yield app


def opened(window: Open, app: App, **options: object) -> Page:
    """A window whose user has signed in."""
    page = window(**options)
    page.goto(app.served.url)
    page.get_by_label("Admin key").fill(app.served.key)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/tables")
    return page


def test_from_component_to_component(window: Open, pushed: App) -> None:
    page = opened(window, pushed)
    switch, pages = (page.get_by_role("navigation", name=name) for name in ("Components", "Pages"))
    expect(page.get_by_role("region", name="Tables").get_by_role("link", name="notes")).to_be_visible()
    switch.get_by_role("link", name="counter", exact=True).click()
    expect(switch.locator("[aria-current]")).to_have_text("counter")
    expect(page.locator("tbody th")).to_have_text(["counts"])

    page.get_by_role("link", name="counts", exact=True).click()
    documents = page.get_by_role("region", name="Documents of counts")
    for name in ("apples", "pears", "plums"):
        expect(documents.get_by_role("row").filter(has_text=name)).to_have_count(1)
    documents.get_by_role("row").filter(has_text="plums").locator("a.id").click()
    expect(page.get_by_role("heading", name="plums")).to_be_visible()
    assert "/components/counter/documents/" in page.url
    # Another component of the same definition has its own documents.
    switch.get_by_role("link", name="other", exact=True).click()
    page.wait_for_url("**/components/other/tables")
    page.get_by_role("link", name="counts", exact=True).click()
    expect(documents).not_to_contain_text("apples")

    switch.get_by_role("link", name="counter", exact=True).click()
    pages.get_by_role("link", name="Functions").click()
    functions = page.get_by_role("region", name="Functions", exact=True)
    expect(functions.get_by_role("row").filter(has_text="lib:addHidden")).to_contain_text("internal")
    expect(
        page.get_by_role("region", name="Cron jobs").get_by_role("row").filter(has_text="lib:addHidden")
    ).to_have_count(1)
    expect(page.get_by_role("region", name="Scheduled functions")).to_contain_text("lib:addHidden")
    switch.locator("a").first.click()
    expect(functions.get_by_role("row").filter(has_text="app:add")).not_to_have_count(0)
    expect(functions).not_to_contain_text("lib:addHidden")
    expect(page.get_by_role("region", name="Cron jobs")).to_have_count(0)

    pages.get_by_role("link", name="Logs").click()
    expect(page.locator("ol.logs > li").filter(has_text="app:add")).not_to_have_count(0)
    switch.get_by_role("link", name="counter", exact=True).click()
    expect(page.locator("ol.logs > li").filter(has_text="lib:add")).not_to_have_count(0)
    expect(page.locator("ol.logs > li").filter(has_text="app:add")).to_have_count(0)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_every_page_fits_and_can_be_read(window: Open, pushed: App, width: int, scheme: str) -> None:
    page = opened(window, pushed, viewport={"width": width, "height": 844}, color_scheme=scheme)
    pictures = os.environ.get("SCREENSHOTS")
    for base in BASES:
        for section in SECTIONS:
            page.goto(f"{pushed.served.url}{base}/{section}")
            assert page.evaluate("document.documentElement.scrollWidth") == width, f"{base}/{section}"
            assert page.evaluate(PALE) == [], f"{base}/{section}"
            expect(page.get_by_role("navigation", name="Components").locator("[aria-current]")).to_have_count(1)
            if pictures:
                name = f"{base}/{section}".strip("/").replace("/", "-")
                page.screenshot(path=f"{pictures}/{name}-{width}-{scheme}.png", full_page=True)
