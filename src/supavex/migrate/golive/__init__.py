"""Migrates into a deployment that only Convex's own tools reach, and back.

:mod:`.remote` migrates, :mod:`.rollback` goes back, and both import by :mod:`.guarded_import`. :mod:`.cutover` plans
the move of the running app.
"""
