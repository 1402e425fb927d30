"""The dashboard: the contents of a served deployment as pages that need no script. It changes nothing.

:mod:`.routes` leads to the pages, of which each module makes one or two. :mod:`.rendering` writes them as HTML.
"""

from supavex.deployment.dashboard.routes import routes

__all__ = ["routes"]
