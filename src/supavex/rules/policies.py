"""A project's policies in the typed form: the translated ones, those without a form, and roles that
PostgreSQL refuses.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from supavex.mapping.plan import Plan, TablePlan
from supavex.mapping.table_numbers import load_lock, with_new_tables
from supavex.postgres.catalog import Policy
from supavex.rules import form
from supavex.rules.form import Expression, Function, Kind, Select, Untranslatable
from supavex.rules.parse.columns import Source
from supavex.rules.parse.program import condition_of
from supavex.rules.parse.scope import Binding, Scope, Work

COMMANDS = ("select", "insert", "update", "delete")
#: The roles of an app's users. Other roles (service_role, postgres) correspond to internal functions.
CALLERS = ("anon", "authenticated")


@dataclass(frozen=True, slots=True)
class PolicyRule:
    """A policy. ``reason``: why it has no form, in which case it refuses everything. ``roles``: the users' roles; empty
    for none.
    """

    policy: Policy
    roles: tuple[str, ...]
    using: Expression | None = None
    check: Expression | None = None
    reason: str = ""


@dataclass(slots=True)
class TableRules:
    """The rules of one Convex table."""

    target: str
    #: None if no source table goes to it. It is then closed.
    source: TablePlan | None
    #: Whether row level security is enabled.
    security: bool = True
    policies: list[PolicyRule] = field(default_factory=list)
    #: The allowed commands by role; None if every role may do everything.
    grants: dict[str, tuple[str, ...]] | None = None
    #: By command, the roles that PostgreSQL refuses because the policies query their own table.
    recursive: dict[str, list[str]] = field(default_factory=dict)


@dataclass(slots=True)
class RuleSet:
    """All rules of a project, with the functions that they call. ``work`` parses further expressions for
    the same file.
    """

    plan: Plan
    tables: dict[str, TableRules]
    work: Work

    @property
    def functions(self) -> list[Function]:
        """The functions, each after those that it calls."""
        return list(self.work.functions.values())

    @property
    def found(self) -> list[tuple[TableRules, PolicyRule]]:
        """Every policy, with its table."""
        return [(table, rule) for table in self.tables.values() for rule in table.policies]

    @property
    def refused(self) -> list[tuple[TableRules, PolicyRule]]:
        """The policies without a form."""
        return [(table, rule) for table, rule in self.found if rule.reason]


def uid_kind(plan: Plan) -> Kind:
    """The kind of ``auth.uid()`` in Convex, by ``[users]`` of supavex.toml."""
    users = plan.project.users
    if users.field:
        return Kind("id", users.field.partition(".")[0])
    if users.kind == "convex-auth":
        return Kind("id", "users")
    return Kind("clerk") if users.kind == "clerk" else form.UUID


def source_of(plan: Plan) -> Source:
    """The names that the project's SQL may use."""
    pinned = load_lock(plan.project.lock_file)
    return Source(plan, uid_kind(plan), with_new_tables(pinned, plan.schema.tables))


def rule_set(plan: Plan) -> RuleSet:
    """The rules of every table of the project's schema."""
    work = Work(source_of(plan))
    tables = {name: TableRules(name, plan.to_target(name)) for name in plan.schema.tables}
    for table in tables.values():
        if table.source is not None:
            _fill(table, table.source, work)
    for table in tables.values():
        _find_recursion(table, tables)
    return RuleSet(plan, tables, work)


def _fill(table: TableRules, source: TablePlan, work: Work) -> None:
    catalog = source.source
    table.security = catalog.row_security
    table.grants = _grants(source)
    if catalog.row_security:
        table.policies = [_policy(policy, source, work) for policy in catalog.policies]


def _grants(source: TablePlan) -> dict[str, tuple[str, ...]] | None:
    found = {grant.role: tuple(c.lower() for c in grant.commands) for grant in source.source.grants}
    if set(found) != set(CALLERS) or all(set(commands) == set(COMMANDS) for commands in found.values()):
        return None
    return found


def _policy(policy: Policy, table: TablePlan, work: Work) -> PolicyRule:
    roles = CALLERS if "public" in policy.roles else tuple(role for role in CALLERS if role in policy.roles)
    if not roles:
        return PolicyRule(policy, roles)
    sides: dict[str, Expression | None] = {}
    work.nodes = 0
    for side, sql in (("using", policy.using), ("check", policy.with_check)):
        # The checked row may be new. So may the row of USING if there is no WITH CHECK.
        binding = Binding(table.source.name, "row", table, new=True)
        try:
            sides[side] = None if sql is None else condition_of(sql, Scope(work, (binding,)))
        except Untranslatable as error:
            return PolicyRule(policy, roles, reason=f"{error} has no like in TypeScript here.")
    return PolicyRule(policy, roles, sides["using"], sides["check"])


# Recursion: PostgreSQL refuses a query if the policies query, through subqueries, a table that is already being
# queried.


def _find_recursion(table: TableRules, tables: Mapping[str, TableRules]) -> None:
    for command in COMMANDS:
        roles = [role for role in CALLERS if _recurs(table, command, role, tables, ())]
        if roles:
            table.recursive[command] = roles


def _recurs(
    table: TableRules, command: str, role: str, tables: Mapping[str, TableRules], active: tuple[str, ...]
) -> bool:
    if not table.security:
        return False
    commands = {command} if command in ("select", "insert") else {command, "select"}
    for rule in table.policies:
        own = rule.policy.command.lower()
        if role not in rule.roles or (own != "all" and own not in commands):
            continue
        selects = [s for side in (rule.using, rule.check) for s in _subqueries(side)]
        if not selects:
            continue
        if table.target in active:
            return True
        for select in selects:
            inner = {source.table for source in select.sources if source.secured}
            if any(_recurs(tables[name], "select", role, tables, (*active, table.target)) for name in inner):
                return True
    return False


def _subqueries(found: object) -> Iterator[Select]:
    """The subqueries of a policy, including nested ones. Subqueries of its functions are not included."""
    waiting: list[object] = [found]
    while waiting:
        one = waiting.pop()
        if isinstance(one, Select):
            yield one
        if isinstance(one, tuple | list):
            waiting += one
        elif hasattr(one, "__dataclass_fields__") and not isinstance(one, Function):
            # InSelect contains its select twice.
            skipped = ("kind", "matching")
            waiting += [getattr(one, name) for name in one.__dataclass_fields__ if name not in skipped]
