"""Stored files: copies buckets and large values into an archive."""
