"""A Convex deployment in one process, on one SQLite file. This package knows Convex, and does not know PostgreSQL."""

from typing import TYPE_CHECKING

from supavex.deployment.database.queries import Query
from supavex.deployment.deployment import Deployment

if TYPE_CHECKING:
    from supavex.deployment.functions.in_process import FunctionFailed

__all__ = ["Deployment", "FunctionFailed", "Query"]


def __getattr__(name: str) -> object:
    # The modules that run functions are imported only when they are used.
    if name == "FunctionFailed":
        from supavex.deployment.functions.in_process import FunctionFailed

        return FunctionFailed
    raise AttributeError(name)
