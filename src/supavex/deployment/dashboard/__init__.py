"""The dashboard: the contents of a served deployment as pages that need no script. It changes nothing."""

from supavex.deployment.dashboard.routes import routes

__all__ = ["routes"]
