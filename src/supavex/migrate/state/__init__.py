"""What a migration leaves in the project's folder."""
