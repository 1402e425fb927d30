"""A Convex deployment in one process, on one SQLite file. Knows Convex, and nothing of PostgreSQL."""

from supavex.deployment.deployment import Deployment
from supavex.deployment.queries import Query

__all__ = ["Deployment", "Query"]
