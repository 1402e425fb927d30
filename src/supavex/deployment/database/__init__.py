"""The documents, indexes and transactions of a deployment, on one SQLite file."""
