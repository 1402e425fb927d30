"""Plans how PostgreSQL's tables become Convex's: names, keys, conversions, references, coverage.

:mod:`.source` finds the source's catalog, :mod:`.make_plan` makes a :mod:`.plan` of it and of the schema, and
:mod:`.check` reports the plan's gaps. ``conversions`` has the rule for each type. ``scaffold`` writes definitions that
the schema lacks. No lower package knows both PostgreSQL and Convex.
"""
