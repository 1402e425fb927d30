"""Finds an app's calls of Supabase, and writes their replacement.

``finding`` reads the app's source text, ``advice`` writes Convex code, and :mod:`.usage` makes the report.
"""
