"""Tests of the local deployment, on SQLite files of their own."""
