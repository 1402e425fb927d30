"""A project of SQL alone, taken to a deployment with its rules.ts, in this process: both sides of a comparison."""

from __future__ import annotations

import functools
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from supavex.deployment.functions.bundle import Bundle
from supavex.deployment.runtime.evaluation import Module
from supavex.mapping.check import checked_plan
from supavex.mapping.plan import Plan
from supavex.postgres import server as servers
from supavex.postgres.connection import connect
from supavex.rules.constraints import Constraints
from supavex.rules.policies import RuleSet
from supavex.rules.proof.bundling import made_bundle
from supavex.rules.proof.comparison import Comparison
from supavex.rules.proof.convex import MODULE, ConvexSide
from supavex.rules.proof.findings import Findings
from supavex.rules.proof.postgres import PostgresSide
from supavex.rules.proof.run import Sides, fork, moved_tables
from supavex.rules.proof.users import choose_users
from supavex.rules.typescript.module import Module as RulesModule
from supavex.rules.writing import rules_of
from supavex.settings.reading import load_settings
from tests.databases import Database
from tests.projects import MY21STAFF, ROOT, supavex

PACKAGES = ROOT / "tests/official/node_modules"
PROOF = ROOT / f"src/supavex/rules/proof/{MODULE}.ts"
SERVER = """
import { actionGeneric, mutationGeneric, queryGeneric, internalQueryGeneric } from "convex/server";
export const [query, mutation, internalQuery] = [queryGeneric, mutationGeneric, internalQueryGeneric];
"""


@dataclass(frozen=True)
class Written:
    """The rules of a project."""

    folder: Path
    plan: Plan
    rules: RuleSet
    constraints: Constraints
    module: RulesModule

    @property
    def text(self) -> str:
        return self.module.text

    def side(self, policy: str, side: str = "using") -> str:
        """The TypeScript of one side of a policy, or why it refuses."""
        rule = next(rule for _, rule in self.rules.found if rule.policy.name == policy)
        if rule.reason:
            return f"refuses: {rule.reason}"
        found = self.text[self.text.index(f"        {side}: ", self.text.index(f'name: "{policy}"')) :]
        return " ".join(found.partition(f"{side}: ")[2].partition("\n      },")[0].partition("\n        //")[0].split())


def written(folder: Path, database: Database, toml: str = "") -> Written:
    """Drafts a schema for a database and writes its rules."""
    url = database.url(servers.SUPERUSER)
    (folder / "supavex.toml").write_text(f"{toml}\n[source]\ndatabase_url = {json.dumps(url)}\n")
    ran = supavex("scaffold", "-C", folder)
    assert ran.code == 0, ran.err
    plan, _ = checked_plan(load_settings(folder))
    return Written(folder, plan, *rules_of(plan))


def migrated(folder: Path) -> None:
    """Takes the rows of a project into its local deployment."""
    for command in (["build"], ["deploy"], ["migrate", "--max-rejects", "1000000"]):
        ran = supavex(*command, "-C", folder)
        assert ran.code == 0, ran.out + ran.err


def bundled(rules: str) -> Bundle:
    """rules.ts with the proof's functions, as one module."""
    folder = Path(tempfile.mkdtemp(prefix="supavex-rules-"))
    try:
        (folder / "_generated").mkdir()
        (folder / "_generated/server.ts").write_text(SERVER)
        (folder / "rules.ts").write_text(rules)
        shutil.copy(PROOF, folder)
        (folder / "node_modules").symlink_to(PACKAGES)
        command = [str(PACKAGES / ".bin/esbuild"), f"{MODULE}.ts", "--bundle", "--format=esm", "--platform=browser"]
        ran = subprocess.run(
            [*command, "--log-level=error"], cwd=folder, capture_output=True, text=True, timeout=300, check=False
        )
        assert ran.returncode == 0, ran.stderr
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    name = f"{MODULE}.js"
    return Bundle({name: Module(name, ran.stdout, None, "isolate")}, {name: _analysis()}, None, "[]", "0", {})


@functools.cache
def _analysis() -> dict[str, Any]:
    """What Convex's own CLI says of the proof's functions, which are the same for all rules."""
    folder = Path(tempfile.mkdtemp(prefix="supavex-rules-"))
    try:
        shutil.copytree(MY21STAFF / "convex/_generated", folder / "convex/_generated")
        (folder / "convex/rules.ts").write_text('export { query, mutation } from "./_generated/server";\n')
        shutil.copy(ROOT / "tests/official/package.json", folder)
        (folder / "node_modules").symlink_to(PACKAGES)
        os.environ.setdefault("CI", "1")
        return dict(made_bundle(folder).functions[f"{MODULE}.js"])
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _url(source: Database | str) -> str:
    # Rows of a database's tables are the superuser's here, so the owner's rights are too.
    return source if isinstance(source, str) else source.url(servers.SUPERUSER)


@contextmanager
def sides(made: Written, source: Database | str, rules: str | None = None) -> Iterator[Sides]:
    """Both sides of a comparison: a fork of the migrated deployment with ``rules``, and a database or its address."""
    with fork(load_settings(made.folder)) as deployment:
        bundled(made.text if rules is None else rules).install(deployment, schema=False)
        with connect(_url(source), settings={"search_path": "public, extensions"}) as connection:
            yield Sides(made.plan, moved_tables(made.plan, deployment), deployment, connection, made.folder)


def tried(
    made: Written,
    source: Database | str,
    rules: str | None = None,
    *,
    written: Collection[str] | None = None,
    users: int | None = None,
    until_wrong: bool = False,
    in_turn: bool = False,
) -> Findings:
    """What the comparison finds as ``users`` users: reads of all tables, and writes of ``written`` (None: of all).

    ``until_wrong``: it ends with the first user and table that differ. ``in_turn``: each table is written by one user.
    """
    with sides(made, source, rules) as both:
        numbers = {name: number for number, name in both.deployment.table_names().items()}
        postgres = PostgresSide(both.connection, both.tables, numbers)
        comparison = Comparison(postgres, ConvexSide(both.deployment, both.tables), made.rules, made.constraints)
        findings = comparison.findings
        chosen = choose_users(both.connection, made.plan, numbers, users).users
        for user in chosen:
            # Whoever looks for a wrong write reads a table when its turn to be written comes.
            for name in () if until_wrong and written else postgres.tables:
                if not (until_wrong and findings.wrong):
                    comparison.reads(user, name)
        for turn, user in enumerate(reversed(chosen)):
            names = list(postgres.tables if written is None else written)
            for name in names[turn :: len(chosen)] if in_turn else names:
                if not (until_wrong and findings.wrong):
                    comparison.of_user(user, [name])
        return findings
