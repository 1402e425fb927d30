"""Reads ``supavex.toml``. An unknown key is an error that suggests the nearest name."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

from supavex.errors import UsageError, file_error, unreadable
from supavex.files import STATE_NAME, check_folders, check_inside, is_private_folder
from supavex.postgres.source_files import supabase_folder
from supavex.postgres.supabase_config import read_config
from supavex.settings.rules import (
    ENFORCED,
    FILE_OVER,
    ColumnRule,
    FieldRule,
    Fill,
    InvalidJson,
    NonFinite,
    StorageRule,
    TableRule,
    UnknownTypes,
    UsersKind,
    UsersRule,
)
from supavex.settings.settings import CONFIG_NAME, ENV_FILES, Settings
from supavex.settings.toml_table import TomlTable

#: Settings of a column that exclude ``file``: each makes another value of the column, or none.
_NOT_WITH_FILE = ("skip", "sql", "ids", "storage", "truncate")


def project_folder(folder: Path, config: str | None = None) -> Path:
    """The nearest folder, from ``folder`` up, that holds the project's file; ``folder`` if none does.

    A folder above is ignored if it belongs to another user, or if anybody may write into it, because the file names
    code that runs.
    """
    start = folder.resolve()
    for place in (start, *start.parents) if start.is_dir() else ():
        if (place / (config or CONFIG_NAME)).is_file() and (place == start or is_private_folder(place)):
            return place
    return start


def load_settings(folder: Path, config: str | None = None) -> Settings:
    """The settings of the project in ``folder``.

    Raises :class:`~supavex.errors.UsageError` if the file is missing or wrong.
    """
    root = folder.resolve()
    path = root / (config or CONFIG_NAME)
    try:
        # Editors on Windows begin a file with a byte order mark.
        data = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        if not root.exists():
            hint = "-C names the project's folder: is it written right?"
            raise UsageError("NoProject", "there is no such folder.", where=str(root), hint=hint) from None
        raise UsageError(
            "NoProject",
            f"there is no {path.name} here.",
            where=str(root),
            hint="In the folder that holds supabase/, `supavex init` makes the project. For an existing project, "
            "go to its folder or name it with -C DIR.",
        ) from None
    except UnicodeDecodeError as error:
        hint = "Save the file as UTF-8."
        raise UsageError("InvalidConfig", f"not UTF-8: {error}.", where=str(path), hint=hint) from None
    except tomllib.TOMLDecodeError as error:
        raise UsageError("InvalidConfig", f"not TOML: {error}.", where=str(path)) from None
    except OSError as error:
        if not root.is_dir():
            hint = "-C names the project's folder, and --config a file in it."
            raise UsageError("NoProject", "this is a file, no folder.", where=str(root), hint=hint) from None
        raise file_error(error, "InvalidConfig", str(path)) from None
    check_folders(root / STATE_NAME)
    return _settings(root, path, data)


def default_settings(folder: Path) -> Settings:
    """The settings of a folder without supavex.toml, as `supavex init` would write them."""
    root = folder.resolve()
    check_folders(root / STATE_NAME)
    return _settings(root, root / CONFIG_NAME, {})


def _settings(root: Path, path: Path, data: Mapping[str, Any]) -> Settings:
    top = TomlTable(data, path.name)
    source = TomlTable(top.take("source", dict, {}), f"{path.name} [source]")
    schema_file = root / top.take("schema", str, "schema.py")
    chosen = "migrations" in source.data
    migrations = root / source.take("migrations", str, "supabase/migrations")
    named = "seed" in source.data
    seeds = tuple(root / seed for seed in source.texts("seed", []))
    for seed in seeds:
        if not seed.is_file():
            raise UsageError("NoSeed", "the seed file is missing.", where=str(seed))
    database_url, place_of_url = _database_url(root, source)
    settings = Settings(
        root=root,
        config=path,
        schema_file=schema_file,
        convex_folder=root / top.take("convex", str, "convex"),
        lock_file=root / top.take("lock", str, "supavex.lock"),
        migrations=migrations,
        seeds=seeds if named else None,
        database_url=database_url,
        database_url_place=place_of_url,
        schemas=source.texts("schemas", _api_schemas(root, migrations)) or ("public",),
        replay_gb=source.positive("replay_gb", 4),
        replay_minutes=source.positive("replay_minutes", 15),
        postgres_bin=source.take("postgres_bin", str),
        summary=_maybe_path(root, top.take("summary", str)),
        max_rejects=top.take("max_rejects", int, 0),
        unknown_types=top.choice("unknown_types", get_args(UnknownTypes)),
        migrations_chosen=chosen,
        fill=_fill(top),
        storage=_storage_rule(top.take("storage", dict, {}), f"{path.name} [storage]"),
        users=_users_rule(top.take("users", dict, {}), f"{path.name} [users]"),
        tables={
            name: _table_rule(rule, f"{path.name} [tables.{name}]")
            for name, rule in top.take("tables", dict, {}).items()
        },
        columns={
            name: _column_rule(rule, f"{path.name} [columns.{name}]")
            for name, rule in top.take("columns", dict, {}).items()
        },
    )
    source.done()
    top.done()
    for setting, place in (
        ("convex", settings.convex_folder),
        ("lock", settings.lock_file),
        ("schema", settings.schema_file),
        ("summary", settings.summary or root),
    ):
        check_inside(root, place, f"{setting} = {os.path.relpath(place, root)!r}", path.name)
    if settings.max_rejects < 0:
        raise UsageError("InvalidConfig", "max_rejects is 0 or more.", where=path.name)
    return settings


def _api_schemas(root: Path, migrations: Path) -> list[str]:
    """The schemas of the API in supabase/config.toml, without Supabase's own."""
    return list(read_config(supabase_folder(root, migrations)).schemas or ("public",))


def _fill(reader: TomlTable) -> Fill | None:
    reader.known.add("fill")
    return reader.choice("fill", get_args(Fill)) if "fill" in reader.data else None


def _users_rule(data: Mapping[str, Any], where: str) -> UsersRule:
    reader = TomlTable(data, where)
    kind = reader.choice("for", get_args(UsersKind)) if "for" in data else None
    rule = UsersRule(kind, reader.take("password_hashes", bool, False), reader.take("field", str, ""))
    reader.known.add("for")
    reader.done()
    if rule.field and not re.fullmatch(r"\w+\.\w+", rule.field, re.ASCII):
        hint = 'field = "profiles.clerkId": the Convex table of users, and its field with the identity\'s subject.'
        raise UsageError("InvalidConfig", "field names a table and a field.", where=where, hint=hint)
    if rule.password_hashes and rule.kind != "convex-auth":
        hint = "For Clerk: supavex users --for clerk --with-password-hashes."
        raise UsageError("InvalidConfig", 'password_hashes goes with for = "convex-auth".', where=where, hint=hint)
    return rule


def _storage_rule(data: Mapping[str, Any], where: str) -> StorageRule:
    reader = TomlTable(data, where)
    rule = StorageRule(
        reader.take("files", str),
        reader.texts("buckets", []),
        reader.take("endpoint", str),
        reader.take("region", str),
    )
    reader.done()
    return rule


def _maybe_path(root: Path, name: str | None) -> Path | None:
    return None if name is None else root / name


def _database_url(root: Path, source: TomlTable) -> tuple[str | None, str]:
    """The address of the live database in supavex.toml, and where it was found; None if supavex.toml names none."""
    url = source.take("database_url", str)
    variable = source.take("database_url_env", str)
    if url and variable:
        raise UsageError("InvalidConfig", "database_url and database_url_env: give one of them.", where=source.where)
    if variable:
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]{0,99}", variable):
            # It may be an address with a password, so the message does not quote it.
            message = "database_url_env is the name of an environment variable, and this is not such a name."
            hint = 'database_url_env = "SUPABASE_DB_URL", and export SUPABASE_DB_URL=postgresql://…'
            raise UsageError("InvalidConfig", message, where=source.where, hint=hint)
        places: dict[str, Mapping[str, str | None]] = {
            "the environment": os.environ,
            **{name: _variables(root / name) for name in ENV_FILES},
        }
        for place, values in places.items():
            # libpq takes a blank address for its defaults, which may name another database of this machine.
            if found := (values.get(variable) or "").strip():
                return found, f"{variable} in {place}"
        raise UsageError(
            "NoDatabaseUrl",
            f"the variable {variable} is set neither in the environment nor in {' or '.join(ENV_FILES)}.",
            where=source.where,
            hint=f"export {variable}=postgresql://…, or write the line {variable}='postgresql://…' into .env.local "
            "(and keep that file out of version control).",
        )
    if url is not None and not url.strip():
        message = "database_url is blank."
        hint = 'Write the address, or the name of the variable that holds it: database_url_env = "SUPABASE_DB_URL".'
        raise UsageError("InvalidConfig", message, where=source.where, hint=hint)
    return url, source.where if url else ""


def _variables(path: Path) -> dict[str, str | None]:
    """The variables of an .env file, uninterpreted: a ``$`` in a password is a dollar sign."""
    if not path.is_file():
        return {}
    from dotenv import dotenv_values

    try:
        return dotenv_values(path, interpolate=False, encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise unreadable("InvalidConfig", "the file", str(path), error) from None


def _table_rule(data: Any, where: str) -> TableRule:
    if not isinstance(data, dict):
        raise UsageError("InvalidConfig", "a table's rules are a TOML table.", where=where)
    reader = TomlTable(data, where)
    existing = reader.take("existing", dict)
    rule = TableRule(
        to=reader.take("to", str),
        skip=reader.take("skip", str),
        existing=None if existing is None else _match(existing, where),
        created=reader.take("created", str),
        key=reader.texts("key", []),
        fill=_fill(reader),
        enforce=_enforce(reader),
        columns={
            name: _column_rule(column, f"{where[:-1]}.columns.{name}]")
            for name, column in reader.take("columns", dict, {}).items()
        },
        fields={
            name: _field_rule(rule, f"{where[:-1]}.fields.{name}]")
            for name, rule in reader.take("fields", dict, {}).items()
        },
    )
    reader.done()
    return rule


def _enforce(reader: TomlTable) -> tuple[str, ...] | None:
    if "enforce" not in reader.data:
        return None
    names = reader.texts("enforce", [])
    odd = next((name for name in names if name not in ENFORCED), None)
    if odd is not None:
        message = f"enforce names some of {', '.join(ENFORCED)}, not {odd!r}."
        raise UsageError("InvalidConfig", message, where=reader.where)
    return names


def _match(data: Mapping[str, Any], where: str) -> dict[str, str]:
    reader = TomlTable(data, f"{where} existing")
    match = reader.take("match", dict)
    reader.done()
    if not match or not all(isinstance(column, str) for column in match.values()):
        raise UsageError(
            "InvalidConfig",
            "existing names what matches a row with its document.",
            where=where,
            hint='existing = { match = { slug = "slug" } }: a Convex field, and the source column that equals it.',
        )
    return dict(match)


def _field_rule(data: Any, where: str) -> FieldRule:
    wrong = UsageError("InvalidConfig", 'a field of its own is { sql = "…" } or { references = ["…"] }.', where=where)
    if not isinstance(data, dict):
        raise wrong
    reader = TomlTable(data, where)
    rule = FieldRule(reader.take("sql", str), reader.texts("references", []))
    reader.done()
    if bool(rule.sql) == bool(rule.references):
        raise wrong
    return rule


def _column_rule(data: Any, where: str) -> ColumnRule:
    if not isinstance(data, dict):
        raise UsageError("InvalidConfig", "a column's rules are a TOML table.", where=where)
    reader = TomlTable(data, where)
    rule = ColumnRule(
        to=reader.take("to", str),
        skip=reader.take("skip", str),
        sql=reader.take("sql", str),
        ids=reader.take("ids", str),
        fill=_fill(reader),
        format=reader.take("format", str),
        lossy=reader.take("lossy", bool),
        storage=reader.take("storage", (str, bool), False),
        nonfinite=reader.choice("nonfinite", get_args(NonFinite)),
        invalid_json=reader.choice("invalid_json", get_args(InvalidJson)),
        truncate=reader.take("truncate", int),
        file=reader.take("file", str),
        file_over=reader.take("file_over", int, FILE_OVER),
    )
    reader.done()
    _check_file(rule, data, where)
    if rule.truncate is not None and rule.truncate < 1:
        raise UsageError("InvalidConfig", "truncate is a number of characters, above 0.", where=where)
    if rule.storage == "":
        raise UsageError("InvalidConfig", "storage is a bucket's id, or true.", where=where)
    if rule.storage and rule.ids:
        raise UsageError("InvalidConfig", "storage and ids: give one of them.", where=where)
    return rule


def _check_file(rule: ColumnRule, data: Mapping[str, Any], where: str) -> None:
    hint = 'file = "content_file" names the field, v.id("_storage"), that gets the file\'s id.'
    if rule.file is None:
        if "file_over" in data:
            raise UsageError("InvalidConfig", "file_over goes with file.", where=where, hint=hint)
        return
    if not rule.file:
        raise UsageError("InvalidConfig", "file is a field's name.", where=where, hint=hint)
    if rule.file_over < 0:
        message = "file_over is a number of bytes, 0 or more."
        raise UsageError("InvalidConfig", message, where=where, hint="0: every value that is not NULL.")
    other = next((name for name in _NOT_WITH_FILE if getattr(rule, name)), None)
    if other is not None:
        message = f"{other} and file: give one of them."
        hint = "file moves a large value as it is, and loses nothing of it."
        raise UsageError("InvalidConfig", message, where=where, hint=hint)
