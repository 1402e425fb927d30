"""What the source is: a throw-away server, replay of migration files, the catalog, rows as columns.

Knows nothing of Convex.
"""
