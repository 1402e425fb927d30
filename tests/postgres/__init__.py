"""Tests of supavex.postgres."""
