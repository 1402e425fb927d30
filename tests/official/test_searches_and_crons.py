"""Text search, vector search and cron jobs, by the official CLI and clients: one deployment, and one push."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from supavex.convex_cli.cli import OfficialCli
from supavex.deployment import Deployment
from tests.deployment.server.test_security import ask

from .served import CLI, App, served_app, wait_until

SCHEMA = """
  notes: defineTable({ text: v.string(), folder: v.optional(v.string()), vector: v.optional(v.array(v.float64())) })
    .searchIndex("by_text", { searchField: "text", filterFields: ["folder"] })
    .vectorIndex("by_vector", { vectorField: "vector", dimensions: 2, filterFields: ["folder"] }),
  ticks: defineTable({ name: v.string() }),
"""
NOTES = """
import { action, internalAction, internalMutation, mutation, query } from "./_generated/server";

export const add = mutation({ handler: async (ctx, note: any) => await ctx.db.insert("notes", note) });
export const find = query({
  handler: async (ctx, { text, folder }: any) => {
    const found = ctx.db.query("notes").withSearchIndex("by_text", (q) => {
      const all = q.search("text", text);
      return folder === undefined ? all : all.eq("folder", folder);
    });
    return (await found.take(10)).map((note) => note.text);
  },
});
export const near = action({
  handler: async (ctx, { vector }: any): Promise<any> =>
    (await ctx.vectorSearch("notes", "by_vector", { vector, limit: 2 })).map((one) => one._score),
});
export const tick = internalMutation({
  handler: async (ctx, { name }: any) => {
    console.log("tick", name);
    await ctx.db.insert("ticks", { name });
  },
});
export const fails = internalAction({ handler: async () => { throw new Error("no tick"); } });
"""
CRONS = """
import { cronJobs } from "convex/server";
import { internal } from "./_generated/api";

const crons = cronJobs();
crons.interval("every second", { seconds: 1 }, internal.notes.tick, { name: "second" });
crons.interval("once", { hours: 1000 }, internal.notes.fails);
crons.weekly("weekly", { dayOfWeek: "monday", hourUTC: 3, minuteUTC: 0 }, internal.notes.tick, { name: "week" });
crons.cron("cron", "0 0 1 1 *", internal.notes.tick, { name: "year" });
export default crons;
"""


@pytest.fixture(scope="module")
def app() -> Iterator[App]:
    with served_app(**{"notes.ts": NOTES, "crons.ts": CRONS}) as made:
        made.schema(SCHEMA)
        made.push()
        yield made


def run(app: App, name: str, **args: object) -> object:
    ran = app.convex("run", name, json.dumps(args))
    assert ran.code == 0, ran.text
    return json.loads(ran.out)


def listed(app: App, table: str) -> list[dict[str, Any]]:
    """The documents of a system table, as the CLI asks for them."""
    args = {"table": table, "order": "asc", "paginationOpts": {"numItems": 100, "cursor": None}}
    answer = ask(app.served, "POST", "/api/query", {"path": "_system/cli/tableData", "args": args, "format": "json"})
    page: list[dict[str, Any]] = answer.json["value"]["page"]
    return page


def test_an_imported_table_is_searched(app: App):
    rows = [
        {"text": "quick brown fox", "folder": "a"},
        {"text": "quickly done"},
        {"text": "slow", "vector": [1.0, 1.0]},
    ]
    app.write("notes.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    ran = app.convex("import", "--table", "notes", "notes.jsonl", "--replace", "-y")
    assert ran.code == 0, ran.text
    assert run(app, "notes:find", text="quick") == ["quick brown fox", "quickly done"]
    assert run(app, "notes:find", text="qui", folder="a") == ["quick brown fox"]
    assert run(app, "notes:near", vector=[3.0, 3.0]) == [pytest.approx(1, abs=1e-6)]
    run(app, "notes:add", text="the quickest", vector=[0.0, 1.0])
    assert run(app, "notes:find", text="quickest") == ["the quickest"]
    assert run(app, "notes:near", vector=[0.0, 5.0]) == [1, pytest.approx(0.7071068, abs=1e-6)]


def test_crons_run_by_themselves_and_are_listed(app: App):
    wait_until(lambda: len(app.documents("ticks")) >= 2)
    jobs = {job["name"]: job["cronSpec"] for job in listed(app, "_cron_jobs")}
    assert jobs.keys() == {"every second", "once", "weekly", "cron"}
    ran = app.convex("data", "_cron_jobs")
    assert ran.code == 0 and all(name in ran.out for name in jobs), ran.text
    assert jobs["weekly"]["cronSchedule"]["type"] == "weekly" and jobs["cron"]["udfPath"] == "notes:tick"
    wait_until(lambda: "once" in {run["name"] for run in listed(app, "_cron_job_logs")})
    runs = listed(app, "_cron_job_logs")
    kinds = {run["name"]: run["status"]["type"] for run in runs}
    assert kinds == {"every second": "success", "once": "err"}
    assert any("tick" in line for run in runs for line in run["logLines"]["logLines"])
    body = {"path": "_system/frontend/listCronJobs", "args": {}}
    answer = ask(app.served, "POST", "/api/query", body).json["value"]
    assert {job["name"] for job in answer if job["lastRun"] is None} == {"weekly", "cron"}


def test_crons_are_kept_over_a_restart_and_none_is_run_twice(app: App):
    before = {job["_id"] for job in listed(app, "_cron_jobs")}
    failed = [run for run in listed(app, "_cron_job_logs") if run["name"] == "once"]
    app.served.stop()
    app.served.start()
    assert {job["_id"] for job in listed(app, "_cron_jobs")} == before
    count = len(app.documents("ticks"))
    wait_until(lambda: len(app.documents("ticks")) > count)
    assert [run for run in listed(app, "_cron_job_logs") if run["name"] == "once"] == failed


def test_a_server_that_is_killed_runs_no_moment_twice(app: App):
    """Each run of a mutation moves its job on in its own transaction: there are no more rows than moments."""

    def ticks() -> int:
        body = {"path": "_system/cli/tableSize", "args": {"tableName": "ticks"}}
        return int(ask(app.served, "POST", "/api/query", body).json["value"])

    for _ in range(4):
        before = ticks()
        wait_until(lambda before=before: ticks() > before)
        app.served.kill()
        with Deployment(app.served.data / "deployment.sqlite3") as deployment:
            sql = "SELECT created, previous FROM crons WHERE name = 'every second'"
            created, previous = deployment.store.connection.execute(sql).fetchone()
            moments = round(previous - created / 1000) + 1
            assert before < deployment.count("ticks") <= moments
        app.served.start()


@pytest.mark.parametrize(
    ("crons", "said"),
    [
        ('crons.interval("x", { seconds: 1 }, "notes:nothing" as any)', "schedules a function that does not exist"),
        ('crons.interval("x", { seconds: 1 }, "notes:find" as any)', "schedules a query function"),
        ('crons.cron("x", "* * 31 2 *", "notes:tick" as any)', "will never match any time"),
    ],
)
def test_a_push_with_a_cron_that_can_not_be_is_refused(app: App, crons: str, said: str):
    whole = CRONS.replace("export default", f"{crons};\nexport default")
    app.write("convex/crons.ts", whole)
    ran = app.convex("dev", "--once", "--typecheck", "disable")
    app.write("convex/crons.ts", CRONS)
    assert ran.code != 0 and said in ran.text
    assert len(listed(app, "_cron_jobs")) == 4


def test_the_deployed_schema_is_asked_by_the_cli_where_no_key_is_known(app: App):
    cli = OfficialCli(app.path, "cloud", "node", CLI, app.environment)
    schema = json.loads(cli.schema_text() or "{}")
    assert [table["tableName"] for table in schema["tables"]] == ["notes", "ticks"]


def test_a_function_with_a_validator_that_can_not_be_is_refused(app: App):
    head = 'import { v } from "convex/values";\nimport { query } from "./_generated/server";\n'
    odd = 'query({ args: { id: v.id("no-pe" as any) }, handler: async () => 1 })'
    module = app.write("convex/odd.ts", f"{head}export const odd = {odd};\n")
    try:
        ran = app.convex("dev", "--once", "--typecheck", "disable")
    finally:
        module.unlink()
    assert ran.code != 0 and "Invalid JSON returned from odd.js:odd.exportArgs()" in ran.text
