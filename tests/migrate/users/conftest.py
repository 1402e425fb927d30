"""The fixtures of every test that needs a real PostgreSQL."""

from tests.databases import database, server

__all__ = ["database", "server"]
