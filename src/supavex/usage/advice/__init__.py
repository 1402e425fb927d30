"""From calls to Convex code."""
