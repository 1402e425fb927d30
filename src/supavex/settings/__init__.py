"""The settings of a project: what its ``supavex.toml`` says, and the schema that it names."""
