"""The option ``--to``: the deployment that a command works on."""

from __future__ import annotations

import shlex

import click

from supavex.cli.completion import complete_target

to_option = click.option(
    "--to",
    "to",
    default="local",
    metavar="TARGET",
    shell_complete=complete_target,
    help="The deployment: `local` (in .supavex/), `cloud` (the app's own), or a URL.",
)


def target_option(to: str | None) -> str:
    """The option for a command line, with a space before it; empty for the local deployment."""
    return "" if to in (None, "local") else f" --to {shlex.quote(str(to))}"
