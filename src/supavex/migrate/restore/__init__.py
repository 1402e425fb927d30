"""The way back: documents into the tables of another PostgreSQL."""
