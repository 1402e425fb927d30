"""Tests of supavex.mapping."""
