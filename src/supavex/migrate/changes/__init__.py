"""Finds the rows that changed since a baseline, and selects the tables that a copy of the changes takes.

:mod:`.detection` finds the rows, :mod:`.selection` the tables, and :mod:`.recorder` writes the next baseline.
"""
