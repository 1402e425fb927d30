"""Tests of supavex.rules.proof."""
