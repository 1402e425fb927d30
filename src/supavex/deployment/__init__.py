"""A Convex deployment in one process, on one SQLite file."""
