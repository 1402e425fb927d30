"""The PostgreSQL source: a temporary server, the replay of migration files, the catalog, rows as columns.

This package does not know Convex.
"""
