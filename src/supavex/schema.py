"""The names for a project's schema.py: ``from supavex.schema import define_schema, define_table, v``."""

from supavex.convex.auth_tables import auth_tables
from supavex.convex.schema import Schema, Table, TableDefinition, define_schema, define_table, v

__all__ = ["Schema", "Table", "TableDefinition", "auth_tables", "define_schema", "define_table", "v"]
