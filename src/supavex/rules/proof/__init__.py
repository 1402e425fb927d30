"""Tests the rules: makes the same reads and writes as each user in PostgreSQL and in the deployment, and
compares them.
"""
