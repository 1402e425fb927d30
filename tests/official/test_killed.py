"""A server that is killed again and again under load: nothing acknowledged is lost, and nothing is run twice.

The app calls a component in each mutation, which has tables, scheduled functions and a cron job of its own.

``--kills 20`` kills it twenty times, as the profile ``explore`` does.
"""

from __future__ import annotations

import json
import math
import random
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPException

import pytest

from supavex.deployment import Deployment
from supavex.deployment.database.components import component_at
from supavex.deployment.database.database import Database
from supavex.deployment.functions.crons import cron_jobs

from .clients.interface import Heard
from .clients.processes import NodeClient
from .served import App, served_app

SCHEMA = """
import { defineSchema, defineTable } from "convex/server";
import { v } from "convex/values";
const marks = () => defineTable({ n: v.number() });
export default defineSchema({ added: marks(), later: marks(), acted: marks(), ticks: defineTable({ at: v.number() }) });
"""
CRONS = """
import { cronJobs } from "convex/server";
import { internal } from "./_generated/api";
const crons = cronJobs();
crons.interval("tick", { seconds: 1 }, (internal as any).work.tick, {});
export default crons;
"""
#: What the app's module and the component's have alike.
SHARED = """
export const waiting: any = query({
  handler: async (ctx): Promise<number> => {
    const jobs = await ctx.db.system.query("_scheduled_functions").collect();
    return jobs.filter((job) => ["pending", "inProgress"].includes(job.state.kind)).length;
  },
});
const put = (table: any) =>
  internalMutation({ handler: async (ctx, { n }: any) => void (await ctx.db.insert(table, { n })) });
export const later = put("later");
export const tick = internalMutation({
  handler: async (ctx) => void (await ctx.db.insert("ticks", { at: Date.now() })),
});
"""
FUNCTIONS = {
    "schema.ts": SCHEMA,
    "crons.ts": CRONS,
    "convex.config.ts": """
import { defineApp } from "convex/server";
import part from "./part/convex.config";
const app = defineApp();
app.use(part);
export default app;
""",
    "part/convex.config.ts": """
import { defineComponent } from "convex/server";
export default defineComponent("part");
""",
    "part/schema.ts": SCHEMA,
    "part/crons.ts": CRONS,
    "part/work.ts": f"""
import {{ internal }} from "./_generated/api";
import {{ internalMutation, mutation, query }} from "./_generated/server";
{SHARED}
export const add = mutation({{
  handler: async (ctx, {{ n }}: any) => {{
    await ctx.db.insert("added", {{ n }});
    await ctx.scheduler.runAfter((n % 3) * 100, (internal as any).work.later, {{ n }});
  }},
}});
""",
    "work.ts": f"""
import {{ api, components, internal as functions }} from "./_generated/api";
import {{ internalAction, internalMutation, mutation, query }} from "./_generated/server";
const internal: any = functions, part: any = (components as any).part;
{SHARED}
export const add = mutation({{
  handler: async (ctx, {{ n }}: any) => {{
    await ctx.db.insert("added", {{ n }});
    await ctx.runMutation(part.work.add, {{ n }});
    await ctx.scheduler.runAfter((n % 5) * 100, internal.work.later, {{ n }});
    if (n % 4 === 0) await ctx.scheduler.runAfter(0, internal.work.act, {{ n }});
    return n;
  }},
}});
export const waitingAnywhere = query({{
  handler: async (ctx): Promise<number> =>
    (await ctx.runQuery((api as any).work.waiting, {{}})) + (await ctx.runQuery(part.work.waiting, {{}})),
}});
export const acted = put("acted");
export const act = internalAction({{
  handler: async (ctx, {{ n }}: any) => void (await ctx.runMutation(internal.work.acted, {{ n }})),
}});
""",
}
#: Seconds that a server lives under load, after it has answered.
LIFE = (0.2, 1.2)
#: Seconds in which all that was scheduled has run, once nothing kills the server any more.
DRAIN_SECONDS = 60.0
#: Seconds that a caller waits before it calls again: the machine has other work, too.
PAUSE = 0.01


@dataclass
class Load:
    """Callers, each with numbers of its own, and what was acknowledged to them."""

    app: App
    sent: Counter[str] = field(default_factory=Counter)
    acknowledged: list[int] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)

    def call(self, first: int) -> None:
        """Calls over HTTP, one call after another; none is sent again."""
        for n in range(first, first + 1_000_000):
            if self.over.is_set():
                return
            body = json.dumps({"path": "work:add", "args": {"n": n}, "format": "json"}).encode()
            headers = {"Content-Type": "application/json"}
            self.sent["HTTP"] += 1
            try:
                request = urllib.request.Request(f"{self.app.served.url}/api/mutation", body, headers)
                with urllib.request.urlopen(request, timeout=60) as answer:
                    if json.loads(answer.read()).get("status") == "success":
                        self.acknowledged.append(n)
            except (OSError, HTTPException, ValueError):
                self.over.wait(0.05)
            self.over.wait(PAUSE)


@contextmanager
def loaded(app: App) -> Iterator[Load]:
    load = Load(app)
    threads = [threading.Thread(target=load.call, args=(first,)) for first in (0, 1_000_000)]
    for thread in threads:
        thread.start()
    try:
        yield load
    finally:
        load.over.set()
        for thread in threads:
            thread.join()


def numbers(deployment: Database, table: str) -> Counter[int]:
    return Counter(int(document["n"]) for document in deployment.documents(table))


def waiting(app: App) -> int:
    """Scheduled functions that are not over."""
    body = json.dumps({"path": "work:waitingAnywhere", "args": {}, "format": "json"}).encode()
    headers = {"Content-Type": "application/json"}
    with urllib.request.urlopen(
        urllib.request.Request(f"{app.served.url}/api/query", body, headers), timeout=180
    ) as answer:
        return int(json.loads(answer.read())["value"])


def test_a_server_that_is_killed_under_load_loses_nothing_and_runs_nothing_twice(
    request: pytest.FixtureRequest,
) -> None:
    kills = request.config.getoption("--kills")
    chance = random.Random(kills)
    with served_app(**FUNCTIONS) as app:
        app.push()
        port = app.served.port
        heard: dict[int, Heard] = {}
        with NodeClient(app.served.url) as client, loaded(app) as load:
            for _ in range(kills):
                # Convex's client sends again what was not answered, when the server is back.
                for n in range(2_000_000 + len(heard), 2_000_000 + len(heard) + 10):
                    heard[n] = client.ask("mutation", path="work:add", args={"n": float(n)})
                before = len(load.acknowledged)
                deadline = time.monotonic() + 30
                while len(load.acknowledged) == before:
                    assert time.monotonic() < deadline, "nothing is acknowledged"
                    time.sleep(0.01)
                time.sleep(chance.uniform(*LIFE))
                app.served.kill()
                app.served.start(port)
            for asked in heard.values():
                asked.result(60)
        deadline = time.monotonic() + DRAIN_SECONDS
        while waiting(app):
            assert time.monotonic() < deadline, f"{waiting(app)} functions still wait"
            time.sleep(0.2)
        app.served.stop()
        with Deployment(app.served.data / "deployment.sqlite3") as deployment:
            connection = deployment.store.connection
            part = deployment.within(component_at(connection, "part").id)
            added, later, acted = (numbers(deployment, table) for table in ("added", "later", "acted"))
            in_part = {f"part's {table}": numbers(part, table) for table in ("added", "later")}
            jobs = {job.component: job for job in cron_jobs(connection)}
            ticks = {
                component: sorted(float(document["at"]) for document in seen.documents("ticks"))
                for component, seen in ((0, deployment), (part.store.component, part))
            }
    acknowledged = {*load.acknowledged, *heard}
    lost = acknowledged - added.keys()
    twice = {
        table: [n for n, count in found.items() if count > 1]
        for table, found in (("added", added), ("later", later), ("acted", acted), *in_part.items())
    }
    print(
        f"{kills} kills: {load.sent['HTTP']} calls over HTTP, {len(load.acknowledged)} acknowledged; {len(heard)} by "
        f"Convex's client; {len(added)} added, {len(later)} later, {len(acted)} of "
        f"{sum(n % 4 == 0 for n in added)} actions, {sum(map(len, ticks.values()))} ticks; "
        f"{len(lost)} lost, {sum(map(len, twice.values()))} twice"
    )
    assert lost == set()
    assert not any(twice.values()), twice
    # A mutation's job is of the transaction that scheduled it, and ends in its own: exactly once. An action's: at most.
    assert later.keys() == added.keys()
    # What a mutation does in a component is of its transaction.
    assert all(found.keys() == added.keys() for found in in_part.values())
    assert acted.keys() <= {n for n in added if n % 4 == 0}
    # A run leaves the job for a moment after it: between two moments there is one run at most.
    assert jobs.keys() == ticks.keys()
    for component, job in jobs.items():
        assert ticks[component]
        last = -math.inf
        for at in ticks[component]:
            # A moment has parts of a millisecond, and Date.now() has none: the run began in the millisecond from it on.
            earliest, latest = ((at + more - job.next * 1000) // 1000 for more in (0, 1))
            last = max(earliest, last + 1)
            assert last <= latest, f"two runs between two moments: {ticks[component]}"
