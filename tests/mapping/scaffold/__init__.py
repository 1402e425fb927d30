"""Tests of supavex.mapping.scaffold."""
