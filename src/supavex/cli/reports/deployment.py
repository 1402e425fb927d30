"""The Markdown summary of a deploy."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from supavex.convex.schema import Schema
    from supavex.deployment.database.database import Push
    from supavex.mapping.not_carried import NotCarried
    from supavex.mapping.plan import Plan


#: The first line of every summary.
SUMMARY_TITLE = "# Deployment summary"


def deployment_summary(
    schema: Schema, push: Push, plan: Plan | None, why_no_plan: str, deployed_at: str, to: str
) -> str:
    """The summary: tables, indexes, checked documents, and what Convex does not carry over from the source."""
    from supavex.mapping.not_carried import not_carried

    change = push.change
    lines = [
        SUMMARY_TITLE,
        "",
        f"Deployed to: {to}  ",
        f"At: {deployed_at}  ",
        f"Tables: {len(schema.tables)} ({len(change.new_tables)} new, {len(change.changed_tables)} changed, "
        f"{len(change.removed_tables)} no longer in the schema)  ",
        f"Indexes: {sum(len(t.indexes) for t in schema.tables.values())} ({len(change.new_indexes)} new, "
        f"{len(change.removed_indexes)} removed)  ",
        f"Documents checked against the schema: {push.documents_checked}  ",
        f"Documents entered into new indexes: {push.documents_indexed}",
        "",
        "## Tables",
        "",
        "| table | from | fields | indexes | state |",
        "|---|---|---:|---|---|",
    ]
    for name, table in schema.tables.items():
        state = "new" if name in change.new_tables else "changed" if name in change.changed_tables else "unchanged"
        source = plan.to_target(name) if plan is not None else None
        origin = "" if source is None else f"`{source.name}`" + (" (existing)" if source.status == "existing" else "")
        indexes = ", ".join(f"`{index.name}`" for index in table.indexes)
        lines.append(f"| `{name}` | {origin} | {len(table.fields)} | {indexes} | {state} |")
    for title, names in (
        ("No longer in the schema (their documents stay)", change.removed_tables),
        ("New indexes", change.new_indexes),
        ("Removed indexes", change.removed_indexes),
    ):
        if names:
            lines += ["", f"## {title}", "", *(f"- `{name}`" for name in names)]
    lines += ["", "## What Convex does not carry over", ""]
    if plan is None:
        lines.append(f"Not known, for the source could not be read: {why_no_plan}")
    else:
        lines += _not_carried(not_carried(plan))
    return "\n".join(lines) + "\n"


def _not_carried(items: list[NotCarried]) -> list[str]:
    if not items:
        return ["Nothing: the source has no constraints, triggers, policies, views or functions."]
    by_kind: dict[str, list[NotCarried]] = defaultdict(list)
    for item in items:
        by_kind[item.kind].append(item)
    lines = []
    for kind, group in by_kind.items():
        lines += [
            f"### {kind} ({len(group)})",
            "",
            f"Instead: {' '.join(dict.fromkeys(item.instead for item in group))}",
            "",
        ]
        lines += [f"- `{item.where}`" + (f": {_one_line(item.detail)}" if item.detail else "") for item in group]
        lines.append("")
    return lines[:-1]


def _one_line(text: str) -> str:
    return "`" + " ".join(text.split()).replace("`", "'") + "`"
