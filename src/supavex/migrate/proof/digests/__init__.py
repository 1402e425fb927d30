"""Rows and documents in one canonical form, summed, so that equal buckets need no comparison."""
