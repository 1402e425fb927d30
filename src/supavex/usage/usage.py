"""``supavex usage``: an app's calls of Supabase, table by table, and their replacement."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from supavex.errors import UsageError
from supavex.settings.settings import Settings
from supavex.steps import step
from supavex.usage.advice.advice import Advice, advise, table_notes
from supavex.usage.advice.tables import Sides, read_sides
from supavex.usage.finding.calls import Use, find_uses
from supavex.usage.finding.functions import find_functions
from supavex.usage.finding.sources import read_sources

#: The kinds of uses other than of tables, in the order of the report, with their titles.
KINDS = {
    "rpc": "Database functions",
    "auth": "Sign-in",
    "storage": "Files",
    "realtime": "Live channels",
    "function": "Edge functions",
    "client": "Clients",
}


@dataclass(slots=True)
class TableUsage:
    """The uses of one table. ``name`` is empty if the code computes it."""

    name: str
    status: str
    convex: str
    notes: list[str]
    uses: list[Advice] = field(default_factory=list)


@dataclass(slots=True)
class Usage:
    """The uses of Supabase in an app."""

    #: The app's folder.
    app: str
    #: Whether there is advice.
    advised: bool
    #: The uses of tables, by table.
    tables: list[TableUsage]
    #: The uses other than of tables, by kind.
    others: dict[str, list[Advice]]
    #: Files with Supabase's generated types.
    types: list[str]
    #: Files that were not read, with the reason.
    left_out: dict[str, str]
    #: The number of files that were read.
    files: int
    #: Gaps of the advice.
    notes: list[str]
    #: The requested tables, if only these were requested.
    only: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether no use is left (among the requested tables)."""
        return not self.tables and not any(self.others.values())

    def totals(self) -> dict[str, int]:
        """The number of uses by kind, and the number of files with uses."""
        every = [a for table in self.tables for a in table.uses] + [a for one in self.others.values() for a in one]
        tables = {"table": sum(len(table.uses) for table in self.tables)}
        kinds = {kind: len(found) for kind, found in self.others.items()}
        return {**tables, **kinds, "files": len({a.use.file for a in every})}

    def to_json(self) -> dict[str, Any]:
        """The JSON of ``usage --json``."""
        return {
            "ok": self.ok,
            "app": self.app,
            "advised": self.advised,
            "tables": [
                {
                    "table": table.name or None,
                    "status": table.status,
                    "convex": table.convex,
                    "notes": table.notes,
                    "uses": [one.to_json() for one in table.uses],
                }
                for table in self.tables
            ],
            **{kind: [one.to_json() for one in found] for kind, found in self.others.items()},
            "types": self.types,
            "files": {"read": self.files, "left_out": self.left_out},
            "notes": self.notes,
            "totals": self.totals(),
        }


def usage(
    project: Settings | None, app: Path | None = None, tables: frozenset[str] | None = None, *, why: str = ""
) -> Usage:
    """Finds the uses of Supabase in the app's folder. It only reads files, and runs nothing of the app.

    ``project`` None: there is no advice, for the reason ``why``. ``app`` None: the folder with the convex folder, or
    the project's. ``tables``: only these, by the source's or Convex's name. Raises :class:`~supavex.errors.UsageError`
    if a folder or table does not exist.
    """
    folder = app if app is not None else default_app(project)
    if not folder.is_dir():
        raise UsageError("NoApp", "there is no such folder.", where=str(folder), hint="Name the app's folder.")
    with step("reading the app's code"):
        sources = read_sources(folder)
        uses = find_uses(sources)
        functions = find_functions(sources.files, _convex_folder(project, folder))
    sides = read_sides(project, why)
    wanted = None if tables is None else _wanted(tables, uses, sides)
    if wanted is not None:
        uses = [use for use in uses if _names(use, sides) & wanted]
    with step("writing advice"):
        advices = [advise(use, sides, functions) for use in uses]
    return Usage(
        app=str(folder),
        advised=sides.schema is not None,
        tables=_by_table([one for one in advices if one.use.kind == "table"], sides),
        others={kind: [one for one in advices if one.use.kind == kind] for kind in KINDS},
        types=sources.types if wanted is None else [],
        left_out=dict(sorted(sources.left_out.items())),
        files=len(sources.files),
        notes=[note for note in sides.notes if note],
        only=tuple(sorted(tables or ())),
    )


def default_app(project: Settings | None) -> Path:
    """The folder of the convex folder, if it exists; else the project's."""
    if project is None:
        return Path()
    return project.convex_folder.parent if project.convex_folder.is_dir() else project.root


def _convex_folder(project: Settings | None, app: Path) -> str:
    folder = project.convex_folder if project is not None else app / "convex"
    try:
        return folder.resolve().relative_to(app.resolve()).as_posix()
    except ValueError:
        return "convex"


def _names(use: Use, sides: Sides) -> set[str]:
    name = use.name if use.kind == "table" else use.table if use.kind == "realtime" else ""
    if not name:
        return set()
    side = sides.table(name, use.schema)
    own = f"{use.schema}.{name}" if use.schema else name
    return {own, side.source if side.plan is not None else "", side.target, side.plan.name if side.plan else ""} - {""}


def _wanted(tables: frozenset[str], uses: Sequence[Use], sides: Sides) -> set[str]:
    known = {name for use in uses for name in _names(use, sides)} | set(sides.tables)
    known |= {side.target for side in sides.tables.values() if side.target}
    known |= set(sides.schema.tables) if sides.schema is not None else set()
    for name in sorted(tables):
        if name not in known:
            close = difflib.get_close_matches(name, known, n=1)
            hint = f"Did you mean {close[0]}?" if close else f"Tables: {', '.join(sorted(known))}."
            raise UsageError("UnknownTable", f"there is no table {name}.", hint=hint)
    return set(tables)


def _by_table(advices: Sequence[Advice], sides: Sides) -> list[TableUsage]:
    found: dict[tuple[str, str], TableUsage] = {}
    for advice in advices:
        use = advice.use
        at = (use.schema, use.name)
        if at not in found:
            name = f"{use.schema}.{use.name}" if use.schema and use.name else use.name
            if not name or sides.schema is None:
                found[at] = TableUsage(name, "", "", [])
            else:
                side = sides.table(use.name, use.schema)
                found[at] = TableUsage(name, side.status, side.target, table_notes(side))
        found[at].uses.append(advice)
    # Tables with a name come first, the unknown last.
    return sorted(found.values(), key=lambda table: (not table.name, table.name))
