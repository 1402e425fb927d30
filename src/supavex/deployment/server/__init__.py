"""``supavex serve``: a deployment behind Convex's own protocol, for the official CLI."""
