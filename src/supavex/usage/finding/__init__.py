"""Finds calls in source text."""
