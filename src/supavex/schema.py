"""What a project's schema.py imports: ``from supavex.schema import define_schema, define_table, v``."""

from supavex.convex.schema import Schema, TableDefinition, define_schema, define_table, v

__all__ = ["Schema", "TableDefinition", "define_schema", "define_table", "v"]
