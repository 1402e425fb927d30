"""Holds `supavex serve` against a real Convex backend: the same steps on both, and a list of what differs.

    CONVEX_SELF_HOSTED_ADMIN_KEY=… python -m tests.real_backend URL [KEY] [--replace]

A copy of the example project, its source a replayed database, is deployed, migrated, proven, called and rolled back,
first at URL, then at a served deployment of this program's own. Ids of new documents, times, durations, addresses and
request ids differ from run to run, and are not compared. Exit code 0 where nothing differs, 1 where something does or a
step fails, 2 for misuse: nothing answers at URL, the key is another one's, or there are documents. `--replace` lets it
take a deployment with documents: they are deleted, and so are the deployment's functions and tables.

Without KEY it is read from CONVEX_SELF_HOSTED_ADMIN_KEY: arguments stand in the list of processes. It is not printed.
"""

from __future__ import annotations

import argparse
import difflib
import json
import os
import re
import shutil
import sys
import time
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import Any

from supavex.convex.ids import decode_id
from supavex.convex.snapshot import SnapshotArchive, tables_entry
from supavex.convex.values import to_export_json
from supavex.convex_cli.cli import official_cli
from supavex.convex_cli.targets import KEY_VARIABLE, checked_url
from supavex.errors import SupavexError
from supavex.postgres.replay import Replay
from tests import projects
from tests.example_calls import CALLS, HTTP_REQUESTS, IMPORTED, LATER, PROBE, called, resolved
from tests.official.clients.processes import PythonClient
from tests.official.node import NODE_MODULES, missing
from tests.official.served import Served
from tests.projects import MY21STAFF, supavex
from tests.sides import DATABASE_VARIABLE, Side, StepFailed, ask

CLI_SECONDS = 300.0


class Misuse(Exception):
    """What was asked can't be done: exit code 2."""


Step = tuple[str, Callable[[Side], str]]


def command(name: str, *options: str, code: int = 0) -> Callable[[Side], str]:
    """``supavex NAME`` with this deployment as target; it has to end with ``code``."""

    def run(side: Side) -> str:
        ran = supavex(name, "-C", side.project, "--to", side.url, *options)
        text = f"exit code {ran.code}\n{ran.err}{ran.out}"
        if ran.code != code:
            raise StepFailed(text)
        return text

    return run


def schema(side: Side) -> str:
    """The deployment's active schema, whatever the order of its tables and indexes."""
    status, text = side.ask("/api/query", {"path": "_system/frontend/getSchemas", "args": {}, "format": "json"})
    if status != 200:
        raise StepFailed(f"HTTP {status}: {text}")
    active = json.loads(json.loads(text)["value"]["active"])
    active["tables"].sort(key=lambda table: table["tableName"])
    for table in active["tables"]:
        table["indexes"].sort(key=lambda index: index["indexDescriptor"])
    return json.dumps(active, indent=1, sort_keys=True)


def function_spec(side: Side) -> str:
    """``convex function-spec``: every function with its validators."""
    printed = side.cli().run("function-spec", seconds=CLI_SECONDS)
    functions = json.loads(printed[printed.index("{") :])["functions"]
    return "\n".join(sorted(json.dumps(function, sort_keys=True) for function in functions))


def variable(side: Side) -> str:
    """``convex env``: a variable of the app's is set, which its HTTP action reads."""
    return side.cli().run("env", "set", "MIDTRANS_SERVER_KEY", "SB-Mid-server-rehearsal", seconds=CLI_SECONDS)


def documents(side: Side) -> str:
    """``convex export``: every document of every table."""
    path = side.project / "all.zip"
    side.cli().run("export", "--path", str(path), seconds=CLI_SECONDS)
    with SnapshotArchive(path) as archive:
        side.tables = {number: name for name, number in archive.numbers.items()}
        side.documents = {table: list(archive.documents(table)) for table in archive.tables}
    path.unlink()
    if not side.migrated:
        side.migrated = {decode_id(d["_id"])[1] for found in side.documents.values() for d in found}
    lines = []
    for table, found in sorted(side.documents.items()):
        lines.append(f"{table}: {len(found)} documents")
        lines += sorted(side.still(to_export_json(document)) for document in found)
    return "\n".join(lines)


def imports(side: Side) -> str:
    """``convex import`` of JSON lines into one table: what fits, and what the schema refuses."""
    said = []
    for name, line in IMPORTED.items():
        path = side.project / f"{name}.jsonl"
        path.write_text(json.dumps(resolved(side, line)) + "\n")
        arguments = ("import", "--table", "ariKnowledgeCategories", "--append", "--yes", str(path))
        try:
            said.append(side.cli().run(*arguments, seconds=CLI_SECONDS))
        except SupavexError as error:
            said.append(f"refused: {error}")
    return "\n".join(said)


def calls(name: str) -> Callable[[Side], str]:
    """Every call of the function ``name``: its value, or its error's text and data."""
    return lambda side: "\n".join(called(side, call) for call in CALLS if call.path == name)


def http(side: Side) -> str:
    """The app's HTTP action."""
    said = []
    for path, body in HTTP_REQUESTS:
        status, text = ask(side.url + path, body)
        said.append(f"{path} {json.dumps(body)}: {status} {text}")
    return "\n".join(said)


STEPS: list[Step] = [
    ("deploy", command("deploy")),
    ("deployed schema", schema),
    ("function-spec", function_spec),
    ("environment variable", variable),
    ("migrate", command("migrate", "--yes")),
    ("documents", documents),
    ("verify", command("verify")),
    *((f"call {name}", calls(name)) for name in dict.fromkeys(call.path for call in CALLS)),
    ("HTTP action", http),
    ("import", imports),
    ("documents after the calls", documents),
    ("rollback, refused", command("rollback", "--yes", code=1)),
    ("rollback", command("rollback", "--yes", "--discard-changes-since")),
]


def ran(step: Callable[[Side], str], side: Side) -> tuple[bool, str]:
    """Whether a step went as it has to, and what it said."""
    try:
        with side.environment():
            return True, side.still(step(side))
    except (SupavexError, StepFailed, AssertionError, OSError, ValueError, KeyError) as error:
        return False, side.still(f"failed: {error}")


def compare(real: Side, own: Side, steps: Sequence[Step]) -> list[str]:
    """Runs the steps on both, prints a row for each, and gives the names of those that differ or fail."""
    found = []
    for name, step in steps:
        (good, text), (own_good, own_text) = ran(step, real), ran(step, own)
        verdict = "differs" if text != own_text else "same" if good and own_good else "fails on both"
        print(f"{name:30} {verdict}", flush=True)
        if verdict != "same":
            found.append(name)
            both = difflib.unified_diff(own_text.splitlines(), text.splitlines(), own.name, real.name, "", "", 2, "")
            print(*(f"    {line}" for line in (both if verdict == "differs" else text.splitlines())), sep="\n")
    return found


@dataclass(frozen=True)
class Found:
    """What a deployment was found to hold: its version, its tables, and those of them with documents."""

    version: str
    tables: list[str]
    full: list[str]


def found_at(url: str, key: str) -> Found:
    """Asks the deployment at ``url``, and changes nothing. Raises where none answers, or not to this key."""

    def page(function: str, number: int, **args: str) -> list[dict[str, Any]]:
        options = {**args, "paginationOpts": {"cursor": None, "numItems": number}}
        status, text = ask(url + "/api/query", {"path": function, "args": options, "format": "json"}, key)
        if status in (401, 403):
            raise Misuse(f"{url} does not take this key. Set {KEY_VARIABLE} to the key of this very deployment.")
        try:
            return list(json.loads(text)["value"]["page"])
        except (ValueError, KeyError, TypeError):
            raise Misuse(f"{url} is no Convex deployment: it answers {function} with HTTP {status}.") from None

    try:
        _, version = ask(url + "/version")
        tables = [str(table["name"]) for table in page("_system/cli/tables", 1000)]
        asked = [*tables, "_storage"]
        full = [name for name in asked if page("_system/cli/tableData", 1, table=name, order="asc")]
    except (OSError, HTTPException) as error:
        raise Misuse(f"nothing answers at {url}: {getattr(error, 'reason', error)}.") from None
    return Found(version.strip(), tables, full)


def emptied(real: Side, tables: Sequence[str], folder: Path) -> None:
    """Takes the deployment's functions, schema, tables and documents away. An app that holds nothing does it."""
    (folder / "convex").mkdir(parents=True)
    shutil.copy(MY21STAFF / "package.json", folder)
    install(folder)
    head = 'import { defineSchema } from "convex/server";\n'
    (folder / "convex/schema.ts").write_text(f"{head}export default defineSchema({{}});\n")
    with real.environment():
        cli = official_cli(folder / "convex", real.url)
        cli.run("dev", "--once", seconds=CLI_SECONDS)
        if tables:
            with zipfile.ZipFile(folder / "nothing.zip", "w") as archive:
                archive.writestr("_tables/documents.jsonl", tables_entry({}))
            cli.run("import", "--replace-all", "--yes", str(folder / "nothing.zip"), seconds=CLI_SECONDS)


def install(folder: Path) -> None:
    """Gives the app in ``folder`` its packages. TypeScript is not among them: a backend has no part in its check."""
    (folder / "node_modules").mkdir()
    for name in ("convex", "convex-helpers"):
        (folder / "node_modules" / name).symlink_to(NODE_MODULES / name)


def project(folder: Path) -> Path:
    """A copy of the example in ``folder``, with its source in the database that the environment names."""
    projects.copy_of_my21staff(folder)
    install(folder)
    (folder / "convex/probe.ts").write_text(PROBE)
    settings = folder / "supavex.toml"
    source = f'[source]\ndatabase_url_env = "{DATABASE_VARIABLE}"\n'
    text, count = re.subn(r"\[source\]\n(\w.*\n)+", source, settings.read_text())
    assert count == 1
    settings.write_text(text)
    return folder


@contextmanager
def two_sides(url: str, key: str) -> Iterator[tuple[Side, Side, Path]]:
    """The deployment at ``url``, a served one of our own, and a folder; all that is ours is gone afterwards."""
    with ExitStack() as stack:
        folder = stack.enter_context(projects.folder())
        (folder / "later.sql").write_text(LATER)
        files = [
            *sorted((MY21STAFF / "supabase/migrations").glob("*.sql")),
            MY21STAFF / "supabase/seed.sql",
            folder / "later.sql",
        ]
        source = stack.enter_context(Replay(folder / "source", files, ["public"]).running())
        served = stack.enter_context(Served(folder / "served"))

        def side(name: str, url: str, key: str) -> Side:
            client = stack.enter_context(PythonClient(url))
            return Side(name, url, key, project(folder / name.replace(" ", "-")), source, client, time.time())

        yield side("the backend", url, key), side("supavex serve", served.url, served.key), folder


def rehearse(url: str, key: str, *, replace: bool) -> int:
    """Runs every step on both deployments, and prints what differs; the exit code."""
    if lacking := missing():
        raise Misuse(lacking)
    there = found_at(url, key)
    if there.full and not replace:
        raise Misuse(f"{url} holds documents: {', '.join(there.full)}. --replace deletes them; an empty one is better.")
    with two_sides(url, key) as (real, own, folder):
        print(f"{url}: version {there.version}, beside supavex serve")
        emptied(real, there.tables, folder / "empty")
        found = compare(real, own, STEPS)
    print(
        f"{len(STEPS)} steps: " + (f"{len(found)} differ or fail: {', '.join(found)}" if found else "nothing differs")
    )
    return 1 if found else 0


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.real_backend", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("url", help="the backend's address, such as http://127.0.0.1:3210")
    parser.add_argument("key", nargs="?", default=os.environ.get(KEY_VARIABLE, ""), help=f"else {KEY_VARIABLE}")
    parser.add_argument("--replace", action="store_true", help="delete the documents and functions that are there")
    options = parser.parse_args(arguments)
    try:
        if not options.key:
            raise Misuse(f"there is no key: set {KEY_VARIABLE}.")
        return rehearse(checked_url(options.url), options.key, replace=options.replace)
    except (Misuse, SupavexError) as error:
        print(f"error: {error}".replace(options.key or "\0", "KEY"), file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
