"""The pytest plugin, in sessions of its own: the CLI bundles once, later ones need no Node, errors say what to do."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from supavex.convex.archive_writer import ArchiveWriter
from supavex.convex.snapshot import tables_entry
from supavex.convex_cli.bundling import inputs_of
from supavex.deployment import Deployment
from tests.projects import ROOT

from .node import NODE_MODULES, missing

NODE = shutil.which("node")
GUIDE = (ROOT / "docs/testing.md").read_text()
EXAMPLE = dict(re.findall(r"```\w+\n(?://|#) (\S+)\n(.*?)```", GUIDE, re.DOTALL))
#: What `npx convex dev` generates, in short: enough for functions to be bundled.
GENERATED = {
    "api.js": 'import { anyApi } from "convex/server";\nexport const api = anyApi;\nexport const internal = anyApi;\n',
    "server.js": """import {
  queryGeneric, mutationGeneric, internalMutationGeneric } from "convex/server";
export const query = queryGeneric;
export const mutation = mutationGeneric;
export const internalMutation = internalMutationGeneric;
""",
}


class AnApp:
    """An app's folder, and pytest sessions in it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def write(self, name: str, text: str) -> None:
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def start(self, *options: str, node: bool = True) -> subprocess.Popen[str]:
        """Starts a session. Without ``node`` there is none on the PATH; else node.log has a line for each program."""
        variables = {k: v for k, v in os.environ.items() if not k.startswith(("PYTEST", "CONVEX"))}
        program = self.path / "bin/node"
        if not program.exists():
            note = f'[ "$1" = --version ] || echo started >> {self.path}/.supavex/node.log'
            self.write("bin/node", f'#!/bin/sh\n{note}\nexec {NODE} "$@"\n')
            program.chmod(0o755)
        variables["PATH"] = f"{program.parent}:{variables['PATH']}" if node else "/nowhere"
        command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-q", "-W", "error", *options]
        return subprocess.Popen(
            command, cwd=self.path, env=variables, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )

    def pytest(self, *options: str, node: bool = True) -> tuple[int, str]:
        """A whole session: exit code and output."""
        return ended(self.start(*options, node=node))

    def files(self) -> dict[str, bytes]:
        """The app's files with their contents, those of the sessions aside."""
        found = (p for p in self.path.rglob("*") if p.is_file() and "node_modules" not in p.parts)
        kept = (p for p in found if not {".supavex", "__pycache__", "bin"} & set(p.parts))
        return {str(p.relative_to(self.path)): p.read_bytes() for p in kept}

    def pushes(self) -> int:
        """How often the CLI has been run."""
        return (self.path / ".supavex/node.log").read_text().count("started")

    def bundles(self) -> list[Path]:
        return sorted((self.path / ".supavex/pytest").glob("*.json"))


def ended(process: subprocess.Popen[str]) -> tuple[int, str]:
    try:
        out, _ = process.communicate(timeout=180)
    finally:
        process.kill()
    return process.returncode, out


@pytest.fixture
def app(tmp_path: Path) -> AnApp:
    problem = missing()
    if problem:
        pytest.fail(problem, pytrace=False)
    app = AnApp(tmp_path / "app")
    for name, text in EXAMPLE.items():
        app.write(name, text)
    for name, text in GENERATED.items():
        app.write(f"convex/_generated/{name}", text)
    app.write("package.json", json.dumps({"name": "app", "private": True, "dependencies": {"convex": "1.48.0"}}))
    app.write("pytest.ini", "[pytest]\n")
    (app.path / "node_modules").symlink_to(NODE_MODULES)
    return app


def test_the_guides_example_works_and_a_second_session_needs_no_node(app: AnApp):
    assert EXAMPLE.keys() == {"convex/schema.ts", "convex/articles.ts", "test_articles.py"}
    # What would lead the CLI elsewhere, or be changed by `convex dev`.
    app.write(".env.local", "CONVEX_DEPLOYMENT=dev:happy-animal-123\nCONVEX_DEPLOY_KEY=dev:happy-animal-123|secret\n")
    before = app.files()
    code, out = app.pytest()
    assert code == 0, out
    assert "4 passed" in out
    assert app.files() == before
    assert len(app.bundles()) == app.pushes() == 1
    (app.path / "node_modules").unlink()
    code, out = app.pytest(node=False)
    assert code == 0, out
    assert "4 passed" in out


def test_changed_functions_are_bundled_anew(app: AnApp):
    app.write("lib/titles.ts", 'export const title = "one";')
    app.write(
        "convex/titles.ts",
        'import { query } from "./_generated/server";\nimport { title } from "../lib/titles";\n'
        "export const get = query(async () => title);\n",
    )
    app.write(
        "test_articles.py",
        "import os\ndef test(convex_deployment): assert convex_deployment.run('titles:get') == os.environ['WANTED']\n",
    )
    assert "lib/titles.ts" in inputs_of(app.path)
    os.environ["WANTED"] = "one"
    try:
        code, out = app.pytest()
        assert code == 0, out
        app.write("lib/titles.ts", 'export const title = "two";')
        code, out = app.pytest(node=False)
        assert code == 1 and "NoNode" in out, out
        os.environ["WANTED"] = "two"
        code, out = app.pytest()
        assert code == 0, out
    finally:
        del os.environ["WANTED"]
    assert len(app.bundles()) == app.pushes() == 2
    assert app.pushes() == 2
    os.environ["WANTED"] = "two"
    try:
        code, out = app.pytest("--supavex-push")
    finally:
        del os.environ["WANTED"]
    assert code == 0, out
    assert (app.pushes(), len(app.bundles())) == (3, 2)


def test_of_two_sessions_at_once_one_bundles(app: AnApp):
    sessions = [app.start(), app.start()]
    found = [ended(session) for session in sessions]
    assert [code for code, _ in found] == [0, 0], found
    assert len(app.bundles()) == app.pushes() == 1
    assert not list((app.path / ".supavex/pytest").glob("*.partial"))


def test_a_bundle_that_is_committed_is_used_while_it_is_up_to_date(app: AnApp):
    ran = supavex(app, "bundle")
    assert ran.returncode == 0, ran.stderr
    assert "3 functions, bundled by convex" in ran.stdout
    code, out = app.pytest(node=False)
    assert code == 0, out
    assert not app.bundles()
    assert supavex(app, "bundle", "--check").returncode == 0
    app.write("convex/articles.ts", EXAMPLE["convex/articles.ts"] + "// changed\n")
    ran = supavex(app, "bundle", "--check")
    assert ran.returncode == 1 and "StaleBundle" in ran.stderr and "convex/articles.ts has changed" in ran.stderr
    ran = supavex(app, "bundle", "--check", "--json")
    assert ran.returncode == 1 and json.loads(ran.stdout)["stale"] == "convex/articles.ts has changed"
    code, out = app.pytest(node=False)
    assert code == 1
    assert "NoNode" in out and "convex.bundle.json can't be used: convex/articles.ts has changed" in out


def test_the_same_app_makes_the_same_bundle(app: AnApp):
    texts = []
    for _ in range(2):
        assert supavex(app, "bundle").returncode == 0
        texts.append((app.path / "convex.bundle.json").read_text())
    assert texts[0] == texts[1]


def supavex(app: AnApp, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "supavex", *arguments]
    return subprocess.run(command, cwd=app.path, capture_output=True, text=True, timeout=180, check=False)


def test_what_is_wrong_is_said_with_what_to_do(app: AnApp):
    def said() -> str:
        code, out = app.pytest()
        assert code == 1, out
        assert "Traceback" not in out, out
        assert not app.bundles()
        return out

    good = EXAMPLE["convex/articles.ts"]
    app.write("convex/articles.ts", good + "export const broken = ;\n")
    out = said()
    assert "OfficialCliFailed" in out and "articles.ts" in out and 'Unexpected ";"' in out
    app.write("convex/articles.ts", good + 'throw new Error("at import");\n')
    out = said()
    assert "OfficialCliFailed" in out and "at import" in out
    app.write("convex/articles.ts", good)
    shutil.rmtree(app.path / "convex/_generated")
    assert "NotGenerated" in said()
    (app.path / "node_modules").unlink()
    assert "NoConvexPackage" in (out := said()) and "npm install convex" in out
    (app.path / "package.json").unlink()
    assert "NoApp" in said()
    shutil.rmtree(app.path / "convex")
    assert "NoConvexFolder" in said()
    app.write("supavex.toml", "wrong = 1\n")
    assert "UnknownKey" in said()
    app.write("pytest.ini", "[pytest]\nsupavex_app = .\nsupavex_environment = NOTHING\n")
    assert "'NOTHING' is not NAME=value" in said()


def test_settings(app: AnApp, tmp_path: Path):
    """The app elsewhere, an environment that its modules need when they are evaluated, and a snapshot."""
    app.write(
        "convex/env.ts",
        """import { query } from "./_generated/server";
if (process.env.GREETING === undefined) throw new Error("GREETING is not set");
export const get = query(async () => process.env.GREETING);
""",
    )
    with (tmp_path / "seed.zip").open("wb") as file:
        writer = ArchiveWriter(file)
        with Deployment(tmp_path / "seed.sqlite3") as deployment:
            id_ = deployment.insert("articles", {"slug": "z", "title": "Z", "views": 7.0})
            writer.add("_tables/documents.jsonl", tables_entry({"articles": 10001}))
            writer.add("articles/documents.jsonl", json.dumps(deployment.get(id_)).encode() + b"\n")
        writer.close()
    other = AnApp(tmp_path / "tests")
    other.write(
        "pytest.ini",
        "[pytest]\nsupavex_app = ../app\nsupavex_snapshot = ../seed.zip\n"
        "supavex_environment =\n    GREETING=a = b\n    OTHER=x\n",
    )
    other.write(
        "test_it.py",
        f"""
def test_it(convex_deployment):
    assert convex_deployment.run("env:get") == "a = b"
    assert convex_deployment.run("articles:list") == ["z"]
    convex_deployment.run("articles:view", {{"id": "{id_}"}})
    assert convex_deployment.get("{id_}")["views"] == 8.0

def test_it_is_as_it_was(convex_deployment):
    assert convex_deployment.get("{id_}")["views"] == 7.0
    convex_deployment.set_environment({{"GREETING": "c"}})
    assert convex_deployment.run("env:get") == "c"
    assert convex_deployment.load(__import__("pathlib").Path("../seed.zip")) == {{"articles": 1}}
""",
    )
    code, out = other.pytest()
    assert code == 0, out
    (tmp_path / "seed.zip").write_bytes(b"no archive")
    code, out = other.pytest()
    assert code == 1 and "seed.zip" in out and "Traceback" not in out, out


def test_a_snapshot_that_does_not_fit_the_schema_is_refused(app: AnApp, tmp_path: Path):
    with (tmp_path / "seed.zip").open("wb") as file:
        writer = ArchiveWriter(file)
        with Deployment(tmp_path / "seed.sqlite3") as deployment:
            id_ = deployment.insert("articles", {"slug": "z"})
            writer.add("_tables/documents.jsonl", tables_entry({"articles": 10001}))
            writer.add("articles/documents.jsonl", json.dumps(deployment.get(id_)).encode() + b"\n")
        writer.close()
    app.write("pytest.ini", "[pytest]\nsupavex_snapshot = ../seed.zip\n")
    code, out = app.pytest()
    assert code == 1
    assert "SchemaValidationFailed" in out and id_ in out and "Traceback" not in out


def test_modules_of_one_session_may_have_apps_of_their_own(app: AnApp, tmp_path: Path):
    other = AnApp(tmp_path / "other")
    shutil.copytree(app.path, other.path, symlinks=True)
    other.write("convex/articles.ts", EXAMPLE["convex/articles.ts"].replace("(a) => a.slug", '() => "other"'))
    for name, path, wanted in (("a", app.path, "x"), ("b", other.path, "other"), ("c", app.path, "x")):
        app.write(
            f"sub/test_{name}.py",
            f"""import pathlib, pytest
@pytest.fixture(scope="session")
def convex_app():
    return pathlib.Path({str(path)!r})
def test_it(convex_deployment):
    convex_deployment.insert("articles", {{"slug": "x", "title": "X", "views": 0.0}})
    assert convex_deployment.run("articles:list") == [{wanted!r}]
""",
        )
    code, out = app.pytest("sub")
    assert code == 0, out
    assert len(app.bundles()) == app.pushes() == 2


def test_a_session_that_uses_no_fixture_of_ours_imports_nothing(pytester: pytest.Pytester):
    pytester.makepyfile("""
        import sys
        def test_it():
            found = {name for name in sys.modules if name.startswith("supavex")}
            assert found == {"supavex", "supavex.version", "supavex.pytest_plugin"}
        """)
    result = pytester.runpytest_subprocess("-q")
    assert result.ret == 0, result.stdout.str()
    assert not (pytester.path / ".supavex").exists()
    assert "convex_deployment" in pytester.runpytest_subprocess("--fixtures", "-q").stdout.str()


def test_a_fresh_deployment_takes_milliseconds(app: AnApp):
    app.write(
        "test_articles.py",
        """
import time
MOMENTS = []
import pytest
@pytest.mark.parametrize("n", range(40))
def test_it(convex_deployment, n):
    MOMENTS.append(time.perf_counter())
    if n == 39:
        steps = sorted(b - a for a, b in zip(MOMENTS, MOMENTS[1:]))
        print(f"median {steps[20] * 1000:.1f} ms")
        assert steps[20] < 0.5  # of a busy machine; some 5 ms on one that is not
""",
    )
    started = time.monotonic()
    code, out = app.pytest("-s")
    assert code == 0, out
    print(out, f"{time.monotonic() - started:.1f} s")
