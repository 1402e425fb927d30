"""A project: ``supavex.toml`` and what it names.

Everything has a default; for the plain case the file is a few lines, or empty. Unknown keys are errors that suggest
the nearest name. Paths are relative to the project's folder.
"""

from __future__ import annotations

import difflib
import errno
import math
import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from supavex.convex.schema import Schema
from supavex.diagnostics import Place
from supavex.errors import SupavexError, UsageError, file_error
from supavex.files import (
    PRIVATE_FILES,
    PRIVATE_FOLDERS,
    STATE_NAME,
    check_folders,
    check_inside,
    close_to_others,
    own_folder,
    write_whole,
)
from supavex.postgres.source_files import supabase_folder
from supavex.postgres.supabase_config import read_config

CONFIG_NAME = "supavex.toml"
Fill = Literal["defaults", "none"]
NonFinite = Literal["refuse", "keep", "null"]
InvalidJson = Literal["refuse", "escape", "text"]
UnknownTypes = Literal["text", "refuse"]
UsersKind = Literal["clerk", "convex-auth"]
#: Bytes above which a value becomes a stored file, where its column names a field for that: ten values of that size fit
#: into a document.
FILE_OVER = 100_000
#: Other rules of a column that a ``file`` can't stand beside: each makes another value of it, or none.
_NOT_WITH_FILE = ("skip", "sql", "ids", "storage", "truncate")


@dataclass(frozen=True, slots=True)
class ColumnRule:
    """What supavex.toml says of a column.

    ``to``: the field's name. ``skip``: leave it behind, and why. ``sql``: an SQL expression over the row's columns,
    evaluated by PostgreSQL instead of the plain column. ``ids``: a CSV or JSON file of old ids and new ones.
    ``fill``: what becomes of NULL, see :class:`Project`; a column that a constraint reads is filled only where its own
    rule says so. ``format``: of a time, ``HH:MM`` or ``HH:MM:SS``. ``lossy``: a value that does not fit exactly becomes
    the nearest that does, instead of rejecting its row; numbers inside JSON do so anyway, unless it is false.
    ``storage``: the value names a file of Supabase storage, which the field refers to: the bucket
    that its paths are in, or True where it holds addresses, which say the bucket. ``nonfinite``: what becomes of NaN
    and infinity (of moments too): ``refuse``, ``keep`` as such a number, or ``null``. ``invalid_json``: what becomes of
    JSON that Convex refuses: ``refuse``, ``escape`` its keys (percent-encoding), or keep the value as its ``text``.
    ``truncate``: the characters that a longer text is cut to. ``file``: the field that gets the id of the stored file
    which a value of more than ``file_over`` bytes becomes (0: every value that is not NULL).
    """

    to: str | None = None
    skip: str | None = None
    sql: str | None = None
    ids: str | None = None
    fill: Fill | None = None
    format: str | None = None
    lossy: bool | None = None
    storage: str | bool = False
    nonfinite: NonFinite = "refuse"
    invalid_json: InvalidJson = "refuse"
    truncate: int | None = None
    file: str | None = None
    file_over: int = FILE_OVER


@dataclass(frozen=True, slots=True)
class FieldRule:
    """What supavex.toml says of a field that no column gives: an ``sql`` expression, or the columns that it
    ``references`` a row of another table by.
    """

    sql: str | None = None
    references: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TableRule:
    """What supavex.toml says of a source table.

    ``to``: the Convex table. ``skip``: leave it behind, and why. ``existing``: it is in Convex already, with ids of
    its own; ``match`` pairs a Convex field with a source column. ``created``: the column that ``_creationTime`` comes
    from. ``key``: the columns that tell rows apart, where there is no primary key (``["*"]``: the whole row, and of
    equal rows their number). ``fields``: fields that come from no single column. ``fill``: of its columns, see
    :class:`Project`.
    """

    to: str | None = None
    skip: str | None = None
    existing: Mapping[str, str] | None = None
    created: str | None = None
    key: tuple[str, ...] = ()
    columns: Mapping[str, ColumnRule] = field(default_factory=dict)
    fields: Mapping[str, FieldRule] = field(default_factory=dict)
    fill: Fill | None = None


@dataclass(frozen=True, slots=True)
class UsersRule:
    """Where the users of ``auth.users`` go. ``password_hashes``: a migration takes their hashes too (Convex Auth's)."""

    kind: UsersKind | None = None
    password_hashes: bool = False


@dataclass(frozen=True, slots=True)
class StorageRule:
    """The files of storage buckets. ``files``: the folder that holds them, or an address (``s3://…``); None: none move.

    ``buckets``: which of them; all by default. ``endpoint`` and ``region``: of a service that speaks S3.
    """

    files: str | None = None
    buckets: tuple[str, ...] = ()
    endpoint: str | None = None
    region: str | None = None


@dataclass(frozen=True, slots=True)
class Project:
    """A project's folder and what its ``supavex.toml`` says. All paths are absolute.

    ``fill``: ``defaults`` puts a field's default in the place of NULL; ``none`` says that NULL is meant to leave the
    field out, or to reject the row where the field is required. None: as ``none``, and `check` warns. A column's own
    setting comes before its table's, and that before the project's.
    """

    root: Path
    config: Path
    schema_file: Path
    convex_folder: Path
    lock_file: Path
    migrations: Path
    #: The seeds that supavex.toml names; None where it names none.
    seeds: tuple[Path, ...] | None
    database_url: str | None
    schemas: tuple[str, ...]
    replay_gb: float
    replay_minutes: float
    postgres_bin: str | None
    summary: Path | None
    max_rejects: int
    unknown_types: UnknownTypes
    tables: Mapping[str, TableRule]
    columns: Mapping[str, ColumnRule]
    users: UsersRule = UsersRule()
    storage: StorageRule = StorageRule()
    #: Whether supavex.toml names the folder of migrations.
    migrations_chosen: bool = False
    fill: Fill | None = None

    @property
    def state(self) -> Path:
        """``.supavex/``: the local deployment, the replayed source, archives, reports. Ignored by git."""
        return self.root / STATE_NAME

    def make_state(self) -> None:
        """Makes the folder of :attr:`state`, with a .gitignore in it: rows and keys don't belong in version control.

        Raises where it can't be written into, is a symbolic link, or belongs to another user.
        """
        try:
            own_folder(self.state)
            if not os.path.lexists(self.state / ".gitignore"):
                write_whole(self.state / ".gitignore", "*\n")
            close_to_others(self.state, PRIVATE_FILES, PRIVATE_FOLDERS)
            if not os.access(self.state, os.W_OK, effective_ids=os.access in os.supports_effective_ids):
                # Better than after an hour of work.
                raise PermissionError(errno.EACCES, "Nothing can be written into this folder", str(self.state))
        except OSError as error:
            raise file_error(error, "CannotWrite", str(self.state)) from None

    @property
    def migration_folder(self) -> Path:
        """Where a migration leaves archive, rejects and report: each configuration file has one of its own."""
        name = "migration" if self.config.name == CONFIG_NAME else f"migration-{self.config.stem}"
        return self.state / name

    def table_rule(self, schema: str, name: str) -> TableRule:
        """What the file says of ``schema.name`` (by its full name, or by its bare name in the first schema)."""
        qualified = self.tables.get(f"{schema}.{name}")
        if qualified is None and schema == self.schemas[0]:
            qualified = self.tables.get(name)
        return qualified or TableRule()

    def column_rule(self, rule: TableRule, column: str) -> ColumnRule:
        """What the file says of a column: under its table, else under ``[columns]`` for every table."""
        return rule.columns.get(column) or self.columns.get(column) or ColumnRule()

    def filling(self, table: TableRule, column: ColumnRule) -> Fill | None:
        """What becomes of NULL in a column with those rules; None where nobody says."""
        return column.fill or table.fill or self.fill

    def shown(self, path: Path) -> str:
        """``path`` as a person in the project's folder would write it."""
        try:
            return str(path.relative_to(self.root))
        except ValueError:
            return str(path)


class _Reader:
    """Takes values out of a parsed TOML table, each checked for its type; what is left over is unknown."""

    def __init__(self, data: Mapping[str, Any], where: str) -> None:
        self.data, self.where, self.known = dict(data), where, set[str]()

    def take(self, key: str, kind: type | tuple[type, ...], default: Any = None) -> Any:
        self.known.add(key)
        if key not in self.data:
            return default
        value = self.data.pop(key)
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is int):
            names = " or ".join(k.__name__ for k in (kind if isinstance(kind, tuple) else (kind,)))
            names = names.replace("dict", "a table").replace("list", "a list").replace("str", "a text")
            names = names.replace("bool", "true or false").replace("int", "a whole number").replace("float", "number")
            raise UsageError("InvalidConfig", f"{key} is {names}, not {_shown(key, value)}.", where=self.where)
        return value

    def positive(self, key: str, default: float) -> float:
        """A number above zero."""
        value = self.take(key, (int, float), default)
        if isinstance(value, bool) or not 0 < value < math.inf:
            raise UsageError("InvalidConfig", f"{key} is a number above 0, not {_shown(key, value)}.", where=self.where)
        return float(value)

    def choice(self, key: str, choices: tuple[str, ...]) -> Any:
        """One of ``choices``; the first where the key is not there."""
        value = self.take(key, str, choices[0])
        if value not in choices:
            raise UsageError("InvalidConfig", f"{key} is one of {', '.join(choices)}.", where=self.where)
        return value

    def texts(self, key: str, default: list[str]) -> tuple[str, ...]:
        """A list of texts."""
        items = self.take(key, list, default)
        if not all(isinstance(item, str) and item for item in items):
            raise UsageError("InvalidConfig", f"{key} is a list of texts, not {_shown(key, items)}.", where=self.where)
        return tuple(items)

    def done(self) -> None:
        for key in self.data:
            close = difflib.get_close_matches(key, self.known, n=1)
            raise UsageError(
                "UnknownKey",
                f"{key} is no setting here.",
                where=self.where,
                hint=f"Did you mean {close[0]}?" if close else f"Known here: {', '.join(sorted(self.known))}.",
            )


def _shown(key: str, value: object) -> str:
    """A wrong value for a message; of one that may be or hold a password, no more than what it is."""
    text = repr(value)
    if not key.startswith("database_url") and re.fullmatch(r"[\w\s.,\-'\[\]]{0,80}", text):
        return text
    kinds = {str: "a text", list: "a list", dict: "a table", bool: "true or false"}
    return next((name for kind, name in kinds.items() if isinstance(value, kind)), "a number")


def load_project(folder: Path, config: str | None = None) -> Project:
    """The project in ``folder``. Raises :class:`~supavex.errors.UsageError` where the file is missing or wrong."""
    root = folder.resolve()
    path = root / (config or CONFIG_NAME)
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UsageError(
            "NoProject",
            f"there is no {path.name} here.",
            where=str(root),
            hint="Go to the project's folder, name it with -C DIR, or make a supavex.toml (it may be empty).",
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError("InvalidConfig", f"not TOML: {error}.", where=str(path)) from None
    except OSError as error:
        if not root.is_dir():
            hint = "-C names the project's folder, and --config a file in it."
            raise UsageError("NoProject", "this is a file, no folder.", where=str(root), hint=hint) from None
        raise file_error(error, "InvalidConfig", str(path)) from None
    check_folders(root / STATE_NAME)
    return _project(root, path, data)


def _project(root: Path, path: Path, data: Mapping[str, Any]) -> Project:
    top = _Reader(data, path.name)
    source = _Reader(top.take("source", dict, {}), f"{path.name} [source]")
    schema_file = root / top.take("schema", str, "schema.py")
    chosen = "migrations" in source.data
    migrations = root / source.take("migrations", str, "supabase/migrations")
    named = "seed" in source.data
    seeds = tuple(root / seed for seed in source.texts("seed", []))
    for seed in seeds:
        if not seed.is_file():
            raise UsageError("NoSeed", "the seed file is missing.", where=str(seed))
    project = Project(
        root=root,
        config=path,
        schema_file=schema_file,
        convex_folder=root / top.take("convex", str, "convex"),
        lock_file=root / top.take("lock", str, "supavex.lock"),
        migrations=migrations,
        seeds=seeds if named else None,
        database_url=_database_url(source),
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
        ("convex", project.convex_folder),
        ("lock", project.lock_file),
        ("schema", project.schema_file),
        ("summary", project.summary or root),
    ):
        check_inside(root, place, f"{setting} = {os.path.relpath(place, root)!r}", path.name)
    if project.max_rejects < 0:
        raise UsageError("InvalidConfig", "max_rejects is 0 or more.", where=path.name)
    return project


def _api_schemas(root: Path, migrations: Path) -> list[str]:
    """The schemas that the API has by supabase/config.toml, Supabase's own aside."""
    return list(read_config(supabase_folder(root, migrations)).schemas or ("public",))


def _fill(reader: _Reader) -> Fill | None:
    reader.known.add("fill")
    return reader.choice("fill", get_args(Fill)) if "fill" in reader.data else None


def _users_rule(data: Mapping[str, Any], where: str) -> UsersRule:
    reader = _Reader(data, where)
    kind = reader.choice("for", get_args(UsersKind)) if "for" in data else None
    rule = UsersRule(kind, reader.take("password_hashes", bool, False))
    reader.known.add("for")
    reader.done()
    if rule.password_hashes and rule.kind != "convex-auth":
        hint = "For Clerk: supavex users --for clerk --with-password-hashes."
        raise UsageError("InvalidConfig", 'password_hashes goes with for = "convex-auth".', where=where, hint=hint)
    return rule


def _storage_rule(data: Mapping[str, Any], where: str) -> StorageRule:
    reader = _Reader(data, where)
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


def _database_url(source: _Reader) -> str | None:
    url = source.take("database_url", str)
    variable = source.take("database_url_env", str)
    if url and variable:
        raise UsageError("InvalidConfig", "database_url and database_url_env: give one of them.", where=source.where)
    if variable:
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]{0,99}", variable):
            # Perhaps an address, with a password in it.
            message = "database_url_env is the name of an environment variable, and this is none."
            hint = 'database_url_env = "SUPABASE_DB_URL", and export SUPABASE_DB_URL=postgresql://…'
            raise UsageError("InvalidConfig", message, where=source.where, hint=hint)
        url = os.environ.get(variable)
        if not url:
            raise UsageError(
                "NoDatabaseUrl",
                f"the environment variable {variable} is not set.",
                where=source.where,
                hint=f"export {variable}=postgresql://…",
            )
    return url  # type: ignore[no-any-return]


def _table_rule(data: Any, where: str) -> TableRule:
    if not isinstance(data, dict):
        raise UsageError("InvalidConfig", "a table's rules are a TOML table.", where=where)
    reader = _Reader(data, where)
    existing = reader.take("existing", dict)
    rule = TableRule(
        to=reader.take("to", str),
        skip=reader.take("skip", str),
        existing=None if existing is None else _match(existing, where),
        created=reader.take("created", str),
        key=reader.texts("key", []),
        fill=_fill(reader),
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


def _match(data: Mapping[str, Any], where: str) -> dict[str, str]:
    reader = _Reader(data, f"{where} existing")
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
    reader = _Reader(data, where)
    rule = FieldRule(reader.take("sql", str), reader.texts("references", []))
    reader.done()
    if bool(rule.sql) == bool(rule.references):
        raise wrong
    return rule


def _column_rule(data: Any, where: str) -> ColumnRule:
    if not isinstance(data, dict):
        raise UsageError("InvalidConfig", "a column's rules are a TOML table.", where=where)
    reader = _Reader(data, where)
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


def load_schema(project: Project) -> Schema:
    """The ``schema`` that the project's ``schema.py`` defines. Raises with file and line where it can't be had."""
    path = project.schema_file
    shown = project.shown(path)
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise UsageError(
            "NoSchema",
            "there is no schema file.",
            where=shown,
            hint="It defines schema = define_schema({…}); supavex.toml's `schema` names another file.",
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError("NoSchema", f"the schema file can't be read: {error}.", where=shown) from None
    namespace: dict[str, Any] = {"__name__": "supavex_project_schema", "__file__": str(path)}
    try:
        exec(compile(text, shown, "exec"), namespace)
    except SyntaxError as error:
        # Of this file, or of one that it imports.
        file = shown if error.filename in (None, shown) else str(error.filename)
        raise SupavexError("SchemaSyntaxError", f"{error.msg}.", where=f"{file}:{error.lineno}") from None
    except (Exception, SystemExit) as error:
        line = _line_of(error, shown)
        raise SupavexError(
            "SchemaRaises",
            f"the schema file raises {type(error).__name__}: {error}",
            where=str(Place(shown, line)) if line else shown,
            hint="It is plain Python: run it to see the whole story.",
        ) from None
    schema = namespace.get("schema")
    if not isinstance(schema, Schema):
        found = "does not define schema" if schema is None else f"defines schema as {type(schema).__name__}"
        raise SupavexError(
            "MissingSchemaExportError", f"the file {found}.", where=shown, hint="schema = define_schema({…})"
        )
    return schema


def _line_of(error: BaseException, file: str) -> int | None:
    line, trace = None, error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == file:
            line = trace.tb_lineno
        trace = trace.tb_next
    return line
