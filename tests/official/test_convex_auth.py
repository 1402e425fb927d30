"""Convex Auth's own package: its tables are ours, what the documentation shows compiles, and Supabase's hashes hold."""

import json
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest

from supavex.convex.typescript import schema_module
from supavex.schema import auth_tables, define_schema
from tests.projects import ROOT
from tests.users import HASH, PASSWORD

from .auth_app import AUTH, auth_variables
from .node import NODE_MODULES, Node, missing
from .served import served_app, set_variables

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
    done = subprocess.run(command, cwd=app, capture_output=True, text=True, timeout=300, check=False)
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


@dataclass
class Client:
    """Calls functions over HTTP, with a token or without."""

    url: str

    def call(self, kind: str, path: str, args: dict[str, Any], token: str | None = None) -> dict[str, Any]:
        body = json.dumps({"path": path, "args": args, "format": "json"}).encode()
        headers = {"Content-Type": "application/json"} | ({} if token is None else {"Authorization": f"Bearer {token}"})
        with urlopen(Request(f"{self.url}/api/{kind}", body, headers), timeout=180) as answer:
            found: dict[str, Any] = json.loads(answer.read())
            return found

    def sign(self, flow: str, password: str) -> dict[str, Any]:
        params = {"email": "ada@example.com", "password": password, "flow": flow}
        return self.call("action", "auth:signIn", {"provider": "password", "params": params})

    def me(self, token: str | None) -> Any:
        return self.call("query", "auth:me", {}, token)["value"]


def test_a_user_signs_up_in_and_out_and_refreshes(app: Path) -> None:
    """By HTTP actions of the deployment's own, where its keys are, and without ``--allow-fetch``."""
    with served_app(**AUTH) as served:
        set_variables(served, auth_variables())
        served.push()
        client = Client(served.served.url)
        assert client.me(None) is None
        up = client.sign("signUp", "correct horse")
        assert up["status"] == "success", up
        tokens = up["value"]["tokens"]
        assert client.me(tokens["token"]) == "ada@example.com"
        assert client.sign("signIn", "wrong")["status"] == "error"
        assert client.sign("signUp", "short")["status"] == "error"
        again = client.sign("signIn", "correct horse")["value"]["tokens"]
        refreshed = client.call("action", "auth:signIn", {"refreshToken": again["refreshToken"]})["value"]["tokens"]
        assert refreshed["refreshToken"] != again["refreshToken"] and client.me(refreshed["token"]) == "ada@example.com"
        out = client.call("action", "auth:signOut", {}, refreshed["token"])
        assert out["status"] == "success"
        gone = client.call("action", "auth:signIn", {"refreshToken": refreshed["refreshToken"]})
        assert gone["value"]["tokens"] is None
