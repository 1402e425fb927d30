"""``supavex scaffold``: adds definitions for tables without one to schema.py and supavex.toml."""

from __future__ import annotations

from supavex.errors import UsageError
from supavex.files import check_inside
from supavex.mapping.scaffold import Scaffolded, insert, new_file, scaffold, with_rules
from supavex.mapping.source import Source
from supavex.settings.schema_file import load_schema
from supavex.settings.settings import Settings
from supavex.steps import step


@step("writing definitions")
def scaffold_files(project: Settings, *, write: bool = True) -> Scaffolded:
    """Scaffolds the source tables of ``project`` that have no definition; see :mod:`supavex.mapping.scaffold`.

    With ``write``, the definitions are added to schema.py, and renames to supavex.toml.
    """
    try:
        schema = load_schema(project)
        text = project.schema_file.read_text(encoding="utf-8-sig")
    except UsageError as error:
        if error.code != "NoSchema":
            raise
        schema, text = None, None
    source = Source(project)
    catalog, _ = source.catalog()
    made = scaffold(project, schema, catalog, source.look)
    if not write:
        return made
    old = project.config.read_text(encoding="utf-8-sig")
    rules = with_rules(old, made, project.shown(project.config)) if made.toml else old
    if made.tables or text is None:
        new = new_file(made) if text is None else insert(text, made, project.shown(project.schema_file))
        project.schema_file.write_text(new, encoding="utf-8")
    if made.toml:
        check_inside(project.root, project.config, "the file", project.config.name)
        project.config.write_text(rules, encoding="utf-8")
    return made
