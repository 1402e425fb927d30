"""The plan of a cutover as a checklist in Markdown."""

from __future__ import annotations

from supavex.migrate.golive.cutover import CutoverPlan, Step
from supavex.text import counted


def shown_seconds(seconds: float) -> str:
    """Seconds in a person's units."""
    if seconds < 90:
        return f"{max(seconds, 0.1):.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    if seconds < 600:
        return f"{seconds // 60:.0f} min {seconds % 60:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


#: The beginning of every checklist.
TITLE = "# Cutover of "


def markdown(plan: CutoverPlan) -> str:
    """The checklist."""
    rehearsal = plan.rehearsal
    lines = [f"{TITLE}{plan.project} to {plan.target}{' (a drill)' if plan.drill else ''}", ""]
    if plan.drill:
        lines += [f"> **This is a drill, and no plan to go live by:** {plan.drill}", ""]
    lines += [
        f"Written {plan.made_at}, from the rehearsal of {rehearsal.at} into {rehearsal.target}: "
        f"{counted(rehearsal.rows, 'row')}, {shown_seconds(rehearsal.seconds)} in all "
        f"({', '.join(f'{name} {shown_seconds(seconds)}' for name, seconds in rehearsal.steps.items())}).  ",
        f"Source: {plan.source}, {counted(plan.rows, 'row')} "
        + ("now." if plan.factor is not None else "in rehearsal; it could not be counted now."),
        "",
    ]
    if plan.estimated:
        lines += [
            f"The source has {plan.factor:.2f} times the rows of the rehearsal: times are **estimated** from the "
            "rows, not measured. Rehearse against a copy of its size to know.",
            "",
        ]
    if rehearsal.target not in ("local", plan.deployment):
        lines += [
            "Convex's cloud imports and exports at its own pace, and over your line: its share is not in here.",
            "",
        ]
    elif rehearsal.target == "local":
        lines += ["The rehearsal was into the local deployment: Convex's own exports and imports are not in here.", ""]
    lines += [f"**Expected downtime: {shown_seconds(plan.downtime)}**, and your app's own release on top of it.", ""]
    number = 1
    for title, steps in (("Before", plan.before), ("The night", plan.night), ("Back, if it goes wrong", plan.back)):
        lines += [f"## {title}", ""]
        for step in steps:
            lines += [f"{number}. [ ] **{step.title}**{_time(step)}", ""]
            if step.commands:
                lines += ["    ```sh", *(f"    {command}" for command in step.commands), "    ```", ""]
            if step.sql:
                lines += ["    ```sql", *(f"    {line}" for line in step.sql.splitlines()), "    ```", ""]
            if step.note:
                lines += [f"    {step.note}", ""]
            number += 1
    return "\n".join(lines)


def _time(step: Step) -> str:
    parts = []
    if step.measured is not None:
        parts.append(f"measured {shown_seconds(step.measured)}")
    if step.seconds is not None and (step.measured is None or abs(step.seconds - step.measured) > 0.05 * step.seconds):
        parts.append(f"expected {shown_seconds(step.seconds)}")
    if step.down:
        parts.append("the app is down")
    return f" ({'; '.join(parts)})" if parts else ""
