"""Stored files: copies the files of buckets, and large values, into an archive."""
