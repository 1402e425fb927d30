"""The PostgreSQL source: a temporary server, the replay of migration files, the catalog, rows as columns.

:mod:`.replay` builds a database of a project's files in a temporary :mod:`.server`. A live source is read by
:mod:`.connection`. Of both, :mod:`.inspection` reads the :mod:`.catalog`, and :mod:`.columns` the rows, at one
:mod:`.snapshot`. This package does not know Convex.
"""
