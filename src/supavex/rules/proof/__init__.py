"""Tests the rules: makes the same reads and writes as each user in PostgreSQL and in the deployment, and
compares them.

:mod:`.run` chooses the two sides, :mod:`.postgres` and :mod:`.convex`. :mod:`.attempts` makes the writes, and
:mod:`.comparison` compares the outcomes.
"""
