"""A compiler of rules that is wrong is caught: its own source is changed, and its rules.ts tried against PostgreSQL."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from types import CodeType, FunctionType, ModuleType

import pytest

from supavex.mapping import patterns
from supavex.postgres import server as servers
from supavex.rules import constraints, policies, visible
from supavex.rules.parse import arrangement, calls, casts, expressions, functions
from supavex.rules.typescript import expressions as written_expressions
from supavex.rules.typescript import functions as written_functions
from supavex.rules.typescript import module as written_module
from supavex.rules.writing import rules_of
from tests import projects
from tests.databases import Database, new_database
from tests.rules.test_agreement import COMMENTS, GRANTS, MEMBERS, POSTS, TEAMS, USERS
from tests.rules.tried import Written, migrated, tried, written

#: Policies, each of a table of its own.
POLICIES = [
    "CREATE POLICY a ON posts USING (published AND author = auth.uid());",
    "CREATE POLICY a ON posts USING (published OR author = auth.uid());",
    "CREATE POLICY a ON posts USING (NOT (author = auth.uid()));",
    "CREATE POLICY a ON posts USING (NOT (author = auth.uid() AND published));",
    "CREATE POLICY a ON posts USING (author IS DISTINCT FROM auth.uid());",
    "CREATE POLICY a ON posts USING (team_id NOT IN (SELECT team_id FROM members WHERE user_id = auth.uid()));",
    "CREATE POLICY a ON posts USING (coalesce(author = auth.uid(), published));",
    "CREATE POLICY a ON posts TO authenticated USING (true);",
    "CREATE POLICY a ON posts USING (true); CREATE POLICY b ON posts AS RESTRICTIVE USING (published);",
    "CREATE POLICY a ON posts USING (is_member(team_id));",
    "CREATE POLICY a ON posts USING (has_role(author, 'admin'));",
    "CREATE POLICY a ON posts USING (stars > 1);",
    "CREATE POLICY a ON posts USING (CASE WHEN published THEN false WHEN stars >= 0 THEN true ELSE false END);",
    "CREATE POLICY a ON posts USING (EXISTS (SELECT 1 FROM members m WHERE m.team_id = posts.team_id AND m.user_id = auth.uid()));",
    "CREATE INDEX ON posts (author); CREATE POLICY a ON posts USING (author = auth.uid());",
    "CREATE POLICY a ON posts USING (true) WITH CHECK (author = auth.uid());",
    "CREATE POLICY a ON posts USING (true); CREATE POLICY b ON posts AS RESTRICTIVE FOR DELETE USING (published);",
    "CREATE POLICY a ON posts FOR SELECT USING (title NOT IN ('one', slug));",
    "CREATE POLICY a ON posts FOR SELECT USING (updated_at > now() - interval '1 day');",
    "CREATE POLICY a ON posts FOR SELECT USING (title LIKE 't_o');",
    "CREATE UNIQUE INDEX ON posts (author, stars) NULLS NOT DISTINCT; CREATE POLICY a ON posts USING (true);",
    "CREATE INDEX ON posts (author); CREATE POLICY a ON posts USING (author = auth.uid()); CREATE POLICY b ON posts AS RESTRICTIVE USING (published);",
    "CREATE POLICY a ON posts FOR SELECT USING (role_in(team_id) = 'none');",
    "CREATE POLICY a ON posts FOR SELECT USING (stars BETWEEN 1 AND 5 AND 'x' = ANY (tags));",
    "CREATE POLICY a ON posts FOR SELECT USING (NOT EXISTS (SELECT 1 FROM teams t LEFT JOIN members m ON m.team_id = t.id AND m.role = 'admin' WHERE t.id = posts.team_id AND m.id IS NULL));",
    "CREATE POLICY a ON posts FOR SELECT USING (auth.jwt() -> 'app_metadata' ->> 'role' = 'admin');",
    "CREATE POLICY a ON posts USING (true); REVOKE SELECT ON posts FROM anon;",
]


@dataclass(frozen=True)
class Mutation:
    """A change to a module of the compiler. ``writes``: it takes a write to notice."""

    why: str
    module: ModuleType
    old: str
    new: str
    writes: bool = False


def skipped(why: str, condition: str, *, writes: bool = False) -> Mutation:
    """A part of rules.ts that is never written."""
    return Mutation(why, written_module, condition, "if False:", writes)


def of_expressions(why: str, old: str, new: str) -> Mutation:
    """A change to how expressions are written."""
    return Mutation(why, written_expressions, old, new)


PARTS = "self._joined({}, [self.{}(part) for part in e.parts])"
MUTATIONS = [
    Mutation("OR for AND", expressions, 'AND_EXPR":\n        return all_of', 'AND_EXPR":\n        return any_of'),
    Mutation("AND for OR", expressions, 'OR_EXPR":\n        return any_of', 'OR_EXPR":\n        return all_of'),
    skipped("a restrictive policy is permissive", "if not policy.permissive:"),
    Mutation(
        "NULL counts as false",
        written_expressions,
        "case Not():\n                return self.false(e.part)",
        'case Not():\n                return f"!{grouped(self.true(e.part))}"',
    ),
    Mutation(
        "NOT of AND is NOT AND NOT",
        written_expressions,
        PARTS.format('" || "', "false"),
        PARTS.format('" && "', "false"),
    ),
    of_expressions("DISTINCT is turned", "return f\"!{self._not_distinct(e)}", "return f\"{self._not_distinct(e)}"),
    of_expressions("NOT IN forgets NULL", 'unsure = f"!{grouped(differs)}"', 'unsure = grouped(self._compare("=", Compare(form.BOOLEAN, True, "=", e.left, e.select.output)))'),
    of_expressions("COALESCE is OR", 'self._joined(" && ", [self._is_null(part), found])', "found"),
    of_expressions("CASE takes the last branch", "in reversed(e.branches)", "in e.branches"),
    of_expressions("sides are turned", "left, right, operator = right, left, {", "left, right, operator = left, right, {"),
    Mutation("a condition of a subquery is lost", arrangement, "in equal.items()}\n    index", "in list(equal.items())[1:]}\n    index"),
    Mutation("a wrong index range", visible, "equal.setdefault(field.name, other)", 'equal.setdefault(field.name, form.Constant(form.TEXT, False, "x"))'),
    Mutation("a rule that is always true", policies, 'using, check = sides["using"],', 'using, check = form.Constant(form.BOOLEAN, False, True),'),
    Mutation("all roles", policies, 'CALLERS if "public" in policy.roles else tuple', 'CALLERS if True else tuple'),
    Mutation("no grants", policies, "return found\n\n\ndef _policy", "return None\n\n\ndef _policy"),
    Mutation("SECURITY DEFINER is forgotten", functions, "scope.secured and not function.security_definer", "scope.secured"),
    Mutation("WITH CHECK is dropped", policies, 'sides["using"], sides["check"]\n', 'sides["using"], sides["check"] and form.Constant(form.BOOLEAN, False, True)\n', writes=True),
    Mutation("a check is turned", written_module, "writer.not_false(expression)", "writer.rule(expression)", writes=True),
    Mutation("uniques are forgotten", constraints, "for name, columns, not_distinct, predicate in keys:", "for name, columns, not_distinct, predicate in keys[:0]:", writes=True),
    skipped("a partial unique is a whole one", "if rule.where is not None:", writes=True),
    Mutation("cascades restrict", constraints, '_action(key.on_delete)', '_action("")', writes=True),
    Mutation("a restrictive policy of one command is permissive", written_module, "if not policy.permissive:", 'if not policy.permissive and policy.command != "DELETE":', writes=True),
    of_expressions("an end of an order is its own", '{">": "<", ">=": "<="}[operator]', '{">": "<=", ">=": "<"}[operator]'),
    Mutation("an interval is turned", casts, "milliseconds += float(found[1])", "milliseconds -= float(found[1])"),
    Mutation("_ of LIKE is itself", patterns, 'else r"[\\s\\S]")', 'else "_")'),
    skipped("NULLS NOT DISTINCT is forgotten", "if rule.nulls_not_distinct:", writes=True),
    Mutation("a unique key has one field", written_module, "join(map(quoted, rule.fields))", "join(map(quoted, rule.fields[:1]))", writes=True),
    skipped("defaults are forgotten", "if own.defaults:", writes=True),
    skipped("updated_at is not set", "if own.touched:", writes=True),
    Mutation("SET NULL cascades", constraints, '"SET NULL": "set null"', '"SET NULL": "cascade"', writes=True),
    Mutation("a check refuses NULL", written_module, "writer.not_false(expression)", "'!(' + writer.rule(expression) + ')'", writes=True),
    Mutation("visible rows skip the restrictive policy", visible, "found.exact and not restricted", "found.exact"),
    Mutation("ELSIF is lost", written_functions, "in enumerate(statement.branches)", "in enumerate(statement.branches[:1])"),
    Mutation("IF takes NULL for true", written_functions, "condition = writer.true(test)", 'condition = f"!({writer.false(test)})"'),
    of_expressions("ANY is ALL", '("=", False): ("equalsAny", "differsFromAll")', '("=", False): ("equalsAll", "differsFromAll")'),
    of_expressions("a LEFT JOIN is an inner one", "if not source.outer:\n            return found", "return found"),
    Mutation("a claim is another one", calls, 'return Claim(form.JSON, False, "claims")', 'return Claim(form.JSON, False, "email")'),
    skipped("parents are not looked for", "if own.references:", writes=True),
]  # fmt: skip


def functions_in(module: ModuleType) -> Iterator[FunctionType]:
    """The functions of a module and the methods of its classes."""
    for value in vars(module).values():
        inner = vars(value).values() if inspect.isclass(value) else [value]
        for one in inner:
            if isinstance(one, FunctionType) and one.__module__ == module.__name__ and not one.__closure__:
                yield one


def codes_in(code: CodeType) -> Iterator[CodeType]:
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield constant
            yield from codes_in(constant)


@contextmanager
def mutated(mutation: Mutation) -> Iterator[None]:
    """The compiler with one change in its source, in this process."""
    source = inspect.getsource(mutation.module)
    assert source.count(mutation.old) == 1, (
        f"{mutation.why}: the source has {mutation.old!r} {source.count(mutation.old)} times"
    )
    changed = compile(source.replace(mutation.old, mutation.new), str(mutation.module.__file__), "exec")
    codes = {code.co_qualname: code for code in codes_in(changed)}
    kept = [(function, function.__code__) for function in functions_in(mutation.module)]
    try:
        for function, _ in kept:
            if function.__qualname__ in codes:
                function.__code__ = codes[function.__qualname__]
        yield
    finally:
        for function, code in kept:
            function.__code__ = code


@pytest.fixture(scope="module")
def place(server: servers.Server) -> Iterator[tuple[Written, Database]]:
    names = {f"posts{number}": policy for number, policy in enumerate(POLICIES)}
    sql = [USERS, TEAMS, MEMBERS, "CREATE POLICY t ON teams USING (true);"]
    sql += [(POSTS + policy).replace("posts", name) for name, policy in names.items()]
    with new_database(server) as database, projects.folder() as folder:
        database.run("".join(sql) + COMMENTS.replace("posts", "posts0"))
        database.run(GRANTS + POLICIES[-1].partition("; ")[2].replace("posts", f"posts{len(POLICIES) - 1}"))
        made = written(folder, database)
        migrated(folder)
        yield made, database


WRITTEN = ["teams", "posts15", "posts16", "posts20"]


def test_the_compiler_as_it_is_agrees(place: tuple[Written, Database]) -> None:
    findings = tried(*place, written=WRITTEN, users=2)
    assert findings.differences == []
    assert findings.taken > 5


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda one: one.why)
def test_a_mutation_of_the_compiler_is_caught(place: tuple[Written, Database], mutation: Mutation) -> None:
    made, database = place
    with mutated(mutation):
        wrong = replace(made, **dict(zip(("rules", "constraints", "module"), rules_of(made.plan), strict=True)))
    assert wrong.text != made.text
    # What the trials are made from is as it should be: the wrong file is all that is wrong.
    findings = tried(made, database, wrong.text, written=WRITTEN if mutation.writes else [], users=2, until_wrong=True)
    assert findings.wrong > 0
