"""Convex Auth's own package: its tables are ours, what the documentation shows compiles, and Supabase's hashes hold."""

import json
import re
import subprocess
from pathlib import Path

import pytest

from supavex.convex.typescript import schema_module
from supavex.schema import auth_tables, define_schema
from tests.projects import ROOT
from tests.users import HASH, PASSWORD

from .node import NODE_MODULES, Node, missing

DOCS = ROOT / "docs/users-and-files.md"
SCRIPT = """
import { defineSchema } from "convex/server";
import { authTables } from "@convex-dev/auth/server";
process.stdout.write(defineSchema(authTables).export());
"""


def snippet(name: str) -> str:
    """A file of the app as the documentation shows it."""
    (found,) = re.findall(rf"```ts\n(// convex/{name}\n.*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL)
    return str(found)


@pytest.fixture
def app(tmp_path: Path) -> Path:
    problem = missing()
    assert problem is None, problem
    (tmp_path / "node_modules").symlink_to(NODE_MODULES)
    (tmp_path / "package.json").write_text('{"type": "module"}')
    return tmp_path


def run(app: Path, *command: str) -> str:
    done = subprocess.run(command, cwd=app, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_auth_tables_are_those_of_the_package(app: Path) -> None:
    (app / "tables.mjs").write_text(SCRIPT)
    theirs = json.loads(run(app, "node", "tables.mjs"))
    ours = define_schema(auth_tables()).to_json()
    by_name = {table["tableName"]: table for table in ours["tables"]}
    assert {table["tableName"]: table for table in theirs["tables"]} == by_name


def test_each_call_gives_tables_of_its_own() -> None:
    auth_tables()["users"].index("more", ["name"])
    assert [index.name for index in auth_tables()["users"].indexes] == ["email", "phone"]


def test_what_the_documentation_shows_compiles_and_verifies_hashes_of_supabase(app: Path, node: Node) -> None:
    convex = app / "convex"
    convex.mkdir()
    for name in ("auth.ts", "passwords.ts"):
        (convex / name).write_text(snippet(name))
    (convex / "schema.ts").write_text(schema_module(define_schema(auth_tables())))
    options = {
        "strict": True, "noEmit": True, "module": "ESNext", "moduleResolution": "Bundler", "target": "ESNext",
        "skipLibCheck": True, "lib": ["ES2023", "dom"], "types": [],
    }  # fmt: skip
    (app / "tsconfig.json").write_text(json.dumps({"compilerOptions": options, "include": ["convex"]}))
    run(app, "node", str(NODE_MODULES / "typescript/bin/tsc"), "-p", ".")

    # What a mutation of Convex Auth calls: without timers, which no mutation has.
    (app / "verify.ts").write_text(
        'import { verifySecret, hashSecret } from "./convex/passwords";\n'
        "globalThis.setTimeout = globalThis.setImmediate = () => { throw new Error('a timer in a mutation'); };\n"
        f"const checks = [await verifySecret({json.dumps(PASSWORD)}, {json.dumps(HASH)}),\n"
        f"  await verifySecret('wrong', {json.dumps(HASH)}),\n"
        "  await verifySecret('new password', await hashSecret('new password')),\n"
        "  await verifySecret('wrong', await hashSecret('new password')), await verifySecret('', '')];\n"
        "console.log(JSON.stringify(checks));\n"
    )
    bundle = ["--bundle", "--platform=node", "--format=esm", "--outfile=verify.mjs"]
    run(app, str(NODE_MODULES / "esbuild/bin/esbuild"), "verify.ts", *bundle)
    assert json.loads(run(app, "node", "verify.mjs")) == [True, False, True, False, False]
