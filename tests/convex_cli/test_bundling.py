"""What a bundle is made of, whether it is up to date, and files that are none. The CLI itself: tests/official."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from supavex.convex_cli.bundling import BUNDLE_NAME, convex_folder_of, inputs_of, stale_because
from supavex.deployment import Deployment, FunctionFailed
from supavex.deployment.functions.bundle import bundle_of, read_bundle
from supavex.errors import SupavexError, UsageError
from tests.projects import MY21STAFF, supavex


def write(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def test_inputs_are_the_sources_what_they_import_and_the_settings(tmp_path: Path):
    app = write(
        tmp_path / "repo/app",
        {
            "convex/a.ts": """import { x } from "../lib/x";
import type { Y } from '../lib/y.js';
export * from "../lib/folder";
const z = await import("../lib/z.json");
require("../lib/old.cjs");
import "../lib/nowhere";
import { v } from "convex/values";
""",
            "convex/deep/b.tsx": 'import {\n  q,\n} from "../../../shared/q";\n',
            "convex/_generated/api.js": "",
            "convex/_generated/api.d.ts": "",
            "convex/README.md": "no source",
            "lib/x.ts": 'import "./more";',
            "lib/more.ts": 'import "./x"; // and round again',
            "lib/y.ts": "",
            "lib/folder/index.ts": "",
            "lib/z.json": "{}",
            "lib/old.cjs": "",
            "lib/unused.ts": "",
            "../shared/q.ts": "",
            "package.json": "{}",
            "convex/tsconfig.json": "{}",
            "tsconfig.json": "{}",
            "../package-lock.json": "{}",
            "../../yarn.lock": "of another project",
            "../.git/HEAD": "",
        },
    )
    assert inputs_of(app).keys() == {
        "convex/a.ts",
        "convex/deep/b.tsx",
        "convex/_generated/api.js",
        "convex/tsconfig.json",
        "lib/x.ts",
        "lib/more.ts",
        "lib/y.ts",
        "lib/folder/index.ts",
        "lib/z.json",
        "lib/old.cjs",
        "../shared/q.ts",
        "package.json",
        "tsconfig.json",
        "../package-lock.json",
    }
    write(app, {"yarn.lock": "the app's own"})
    assert "yarn.lock" in inputs_of(app) and "../package-lock.json" not in inputs_of(app)


def test_the_functions_folder_is_where_convex_json_says(tmp_path: Path):
    assert convex_folder_of(tmp_path) == tmp_path / "convex"
    write(tmp_path, {"convex.json": '{"functions": "src/convex/"}', "src/convex/a.ts": ""})
    assert inputs_of(tmp_path).keys() == {"src/convex/a.ts", "convex.json"}
    write(tmp_path, {"convex.json": "no JSON"})
    assert convex_folder_of(tmp_path) == tmp_path / "convex"
    with pytest.raises(UsageError, match="no such folder") as raised:
        inputs_of(tmp_path)
    assert raised.value.code == "NoConvexFolder"


def test_a_bundle_is_stale_when_a_file_or_the_package_changes(tmp_path: Path):
    bundle = read_bundle(MY21STAFF / BUNDLE_NAME)
    inputs = dict(bundle.inputs)
    assert stale_because(bundle, tmp_path, inputs) is None
    assert stale_because(bundle, tmp_path, {**inputs, "convex/new.ts": "0"}) == "convex/new.ts has changed"
    gone = dict(list(inputs.items())[2:])
    assert (stale_because(bundle, tmp_path, gone) or "").endswith("has changed, and 1 more")
    write(tmp_path, {"node_modules/convex/package.json": json.dumps({"version": bundle.version})})
    assert stale_because(bundle, tmp_path, inputs) is None
    write(tmp_path, {"node_modules/convex/package.json": '{"version": "9.9.9"}'})
    assert stale_because(bundle, tmp_path, inputs) == f"the convex package is 9.9.9 now, and was {bundle.version}"


def test_a_bundle_goes_into_a_deployment_and_comes_out_the_same(tmp_path: Path):
    text = (MY21STAFF / BUNDLE_NAME).read_text()
    bundle = read_bundle(MY21STAFF / BUNDLE_NAME)
    with Deployment(tmp_path / "deployment.sqlite3", durable=False) as deployment:
        bundle.install(deployment)
        assert bundle_of(deployment, bundle.version, bundle.inputs).text() == text
        assert deployment.run("workspaces:get", {"slug": "a"}) is None


def test_a_bundle_is_installed_whole_or_not_at_all(tmp_path: Path):
    with Deployment(tmp_path / "deployment.sqlite3") as deployment:
        deployment.insert("articles", {"title": 7.0})
        with pytest.raises(SupavexError) as raised:
            read_bundle(MY21STAFF / BUNDLE_NAME).install(deployment)
        assert raised.value.code == "SchemaValidationFailed"
        assert deployment.schema_text is None
        with pytest.raises(FunctionFailed, match="Could not find function"):
            deployment.run("workspaces:get", {"slug": "a"})


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (None, "NoBundle"),
        ("", "InvalidBundle"),
        ("[]", "InvalidBundle"),
        ('{"format": 1}', "InvalidBundle"),
        ('{"format": 2}', "InvalidBundle"),
        ('{"format": 1, "modules": [1]}', "InvalidBundle"),
        ("[" * 100_000, "InvalidBundle"),
    ],
)
def test_what_is_no_bundle_is_said_to_be_none(tmp_path: Path, text: str | None, code: str):
    path = tmp_path / BUNDLE_NAME
    if text is not None:
        path.write_text(text)
    with pytest.raises(UsageError) as raised:
        read_bundle(path)
    assert (raised.value.code, raised.value.where) == (code, str(path))
    write(tmp_path, {"convex/a.ts": ""})
    ran = supavex("bundle", "-C", tmp_path, "--check")
    assert ran.code == 2 and "supavex bundle" in ran.err


def test_bundle_says_what_is_missing(tmp_path: Path):
    ran = supavex("bundle", "-C", tmp_path, "--json")
    assert (ran.code, ran.json["error"]["code"]) == (2, "NoConvexFolder")
    write(tmp_path, {"convex/a.ts": ""})
    ran = supavex("bundle", "-C", tmp_path, "--json")
    assert (ran.code, ran.json["error"]["code"]) == (2, "NoApp")
    assert not (tmp_path / BUNDLE_NAME).exists()


def test_an_environment_is_set_and_taken_back(tmp_path: Path):
    with Deployment(tmp_path / "deployment.sqlite3") as deployment:
        deployment.set_environment({"A": "1", "B": "2"})
        deployment.set_environment({"A": None})
        rows = deployment.store.connection.execute("SELECT name, value FROM environment")
        assert list(rows) == [("B", "2")]
        with pytest.raises(SupavexError) as raised:
            deployment.set_environment({"B": "3", "no name": "x"})
        assert raised.value.code == "EnvironmentVariableNameInvalid"
        assert list(deployment.store.connection.execute("SELECT value FROM environment")) == [("2",)]
