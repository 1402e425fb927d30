"""``supavex scaffold``: writes Python definitions for source tables without one, in a careful person's style.

The text is added to the ``define_schema({…})`` of the project's schema.py, after the existing entries, which are not
changed. Settings that belong in supavex.toml (renames, skipped columns) are appended there.
"""

from supavex.mapping.scaffold.definitions import Scaffolded, scaffold
from supavex.mapping.scaffold.module import insert, new_file, with_rules

__all__ = ["Scaffolded", "insert", "new_file", "scaffold", "with_rules"]
