"""``supavex build``: writes schema.py as the TypeScript that Convex reads. It never overwrites a person's file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from supavex.convex.compile import compile_schema
from supavex.convex.schema import Schema
from supavex.convex.typescript import defaults_module, is_generated, schema_module, tables_module
from supavex.diagnostics import Diagnostic, has_errors
from supavex.errors import SupavexError
from supavex.files import check_inside
from supavex.mapping.names import camel_case
from supavex.mapping.table_numbers import load_lock, save_lock, with_new_tables
from supavex.settings.schema_file import load_schema
from supavex.settings.settings import Settings
from supavex.steps import step

SCHEMA, TABLES, DEFAULTS = "schema.ts", "supavexTables.ts", "defaults.ts"


@dataclass(frozen=True, slots=True)
class Built:
    """A generated file: its path, and whether it was written, is up to date, or (with ``check``) is stale
    or missing.
    """

    path: Path
    state: Literal["written", "unchanged", "stale"]


@dataclass(frozen=True, slots=True)
class Build:
    """The result of a build. ``spread``: schema.ts is hand-written and has to spread ``supavexTables``."""

    files: list[Built]
    diagnostics: list[Diagnostic]
    spread: bool

    @property
    def stale(self) -> bool:
        """Whether a file was not up to date (only with ``check``)."""
        return any(file.state == "stale" for file in self.files)


def existing_targets(project: Settings, schema: Schema) -> set[str]:
    """The Convex tables that supavex.toml declares existing. A hand-written schema.ts defines them."""
    names = set()
    for source, rule in project.tables.items():
        if rule.existing is not None:
            bare = source.rpartition(".")[2]
            names |= {rule.to} if rule.to else {bare, camel_case(bare)}
    return {name for name in schema.tables if name in names}


def generated_files(project: Settings, schema: Schema) -> tuple[dict[Path, str], bool]:
    """The files to write with their texts, and whether a hand-written schema.ts has to spread the tables."""
    folder = project.convex_folder
    source = project.shown(project.schema_file)
    existing = existing_targets(project, schema)
    hand_written = folder / SCHEMA
    spread = bool(existing) or (hand_written.exists() and not is_generated(hand_written.read_text(encoding="utf-8")))
    moved = {name: table for name, table in schema.tables.items() if name not in existing}
    name, text = (TABLES, tables_module(moved, source)) if spread else (SCHEMA, schema_module(schema, source))
    files = {folder / name: text, folder / DEFAULTS: defaults_module(Schema(moved), source)}
    return files, spread


@step("building the TypeScript")
def build(project: Settings, *, check: bool = False) -> Build:
    """Writes schema.ts (or supavexTables.ts beside a hand-written one), defaults.ts and supavex.lock.

    With ``check`` nothing is written. Raises :class:`~supavex.errors.SupavexError` if the schema has errors, or if a
    person wrote a file of that name.
    """
    schema = load_schema(project)
    diagnostics = compile_schema(schema)
    if has_errors(diagnostics):
        first = next(d for d in diagnostics if d.severity == "error")
        raise SupavexError(
            "CheckFailed",
            f"{first.code}: {first.message}",
            where=first.where,
            hint="`supavex check` shows all findings.",
        )
    files, spread = generated_files(project, schema)
    built = []
    for path, text in files.items():
        present = path.read_text(encoding="utf-8") if path.exists() else None
        if present == text:
            built.append(Built(path, "unchanged"))
            continue
        if present is not None and not is_generated(present):
            raise SupavexError(
                "NotGenerated",
                "supavex did not write this file, so it leaves it as it is.",
                where=project.shown(path),
                hint="Rename or remove it, or set another `convex` folder in supavex.toml.",
            )
        if check:
            built.append(Built(path, "stale"))
            continue
        check_inside(project.root, path, "the file", project.shown(path))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        built.append(Built(path, "written"))
    built.append(_lock(project, schema, check=check))
    return Build(built, diagnostics, spread)


def _lock(project: Settings, schema: Schema, *, check: bool) -> Built:
    pinned = load_lock(project.lock_file)
    numbers = with_new_tables(pinned, schema.tables)
    if numbers == pinned and project.lock_file.exists():
        return Built(project.lock_file, "unchanged")
    if check:
        return Built(project.lock_file, "stale")
    save_lock(project.lock_file, numbers)
    return Built(project.lock_file, "written")


def spread_hint() -> str:
    """The instruction for spreading the generated tables in a hand-written schema.ts."""
    return (
        f"schema.ts is yours and stays as it is. Spread {TABLES.removesuffix('.ts')} into it:\n"
        '    import { supavexTables } from "./supavexTables";\n'
        "    export default defineSchema({ ...supavexTables, /* your own tables */ });"
    )
