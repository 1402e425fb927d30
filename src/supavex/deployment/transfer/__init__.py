"""Snapshots and table files into a deployment, and out of it."""
