"""`convex run`, `convex logs` and `convex dev --run`, unmodified, with functions that run."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from .clients.deployment import pushed_app
from .clients.processes import NodeClient
from .served import App, Lines

SCHEDULING = """import { v } from "convex/values";
import { api, internal } from "./_generated/api";
import { internalQuery, mutation } from "./_generated/server";
export const later = mutation({
  args: { list: v.string(), ms: v.number() },
  handler: (ctx, { list, ms }) => ctx.scheduler.runAfter(ms, api.items.add, { list, text: "scheduled" }),
});
export const secret = internalQuery({ args: {}, handler: async (ctx) => (await ctx.auth.getUserIdentity())?.subject });
"""


@pytest.fixture(scope="module")
def app() -> Iterator[App]:
    with pushed_app() as pushed:
        pushed.write("convex/jobs.ts", SCHEDULING)
        pushed.push()
        yield pushed


def run(app: App, *arguments: str) -> object:
    """What ``convex run`` prints as the function's result."""
    ran = app.convex("run", *arguments)
    assert ran.code == 0, ran.text
    return json.loads(ran.out) if ran.out.strip() else None


def test_functions_by_their_names(app: App):
    assert run(app, "items:add", json.dumps({"list": "run", "text": "é"})) == "é"
    assert run(app, "items:list", '{"list":"run"}') == ["é"]
    assert run(app, "values:through", '{"value":[1.5,"x"]}') == [1.5, "x"]
    assert run(app, "items:hidden") == "seen", "internal functions, too"
    assert run(app, "jobs:secret", "--identity", '{"issuer":"https://a.example","subject":"ada"}') == "ada"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["items:nothing"], "Could not find function for 'items:nothing'"),
        (["values:wants", '{"n":"one"}'], "ArgumentValidationError"),
        (["people:act"], "ConvexError"),
        (["items:refuse", '{"list":"run"}'], "refused"),
    ],
)
def test_functions_that_fail(app: App, arguments: list[str], said: str):
    ran = app.convex("run", *arguments)
    assert (ran.code, said in ran.text) == (1, True), ran.text


def test_a_query_that_comes_with_the_request(app: App):
    run(app, "items:add", '{"list":"inline","text":"a"}')
    query = 'return (await ctx.db.query("items").withIndex("by_list", q => q.eq("list", "inline")).collect()).length'
    assert run(app, "--inline-query", query) == 1
    failed = app.convex("run", "--inline-query", 'await ctx.db.insert("items", {})')
    assert failed.code == 1


def test_a_query_that_is_watched(app: App):
    with app.running("run", "items:list", '{"list":"watched"}', "--watch") as process:
        out = Lines(process.stdout)
        out.until("[]")
        run(app, "items:add", '{"list":"watched","text":"first"}')
        out.until("first")
        run(app, "items:add", '{"list":"watched","text":"second"}')
        out.until("second")


def test_what_functions_write_and_how_they_fail_is_in_the_logs(app: App):
    with app.running("logs", "--history", "3") as process:
        Lines(process.stderr).until("Watching logs")
        run(app, "items:list", '{"list":"logged"}')
        assert app.convex("run", "items:refuse", '{"list":"logged"}').code == 1
        out = Lines(process.stdout)
        assert "[CONVEX Q(items:list)]" in out.until("'logged'")
        assert "M(items:refuse)" in out.until("items:refuse")
        out.until("refused")


def test_a_push_that_runs_a_function(app: App):
    ran = app.convex("dev", "--once", "--typecheck", "disable", "--run", "items:hidden")
    assert (ran.code, "seen" in ran.text) == (0, True), ran.text
    fresh = 'import { query } from "./_generated/server";\nexport const two = query(async () => 2);\n'
    app.write("convex/fresh.ts", fresh)
    assert run(app, "fresh:two", "--push", "--typecheck", "disable") == 2
    with NodeClient(app.served.url) as client:
        watch = client.watch("fresh:two")
        watch.shows(2)
        app.write("convex/fresh.ts", fresh.replace("=> 2", "=> 3"))
        app.push()
        watch.shows(3)


def test_scheduled_functions_are_documents(app: App):
    run(app, "jobs:later", '{"list":"later","ms":3600000}')
    run(app, "jobs:later", '{"list":"sooner","ms":0}')
    with app.running("run", "items:list", '{"list":"sooner"}', "--watch") as process:
        Lines(process.stdout).until("scheduled")
    states = {job["args"][0]["list"]: (job["name"], job["state"]) for job in app.documents("_scheduled_functions")}
    assert states == {"later": ("items.js:add", {"kind": "pending"}), "sooner": ("items.js:add", {"kind": "success"})}
