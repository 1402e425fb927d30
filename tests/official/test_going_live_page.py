"""The walk of docs/going-live.md is walked: its commands, in its order, say what the page says that they say."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from supavex.postgres.replay import Replay
from tests import projects
from tests.projects import MY21STAFF, ROOT, supavex

from .node import NODE_MODULES
from .served import Served

PAGE = ROOT / "docs/going-live.md"
#: What differs from run to run, and what the page puts in its place.
VARIES = [
    (r"\d{4}-\d\d-\d\dT[\d:.]+Z", "TIME"),
    (r"before-\d{8}T\d{6}Z", "before-TIME"),
    (r"\d\d:\d\d:\d\d Convex functions ready! \([^)]*\)", "Convex functions ready!"),
    (r"(\d+ min )?\d+(\.\d+)? s(?!\w)", "SECONDS"),
    (r"\(baseline [\w.-]+\)", "(baseline)"),
    (r"http://127\.0\.0\.1:\d+", "cloud"),
    (r" -C \S+", ""),
    (r"\S+/(?=\.supavex/|CUTOVER\.md)", ""),
    (r"─+", "─"),
    (r"[ \t]+", " "),
]
#: What the app writes to Supabase between the migration and the changes.
WRITES = """
INSERT INTO ari_knowledge_categories (id, workspace_id, name, display_order, created_at, updated_at) VALUES
  ('cf620246-d356-4a42-b24f-6261eae6099b', '17ac5be0-f3d8-4926-8c51-e49d02b6ac03', 'Visa', 9, '2026-11-1', '2026-11-1');
UPDATE articles SET title = title || '!' WHERE id = '3ad8e61f-b402-4c97-a5f0-9e1c7b46d204';
UPDATE webinar_registrations SET attended = attended;
DELETE FROM webinar_registrations WHERE id = '61d0f8a3-7c2e-4b95-8e43-d9a5b7e1c001'
"""


def blocks() -> Iterator[list[str]]:
    """The page's indented blocks of output, but for those in lists."""
    block: list[str] = []
    for line in [*PAGE.read_text().splitlines(), "end"]:
        if line.startswith("    $ ") and block:
            yield block
            block = []
        if line.startswith("    ") and (block or not line.startswith("     ")):
            block.append(line[4:])
        elif line.strip() and block:
            yield block
            block = []
        elif line.strip() == "":
            block += [""] if block else []


def still(text: str) -> list[str]:
    """The lines of ``text`` that say something, without what differs from run to run."""
    for pattern, word in VARIES:
        text = re.sub(pattern, word, text)
    lines = [line.strip() for line in text.splitlines()]
    return [line for line in lines if line and not line.startswith("```")]


def assert_says(found: str, shown: list[str]) -> None:
    """Holds what a command said against what the page shows of it, where ``…`` stands for what it leaves out."""
    there = still(found)
    position, gap = 0, True
    for line in still("\n".join(shown)):
        if line == "…":
            gap = True
            continue
        start, elided, _ = line.partition("…")
        places = range(position, len(there)) if gap else range(position, min(position + 1, len(there)))
        place = next((n for n in places if there[n] == line or (elided and there[n].startswith(start))), None)
        assert place is not None, f"the page shows {line!r}, the command said:\n{found}"
        position, gap = place + 1, False


@pytest.fixture
def project(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Path, Served, str]]:
    """The example project on a database that is its own, a served deployment, and the database's address."""
    with projects.folder() as folder, Served(folder / "data") as served:
        app = projects.copy_of_my21staff(folder / "app")
        (app / "node_modules").symlink_to(NODE_MODULES)
        settings = app / "supavex.toml"
        text, count = re.subn(
            r"\[source\]\n(\w.*\n)+", '[source]\ndatabase_url_env = "SUPABASE_DB_URL"\n', settings.read_text()
        )
        assert count == 1
        settings.write_text(text)
        files = [*sorted((MY21STAFF / "supabase/migrations").glob("*.sql")), MY21STAFF / "supabase/seed.sql"]
        for name in ("CONVEX_SELF_HOSTED_URL", "CONVEX_DEPLOYMENT", "CONVEX_DEPLOY_KEY"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("CONVEX_SELF_HOSTED_ADMIN_KEY", served.key)
        with Replay(folder / "source", files, ["public"]).running() as url:
            monkeypatch.setenv("SUPABASE_DB_URL", url)
            yield app, served, url


def test_the_page_shows_what_the_commands_say(project: tuple[Path, Served, str]) -> None:
    app, served, url = project
    written = ""
    walked = []
    for block in blocks():
        command, shown = block[0], block[1:]
        if not command.startswith("$ "):
            assert_says(written, block)
            continue
        _, name, *arguments = command.removeprefix("$ ").split()
        walked.append(name)
        if name == "serve":
            assert_says(served.out.text, shown)
            continue
        if name == "changes":
            with psycopg.connect(url, autocommit=True) as connection:
                connection.execute(WRITES.encode())
        asked = any("[y/N]" in line for line in shown)
        options = [served.url if argument == "cloud" else argument for argument in arguments]
        options = [str(app / argument) if argument.endswith(".md") else argument for argument in options]
        ran = supavex(name, "-C", app, *options, *(["--yes"] if asked else []))
        assert ran.code == (1 if name == "changes" else 0), ran.out + ran.err
        # What is asked and what a run says while it goes on come on standard error, its report after that. The page
        # leaves out which source is used, and what to type next.
        beside = [line for line in ran.err.splitlines() if not line.startswith(("Source: ", "Next: ", "  or: "))]
        assert_says("\n".join([*beside, ran.out]), [line for line in shown if "[y/N]" not in line])
        if name == "plan-cutover":
            written = (app / "CUTOVER.md").read_text()
    assert walked == [
        "serve", "deploy", "migrate", "changes", "migrate", "migrate", "plan-cutover", "rollback", "rollback",
    ]  # fmt: skip
