"""Imports snapshots and table files into a deployment, and exports it."""
