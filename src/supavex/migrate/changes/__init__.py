"""Finds the rows that changed since a baseline, and the tables that a copy of the changes takes."""
