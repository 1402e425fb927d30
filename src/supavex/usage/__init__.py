"""Finds an app's calls of Supabase, and writes their replacement."""
