"""``convex run --inline-query``: a query that comes with the request, and is not kept.

Its module imports ``query`` from a module of Convex's own, which ``inline.js`` replaces.
"""

from __future__ import annotations

import json
import re
import secrets
from dataclasses import replace

from supavex.convex.validators import Validator
from supavex.deployment.functions.app import Function, canonical
from supavex.deployment.functions.call import Call
from supavex.deployment.functions.functions import Functions
from supavex.deployment.functions.incidents import recorded
from supavex.deployment.functions.outcome import Failure, Outcome
from supavex.deployment.functions.running import TransactionRun
from supavex.deployment.runtime.deno import script
from supavex.deployment.runtime.linking import link

_IMPORTED = re.compile(r"""["']convex:/_system/repl/wrappers(?:\.js)?["']""")
_ANYTHING: Validator | None = None


def run_inline(functions: Functions, path: str, source: str, call: Call) -> Outcome:
    """Runs the query that is the module's default export, as the admin."""
    module = f"_inline/{secrets.token_hex(8)}.js"
    outcome = Outcome(canonical(path), "Query", component=call.component)
    with recorded(outcome, functions.query_seconds), functions.gate, functions.engine.snapshot() as snapshot:
        outcome.ts = outcome.read_at = snapshot.ts
        transaction, app = functions.engine.begin(snapshot), functions.app(snapshot)
        component = app.components.get(call.component)
        if component is None:
            raise Failure(f"Component path {json.dumps(call.component[:200])} not found.")
        function = Function(
            module, "default", "query", False, _ANYTHING, _ANYTHING, False, replace(component, definition="")
        )
        linked = link(module, _IMPORTED.sub('"./wrappers.js"', source))
        with functions.runner(app) as runner:
            try:
                runner.ready()
                runner.load(script("inline.js"), b"R")
                runner.load(linked.script())
                with transaction.within(component.id):
                    run = TransactionRun(functions, app, transaction, call, outcome)
                    outcome.value = run.outermost(function, runner)
            finally:
                runner.kill()  # The process has a module that belongs to no push.
    return outcome
