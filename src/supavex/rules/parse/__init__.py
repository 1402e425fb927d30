"""From SQL to the typed form, by PostgreSQL's own grammar against the plan of the project."""
