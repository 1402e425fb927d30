"""Writes Convex code for calls of Supabase."""
