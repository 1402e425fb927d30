"""Runs Convex's own CLI in the app's folder."""
