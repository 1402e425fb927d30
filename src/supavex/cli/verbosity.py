"""The amount of a command's output and its colors: ``-q``, ``-v``, ``--color``, NO_COLOR and FORCE_COLOR.

Results go to standard output. Other lines go to standard error through :func:`log` and :func:`next_step`.
"""

from __future__ import annotations

import os
import shlex
import sys
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Literal

import click


@dataclass(slots=True)
class Verbosity:
    """The requested output of this run. ``options``: the options that name the project, for command lines."""

    quiet: bool = False
    verbose: bool = False
    color: Literal["auto", "always", "never"] = "auto"
    options: str = ""


_current: ContextVar[Verbosity] = ContextVar("verbosity")


def start() -> None:
    """Resets the state, because tests run several commands in one process."""
    _current.set(Verbosity())


def current() -> Verbosity:
    """The requested output of this run."""
    try:
        return _current.get()
    except LookupError:
        start()
        return _current.get()


def colored() -> bool | None:
    """Whether output is colored; None: if it goes to a terminal.

    ``--color`` has priority, then NO_COLOR (no-color.org), then FORCE_COLOR, then TERM=dumb.
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


def on_terminal() -> bool:
    """Whether standard error is a terminal that can wipe a line. One of TERM=dumb can't: it gets whole lines."""
    return sys.stderr.isatty() and os.environ.get("TERM") != "dumb"


def log(line: str) -> None:
    """Prints a line that is not a result: on standard error, and not with ``-q``."""
    if not current().quiet:
        click.echo(line, err=True)


def next_step(*commands: str) -> None:
    """Prints the next ``supavex`` commands, given without that word, with the options that name this project."""
    options = current().options
    for number, command in enumerate(commands):
        line = f"supavex {command}{f' {options}' if options else ''}"
        log(f"{'Next:' if number == 0 else '  or:'} {line}")


def named_project(folder: str, config: str | None) -> None:
    """Records the options that name the project, for :func:`next_step`."""
    parts = [] if folder in (".", "") else ["-C", folder]
    parts += [] if config is None else ["--config", config]
    current().options = shlex.join(parts)


def _set_color(context: click.Context, parameter: click.Parameter, value: str | None) -> None:
    if value is not None:
        current().color = value  # type: ignore[assignment]
    # The context of a subcommand copies the color of its parent when it is made.
    context.color = context.find_root().color = colored()


def _set_quiet(context: click.Context, parameter: click.Parameter, value: bool) -> None:
    current().quiet |= value


def _set_verbose(context: click.Context, parameter: click.Parameter, value: bool) -> None:
    current().verbose |= value


def shared_options() -> list[click.Option]:
    """The options that may stand before a command or after it."""
    return [
        click.Option(["-q", "--quiet"], is_flag=True, expose_value=False, callback=_set_quiet, is_eager=True,
                     help="Print only results, warnings and errors."),
        click.Option(["-v", "--verbose"], is_flag=True, expose_value=False, callback=_set_verbose, is_eager=True,
                     help="Print every finding, and the traceback of an error."),
        click.Option(["--color"], type=click.Choice(["auto", "always", "never"]), expose_value=False, is_eager=True,
                     callback=_set_color, help="Colors. Default: on a terminal, or as NO_COLOR and FORCE_COLOR say."),
    ]  # fmt: skip
