"""Tests of supavex.mapping.conversions."""
