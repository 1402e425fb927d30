"""Translates PostgreSQL's policies and constraints to TypeScript, and proves that both sides agree."""
