"""Runs Convex's own CLI in the app's folder, for deployments that only the CLI reaches, and to bundle functions."""
