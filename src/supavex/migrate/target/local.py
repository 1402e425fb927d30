"""The local deployment of a project."""

from __future__ import annotations

from supavex.deployment import Deployment
from supavex.errors import UsageError
from supavex.settings.settings import Settings


def local_deployment(project: Settings, to: str = "local", *, make: bool = True) -> Deployment:
    """The deployment in the project's ``.supavex``. Without ``make``, raises if no schema was pushed yet.

    Raises :class:`~supavex.errors.UsageError` for targets other than ``local``.
    """
    if to != "local":
        raise UsageError("UnsupportedTarget", f"{to}: this command works on the local deployment only.")
    path = project.state / "deployment.sqlite3"
    if not make and not path.exists():
        raise UsageError("SchemaNotDeployed", "the deployment has no schema yet.", hint="Run `supavex deploy` first.")
    project.make_state()
    return Deployment(path)
