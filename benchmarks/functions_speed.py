"""How fast pushed functions run: over HTTP and from Python, against ``convex-test`` in Node and plain SQLite.

    python -m benchmarks.functions_speed [--seconds 2] [--runs 3] [--documents 2000] [--at-once 10]

One query (twenty documents of an index) and one mutation (a new document) of the same TypeScript. The floor is SQLite
doing the same work in Python: the same index, each body parsed and written as JSON, each write a durable transaction.
``convex-test`` keeps everything in memory and runs functions in its own process; it writes nothing to a disk. Needs
Node and the packages of tests/official (`make test` installs them). ``--documents``: so many are in the table of each.
``--at-once``: instead, the rates of so many clients against those of one, the first call of a new process, and the
memory of the server and its processes after it.
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
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
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
for (let i = 0; i < DOCUMENTS; i++) await t.mutation(api.bench.add, { workspace: `w${i % WORKSPACES}`, amount: i });
const rate = async (call) => {
  const began = performance.now();
  let count = 0;
  while (performance.now() - began < SECONDS * 1000) { await call(count); count++; }
  return count / ((performance.now() - began) / 1000);
};
const page = await rate((i) => t.query(api.bench.page, { workspace: `w${i % WORKSPACES}` }));
const add = await rate((i) => t.mutation(api.bench.add, { workspace: "new", amount: i }));
console.log(JSON.stringify({ page, add }));
"""
DOCUMENTS = 2000
#: Documents of a workspace, which one query reads.
PAGE = 20


def rate(call: Callable[[int], object], seconds: float) -> float:
    """How often ``call`` is done in a second."""
    began = time.perf_counter()
    count = 0
    while time.perf_counter() - began < seconds:
        call(count)
        count += 1
    return count / (time.perf_counter() - began)


@contextmanager
def served(folder: Path) -> Iterator[tuple[str, str, int]]:
    """A served deployment in ``folder``: its address and key, and the number of its process."""
    command = [sys.executable, "-m", "supavex", "serve", "--data", str(folder), "--port", "0", "--site-port", "0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        assert process.stdout is not None
        url, key = (process.stdout.readline().strip().partition("=")[2] for _ in range(2))
        yield url, key, process.pid
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
    command = ["node", str(NODE_MODULES / "convex/dist/cli.bundle.cjs"), "dev", "--once", "--typecheck", "disable"]
    subprocess.run(command, cwd=app, env=environment, check=True, capture_output=True, stdin=subprocess.DEVNULL)


def workspace_of(number: int, documents: int) -> str:
    return f"w{number % max(1, documents // PAGE)}"


def over_http(url: str, seconds: float, documents: int = DOCUMENTS) -> tuple[float, float]:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port)

    def call(kind: str, path: str, args: dict[str, object]) -> None:
        body = json.dumps({"path": path, "args": args, "format": "convex_encoded_json"})
        connection.request("POST", f"/api/{kind}", body, {"Content-Type": "application/json"})
        answer = json.loads(connection.getresponse().read())
        assert answer["status"] == "success", answer

    try:
        page = rate(lambda i: call("query", "bench:page", {"workspace": workspace_of(i, documents)}), seconds)
        add = rate(lambda i: call("mutation", "bench:add", {"workspace": "new", "amount": float(i)}), seconds)
    finally:
        connection.close()
    return page, add


def in_process(deployment: Deployment, seconds: float, documents: int = DOCUMENTS) -> tuple[float, float]:
    page = rate(lambda i: deployment.run("bench:page", {"workspace": workspace_of(i, documents)}), seconds)
    add = rate(lambda i: deployment.run("bench:add", {"workspace": "new", "amount": float(i)}), seconds)
    return page, add


def convex_test(folder: Path, seconds: float, documents: int) -> tuple[float, float]:
    place = folder / "convex-test"
    if not place.exists():
        place.mkdir()
        (place / "node_modules").symlink_to(NODE_MODULES)
        esbuild = NODE_MODULES / "esbuild/bin/esbuild"
        for name in ("schema", "bench"):
            source = folder / f"app/convex/{name}.ts"
            command = [str(esbuild), str(source), f"--outfile={place / name}.mjs", "--format=esm"]
            subprocess.run(command, check=True, capture_output=True)
    text = NODE.replace("SECONDS", str(seconds)).replace("DOCUMENTS", str(documents))
    (place / "run.mjs").write_text(text.replace("WORKSPACES", str(max(1, documents // PAGE))))
    done = subprocess.run(["node", "run.mjs"], cwd=place, check=True, capture_output=True, text=True)
    found = json.loads(done.stdout)
    return found["page"], found["add"]


def plain_sqlite(folder: Path, seconds: float, documents: int) -> tuple[float, float]:
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

    for number in range(documents):
        add(workspace_of(number, documents), float(number))
    try:
        pages = rate(lambda i: page(workspace_of(i, documents)), seconds)
        return pages, rate(lambda i: add("new", float(i)), seconds)
    finally:
        database.close()


FILE = "deployment.sqlite3"
SQLITE, NODE_NAME = "SQLite, in Python", "convex-test, in Node"
OURS = ("Deployment.run, in Python", "supavex serve, over HTTP")


@contextmanager
def deployments(documents: int) -> Iterator[tuple[Path, str, int, Deployment]]:
    """A folder, a served deployment in ``data`` of it (its address and process), and one of the same data here."""
    folder = Path(tempfile.mkdtemp(prefix="supavex-functions-"))
    try:
        with ExitStack() as stack:
            (folder / "data").mkdir()
            url, key, process = stack.enter_context(served(folder / "data"))
            push(folder, url, key)
            (folder / "own").mkdir()
            with (
                closing(sqlite3.connect(folder / "data" / FILE)) as source,
                closing(sqlite3.connect(folder / "own" / FILE)) as copy,
            ):
                source.backup(copy)
            deployment = stack.enter_context(Deployment(folder / "own" / FILE))
            with Deployment(folder / "data" / FILE) as other:
                for place in (deployment, other):
                    with place.transaction():
                        for number in range(documents):
                            fields = {"workspace": workspace_of(number, documents), "amount": float(number)}
                            place.insert("payments", {**fields, "status": "success", "note": "x" * 200})
            yield folder, url, process, deployment
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def rates(seconds: float, runs: int, documents: int = DOCUMENTS) -> dict[str, list[tuple[float, float]]]:
    """Queries and mutations a second by run: of SQLite, convex-test and supavex, taken in turn."""
    with deployments(documents) as (folder, url, _, deployment):
        ways: dict[str, Callable[[], tuple[float, float]]] = {
            SQLITE: lambda: plain_sqlite(folder, seconds, documents),
            NODE_NAME: lambda: convex_test(folder, seconds, documents),
            OURS[0]: lambda: in_process(deployment, seconds, documents),
            OURS[1]: lambda: over_http(url, seconds, documents),
        }
        found: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
        for _ in range(runs):
            for name, way in ways.items():
                found[name].append(way())
        return found


def together(clients: int, run: Callable[[], tuple[float, float]]) -> tuple[float, float]:
    """The sums of the rates of so many clients at once, each in a thread."""
    with ThreadPoolExecutor(clients) as pool:
        found = [future.result() for future in [pool.submit(run) for _ in range(clients)]]
    return sum(page for page, _ in found), sum(add for _, add in found)


def first_call(file: Path) -> float:
    """Seconds of the first call in a new process, as a test's fixture makes it: the deployment opened, a query run."""
    code = (
        "import sys, time; from pathlib import Path; from supavex.deployment import Deployment; began = time.time(); "
    )
    code += "deployment = Deployment(Path(sys.argv[1])); deployment.run('bench:page', {'workspace': 'w0'}); "
    code += "print(time.time() - began)"
    return float(subprocess.run([sys.executable, "-c", code, str(file)], check=True, capture_output=True).stdout)


def memory(process: int) -> list[int]:
    """Bytes that a process and its children hold, itself first. Linux only."""
    children = Path(f"/proc/{process}/task").glob("*/children")
    each = [process, *(int(child) for file in children for child in file.read_text().split())]
    return [int(Path(f"/proc/{one}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") for one in each]


def at_once(clients: int, seconds: float, runs: int, documents: int) -> None:
    """Prints what many clients do at once, the first call of a process, and the memory of the server."""
    with deployments(documents) as (folder, url, process, deployment):
        ways = {
            OURS[0]: lambda: in_process(deployment, seconds, documents),
            OURS[1]: lambda: over_http(url, seconds, documents),
        }
        print(f"{'':<28}{'queries/s, 1':>14}{clients:>8}{'ratio':>8}{'mutations/s, 1':>16}{clients:>8}{'ratio':>8}")
        for name, way in ways.items():
            pairs = [(way(), together(clients, way)) for _ in range(runs)]
            sides = zip(*pairs, strict=True)
            one, many = ([statistics.median(column) for column in zip(*side, strict=True)] for side in sides)
            line = f"{name:<28}{one[0]:>14,.0f}{many[0]:>8,.0f}{many[0] / one[0]:>8.2f}"
            print(f"{line}{one[1]:>16,.0f}{many[1]:>8,.0f}{many[1] / one[1]:>8.2f}")
        server, *runtimes = memory(process)
        print(f"memory: the server {server >> 20} MB, its processes {[size >> 20 for size in runtimes]} MB")
        print(f"first call: {statistics.median(first_call(folder / 'own' / FILE) for _ in range(runs)):.2f} s")


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
    parser.add_argument("--documents", type=int, default=DOCUMENTS, help="in the table")
    parser.add_argument("--at-once", type=int, default=0, metavar="CLIENTS", help="compare so many clients with one")
    options = parser.parse_args()
    if options.at_once:
        at_once(options.at_once, options.seconds, options.runs, options.documents)
        return
    print(f"{'':<28}{'queries/s':>12}{'of SQLite':>12}{'mutations/s':>14}{'of SQLite':>12}")
    medians = {
        name: [statistics.median(column) for column in zip(*runs, strict=True)]
        for name, runs in rates(options.seconds, options.runs, options.documents).items()
    }
    base = medians[SQLITE]
    for name, (page, add) in medians.items():
        print(f"{name:<28}{page:>12,.0f}{page / base[0]:>12.3f}{add:>14,.0f}{add / base[1]:>12.3f}")


if __name__ == "__main__":
    main()
