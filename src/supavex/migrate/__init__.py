"""Doing it: reading, encoding, writing the archive, rejects, verification, reports."""
