"""Conversions of PostgreSQL types, one module a family."""
