"""``--to``: which deployment a command works on."""

from __future__ import annotations

import click

from supavex.deployment import Deployment
from supavex.errors import UsageError
from supavex.project import Project

to_option = click.option(
    "--to", "to", default="local", metavar="TARGET", help="The deployment; `local` is the one in .supavex/."
)


def open_target(project: Project, to: str) -> Deployment:
    """The deployment that ``--to`` names. Raises for one that this version can't reach."""
    if to != "local":
        raise UsageError(
            "UnsupportedTarget",
            f"{to}: this version works on the local deployment only.",
            hint="Push with `npx convex dev --once`, and import the archive of `supavex migrate --out FILE.zip` with "
            "`npx convex import --replace FILE.zip`.",
        )
    project.make_state()
    return Deployment(project.state / "deployment.sqlite3")
