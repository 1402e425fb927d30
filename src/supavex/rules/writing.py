"""``supavex rules``: writes ``convex/rules.ts``, and reports which rules it contains and which it does not."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from supavex.convex.typescript import is_generated
from supavex.errors import UsageError
from supavex.files import check_inside
from supavex.mapping.check import checked_plan
from supavex.mapping.plan import Plan
from supavex.rules.constraints import Constraints, constraints_of
from supavex.rules.policies import RuleSet, TableRules, rule_set
from supavex.rules.typescript.module import Module, is_changed, module
from supavex.settings.settings import Settings
from supavex.steps import step

FILE = "rules.ts"
#: Why policies of Supabase's own tables are left out.
ELSEWHERE = "its table is Supabase's own, and does not move"
#: Why grants of some columns refuse.
BY_COLUMN = "it is a grant of some columns, and rules.ts grants or refuses whole documents"


@dataclass(frozen=True, slots=True)
class Rules:
    """The result of :func:`write_rules`. ``state`` is the file's; it is ``stale`` only with ``check``."""

    path: Path
    state: Literal["written", "unchanged", "stale"]
    rules: RuleSet
    constraints: Constraints
    module: Module

    @property
    def elsewhere(self) -> list[tuple[str, str]]:
        """The policies of Supabase's tables (storage, auth and realtime): table and name."""
        others = self.rules.plan.catalog.others
        return [(other.name, other.detail) for other in others if other.kind == "policy"]

    @property
    def ok(self) -> bool:
        """Whether every policy was translated, and the file is up to date."""
        return not self.rules.refused and self.state != "stale"

    def to_json(self) -> dict[str, Any]:
        """The JSON of ``rules --json``."""
        refused = self.rules.refused
        left = [
            {"table": one.table, "constraint": one.constraint, "reason": one.reason} for one in self.constraints.left
        ]
        return {
            "ok": self.ok,
            "policies": {
                "found": len(self.rules.found),
                "translated": len(self.rules.found) - len(refused),
                "refused": [
                    {
                        "table": _name(table),
                        "policy": rule.policy.name,
                        "reason": rule.reason,
                    }
                    for table, rule in refused
                ],
                "left": [{"table": table, "policy": name, "reason": ELSEWHERE} for table, name in self.elsewhere],
            },
            "grants": {
                "refused": [
                    {"table": _name(table), "role": role, "command": command, "reason": BY_COLUMN}
                    for table, role, command in self.rules.grants_by_column
                ],
            },
            "constraints": {
                "found": self.constraints.carried + len(left),
                "carried": self.constraints.carried,
                "left": left,
            },
            "indexes": {name: list(v.add) for name, v in self.module.visible.items() if v.add},
            "file": str(self.path),
            "state": self.state,
        }


def _name(table: TableRules) -> str:
    return table.source.name if table.source is not None else table.target


def rules_of(plan: Plan) -> tuple[RuleSet, Constraints, Module]:
    """The rules of a plan, and the text of rules.ts."""
    rules = rule_set(plan)
    constraints = constraints_of(rules)
    return rules, constraints, module(rules, constraints)


@step("writing the rules")
def write_rules(project: Settings, *, check: bool = False) -> Rules:
    """Writes rules.ts of ``project``; with ``check``, only says whether it is up to date.

    Raises :class:`~supavex.errors.UsageError` if a person wrote or changed the file.
    """
    plan, _ = checked_plan(project)
    made = rules_of(plan)
    path = project.convex_folder / FILE
    text = made[2].text
    present = path.read_text(encoding="utf-8") if path.exists() else None
    if present == text:
        return Rules(path, "unchanged", *made)
    if present is not None:
        _check_own(present, project.shown(path))
    if check:
        return Rules(path, "stale", *made)
    check_inside(project.root, path, "the file", project.shown(path))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return Rules(path, "written", *made)


def _check_own(present: str, shown: str) -> None:
    """Raises if supavex did not write the file, or if it has been changed since."""
    if not is_generated(present):
        message, hint = "supavex did not write this file, so it leaves it as it is.", "Rename or remove it."
        raise UsageError("NotGenerated", message, where=shown, hint=hint)
    if is_changed(present):
        message = "the file has been changed since supavex wrote it, so it leaves it as it is."
        hint = "Keep it, and prove it: supavex verify --rules. Or rename it, write it anew, and take your changes over."
        raise UsageError("ChangedByHand", message, where=shown, hint=hint)
