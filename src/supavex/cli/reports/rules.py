"""The report of `supavex verify --rules`: leaks, differences, and untested policies."""

from __future__ import annotations

from collections import Counter

from supavex.rules.proof.run import RulesProof
from supavex.text import counted

#: The most findings of a kind that the terminal shows.
_SHOWN = 10


def report_lines(result: RulesProof) -> list[str]:
    """The report for a person."""
    found, called = result.findings, result.called
    lines: list[str] = []
    leaks = Counter((leak.function, leak.place, leak.table, leak.policy) for leak in called.leaks.values())
    for (function, place, table, policy), count in leaks.items():
        users = sorted({leak.user for leak in called.leaks.values() if leak.function == function})
        shown = ", ".join(users[:2]) + (f" and {len(users) - 2} more" if len(users) > 2 else "")
        lines.append(
            f"leak: {function} ({place}) gives {shown} {counted(count, 'document')} of {table}, hidden by: {policy}"
        )
    for difference in found.differences[:_SHOWN]:
        user = f"as {difference.user}: " if difference.user else ""
        lines.append(f"{difference.kind}: {user}{difference.table}: {difference.detail}")
        if difference.policy:
            lines.append(f"    policies: {difference.policy}")
    if found.wrong > _SHOWN:
        lines.append(f"    … and {found.wrong - _SHOWN} more differences (--json)")
    if called.unguarded:
        lines.append("No identity is looked at by: " + ", ".join(called.unguarded))
    shown_not = result.not_tried[:_SHOWN]
    lines += [f"not tried: {one}" for one in shown_not]
    if len(result.not_tried) > len(shown_not):
        lines.append(f"    … and {len(result.not_tried) - len(shown_not)} more not tried (--json)")
    functions = f"{counted(called.calls, 'call')} of {len(called.functions)} public queries"
    tried = f"{found.reads:,} reads and {found.writes:,} writes by rules.ts ({found.taken:,} taken)"
    tried = tried if result.builders else "no rules.ts"
    verdict = f"{counted(len(leaks), 'leak')}, {counted(found.wrong, 'difference')}"
    if result.ok:
        verdict = "no leak, no difference"
    elif not result.tried:
        verdict = "nothing was tried"
    if found.sampled:
        shown = ", ".join(f"{name} ({some:,} of {documents:,})" for name, (documents, some) in found.sampled.items())
        lines.append(f"Looked at in part: {shown}.")
        verdict += " in what was looked at"
    lines.append(f"{verdict}: {counted(len(found.users), 'user')}, {functions}, {tried}; in {result.seconds:.1f} s.")
    return lines
