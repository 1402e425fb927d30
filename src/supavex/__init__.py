"""Takes a Supabase project to Convex: the schema, the data, and the proof."""

__version__ = "0.1.0"
