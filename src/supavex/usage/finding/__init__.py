"""From source text to calls."""
