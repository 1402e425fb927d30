"""Migrates the rows and proves the result: copy, import, proof, restore, rollback, and their reports."""
