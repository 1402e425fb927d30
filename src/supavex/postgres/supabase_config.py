"""The database settings of ``supabase/config.toml``: the files that the Supabase CLI runs, and the API's schemas."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from supavex.errors import UsageError

CONFIG_FILE = "config.toml"
_ENV = re.compile(r"env\((\w+)\)")
#: Supabase's own schemas of the API, which have no table of the project.
_OWN_SCHEMAS = ("storage", "graphql", "graphql_public", "auth", "realtime", "extensions", "vault", "pgmq_public")


@dataclass(frozen=True, slots=True)
class SupabaseConfig:
    """The settings that a replay uses. Paths are patterns relative to the folder of config.toml."""

    #: db.seed.enabled.
    seed_enabled: bool = True
    #: db.seed.sql_paths; None if the file does not have it.
    seed_paths: tuple[str, ...] | None = None
    #: db.migrations.enabled.
    migrations_enabled: bool = True
    #: db.migrations.schema_paths: the files of a declarative schema.
    schema_paths: tuple[str, ...] = ()
    #: api.schemas without Supabase's own; None if the file does not have it.
    schemas: tuple[str, ...] | None = None
    #: db.major_version: the version of the project's PostgreSQL; None if the file does not have it.
    major_version: int | None = None


def read_config(folder: Path) -> SupabaseConfig:
    """The settings of ``folder/config.toml``, or the CLI's defaults if the file does not exist.

    Raises :class:`~supavex.errors.UsageError` if it is not TOML or a value has the wrong type.
    """
    path = folder / CONFIG_FILE
    where = f"{folder.name}/{CONFIG_FILE}"
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (FileNotFoundError, NotADirectoryError):
        return SupabaseConfig()
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        hint = "The Supabase CLI needs it too. Fix it, or move it away: then the CLI's defaults hold."
        raise UsageError("InvalidConfig", f"the file can't be read: {error}.", where=where, hint=hint) from None
    seed, migrations = _table(data, where, "db", "seed"), _table(data, where, "db", "migrations")
    schemas = _texts(_table(data, where, "api"), "schemas", f"{where} [api]")
    own = None if schemas is None else tuple(name for name in schemas if name not in _OWN_SCHEMAS)
    return SupabaseConfig(
        _flag(seed, "enabled", f"{where} [db.seed]"),
        _texts(seed, "sql_paths", f"{where} [db.seed]"),
        _flag(migrations, "enabled", f"{where} [db.migrations]"),
        _texts(migrations, "schema_paths", f"{where} [db.migrations]") or (),
        own or None,
        _number(_table(data, where, "db"), "major_version", f"{where} [db]"),
    )


def _table(data: Mapping[str, Any], where: str, *names: str) -> Mapping[str, Any]:
    for name in names:
        data = data.get(name, {})
        if not isinstance(data, dict):
            raise UsageError("InvalidConfig", f"{name} is a table, not {data!r}.", where=where)
    return data


def _value(data: Mapping[str, Any], name: str) -> Any:
    """The setting, or the variable's value for ``env(NAME)``; None if the variable is not set."""
    return _from_environment(data.get(name))


def _from_environment(value: Any) -> Any:
    match = _ENV.fullmatch(value) if isinstance(value, str) else None
    return os.environ.get(match[1]) if match else value


def _flag(data: Mapping[str, Any], name: str, where: str) -> bool:
    value = _value(data, name)
    if isinstance(value, str) and value.lower() in ("true", "false"):
        value = value.lower() == "true"
    if value is not None and not isinstance(value, bool):
        raise UsageError("InvalidConfig", f"{name} is true or false, not {value!r}.", where=where)
    return value is not False


def _texts(data: Mapping[str, Any], name: str, where: str) -> tuple[str, ...] | None:
    value = _value(data, name)
    if value is None:
        return None
    items = value.split(",") if isinstance(value, str) and value != data[name] else value
    if not isinstance(items, list) or not all(isinstance(item, str) for item in items):
        raise UsageError("InvalidConfig", f"{name} is a list of texts, not {value!r}.", where=where)
    return tuple(text for text in map(_from_environment, items) if text)


def _number(data: Mapping[str, Any], name: str, where: str) -> int | None:
    value = _value(data, name)
    if isinstance(value, str) and value.isdigit():
        value = int(value)
    if value is not None and (not isinstance(value, int) or isinstance(value, bool)):
        raise UsageError("InvalidConfig", f"{name} is a whole number, not {value!r}.", where=where)
    return value
