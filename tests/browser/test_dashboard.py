"""The dashboard in Chromium: with the keyboard, on a phone, in the dark, without scripts, and under attack."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import NASTY, Open, Served

PAGES = [
    "/tables",
    "/tables/articles",
    "/tables/articles?field=title&value=Article%2059",
    "/documents/{nasty}",
    "/documents/{Oslo}",
    "/schema",
    "/deployments",
    "/migration",
    "/functions",
    "/files",
    "/logs",
]

#: The texts of a page that can't be read well: WCAG 2's contrast below 4.5 (3 for large text), with what they say.
PALE = """() => {
  const channels = (text) => text.match(/[0-9.]+/g).map(Number);
  const light = (rgb) => {
    const [r, g, b] = rgb.slice(0, 3).map((c) => (c /= 255) <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (element) => {
    for (let e = element; e; e = e.parentElement) {
      const rgba = channels(getComputedStyle(e).backgroundColor);
      if (rgba.length === 3 || rgba[3] === 1) return rgba;
    }
    return [255, 255, 255];
  };
  const found = [];
  for (const element of document.querySelectorAll("body *")) {
    const text = [...element.childNodes].filter((n) => n.nodeType === 3).map((n) => n.data.trim()).join("");
    const style = getComputedStyle(element);
    if (!text || style.visibility === "hidden" || !element.getClientRects().length) continue;
    const [a, b] = [light(channels(style.color)), light(behind(element))].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    if (ratio < (parseFloat(style.fontSize) >= 24 ? 3 : 4.5)) found.push(`${text.slice(0, 40)}: ${ratio.toFixed(2)}`);
  }
  return found;
}"""


def tab_to(page: Page, text: str) -> None:
    """Presses Tab until a link or button with that text has the focus, which must be seen all the way."""
    for _ in range(80):
        page.keyboard.press("Tab")
        focused = page.locator(":focus")
        outline = focused.evaluate("e => getComputedStyle(e).outlineStyle + ' ' + getComputedStyle(e).outlineWidth")
        assert outline == "solid 3px", f"{focused.inner_text()!r} does not show its focus"
        if focused.inner_text().strip() == text:
            return
    raise AssertionError(f"Tab never reaches {text!r}")


def test_everything_can_be_reached_with_the_keyboard(window: Open, served: Served) -> None:
    page = window()
    page.goto(served.url)
    expect(page.get_by_label("Admin key")).to_be_focused()
    page.keyboard.type("wrong key")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("not the deployment's admin key")
    page.keyboard.type(served.key)
    page.keyboard.press("Enter")
    page.wait_for_url("**/tables")
    tab_to(page, "Skip to the content")
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()
    tab_to(page, "articles")
    page.keyboard.press("Enter")
    page.wait_for_url("**/tables/articles")
    tab_to(page, "Next page")
    page.keyboard.press("Enter")
    page.wait_for_url("**cursor=**")
    newest = page.locator("tbody tr").first.locator("a").first
    id_ = (newest.get_attribute("title") or "").strip()
    tab_to(page, newest.inner_text())
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/documents/{id_}")
    tab_to(page, "workspaces: Oslo")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/documents/{served.ids['Oslo']}")
    expect(page.get_by_role("heading", name="Oslo")).to_be_visible()
    tab_to(page, "Article 0")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Article 0")).to_be_visible()
    tab_to(page, "Sign out")
    page.keyboard.press("Enter")
    page.wait_for_url("**/sign-in")


def walk(page: Page, served: Served) -> None:
    """From a table to a document, to the one it refers to, and back by what refers to that."""
    page.get_by_role("link", name="articles", exact=True).click()
    page.get_by_label("Field").fill("title")
    page.get_by_label("Value").fill("Article 7")
    page.get_by_role("button", name="Show").click()
    expect(page.get_by_role("status")).to_contain_text("no index begins with this field")
    page.locator("tbody a.id").first.click()
    expect(page.get_by_role("heading", name="Article 7")).to_be_visible()
    page.get_by_role("link", name="workspaces: Oslo").click()
    expect(page.get_by_role("heading", name="Oslo")).to_be_visible()
    page.get_by_role("link", name="articles.workspace_id").click()
    expect(page.get_by_role("status")).to_contain_text("through the index by_workspace")
    expect(page.locator("tbody tr")).to_have_count(25)


def test_from_a_document_to_others_and_back(signed_in: Open, served: Served) -> None:
    walk(signed_in(), served)


def test_no_script_is_needed(signed_in: Open, served: Served) -> None:
    walk(signed_in(java_script_enabled=False), served)


def test_a_phone_shows_every_page_without_scrolling_sideways(signed_in: Open, served: Served) -> None:
    page = signed_in(viewport={"width": 390, "height": 844}, device_scale_factor=2, has_touch=True, is_mobile=True)
    for path in PAGES:
        page.goto(served.url + path.format(**served.ids))
        assert page.evaluate("document.documentElement.scrollWidth") == 390, path
        assert page.evaluate("document.documentElement.clientWidth") == 390, path
    page.goto(f"{served.url}/tables/articles")
    box = page.get_by_role("region", name="Documents of articles")
    assert box.evaluate("e => e.scrollWidth > e.clientWidth")
    box.evaluate("e => { e.scrollLeft = 500 }")
    assert box.evaluate("e => e.scrollLeft") > 100
    assert page.evaluate("scrollX") == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_texts_can_be_read_by_day_and_by_night(signed_in: Open, window: Open, served: Served, scheme: str) -> None:
    page = signed_in(color_scheme=scheme)
    for path in PAGES:
        page.goto(served.url + path.format(**served.ids))
        assert page.evaluate(PALE) == [], path
    back = page.locator("body").evaluate("e => getComputedStyle(e).backgroundColor")
    assert (back == "rgb(255, 255, 255)") == (scheme == "light")
    stranger = window(color_scheme=scheme)
    stranger.goto(served.url)
    stranger.get_by_label("Admin key").fill("wrong")
    stranger.keyboard.press("Enter")
    expect(stranger.get_by_role("alert")).to_be_visible()
    assert stranger.evaluate(PALE) == []


def test_what_documents_hold_is_shown_and_not_obeyed(signed_in: Open, served: Served) -> None:
    page = signed_in()
    page.goto(f"{served.url}/documents/{served.ids['nasty']}")
    expect(page.get_by_role("heading", level=1)).to_contain_text("<script>window.broken = 1</script>")
    page.goto(f"{served.url}/tables/articles?field=status&value=javascript%3Aalert(1)")
    expect(page.locator("tbody")).to_contain_text("<script>window.broken = 1</script>")
    page.goto(f"{served.url}/documents/{served.ids['Jakarta']}")
    expect(page.locator(".referring")).to_contain_text(NASTY[:50])
    assert page.evaluate("window.broken") is None
    assert page.locator("script, img, [onerror]").count() == 0


def test_every_field_has_a_label_and_every_page_its_landmarks(signed_in: Open, served: Served) -> None:
    page = signed_in()
    for path in PAGES:
        page.goto(served.url + path.format(**served.ids))
        unnamed = (
            "e => [...document.querySelectorAll('input:not([type=hidden]), select')].filter(i => !i.labels.length)"
        )
        assert page.evaluate(f"({unnamed})().length") == 0
        for role in ("banner", "main", "contentinfo"):
            expect(page.get_by_role(role)).to_have_count(1)  # type: ignore[arg-type]
        expect(page.get_by_role("navigation", name="Pages", exact=True)).to_have_count(1)
        expect(page.get_by_role("heading", level=1)).to_have_count(1)


def test_after_signing_out_the_browser_keeps_nothing(signed_in: Open, served: Served) -> None:
    page = signed_in()
    page.goto(f"{served.url}/tables/articles")
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url("**/sign-in")
    page.go_back()
    expect(page.get_by_label("Admin key")).to_be_visible()
    assert page.locator("tbody").count() == 0


#: A page of an app on another port: it asks for the dashboard with the user's cookies, in every way there is.
THIEF = """<!doctype html><link rel="icon" href="data:,"><script>
const ask = (path, options) => fetch("URL" + path, { credentials: "include", ...options });
window.tried = Promise.all([
  ask("/tables.json").then((answer) => answer.status),
  ask("/tables.json", { mode: "no-cors" }).then((answer) => answer.type, () => "refused"),
  ask("/sign-out", { mode: "no-cors", method: "POST" }).then(() => "sent", () => "refused"),
]);
</script>"""


@contextmanager
def another_port(text: str) -> Iterator[str]:
    """Serves one page on a port of its own."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *arguments: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def test_a_page_on_another_port_gets_nothing_with_the_users_session(browser: Browser, served: Served) -> None:
    # Not `signed_in`: the browser complains of each refusal.
    context = browser.new_context()
    page = context.new_page()
    page.goto(served.url)
    page.get_by_label("Admin key").fill(served.key)
    page.keyboard.press("Enter")
    page.wait_for_url("**/tables")
    with another_port(THIEF.replace("URL", served.url)) as address:
        other = context.new_page()
        other.goto(address)
        read, hidden, _ = other.evaluate("window.tried")
    assert read == 403
    assert hidden in ("refused", "opaque")
    page.reload()
    expect(page.get_by_role("link", name="articles", exact=True)).to_be_visible()
    context.close()
