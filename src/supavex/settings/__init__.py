"""The settings of a project in its ``supavex.toml``, and the schema that it names."""
