"""Converts PostgreSQL's schema to Convex's: names, conversions, references, coverage. No lower package knows both."""
