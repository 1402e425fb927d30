"""Finds calls of Supabase in source text.

:mod:`.sources` reads the files, :mod:`.syntax` reduces each to chains of calls, :mod:`.clients` finds the chains that
begin with a client, and :mod:`.calls` the uses in them.
"""
