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
from supavex.rules.form import Expression, Function, Invoke, Kind, Select, Untranslatable
from supavex.rules.new_rows import for_new_rows
from supavex.rules.parse.columns import Source
from supavex.rules.parse.exceptions import never_throws, read_in_handlers
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

    #: The Convex table's name.
    target: str
    #: None if no source table goes to it. It is then closed.
    source: TablePlan | None
    #: Whether row level security is enabled.
    security: bool = True
    #: Its policies, those without a form among them.
    policies: list[PolicyRule] = field(default_factory=list)
    #: The allowed commands by role; None if every role may do everything.
    grants: dict[str, tuple[str, ...]] | None = None
    #: By command and role, why PostgreSQL refuses regardless of the rows: ``recursion`` if the policies query their own
    #: table, ``rights`` if they read a table or call a function that the role may not.
    throws: dict[str, dict[str, str]] = field(default_factory=dict)


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
    def grants_by_column(self) -> list[tuple[TableRules, str, str]]:
        """The table, the role and the command of each grant of some columns, which refuses for the whole table."""
        return [
            (table, grant.role, command)
            for table in self.tables.values()
            for grant in (table.source.source.grants if table.source is not None else ())
            for command in grant.by_column
            if grant.role in CALLERS
        ]

    @property
    def refused(self) -> list[tuple[TableRules, PolicyRule]]:
        """The policies without a form."""
        return [(table, rule) for table, rule in self.found if rule.reason]


def uid_kind(plan: Plan) -> Kind:
    """The kind of ``auth.uid()`` in Convex, by ``[users]`` of supavex.toml."""
    users = plan.project.users
    if users.field:
        return Kind("id", users.field.partition(".")[0], key="uuid")
    if users.kind == "convex-auth":
        return Kind("id", "users", key="uuid")
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
        for at, rule in enumerate(table.policies):
            reason = fails_unlike((rule.using, rule.check), tables)
            if reason:
                table.policies[at] = PolicyRule(rule.policy, rule.roles, reason=reason)
    _refuse_openings(tables)
    for table in tables.values():
        _find_throws(table, tables)
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
            return PolicyRule(policy, roles, reason=f"{error}.")
    using, check = sides["using"], sides["check"]
    condition = using if check is None else check
    if policy.command in ("ALL", "INSERT") and condition is not None:
        new = for_new_rows(condition)
        check = check if new is condition else new
    return PolicyRule(policy, roles, using, check)


def fails_unlike(found: object, tables: Mapping[str, TableRules]) -> str:
    """Why a block with EXCEPTION in the functions of a form may run its handler on one side alone: a policy of a
    table that it reads may raise. Empty if none does.
    """
    for name in read_in_handlers(found):
        for rule in tables[name].policies:
            if rule.policy.command in ("ALL", "SELECT") and (rule.reason or not never_throws(rule.using)):
                read = f"a block with EXCEPTION reads {name}, whose policy {rule.policy.name} may raise an error"
                return f"{read}. It is not known that TypeScript raises the same one: move the read out of the block."
    return ""


# A table whose policy refuses shows fewer rows than PostgreSQL's. What asks that there is none must not open by that.


def _refuse_openings(tables: Mapping[str, TableRules]) -> None:
    while True:
        refusing = {name: rule for name, table in tables.items() for rule in table.policies if refuses(rule, "select")}
        found = False
        for table in tables.values():
            for at, rule in enumerate(table.policies):
                names = [name for side in (rule.using, rule.check) for name in _counted(side, refusing)]
                if names:
                    found = True
                    reason = (
                        f"it depends on rows of {names[0]} that don't exist, or on their number, and the policy "
                        f"{refusing[names[0]].policy.name} of {names[0]} refuses in rules.ts: fill in that stub first."
                    )
                    table.policies[at] = PolicyRule(rule.policy, rule.roles, reason=reason)
        if not found:
            return


def refuses(rule: PolicyRule, command: str) -> bool:
    """Whether a policy of a command has no form."""
    return bool(rule.reason) and rule.policy.command.lower() in ("all", command)


def _counted(found: Expression | Select | None, refusing: Mapping[str, object]) -> Iterator[str]:
    """Those of the tables ``refusing`` of which a condition asks for more than whether there is a row of them."""
    match found:
        case form.All() | form.Any():
            for part in found.parts:
                yield from _counted(part, refusing)
        case form.Exists() | form.InSelect():
            yield from _counted(found.select, refusing)
        case Select():
            yield from _counted(found.condition, refusing)
            yield from (s.table for s in found.sources if s.outer and s.secured and s.table in refusing)
        case None:
            pass
        case _:
            for one in form.parts_in(found, bodies=True):
                yield from _read_by(one) & refusing.keys()


def refusing_policies(name: str, tables: Mapping[str, TableRules], command: str) -> list[str]:
    """The policies by which a table shows or takes less than PostgreSQL: its own, and those of tables it asks."""
    commands = {command} if command in ("select", "insert") else {command, "select"}
    found = [f"{r.policy.name} of {name}" for r in tables[name].policies if any(refuses(r, one) for one in commands)]
    for other in tables_asked(name, tables):
        found += [f"{r.policy.name} of {other}" for r in tables[other].policies if refuses(r, "select")]
    return list(dict.fromkeys(found))


def tables_asked(name: str, tables: Mapping[str, TableRules]) -> list[str]:
    """The tables that a table's policies read with the caller's rights, and those that the policies of these read."""
    found: dict[str, None] = {}
    waiting = [name]
    while waiting:
        rules = tables[waiting.pop()].policies
        asked = [_read_by(part) for r in rules for part in form.parts_in((r.using, r.check), bodies=True)]
        waiting += [one for one in set[str]().union(*asked) if one not in found]
        found |= dict.fromkeys(waiting)
    return list(found)


# PostgreSQL looks at all policies of a command before it looks at a row: at what they ask for, over subqueries, and at
# the rights that this takes.


def _find_throws(table: TableRules, tables: Mapping[str, TableRules]) -> None:
    for command in COMMANDS:
        for role in CALLERS:
            recurs = _recurs(table, command, role, tables, ())
            if recurs or _lacks_rights(table, command, role, tables):
                table.throws.setdefault(command, {})[role] = "recursion" if recurs else "rights"


def _asked(table: TableRules, command: str, role: str) -> Iterator[PolicyRule]:
    """The policies that PostgreSQL asks for a command. An update and a delete read the row, too."""
    commands = {command} if command in ("select", "insert") else {command, "select"}
    for rule in table.policies if table.security else ():
        own = rule.policy.command.lower()
        if role in rule.roles and (own == "all" or own in commands):
            yield rule


def _recurs(
    table: TableRules, command: str, role: str, tables: Mapping[str, TableRules], active: tuple[str, ...]
) -> bool:
    for rule in _asked(table, command, role):
        selects = [one for one in form.parts_in((rule.using, rule.check)) if isinstance(one, Select)]
        if not selects:
            continue
        if table.target in active:
            return True
        for select in selects:
            inner = {source.table for source in select.sources if source.secured}
            if any(_recurs(tables[name], "select", role, tables, (*active, table.target)) for name in inner):
                return True
    return False


def _lacks_rights(
    table: TableRules, command: str, role: str, tables: Mapping[str, TableRules], above: tuple[str, ...] = ()
) -> bool:
    for one in form.parts_in(_evaluated(table, command, role)):
        calls = (
            [] if not isinstance(one, Invoke) else [one] if one.function.definer else [one, *_calls_in(one.function)]
        )
        if any(role in call.denied for call in calls):
            return True
        for name in _read_by(one) - {*above, table.target}:
            grants = tables[name].grants
            if grants is not None and "select" not in grants.get(role, ()):
                return True
            if _lacks_rights(tables[name], "select", role, tables, (*above, table.target)):
                return True
    return False


def _evaluated(table: TableRules, command: str, role: str) -> list[Expression]:
    """The conditions that PostgreSQL prepares. If a permissive policy is ``true``, PostgreSQL prepares no other one."""
    found: list[Expression] = []
    for own, side in _SIDES[command] if table.security else ():
        rules = [r for r in table.policies if role in r.roles and r.policy.command.lower() in ("all", own)]
        sides = [(rule, rule.check if side == "check" and rule.check is not None else rule.using) for rule in rules]
        open_ = [one for rule, one in sides if rule.policy.permissive]
        if open_:
            found += [one for rule, one in sides if not rule.policy.permissive and one is not None]
            found += [one for one in open_ if one is not None] if not any(map(is_true, open_)) else []
    return found


_SIDES = {
    "select": (("select", "using"),),
    "insert": (("insert", "check"),),
    "update": (("select", "using"), ("update", "using"), ("update", "check")),
    "delete": (("select", "using"), ("delete", "using")),
}


def is_true(found: Expression | None) -> bool:
    """Whether a condition is the constant ``true``."""
    return isinstance(found, form.Constant) and found.value is True


def _read_by(one: object) -> set[str]:
    """The tables that a subquery of a policy reads with the caller's rights."""
    return {source.table for source in one.sources if source.secured} if isinstance(one, Select) else set()


def _calls_in(function: Function) -> Iterator[Invoke]:
    """The calls in a function of one expression, which PostgreSQL may put in the place of its call. Other functions
    look at the rights of their caller when they run.
    """
    if (
        len(function.body) != 1
        or function.variables
        or any(isinstance(o, Select) for o in form.parts_in(function.body))
    ):
        return
    for one in form.parts_in(function.body):
        if isinstance(one, Invoke):
            yield one
            if not one.function.definer:
                yield from _calls_in(one.function)
