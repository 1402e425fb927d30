"""What Convex is: names, limits, values, ids, validators, schemas, index keys, snapshot archives, TypeScript.

Pure: no input or output but snapshot archives, and no knowledge of PostgreSQL.
"""
