"""``supavex usage``: app/ calls Supabase as real apps do; expected.json is what is found in it."""
