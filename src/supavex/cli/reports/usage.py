"""The report of `supavex usage`: each call of Supabase with its replacement."""

from __future__ import annotations

from typing import TYPE_CHECKING

from supavex.text import counted
from supavex.usage.usage import KINDS

if TYPE_CHECKING:
    from supavex.usage.advice.advice import Advice
    from supavex.usage.usage import TableUsage, Usage


_NOUNS = {
    "table": "query",
    "rpc": "database function call",
    "auth": "sign-in call",
    "storage": "file call",
    "realtime": "live channel",
    "function": "edge function",
    "client": "client",
}


def report_lines(found: Usage) -> list[str]:
    """The report for a person."""
    lines = list(found.notes)
    for table in found.tables:
        lines += ["", *_table_lines(table)]
    for kind, title in KINDS.items():
        if found.others[kind]:
            lines += ["", title]
            for notes in dict.fromkeys(tuple(one.notes) for one in found.others[kind]):
                lines += [f"  instead: {note}" for note in notes]
                lines += [f"    {_other_line(one)}" for one in found.others[kind] if tuple(one.notes) == notes]
    guarded = sum(bool(table.convex and table.notes) for table in found.tables)
    if guarded:
        lines += [
            "",
            "Policies checked who asks for rows of "
            f"{guarded} of these tables: now each function checks ctx.auth.getUserIdentity().",
        ]
    if found.types:
        lines += ["", "Types that Supabase generated, to delete when nothing imports them:"]
        lines += [f"  {path}" for path in found.types]
    if found.left_out:
        lines += ["", "Not read:"]
        lines += [f"  {path}: {reason}" for path, reason in found.left_out.items()]
    lines = lines[1:] if lines[:1] == [""] else lines
    return [*lines, "", _total(found)] if lines else [_total(found)]


def _other_line(one: Advice) -> str:
    name = one.use.name or (f"({one.use.expression})" if one.use.expression else "")
    return f"{one.use.place}  {_may(one)}{' '.join(part for part in (name, one.use.what) if part)}"


def _may(one: Advice) -> str:
    return "" if one.use.sure else "(may be Supabase's) "


def _table_lines(table: TableUsage) -> list[str]:
    if not table.name:
        lines = ["Queries of a table that is not known here"]
    elif not table.status:
        lines = [table.name]
    else:
        there = " (in Convex already)" if table.status == "existing" else ""
        lines = [
            f"{table.name} -> {table.convex}{there}" if table.convex else f"{table.name}: {'; '.join(table.notes)}"
        ]
    for one in table.uses:
        lines += _use_lines(one, with_notes=bool(table.convex) or not table.name)
    return lines


def _use_lines(one: Advice, *, with_notes: bool) -> list[str]:
    expression = f"from({one.use.expression}) " if one.use.expression else ""
    lines = [f"  {one.use.place}  {_may(one)}{expression}{one.use.what}"]
    if one.functions:
        lines.append(f"      there already: {', '.join(one.functions)}")
    if one.index or one.add_index:
        add = f"; better: {one.add_index}" if one.add_index else ""
        lines.append(f"      index: {one.index or 'none'}{add}")
        if one.replaces:
            lines.append(f"      (it serves what {', '.join(one.replaces)} does, but for the order of creation)")
    if one.builder:
        lines.append(f"      builder: {one.builder} of convex/rules.ts (supavex rules)")
    if one.snippet is not None:
        lines.append(f"      {one.snippet.kind}:")
        lines += [f"        {part}" for line in one.snippet.body for part in line.split("\n")]
    return lines + ([f"      {note}" for note in one.notes] if with_notes else [])


def _total(found: Usage) -> str:
    read = counted(found.files, "file")
    if found.ok and found.only:
        return f"No queries of {', '.join(found.only)}: {read} read."
    if found.ok:
        return f"Nothing calls Supabase: {read} read."
    totals = found.totals()
    parts = [_counted(totals[kind], noun) for kind, noun in _NOUNS.items() if totals[kind]]
    every = [one for table in found.tables for one in table.uses] + [
        one for use in found.others.values() for one in use
    ]
    unsure = sum(not one.use.sure for one in every)
    may = f" {unsure} of them may be another library's." if unsure else ""
    return f"{', '.join(parts)} in {totals['files']} of {read}.{may}"


def _counted(number: int, noun: str) -> str:
    return f"{number} queries" if noun == "query" and number != 1 else counted(number, noun)
