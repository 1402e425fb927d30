"""Sums rows and documents in one canonical form, so that equal buckets need no comparison.

:mod:`.table` compares the sums of the two sides, and :mod:`.forms` has the canonical form of each type.
"""
