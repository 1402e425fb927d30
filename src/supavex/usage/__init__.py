"""What of an app's code still calls Supabase, and what to write in its place."""
