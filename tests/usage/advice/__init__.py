"""Tests of supavex.usage.advice."""
