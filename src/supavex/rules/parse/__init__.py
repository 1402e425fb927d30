"""Parses SQL to the typed form, with PostgreSQL's grammar and the project's plan.

Importing this package registers the readers of calls and of subqueries.
"""

from supavex.rules.parse import calls, selects

__all__ = ["calls", "selects"]
