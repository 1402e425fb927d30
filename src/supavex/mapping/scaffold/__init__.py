"""``supavex scaffold``: Python definitions for source tables that have none, as a careful person would write them.

The text goes into the ``define_schema({…})`` of the project's schema.py, after what is there, which stays as it is;
what can only be said in supavex.toml (renames, columns left behind) is appended there.
"""

from supavex.mapping.scaffold.definitions import Scaffolded, scaffold
from supavex.mapping.scaffold.module import insert, new_file, with_rules

__all__ = ["Scaffolded", "insert", "new_file", "scaffold", "with_rules"]
