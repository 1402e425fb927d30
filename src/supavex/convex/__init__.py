"""Convex's formats and rules: names, limits, values, ids, validators, schemas, index keys, snapshot archives,
TypeScript.

:mod:`.values` and :mod:`.validators` come first, then :mod:`.schema`, which is made of them. The only files that this
package reads or writes are snapshot archives. It does not know PostgreSQL.
"""
