"""Arrow columns become JSON lines."""
