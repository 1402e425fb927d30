"""Converts Arrow columns to JSON lines."""
