"""The dashboard: what a served deployment holds, as pages that are readable without a script. It changes nothing."""

from supavex.deployment.dashboard.routes import routes

__all__ = ["routes"]
