"""Reads a deployment, or an export of one."""
