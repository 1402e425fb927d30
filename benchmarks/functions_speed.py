"""How fast pushed functions run: over HTTP and from Python, against ``convex-test`` in Node and plain SQLite.

    python -m benchmarks.functions_speed [--seconds 2] [--runs 3]

One query (twenty documents of an index) and one mutation (a new document) of the same TypeScript. The floor is SQLite
doing the same work in Python: the same index, each body parsed and written as JSON, each write a durable transaction.
``convex-test`` keeps everything in memory and runs functions in its own process; it writes nothing to a disk. Needs
Node and the packages of tests/official (`make test` installs them).
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from benchmarks.figures import Figure, NotMeasured, Size
from supavex.deployment import Deployment

ROOT = Path(__file__).parent.parent
NODE_MODULES = ROOT / "tests/official/node_modules"
SCHEMA = """
import { defineSchema, defineTable } from "convex/server";
import { v } from "convex/values";
export default defineSchema({
  payments: defineTable({ workspace: v.string(), amount: v.number(), status: v.string(), note: v.string() })
    .index("by_workspace", ["workspace", "amount"]),
});
"""
FUNCTIONS = """
import { queryGeneric as query, mutationGeneric as mutation } from "convex/server";
import { v } from "convex/values";
export const page = query({
  args: { workspace: v.string() },
  handler: async (ctx, { workspace }) =>
    await ctx.db.query("payments").withIndex("by_workspace", (q) => q.eq("workspace", workspace)).take(20),
});
export const add = mutation({
  args: { workspace: v.string(), amount: v.number() },
  handler: async (ctx, { workspace, amount }) =>
    await ctx.db.insert("payments", { workspace, amount, status: "success", note: "x".repeat(200) }),
});
"""
NODE = """
import { convexTest } from "convex-test";
import schema from "./schema.mjs";
const t = convexTest(schema, { "./_generated/api.js": async () => ({}), "./bench.js": () => import("./bench.mjs") });
const { anyApi: api } = await import("convex/server");
for (let i = 0; i < 2000; i++) await t.mutation(api.bench.add, { workspace: `w${i % 100}`, amount: i });
const rate = async (call) => {
  const began = performance.now();
  let count = 0;
  while (performance.now() - began < SECONDS * 1000) { await call(count); count++; }
  return count / ((performance.now() - began) / 1000);
};
const page = await rate((i) => t.query(api.bench.page, { workspace: `w${i % 100}` }));
const add = await rate((i) => t.mutation(api.bench.add, { workspace: "new", amount: i }));
console.log(JSON.stringify({ page, add }));
"""
DOCUMENTS, WORKSPACES = 2000, 100


def rate(call: Callable[[int], object], seconds: float) -> float:
    """How often ``call`` is done in a second."""
    began = time.perf_counter()
    count = 0
    while time.perf_counter() - began < seconds:
        call(count)
        count += 1
    return count / (time.perf_counter() - began)


@contextmanager
def served(folder: Path) -> Iterator[tuple[str, str]]:
    """A served deployment in ``folder``: its address and key."""
    command = [sys.executable, "-m", "supavex", "serve", "--data", str(folder), "--port", "0", "--site-port", "0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        assert process.stdout is not None
        url, key = (process.stdout.readline().strip().partition("=")[2] for _ in range(2))
        yield url, key
    finally:
        process.terminate()
        process.wait(timeout=30)


def push(folder: Path, url: str, key: str, schema: str = SCHEMA, functions: str = FUNCTIONS) -> None:
    app = folder / "app"
    (app / "convex").mkdir(parents=True)
    (app / "node_modules").symlink_to(NODE_MODULES)
    (app / "package.json").write_text('{"dependencies": {"convex": "*"}}')
    (app / "convex/schema.ts").write_text(schema)
    (app / "convex/bench.ts").write_text(functions)
    environment = {**os.environ, "CONVEX_SELF_HOSTED_URL": url, "CONVEX_SELF_HOSTED_ADMIN_KEY": key, "CI": "1"}
    command = ["node", str(NODE_MODULES / "convex/bin/main.js"), "dev", "--once", "--typecheck", "disable"]
    subprocess.run(command, cwd=app, env=environment, check=True, capture_output=True, stdin=subprocess.DEVNULL)


def over_http(url: str, seconds: float) -> tuple[float, float]:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port)

    def call(kind: str, path: str, args: dict[str, object]) -> None:
        body = json.dumps({"path": path, "args": args, "format": "convex_encoded_json"})
        connection.request("POST", f"/api/{kind}", body, {"Content-Type": "application/json"})
        answer = json.loads(connection.getresponse().read())
        assert answer["status"] == "success", answer

    try:
        page = rate(lambda i: call("query", "bench:page", {"workspace": f"w{i % WORKSPACES}"}), seconds)
        add = rate(lambda i: call("mutation", "bench:add", {"workspace": "new", "amount": float(i)}), seconds)
    finally:
        connection.close()
    return page, add


def in_process(deployment: Deployment, seconds: float) -> tuple[float, float]:
    page = rate(lambda i: deployment.run("bench:page", {"workspace": f"w{i % WORKSPACES}"}), seconds)
    add = rate(lambda i: deployment.run("bench:add", {"workspace": "new", "amount": float(i)}), seconds)
    return page, add


def convex_test(folder: Path, seconds: float) -> tuple[float, float]:
    place = folder / "convex-test"
    if not place.exists():
        place.mkdir()
        (place / "node_modules").symlink_to(NODE_MODULES)
        esbuild = NODE_MODULES / "esbuild/bin/esbuild"
        for name in ("schema", "bench"):
            source = folder / f"app/convex/{name}.ts"
            command = [str(esbuild), str(source), f"--outfile={place / name}.mjs", "--format=esm"]
            subprocess.run(command, check=True, capture_output=True)
    (place / "run.mjs").write_text(NODE.replace("SECONDS", str(seconds)))
    done = subprocess.run(["node", "run.mjs"], cwd=place, check=True, capture_output=True, text=True)
    found = json.loads(done.stdout)
    return found["page"], found["add"]


def plain_sqlite(folder: Path, seconds: float) -> tuple[float, float]:
    path = folder / "plain.sqlite3"
    path.unlink(missing_ok=True)
    database = sqlite3.connect(path, isolation_level=None)
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = FULL")
    database.execute("CREATE TABLE payments (id INTEGER PRIMARY KEY, body TEXT)")
    columns = "workspace TEXT, amount REAL, id INTEGER, PRIMARY KEY (workspace, amount, id)"
    database.execute(f"CREATE TABLE by_workspace ({columns}) WITHOUT ROWID")

    def add(workspace: str, amount: float) -> None:
        body = {"workspace": workspace, "amount": amount, "status": "success", "note": "x" * 200}
        database.execute("BEGIN IMMEDIATE")
        row = database.execute("INSERT INTO payments (body) VALUES (?)", (json.dumps(body),)).lastrowid
        database.execute("INSERT INTO by_workspace VALUES (?, ?, ?)", (workspace, amount, row))
        database.execute("COMMIT")

    def page(workspace: str) -> str:
        sql = "SELECT p.body FROM by_workspace AS i JOIN payments AS p ON p.id = i.id WHERE i.workspace = ? LIMIT 20"
        return json.dumps([json.loads(body) for (body,) in database.execute(sql, (workspace,))])

    for number in range(DOCUMENTS):
        add(f"w{number % WORKSPACES}", float(number))
    try:
        return rate(lambda i: page(f"w{i % WORKSPACES}"), seconds), rate(lambda i: add("new", float(i)), seconds)
    finally:
        database.close()


SQLITE, NODE_NAME = "SQLite, in Python", "convex-test, in Node"
OURS = ("Deployment.run, in Python", "supavex serve, over HTTP")


def rates(seconds: float, runs: int) -> dict[str, list[tuple[float, float]]]:
    """Queries and mutations a second by run: of SQLite, convex-test and supavex, taken in turn."""
    folder = Path(tempfile.mkdtemp(prefix="supavex-functions-"))
    try:
        with ExitStack() as stack:
            (folder / "data").mkdir()
            url, key = stack.enter_context(served(folder / "data"))
            push(folder, url, key)
            source = sqlite3.connect(folder / "data/deployment.sqlite3")
            (folder / "own").mkdir()
            copy = sqlite3.connect(folder / "own/deployment.sqlite3")
            source.backup(copy)
            source.close()
            copy.close()
            deployment = stack.enter_context(Deployment(folder / "own/deployment.sqlite3"))
            with Deployment(folder / "data/deployment.sqlite3") as other:
                for place in (deployment, other):
                    with place.transaction():
                        for number in range(DOCUMENTS):
                            workspace = f"w{number % WORKSPACES}"
                            fields = {"workspace": workspace, "amount": float(number), "status": "success"}
                            place.insert("payments", {**fields, "note": "x" * 200})
            ways: dict[str, Callable[[], tuple[float, float]]] = {
                SQLITE: lambda: plain_sqlite(folder, seconds),
                NODE_NAME: lambda: convex_test(folder, seconds),
                OURS[0]: lambda: in_process(deployment, seconds),
                OURS[1]: lambda: over_http(url, seconds),
            }
            found: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
            for _ in range(runs):
                for name, way in ways.items():
                    found[name].append(way())
            return found
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def measure(size: Size) -> list[Figure]:
    """A query and a mutation against SQLite doing the same."""
    if not NODE_MODULES.exists() or shutil.which("node") is None:
        raise NotMeasured("it needs Node and the packages of tests/official; `make test` installs them.")
    found = rates(max(0.5, 2 * size.share), size.runs)
    figures = []
    for kind, what in enumerate(("query", "mutation")):
        base = [1 / run[kind] for run in found[SQLITE]]
        figures += [Figure.of(f"{what}: {name}", SQLITE, [1 / run[kind] for run in found[name]], base) for name in OURS]
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--seconds", type=float, default=2.0, help="how long each thing is done")
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    print(f"{'':<28}{'queries/s':>12}{'of SQLite':>12}{'mutations/s':>14}{'of SQLite':>12}")
    medians = {
        name: [statistics.median(column) for column in zip(*runs, strict=True)]
        for name, runs in rates(options.seconds, options.runs).items()
    }
    base = medians[SQLITE]
    for name, (page, add) in medians.items():
        print(f"{name:<28}{page:>12,.0f}{page / base[0]:>12.3f}{add:>14,.0f}{add / base[1]:>12.3f}")


if __name__ == "__main__":
    main()
