"""Pushed functions, one behaviour a file. Their TypeScript is in apps/, pushed once by the official CLI."""
