"""Writes the typed form as TypeScript: the policies, and the database wrapper that enforces them."""
