"""From SQL to the typed form, by PostgreSQL's own grammar against the plan of the project.

Importing this package registers the readers of calls and of subqueries.
"""

from supavex.rules.parse import calls, selects

__all__ = ["calls", "selects"]
