"""Runs pushed functions of every kind: queries and mutations in a transaction, actions outside one.

Source: ``application/src/application_function_runner`` of convex-backend.
"""

from __future__ import annotations

from collections.abc import Callable

from supavex.deployment.functions.actions import HttpRequest, run_action, run_http_action
from supavex.deployment.functions.app import Kind, canonical
from supavex.deployment.functions.call import Call
from supavex.deployment.functions.identity import Identity
from supavex.deployment.functions.incidents import recorded
from supavex.deployment.functions.outcome import Outcome
from supavex.deployment.functions.running import TransactionFunctions
from supavex.deployment.functions.syscalls import Arguments


class Functions(TransactionFunctions):
    """The functions of the deployment in the file ``path``. Thread-safe. Close it at the end."""

    def run(self, call: Call) -> Outcome:
        """Runs a function of any kind."""
        found = Outcome(canonical(call.path), "Query", component=call.component)
        with recorded(found, self.query_seconds):
            function = self.find(call.path, call.component)
            kind: Kind = "query" if function is None else function.kind
        if found.failure is not None:
            return self.told(found)
        if kind == "query":
            return self.query(call)
        return self.mutation(call) if kind == "mutation" else self.action(call)

    def action(self, call: Call) -> Outcome:
        """Runs an action. Its queries and mutations are separate transactions."""
        return self.told(run_action(self, call, self.action))

    def answer(self, request: HttpRequest, identity: Identity, exchange: Callable[[str, Arguments], str]) -> Outcome:
        """Answers a request with the app's HTTP actions; see :func:`run_http_action`."""
        return self.told(run_http_action(self, request, identity, exchange, self.action))
