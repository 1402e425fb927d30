"""A project's rules from SQL alone: an embedded database, a drafted schema, and rules.ts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from supavex.mapping.make_plan import make_plan
from supavex.mapping.plan import Plan
from supavex.mapping.scaffold.draft import draft
from supavex.project import load_project
from supavex.rules.constraints import Constraints
from supavex.rules.policies import RuleSet
from supavex.rules.typescript.module import Module
from supavex.rules.writing import rules_of
from tests.databases import Database


@dataclass(frozen=True)
class Written:
    """The rules of a database."""

    plan: Plan
    rules: RuleSet
    constraints: Constraints
    module: Module

    @property
    def text(self) -> str:
        return self.module.text

    def expression(self, policy: str, side: str = "using") -> str:
        """The TypeScript of one side of a policy, or why it refuses."""
        rule = next(rule for _, rule in self.rules.found if rule.policy.name == policy)
        if rule.reason:
            return f"refuses: {rule.reason}"
        start = self.text.index(f'name: "{policy}"')
        return " ".join(self.text[self.text.index(f"        {side}: ", start) :].partition("\n      },")[0].split())


__all__ = ["Database", "Iterator", "Path", "Written", "contextmanager", "draft", "load_project", "make_plan", "rules_of"]
