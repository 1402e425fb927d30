"""Writes Convex code for calls of Supabase.

:mod:`.advice` chooses the advice for each use. For queries, :mod:`.snippets` writes functions by the project's schema.
"""
