"""Options that several commands share, and the output of findings and tables."""

from __future__ import annotations

import json
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from supavex.cli.verbosity import current, log, named_project
from supavex.diagnostics import Diagnostic
from supavex.errors import UsageError
from supavex.library import Project
from supavex.settings.reading import project_folder

F = TypeVar("F", bound=Callable[..., Any])
_COLOURS = {"error": "red", "warning": "yellow", "note": "blue"}
_LISTED = 5
#: The most warnings or notes of one code that are shown in full. Of more, the first :data:`_LISTED` are shown.
_OF_A_KIND = 10


def folder_option(help: str = "The project's folder. Default: here, or the nearest above.") -> Callable[[F], F]:
    """``-C DIR`` as ``folder``, by default ``.``. It is relative to the folder of a ``-C`` before the command."""
    return click.option("-C", "folder", metavar="DIR", callback=_from_the_group, help=help)


def _from_the_group(context: click.Context, parameter: click.Parameter, value: str | None) -> str:
    above = context.find_root().params.get("folder")
    return str(Path(*(part for part in (above, value) if part is not None)))


def project_options(function: F) -> F:
    """``-C DIR`` as ``folder`` and ``--config FILE``; :func:`open_project` takes both."""
    function = click.option("--config", metavar="FILE", help="The configuration file. Default: supavex.toml.")(function)
    return folder_option()(function)


json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object on standard output.")


def open_project(folder: str, config: str | None) -> Project:
    """The project of ``-C`` and ``--config``: in that folder, or else in the nearest one above it."""
    named_project(folder, config)
    root = project_folder(Path(folder), config)
    if root != Path(folder).resolve():
        log(f"Project: {root}")
    project = Project(root, config)
    settings = project.settings
    if settings.database_url:
        from supavex.postgres.connection import without_password  # psycopg is slow to import.

        log(f"Source: {without_password(settings.database_url)} ({settings.database_url_place})")
    return project


def confirmed(question: str, hint: str, changes: str, *, yes: bool) -> bool:
    """Whether a person agrees to ``changes``. Raises :class:`~supavex.errors.UsageError` if there is neither a terminal
    nor ``yes``.
    """
    click.echo(changes, err=True)
    if not yes and not sys.stdin.isatty():
        raise UsageError("NotConfirmed", "there is no terminal to ask on.", hint=hint)
    return yes or click.confirm(question, err=True)


def print_json(data: Any) -> None:
    """One JSON object on standard output."""
    click.echo(json.dumps(data, ensure_ascii=False, indent=2))


def print_diagnostics(diagnostics: Sequence[Diagnostic], *, err: bool = False) -> None:
    """Prints findings, the worst first. A finding at several places is printed once, with the places."""
    groups: dict[tuple[str, str, str, str], list[Diagnostic]] = defaultdict(list)
    for diagnostic in diagnostics:
        if diagnostic.severity == "note" and current().quiet:
            continue
        groups[diagnostic.severity, diagnostic.code, diagnostic.message, diagnostic.hint].append(diagnostic)
    rank = {"error": 0, "warning": 1, "note": 2}
    listed, of_a_kind = (len(diagnostics),) * 2 if current().verbose else (_LISTED, _OF_A_KIND)
    kinds = Counter((severity, code) for severity, code, _, _ in groups)
    shown: Counter[tuple[str, str]] = Counter()
    for (severity, code, message, hint), group in sorted(groups.items(), key=lambda item: rank[item[0][0]]):
        kind = (severity, code)
        shown[kind] += 1
        if severity != "error" and kinds[kind] > of_a_kind and shown[kind] > listed:
            if shown[kind] == kinds[kind]:
                label = click.style(severity, fg=_COLOURS[severity], bold=True)
                click.echo(
                    f"{label}[{code}] … and {kinds[kind] - listed} more of this kind (all of them: --json)", err=err
                )
            continue
        label = click.style(severity, fg=_COLOURS[severity], bold=True)
        places = [d.where for d in group]
        if len(places) == 1:
            click.echo(f"{label}[{code}] {places[0]}: {message}", err=err)
        else:
            click.echo(f"{label}[{code}] at {len(places)} places: {message}", err=err)
            for place in places[:listed]:
                click.echo(f"    {place}", err=err)
            if len(places) > listed:
                click.echo(f"    … and {len(places) - listed} more (all of them: --json)", err=err)
        if hint:
            click.echo(f"    {hint}", err=err)
