"""Options that many commands share, and how findings and tables are printed."""

from __future__ import annotations

import json
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import click

from supavex.diagnostics import Diagnostic
from supavex.errors import UsageError
from supavex.library import Project

F = TypeVar("F", bound=Callable[..., Any])
_COLOURS = {"error": "red", "warning": "yellow", "note": "blue"}
_LISTED = 5
#: Warnings or notes of one code that are shown; of more, the first :data:`_LISTED`.
_OF_A_KIND = 10


def project_options(function: F) -> F:
    """``-C DIR`` as ``folder`` and ``--config FILE``; :func:`open_project` takes both."""
    function = click.option("--config", metavar="FILE", help="Another file than supavex.toml.")(function)
    return click.option(
        "-C", "folder", metavar="DIR", default=".", help="The project's folder. Default: here.", show_default=False
    )(function)


json_option = click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")


def open_project(folder: str, config: str | None) -> Project:
    """The project that ``-C`` and ``--config`` name."""
    return Project(folder, config)


def confirmed(question: str, hint: str, changes: str, *, yes: bool) -> bool:
    """Whether a person agrees to ``changes``. Raises where there is no terminal to ask on, and no ``yes``."""
    click.echo(changes, err=True)
    if not yes and not sys.stdin.isatty():
        raise UsageError("NotConfirmed", "there is no terminal to ask on.", hint=hint)
    return yes or click.confirm(question, err=True)


def print_json(data: Any) -> None:
    """One JSON object on standard output."""
    click.echo(json.dumps(data, ensure_ascii=False, indent=2))


def print_diagnostics(diagnostics: Sequence[Diagnostic], *, err: bool = False) -> None:
    """Findings, worst first; the same finding at many places is said once, with the places."""
    groups: dict[tuple[str, str, str, str], list[Diagnostic]] = defaultdict(list)
    for diagnostic in diagnostics:
        groups[diagnostic.severity, diagnostic.code, diagnostic.message, diagnostic.hint].append(diagnostic)
    rank = {"error": 0, "warning": 1, "note": 2}
    kinds = Counter((severity, code) for severity, code, _, _ in groups)
    shown: Counter[tuple[str, str]] = Counter()
    for (severity, code, message, hint), group in sorted(groups.items(), key=lambda item: rank[item[0][0]]):
        kind = (severity, code)
        shown[kind] += 1
        if severity != "error" and kinds[kind] > _OF_A_KIND and shown[kind] > _LISTED:
            if shown[kind] == kinds[kind]:
                label = click.style(severity, fg=_COLOURS[severity], bold=True)
                click.echo(
                    f"{label}[{code}] … and {kinds[kind] - _LISTED} more of this kind (all of them: --json)", err=err
                )
            continue
        label = click.style(severity, fg=_COLOURS[severity], bold=True)
        places = [d.where for d in group]
        if len(places) == 1:
            click.echo(f"{label}[{code}] {places[0]}: {message}", err=err)
        else:
            click.echo(f"{label}[{code}] at {len(places)} places: {message}", err=err)
            for place in places[:_LISTED]:
                click.echo(f"    {place}", err=err)
            if len(places) > _LISTED:
                click.echo(f"    … and {len(places) - _LISTED} more (all of them: --json)", err=err)
        if hint:
            click.echo(f"    {hint}", err=err)
