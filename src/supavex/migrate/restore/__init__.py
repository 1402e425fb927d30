"""Restores documents into the tables of another PostgreSQL database."""
