"""The fixtures of every test that needs a real PostgreSQL."""

from tests.databases import database, folder, server

__all__ = ["database", "folder", "server"]
