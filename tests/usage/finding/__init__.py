"""Tests of supavex.usage.finding."""
