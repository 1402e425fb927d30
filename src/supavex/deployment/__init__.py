"""A Convex deployment on one SQLite file. This package knows Convex, and does not know PostgreSQL.

``database`` holds the documents. ``runtime`` runs JavaScript, and ``functions`` runs the app's functions in it, on
transactions of the database. ``transfer`` imports and exports. :mod:`.deployment` joins these four. ``server`` speaks
Convex's protocol, ``dashboard`` shows pages, and :mod:`.serving` starts both.
"""

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
