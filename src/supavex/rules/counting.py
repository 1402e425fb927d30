"""The note of ``supavex check`` about policies that refuse everything in rules.ts, because they have no translation."""

from __future__ import annotations

from supavex.diagnostics import Diagnostic
from supavex.mapping.check import Check
from supavex.rules.policies import rule_set
from supavex.steps import step
from supavex.text import counted


@step("reading the policies")
def with_refusals(check: Check) -> Check:
    """The check with a note for each such policy. If the parser is not installed, one note says so."""
    plan = check.plan
    if plan is None or not any(table.source.policies for table in plan.tables):
        return check
    try:
        refused = rule_set(plan).refused
    except ModuleNotFoundError as error:
        number = sum(len(table.source.policies) for table in plan.tables)
        message = f"{counted(number, 'policy').replace('policys', 'policies')} not looked at: {error.name} is missing."
        check.diagnostics.append(
            Diagnostic("PolicyRefuses", "note", message, "policies", "pip install supavex[embedded]")
        )
        return check
    for table, rule in refused:
        where = f"{table.source.name if table.source is not None else table.target}"
        message = f"the policy {rule.policy.name!r} refuses in rules.ts: {rule.reason}"
        check.diagnostics.append(
            Diagnostic("PolicyRefuses", "note", message, where, "Fill in its stub (docs/rules.md).")
        )
    return check
