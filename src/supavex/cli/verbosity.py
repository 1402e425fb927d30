"""How much a command says and whether in colors: ``-q``, ``-v``, ``--color``, NO_COLOR and FORCE_COLOR.

Results go to standard output; what is said beside them goes to standard error by :func:`log` and :func:`next_step`.
"""

from __future__ import annotations

import os
import shlex
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Literal

import click


@dataclass(slots=True)
class Verbosity:
    """What this run was asked for. ``options``: those that name the project, as a command line takes them."""

    quiet: bool = False
    verbose: bool = False
    color: Literal["auto", "always", "never"] = "auto"
    options: str = ""


_current: ContextVar[Verbosity] = ContextVar("verbosity")


def start() -> None:
    """Forgets what an earlier run in this process was asked for."""
    _current.set(Verbosity())


def current() -> Verbosity:
    """What this run was asked for."""
    try:
        return _current.get()
    except LookupError:
        start()
        return _current.get()


def colored() -> bool | None:
    """Whether output is colored; None: where it goes to a terminal.

    ``--color`` comes first, then NO_COLOR (no-color.org), then FORCE_COLOR, then a terminal that can't (TERM=dumb).
    """
    asked = current().color
    if asked != "auto":
        return asked == "always"
    if os.environ.get("NO_COLOR"):
        return False
    force = os.environ.get("FORCE_COLOR")
    if force:
        return force.lower() not in ("0", "false", "no")
    return False if os.environ.get("TERM") == "dumb" else None


def log(line: str) -> None:
    """Says a line beside the results: on standard error, and not with ``-q``."""
    if not current().quiet:
        click.echo(line, err=True)


def next_step(*commands: str) -> None:
    """Says what to type next: ``supavex`` commands without that word, with the options that name this project."""
    options = current().options
    for number, command in enumerate(commands):
        line = f"supavex {command}{f' {options}' if options else ''}"
        log(f"{'Next:' if number == 0 else '  or:'} {line}")


def named_project(folder: str, config: str | None) -> None:
    """Remembers the options that name the project, for :func:`next_step`."""
    parts = [] if folder in (".", "") else ["-C", folder]
    parts += [] if config is None else ["--config", config]
    current().options = shlex.join(parts)


def _set_color(context: click.Context, parameter: click.Parameter, value: str | None) -> None:
    if value is not None:
        current().color = value  # type: ignore[assignment]
    # Contexts of subcommands take the color of the one above when they are made.
    context.color = context.find_root().color = colored()


def _set_quiet(context: click.Context, parameter: click.Parameter, value: bool) -> None:
    current().quiet |= value


def _set_verbose(context: click.Context, parameter: click.Parameter, value: bool) -> None:
    current().verbose |= value


def shared_options() -> list[click.Option]:
    """Options that stand before a command as well as behind it."""
    return [
        click.Option(["-q", "--quiet"], is_flag=True, expose_value=False, callback=_set_quiet, is_eager=True,
                     help="Print only results, warnings and errors."),
        click.Option(["-v", "--verbose"], is_flag=True, expose_value=False, callback=_set_verbose, is_eager=True,
                     help="Print every finding, and the traceback of an error."),
        click.Option(["--color"], type=click.Choice(["auto", "always", "never"]), expose_value=False, is_eager=True,
                     callback=_set_color, help="Colors. Default: on a terminal, or as NO_COLOR and FORCE_COLOR say."),
    ]  # fmt: skip
