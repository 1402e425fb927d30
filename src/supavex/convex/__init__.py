"""Convex's formats and rules: names, limits, values, ids, validators, schemas, index keys, snapshot archives,
TypeScript.

This package reads and writes nothing but snapshot archives. It does not know PostgreSQL.
"""
