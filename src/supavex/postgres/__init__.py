"""What the source is: a throw-away server, replay of migration files, the catalog, columns of rows.

Knows nothing of Convex.
"""
