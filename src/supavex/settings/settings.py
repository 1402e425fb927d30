"""The settings of a project. All have defaults; in a simple project the file has a few lines, or none.

Paths are relative to the project's folder.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from supavex.errors import file_error
from supavex.files import PRIVATE_FILES, PRIVATE_FOLDERS, STATE_NAME, close_to_others, own_folder, write_whole
from supavex.settings.rules import ColumnRule, Fill, StorageRule, TableRule, UnknownTypes, UsersRule

CONFIG_NAME = "supavex.toml"
#: Files beside supavex.toml whose variables ``database_url_env`` may name. The environment has priority.
ENV_FILES = (".env.local", ".env")


@dataclass(frozen=True, slots=True)
class Settings:
    """A project's folder and the settings of its ``supavex.toml``. All paths are absolute."""

    #: The project's folder: the one that holds supavex.toml.
    root: Path
    #: The path of supavex.toml, or of the file named by ``--config``.
    config: Path
    #: The path of schema.py (``schema``).
    schema_file: Path
    #: The app's folder of functions, where schema.ts is written (``convex``).
    convex_folder: Path
    #: The path of supavex.lock, which keeps the table numbers (``lock``).
    lock_file: Path
    #: The folder of the migration files.
    migrations: Path
    #: The seeds of supavex.toml; None if it names none.
    seeds: tuple[Path, ...] | None
    #: The address of the live source; None if the files are the source. It may hold a password.
    database_url: str | None
    #: The PostgreSQL schemas whose tables move.
    schemas: tuple[str, ...]
    #: The most disk space that a replay of the files may take, in gigabytes.
    replay_gb: float
    #: The most time that a replay of the files may take, in minutes.
    replay_minutes: float
    #: The folder of PostgreSQL's programs to replay with; None: the embedded ones.
    postgres_bin: str | None
    #: The file of the deployment's summary; None: none is written.
    summary: Path | None
    #: The most rejected rows with which a migration still imports.
    max_rejects: int
    #: The treatment of values of extension types that supavex does not know: ``text`` or ``refuse``.
    unknown_types: UnknownTypes
    #: The settings of source tables, by name.
    tables: Mapping[str, TableRule]
    #: The settings of columns of this name in every table.
    columns: Mapping[str, ColumnRule]
    #: The settings of ``[users]``.
    users: UsersRule = field(default_factory=UsersRule)
    #: The settings of ``[storage]``.
    storage: StorageRule = field(default_factory=StorageRule)
    #: Whether supavex.toml names the folder of migrations.
    migrations_chosen: bool = False
    #: ``defaults`` puts a field's default in place of NULL. ``none`` states that NULL leaves the field out, or rejects
    #: the row if the field is required. None: as ``none``, and `check` warns. A column's setting overrides its table's,
    #: and a table's setting overrides the project's.
    fill: Fill | None = None
    #: Where the address of the live database was found: ``SUPABASE_DB_URL in .env.local``.
    database_url_place: str = ""

    @property
    def state(self) -> Path:
        """``.supavex/``: the local deployment, the replayed source, archives, reports. Ignored by git."""
        return self.root / STATE_NAME

    def make_state(self) -> None:
        """Makes the folder of :attr:`state`, with a .gitignore in it, because rows and keys don't belong in version
        control.

        Raises :class:`~supavex.errors.SupavexError` if it can't be written, is a symbolic link, or belongs to another
        user.
        """
        try:
            own_folder(self.state)
            if not os.path.lexists(self.state / ".gitignore"):
                write_whole(self.state / ".gitignore", "*\n")
            close_to_others(self.state, PRIVATE_FILES, PRIVATE_FOLDERS)
            if not os.access(self.state, os.W_OK, effective_ids=os.access in os.supports_effective_ids):
                # Found here, and not after an hour of work.
                raise PermissionError(errno.EACCES, "Nothing can be written into this folder", str(self.state))
        except OSError as error:
            raise file_error(error, "CannotWrite", str(self.state)) from None

    @property
    def migration_folder(self) -> Path:
        """The folder of a migration's archive, rejects and report. Each configuration file has its own."""
        name = "migration" if self.config.name == CONFIG_NAME else f"migration-{self.config.stem}"
        return self.state / name

    def table_rule(self, schema: str, name: str) -> TableRule:
        """The settings of ``schema.name``: by its full name, or by its bare name in the first schema."""
        qualified = self.tables.get(f"{schema}.{name}")
        if qualified is None and schema == self.schemas[0]:
            qualified = self.tables.get(name)
        return qualified or TableRule()

    def column_rule(self, rule: TableRule, column: str) -> ColumnRule:
        """The settings of a column: under its table, or else under ``[columns]``."""
        return rule.columns.get(column) or self.columns.get(column) or ColumnRule()

    def filling(self, table: TableRule, column: ColumnRule) -> Fill | None:
        """The replacement of NULL for a column with those rules; None if supavex.toml does not say."""
        return column.fill or table.fill or self.fill

    def shown(self, path: Path) -> str:
        """``path`` as a person in the project's folder would write it."""
        try:
            return str(path.relative_to(self.root))
        except ValueError:
            return str(path)
