"""``--to``: which deployment a command works on."""

from __future__ import annotations

import click

from supavex.deployment import Deployment
from supavex.errors import UsageError
from supavex.project import Project

to_option = click.option(
    "--to",
    "to",
    default="local",
    metavar="TARGET",
    help="The deployment: `local` (in .supavex/), `cloud` (the app's own), or a URL.",
)


def open_target(project: Project, to: str) -> Deployment:
    """The local deployment. Raises where ``--to`` names another one."""
    if to != "local":
        raise UsageError("UnsupportedTarget", f"{to}: this command works on the local deployment only.")
    project.make_state()
    return Deployment(project.state / "deployment.sqlite3")
