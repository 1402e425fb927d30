"""Runs the app's JavaScript in separate processes."""
