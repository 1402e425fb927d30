"""Convex's own CLI, run in the app's folder."""
