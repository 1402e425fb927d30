"""Chooses the tables that get a definition, and writes the text of each."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from dataclasses import field as field_

from supavex.convex.schema import Schema
from supavex.mapping.convex_auth import SOURCES
from supavex.mapping.creation import creation_column
from supavex.mapping.implied import ImpliedReference, Look, Place, implied_references, look_nowhere
from supavex.mapping.keys import Key, key_of
from supavex.mapping.large_values import toml_key
from supavex.mapping.names import camel_case
from supavex.mapping.scaffold.draft import Context, Draft, python_text
from supavex.mapping.scaffold.fields import add_fields, add_several_references, literals
from supavex.mapping.scaffold.indexes import indexes
from supavex.mapping.scaffold.naming import free, identifier, table_names
from supavex.postgres.catalog import Catalog, Column, Table
from supavex.settings.settings import Settings


@dataclass(frozen=True, slots=True)
class Scaffolded:
    """The definitions to add: Python text by table, lines for supavex.toml, and Convex's table names."""

    tables: dict[str, str]
    toml: list[str]
    #: Python text of the lists of literals that several fields share, by name.
    unions: dict[str, str] = field_(default_factory=dict)
    #: Whether tables refer to those of Convex Auth, which ``auth_tables()`` defines.
    convex_auth: bool = False

    @property
    def names(self) -> list[str]:
        """Convex's names of the new tables."""
        return list(self.tables)


def scaffold(project: Settings, schema: Schema | None, catalog: Catalog, look: Look = look_nowhere) -> Scaffolded:
    """Definitions for every table of ``catalog`` without a place in ``schema`` and supavex.toml.

    ``look`` answers from the rows about columns without a foreign key.
    """
    present = set(schema.tables) if schema is not None else set()
    keys = {_place(table): key_of(table, project.table_rule(*_place(table)).key) for table in catalog}
    moving, toml = list[Table](), list[str]()
    targets: dict[Place, str] = {}
    for table in catalog:
        if project.users.kind == "convex-auth" and table.qualified in SOURCES:
            targets[_place(table)] = SOURCES[table.qualified]  # auth_tables() defines them
        elif project.table_rule(*_place(table)).skip is not None:
            continue
        elif keys[_place(table)] is None and not _known(table, present):
            toml += ["", f"[tables.{_toml_name(project, table)}]", 'skip = "the table has no columns"']
        else:
            moving.append(table)
    names, new = table_names(project, moving, {*present, *targets.values()})
    targets |= names
    tables = [table for table in catalog if _place(table) in new]
    unions = _repeated_enums(tables)
    implied = _implied(project, catalog, tables, keys, targets, look)
    context = Context(project, targets, keys, implied, unions={place: name for place, (name, _) in unions.items()})
    made: dict[str, str] = {}
    for table in tables:
        key = keys[_place(table)]
        assert key is not None
        draft = _draft(context, table, key)
        made[draft.target] = _text(draft)
        default = next((n for n in (table.name, camel_case(table.name)) if n in {*present, *targets.values()}), None)
        rename = default != draft.target and project.table_rule(*_place(table)).to is None
        if rename or draft.toml:
            toml += ["", f"[tables.{_toml_name(project, table)}]"]
            toml += [f"to = {json.dumps(draft.target)}"] if rename else []
            toml += draft.toml
    return Scaffolded(made, toml, dict(unions.values()), project.users.kind == "convex-auth")


def _repeated_enums(tables: list[Table]) -> dict[Place, tuple[str, str]]:
    """The enums of more than one field: a name for the list of labels, and the list as Python."""
    types = [column.type.element or column.type for table in tables for column in table.columns]
    counts = Counter((type_.schema, type_.base) for type_ in types if type_.category == "e" and type_.labels)
    found: dict[Place, tuple[str, str]] = {}
    for type_ in types:
        place = (type_.schema, type_.base)
        if counts[place] > 1 and place not in found:
            name = identifier(type_.base, "enum").upper()
            if name in {known for known, _ in found.values()}:
                name = free(identifier(f"{type_.schema}_{type_.base}", "enum").upper(), {n for n, _ in found.values()})
            found[place] = name, f"[{', '.join(literals(type_))}]"
    return found


def _place(table: Table) -> Place:
    return table.schema, table.name


def _known(table: Table, present: set[str]) -> bool:
    return bool({table.name, camel_case(table.name)} & present)


def _toml_name(project: Settings, table: Table) -> str:
    return toml_key(table.name if table.schema == project.schemas[0] else table.qualified)


def _implied(
    project: Settings,
    catalog: Catalog,
    tables: list[Table],
    keys: Mapping[Place, Key | None],
    targets: Mapping[Place, str],
    look: Look,
) -> dict[tuple[Place, str], ImpliedReference]:
    """The references of ``tables`` without a foreign key, by table and column."""
    moving = {place: key for place, key in keys.items() if key is not None and place in targets}
    found = implied_references(
        _open_columns(project, tables), moving, {_place(table): table for table in catalog}, look
    )
    return {(reference.table, reference.column): reference for reference in found}


def _open_columns(project: Settings, tables: list[Table]) -> Iterator[tuple[Table, Column]]:
    """The columns whose values supavex.toml does not change."""
    for table in tables:
        for column in table.columns:
            rule = project.column_rule(project.table_rule(*_place(table)), column.name)
            if not (rule.skip is not None or rule.sql or rule.ids or rule.storage or rule.file):
                yield table, column


def _draft(context: Context, table: Table, key: Key) -> Draft:
    draft = Draft(table, context.targets[_place(table)], key)
    rule = context.project.table_rule(*_place(table))
    if key.form == "row" and not rule.key:
        draft.toml.append('key = ["*"]  # no primary key: name the columns that identify a row, if there are any')
    add_fields(context, draft)
    add_several_references(context, draft)
    created, likely = creation_column(table)
    if created is None and likely and rule.created is None:
        draft.notes.append(
            f"_creationTime: {' or '.join(likely)}? Choose one in supavex.toml: created = {json.dumps(likely[0])}"
        )
    return draft


def _text(draft: Draft) -> str:
    """The entry of ``define_schema({…})``, indented for it."""
    table = draft.table
    lines = [f"    {python_text(draft.target)}: define_table({{"]
    for name, field in draft.fields.items():
        lines += [f"        {line}" for line in field.lines(name)]
    comment = " ".join(table.comment.split())
    lines.append("    }" + (f", comment={python_text(comment)})" if comment else ")"))
    lines += [f"    {call}" for call in indexes(draft)]
    # Behind a comment, the comma would be part of the comment.
    last = max(index for index, line in enumerate(lines) if not line.lstrip().startswith("#"))
    lines[last] += ","
    head = [f"    # {text}" for text in (table.qualified, *draft.notes)]
    return "\n".join([*head, *lines]) + "\n"
