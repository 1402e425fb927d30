"""A browser, a served deployment, and windows that fail their test when the page complains."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, expect

from supavex.deployment import Deployment
from supavex.schema import define_schema, define_table, v
from tests.browser.chromium import chromium
from tests.projects import folder

#: The time that a page may take to show what it is to show, on a busy machine.
MILLISECONDS = 60_000
expect.set_options(timeout=MILLISECONDS)

#: A name that would be the end of a page that did not escape it.
NASTY = "\"'><script>window.broken = 1</script><img src=x onerror='window.broken = 2'>"

SCHEMA = define_schema(
    {
        "workspaces": define_table({"name": v.string()}),
        "articles": define_table(
            {
                "workspace_id": v.id("workspaces"),
                "title": v.string(),
                "status": v.string(),
                "views": v.int64(),
                "body": v.optional(v.string()),
                "details": v.optional(v.any()),
            }
        )
        .index("by_workspace", ["workspace_id"])
        .index("by_status", ["status"]),
    }
)


@dataclass(frozen=True)
class Served:
    """Where the deployment is, its admin key, and ids of documents by a name."""

    url: str
    key: str
    ids: dict[str, str]


def _fill(path: Path) -> dict[str, str]:
    with Deployment(path) as deployment, deployment.store.transaction():
        deployment.push(SCHEMA.export())
        ids = {name: deployment.insert("workspaces", {"name": name}) for name in ("Oslo", "Jakarta")}
        for number in range(60):
            article = {"workspace_id": ids["Oslo"], "title": f"Article {number}", "status": "live", "views": number}
            details = {"list": [number, None, True, b"bytes"], "nested": {"workspace": ids["Jakarta"]}}
            deployment.insert("articles", {**article, "body": "long text " * 50, "details": details})
        nasty = {"workspace_id": ids["Jakarta"], "title": NASTY, "status": "javascript:alert(1)", "views": 0}
        ids["nasty"] = deployment.insert("articles", nasty)
    return ids


@contextmanager
def _serving(project: Path) -> Iterator[tuple[str, str]]:
    command = [sys.executable, "-m", "supavex", "serve", "-C", str(project), "--port", "0", "--site-port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            assert process.stdout is not None
            lines = [process.stdout.readline().strip() for _ in range(2)]
            yield lines[0].partition("=")[2], lines[1].partition("=")[2]
        finally:
            process.terminate()


@pytest.fixture(scope="session")
def served() -> Iterator[Served]:
    with folder() as project:
        (project / "schema.py").write_text("schema = define_schema({\n    'articles': define_table({}),\n})\n")
        ids = _fill(project / ".supavex" / "deployment.sqlite3")
        migration = project / ".supavex" / "migration"
        migration.mkdir()
        (migration / "report.json").write_text('{"ok": true, "rejected": 1, "rejectsAllowed": 1, "tables": []}')
        reject = '{"table": "public.articles", "key": "k", "column": "title", "code": "C", "reason": "r", "fix": "f"}\n'
        (migration / "rejects.jsonl").write_text(reject)
        with _serving(project) as (url, key):
            yield Served(url, key, ids)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium. Not for the whole session: while it is there, an event loop runs in this thread."""
    with chromium() as launched:
        yield launched


Open = Callable[..., Page]


@pytest.fixture
def window(browser: Browser) -> Iterator[Open]:
    """Opens windows with cookies of their own. The test fails when one of them writes an error to its console."""
    complaints: list[str] = []

    def listen(message: ConsoleMessage) -> None:
        # Chromium complains of every page whose status is an error; that of a wrong key is one.
        wrong_key = "403 (Forbidden)" in message.text and message.location["url"].endswith("/sign-in")
        if message.type in ("error", "warning") and not wrong_key:
            complaints.append(message.text)

    with ExitStack() as stack:

        def opened(**options: Any) -> Page:
            context = browser.new_context(**options)
            stack.callback(context.close)
            context.set_default_timeout(MILLISECONDS)
            page = context.new_page()
            page.on("console", listen)
            page.on("pageerror", lambda error: complaints.append(str(error)))
            page.on("dialog", lambda dialog: complaints.append(f"dialog {dialog.message}"))
            return page

        yield opened
    assert complaints == []


@pytest.fixture
def signed_in(window: Open, served: Served) -> Open:
    """Opens windows whose user has signed in, on the first page."""

    def opened(**options: Any) -> Page:
        page = window(**options)
        page.goto(served.url)
        page.get_by_label("Admin key").fill(served.key)
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url("**/tables")
        return page

    return opened
