"""``convex run --inline-query``: a query that comes with the request, and is not kept.

Its module imports ``query`` from a module of Convex's own; ``inline.js`` stands in for that one.
"""

from __future__ import annotations

import re
import secrets
import time

from supavex.convex.validators import Validator
from supavex.deployment.functions.app import Function, canonical
from supavex.deployment.functions.evaluation_child import script
from supavex.deployment.functions.linking import link
from supavex.deployment.functions.outcome import Failure, Outcome
from supavex.deployment.functions.runner import RunnerLost
from supavex.deployment.functions.running import Call, Functions, TransactionRun, lost_message
from supavex.errors import SupavexError

_IMPORTED = re.compile(r"""["']convex:/_system/repl/wrappers(?:\.js)?["']""")
_ANYTHING: Validator | None = None


def run_inline(functions: Functions, path: str, source: str, call: Call) -> Outcome:
    """Runs the query that is the module's default export, as the admin."""
    module = f"_inline/{secrets.token_hex(8)}.js"
    outcome = Outcome(canonical(path), "Query")
    started = time.monotonic()
    with functions.engine.snapshot() as snapshot:
        outcome.ts = outcome.read_at = snapshot.ts
        transaction, app = functions.engine.begin(snapshot), functions.app(snapshot)
        function = Function(module, "default", "query", False, _ANYTHING, _ANYTHING, False)
        try:
            linked = link(module, _IMPORTED.sub('"./wrappers.js"', source))
            with functions.gate, functions.runner(app) as leased:
                runner = leased.runner
                try:
                    runner.ready()
                    runner.load(script("inline.js"))
                    runner.load(linked.script())
                    run = TransactionRun(functions, app, runner, transaction, call, outcome)
                    outcome.value = run.outermost(function, call)
                finally:
                    runner.kill()  # it holds a module that is nobody's
        except Failure as failure:
            outcome.failure = failure
        except RunnerLost as lost:
            outcome.failure = Failure(lost_message(lost.reason, functions.query_seconds))
        except SupavexError as error:
            outcome.failure = Failure(error.message)
    outcome.seconds = time.monotonic() - started
    return outcome
