"""Sums rows and documents in one canonical form, so that equal buckets need no comparison."""
