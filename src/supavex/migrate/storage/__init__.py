"""Stored files: from buckets and large values into an archive."""
