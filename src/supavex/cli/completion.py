"""Shell completion of tables and targets, as far as they are known without a server."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem

from supavex.errors import SupavexError
from supavex.settings.reading import load_settings, project_folder
from supavex.settings.settings import Settings


def complete_table(context: click.Context, parameter: click.Parameter, typed: str) -> list[CompletionItem]:
    """Source tables that begin with the typed text."""
    project = _project(context)
    return _items("", typed, _tables(project) if project else ())


def complete_tables(context: click.Context, parameter: click.Parameter, typed: str) -> list[CompletionItem]:
    """As :func:`complete_table`, for the last name of a comma-separated list."""
    before, comma, last = typed.rpartition(",")
    project = _project(context)
    return _items(before + comma, last, _tables(project) if project else ())


def complete_target(context: click.Context, parameter: click.Parameter, typed: str) -> list[CompletionItem]:
    """``local``, ``cloud``, and the deployments that were targets of this project's runs."""
    project = _project(context)
    known = [run.get("target") for run in _runs(project)] if project else []
    return _items("", typed, ["local", "cloud", *(name for name in known if str(name).startswith("http"))])


def _items(before: str, typed: str, names: Iterable[object]) -> list[CompletionItem]:
    found = dict.fromkeys(str(name) for name in names)
    return [CompletionItem(before + name) for name in found if name.startswith(typed)]


def _project(context: click.Context) -> Settings | None:
    above = context.find_root().params.get("folder")
    folder = Path(above or ".") / (context.params.get("folder") or ".")
    config = context.params.get("config")
    try:
        return load_settings(project_folder(folder, config), config)
    except (SupavexError, OSError):
        return None


def _tables(project: Settings) -> list[str]:
    """The tables of supavex.toml, of the last replay, and of earlier runs."""
    found = list(project.tables)
    kept = _read(project.state / "source/catalog.json")
    catalogs = kept[0].get("catalogs", {}).values() if kept else []
    tables = [table for catalog in catalogs for table in catalog["tables"]]
    names = [f"{table['schema']}.{table['name']}" for table in tables]
    names += [name for run in _runs(project) for name in run.get("tables", {})]
    return sorted({*found, *(name.removeprefix(f"{project.schemas[0]}.") for name in names)})


def _runs(project: Settings) -> list[dict[str, Any]]:
    return _read(project.migration_folder / "runs.jsonl")


def _read(path: Path) -> list[dict[str, Any]]:
    """The JSON objects of a file, one alone or one a line; none if it can't be read."""
    try:
        text = path.read_text(encoding="utf-8")
        lines = [text] if path.suffix == ".json" else text.splitlines()
        found = [json.loads(line) for line in lines]
    except (OSError, ValueError):
        return []
    return [each for each in found if isinstance(each, dict)]
