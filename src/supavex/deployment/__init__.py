"""A Convex deployment in one process, on one SQLite file. Knows Convex, and nothing of PostgreSQL."""

from typing import TYPE_CHECKING

from supavex.deployment.database.queries import Query
from supavex.deployment.deployment import Deployment

if TYPE_CHECKING:
    from supavex.deployment.functions.in_process import FunctionFailed

__all__ = ["Deployment", "FunctionFailed", "Query"]


def __getattr__(name: str) -> object:
    # What runs functions is loaded by who does.
    if name == "FunctionFailed":
        from supavex.deployment.functions.in_process import FunctionFailed

        return FunctionFailed
    raise AttributeError(name)
