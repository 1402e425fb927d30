"""``--to``: which deployment a command works on."""

from __future__ import annotations

import click

from supavex.deployment import Deployment
from supavex.errors import SupavexError, UsageError
from supavex.project import Project

to_option = click.option(
    "--to",
    "to",
    default="local",
    metavar="TARGET",
    help="The deployment: `local` (in .supavex/), `cloud` (the app's own), or a URL.",
)


def open_target(project: Project, to: str, *, make: bool = True) -> Deployment:
    """The local deployment. Raises where ``--to`` names another one, or there is none and it is not to be made."""
    if to != "local":
        raise UsageError("UnsupportedTarget", "this command works on the local deployment only.")
    path = project.state / "deployment.sqlite3"
    if not make and not path.exists():
        raise SupavexError("SchemaNotDeployed", "the deployment has no schema yet.", hint="Run `supavex deploy` first.")
    project.make_state()
    return Deployment(path)
