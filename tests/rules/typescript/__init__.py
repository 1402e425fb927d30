"""Tests of supavex.rules.typescript."""
