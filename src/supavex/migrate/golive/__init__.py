"""Migrates into a deployment that only Convex's own tools reach, and back."""
