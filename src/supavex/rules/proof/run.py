"""``supavex verify --rules``: tests the app's functions as each user, and the rules against PostgreSQL."""

from __future__ import annotations

import itertools
import sqlite3
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import psycopg

from supavex.convex.ids import decode_id
from supavex.convex_cli.bundling import convex_folder_of
from supavex.deployment import Deployment
from supavex.errors import SupavexError, UsageError
from supavex.mapping.check import checked_plan
from supavex.mapping.plan import Plan, TablePlan
from supavex.mapping.source import Source
from supavex.postgres.connection import connect
from supavex.rules.constraints import constraints_of
from supavex.rules.policies import RuleSet, rule_set
from supavex.rules.proof.bundling import bundle_with_proof
from supavex.rules.proof.comparison import WHOLE, Comparison
from supavex.rules.proof.convex import ConvexSide
from supavex.rules.proof.findings import Difference, Findings
from supavex.rules.proof.functions import AppFunctions, Called
from supavex.rules.proof.postgres import PostgresSide
from supavex.rules.proof.replica import Replica, replica
from supavex.rules.proof.users import User, choose_users
from supavex.rules.writing import FILE
from supavex.settings.settings import Settings
from supavex.temporary import temporary_folder


@dataclass(frozen=True, slots=True)
class RulesProof:
    """The result of ``verify --rules``. ``builders``: whether a rules.ts was tested."""

    findings: Findings
    called: Called
    builders: bool
    seconds: float
    not_tried: tuple[str, ...] = field(default=())

    @property
    def ok(self) -> bool:
        """Whether nothing leaks, nothing differs, and something was tested."""
        return not self.findings.wrong and not self.called.leaks and self.tried

    @property
    def tried(self) -> bool:
        """Whether a document was read, a write attempted, or a function called."""
        return bool(self.findings.reads or self.findings.writes or self.called.calls)

    def to_json(self) -> dict[str, Any]:
        """The JSON of ``verify --rules --json``."""
        leaks = [leak.to_json() for leak in self.called.leaks.values()]
        return {
            "ok": self.ok,
            "users": self.findings.users,
            "tables": self.findings.tables,
            "reads": self.findings.reads,
            "writes": self.findings.writes,
            "taken": self.findings.taken,
            "calls": self.called.calls,
            "functions": self.called.functions,
            "unguarded": self.called.unguarded,
            "builders": self.builders,
            "sampled": {
                name: {"documents": documents, "looked_at": some}
                for name, (documents, some) in self.findings.sampled.items()
            },
            "wrong": self.findings.wrong + len(leaks),
            "differences": [*leaks, *(d.to_json() for d in self.findings.differences)],
            "not_tried": list(self.not_tried),
            "seconds": round(self.seconds, 2),
        }


def prove_rules(project: Settings, users: int | None, progress: Callable[[str], object] = lambda _: None) -> RulesProof:
    """Tests the rules as nobody and as ``users`` users (None: all).

    A live source is only read; the tests run on a copy of it. Raises :class:`~supavex.errors.SupavexError` if nothing
    was migrated on this machine.
    """
    started = time.monotonic()
    plan, _ = checked_plan(project)
    app = project.convex_folder.parent
    builders = (convex_folder_of(app) / FILE).is_file()
    with ExitStack() as stack:
        deployment = stack.enter_context(fork(project))
        tables = moved_tables(plan, deployment)
        bundle_with_proof(app, rules=builders).install(deployment, schema=False)
        copied: Replica | None = None
        if project.database_url:
            progress("copying the source …")
            copied = stack.enter_context(replica(project, plan, partial(looked_at, deployment)))
            tables = [table for table in tables if copied.holds(table)]
            url = copied.url
        else:
            url = stack.enter_context(Source(project).running())
        connection = stack.enter_context(trials_connection(url))
        sides = Sides(plan, tables, deployment, connection, app, copied)
        found = try_rules(sides, users, progress, builders=builders)
    findings, called, not_tried = found
    if copied is not None:
        not_tried += copied.not_tried
        for table, detail in copied.differences:
            findings.differ(Difference("copy", "", table, detail))
    if not builders:
        not_tried.append(f"the builders: there is no {FILE} (supavex rules writes it)")
    return RulesProof(findings, called, builders, time.monotonic() - started, tuple(not_tried))


def prove_builders(project: Settings, users: int, written: Collection[str]) -> tuple[RuleSet, Findings]:
    """A quick test of rules.ts: reads of all tables as nobody and as ``users`` users, and writes of ``written``."""
    plan, _ = checked_plan(project)
    rules = rule_set(plan)
    with ExitStack() as stack:
        deployment = stack.enter_context(fork(project))
        bundle_with_proof(project.convex_folder.parent, rules=True).install(deployment, schema=False)
        url = stack.enter_context(Source(project).running())
        connection = stack.enter_context(trials_connection(url))
        tables = moved_tables(plan, deployment)
        numbers = {name: number for number, name in deployment.table_names().items()}
        postgres = PostgresSide(connection, tables, numbers)
        comparison = Comparison(postgres, ConvexSide(deployment, tables), rules, constraints_of(rules))
        for user in choose_users(connection, plan, numbers, users).users:
            for name in postgres.tables.keys() - set(written):
                comparison.reads(user, name)
            comparison.of_user(user, written)
    return rules, comparison.findings


@contextmanager
def trials_connection(url: str) -> Iterator[psycopg.Connection]:
    """A connection whose open transaction is rolled back in the end: psycopg would commit what was tried."""
    with connect(url, settings={"search_path": "public, extensions"}) as connection:
        try:
            yield connection
        finally:
            connection.rollback()


@dataclass(frozen=True, slots=True)
class Sides:
    """The compared sides."""

    #: The plan of the migration.
    plan: Plan
    #: The compared tables.
    tables: list[TablePlan]
    #: A fork of the deployment with the app.
    deployment: Deployment
    #: The source or its replica.
    connection: psycopg.Connection
    #: The app's folder.
    app: Path
    #: None for a source of files.
    replica: Replica | None = None


def try_rules(
    sides: Sides, users: int | None, progress: Callable[[str], object], *, builders: bool
) -> tuple[Findings, Called, list[str]]:
    """Runs all tests as each user. The last result lists what can't be tested."""
    numbers = {name: number for number, name in sides.deployment.table_names().items()}
    rules = rule_set(sides.plan)
    chosen = choose_users(sides.connection, sides.plan, numbers, users)
    postgres = PostgresSide(sides.connection, sides.tables, numbers)
    copied = sides.replica
    short = {t.target for t in sides.tables if copied is not None and t.source.qualified in copied.partial}
    comparison = Comparison(postgres, ConvexSide(sides.deployment, sides.tables), rules, constraints_of(rules), short)
    if copied is not None:
        comparison.changed()
    visible = _Visible(postgres, {name: comparison.ids(name) for name in short}).of
    functions = AppFunctions(
        sides.deployment, convex_folder_of(sides.app), visible, _hiding(rules, sides.tables), sides.app
    )
    for user in chosen.users:
        progress(f"as {user} …")
        if builders:
            comparison.of_user(user)
        else:
            comparison.findings.users.append(str(user))
        functions.of_user(user)
    called = functions.done()
    not_tried = [*chosen.not_tried, *(comparison.findings.not_tried if builders else ()), *called.not_tried]
    not_tried += [f"{table.name}: its rows do not move" for table in sides.plan.tables if table not in sides.tables]
    return comparison.findings, called, not_tried


@dataclass(slots=True)
class _Visible:
    """What PostgreSQL shows of each table, queried once for each user. ``some``: the ids of partly copied tables."""

    postgres: PostgresSide
    some: Mapping[str, set[str]]
    seen: dict[tuple[str, str | None], set[str] | None] = field(default_factory=dict)

    def of(self, table: str, id_: str, user: User) -> bool | str:
        """Whether the user sees the row of a document; a text if that is unknown."""
        if table in self.some and id_ not in self.some[table]:
            return "a document whose row was not copied"
        if (table, user.id) not in self.seen:
            found = self.postgres.visible(self.postgres.tables[table], user)
            self.seen[table, user.id] = None if isinstance(found, str) else found
        seen = self.seen[table, user.id]
        return "PostgreSQL refuses to read it" if seen is None else id_ in seen


def looked_at(deployment: Deployment, table: TablePlan) -> list[str] | None:
    """The texts of the keys of the compared documents of a table; None if ids are hashes of them."""
    assert table.key is not None
    texts = []
    for document in itertools.islice(deployment.documents(table.target), WHOLE):
        text = table.key.text_of(decode_id(str(document["_id"]))[1])
        if text is None:
            return None
        texts.append(text)
    return texts


def _hiding(rules: RuleSet, tables: list[TablePlan]) -> dict[str, str]:
    found = {}
    for table in tables:
        own = rules.tables[table.target]
        names = [rule.policy.name for rule in own.policies if rule.policy.command in ("ALL", "SELECT")]
        closed = "row level security without a policy" if own.security else "no policy: open to all"
        found[table.target] = ", ".join(names) or closed
    return found


def moved_tables(plan: Plan, deployment: Deployment) -> list[TablePlan]:
    """The compared tables: those that move. Raises :class:`~supavex.errors.SupavexError` if the deployment holds none
    of their documents.
    """
    tables = [t for t in plan.moving if t.key is not None and t.key.form != "row"]
    if not any(deployment.count(table.target) for table in tables):
        message = "the local deployment holds no document of the tables that move: there are no rows to try rules on."
        hint = "Run `supavex migrate` first. If the source has no rows, put some into supabase/seed.sql."
        raise SupavexError("NothingImported", message, hint=hint)
    return tables


@contextmanager
def fork(project: Settings) -> Iterator[Deployment]:
    """A temporary copy of the local deployment."""
    path = project.state / "deployment.sqlite3"
    if not path.exists():
        raise UsageError("SchemaNotDeployed", "the deployment has no schema yet.", hint="Run `supavex deploy` first.")
    with temporary_folder("rules") as folder:
        copy = folder / "deployment.sqlite3"
        with closing(sqlite3.connect(path)) as own, closing(sqlite3.connect(copy)) as made:
            own.backup(made)
        with Deployment(copy, durable=False) as deployment:
            yield deployment
