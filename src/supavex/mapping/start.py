"""``supavex init``: a new project, from a folder of migrations or a live database."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from supavex.diagnostics import Diagnostic, has_errors
from supavex.errors import SupavexError, UsageError
from supavex.mapping.replay_findings import losses
from supavex.mapping.scaffold import Scaffolded
from supavex.mapping.scaffold_files import scaffold_files
from supavex.mapping.source import Source
from supavex.postgres.report import Failure
from supavex.postgres.source_files import find_files
from supavex.settings.reading import load_settings
from supavex.settings.settings import CONFIG_NAME, Settings
from supavex.steps import step
from supavex.text import counted

#: The environment variable for a connection string, which is never written to a file.
VARIABLE = "SUPABASE_DB_URL"


@dataclass(frozen=True, slots=True)
class InitOptions:
    """The source of a new project; by default ``supabase/migrations``."""

    #: The folder of the migration files.
    migrations: str | None = None
    #: The name of the environment variable that holds a live database's connection string.
    database_url_env: str | None = None
    #: A live database's connection string. It is used once and not written to a file.
    database_url: str | None = None
    #: Whether to replace an existing project. Its supavex.toml and schema.py are kept as ``….old``.
    force: bool = False


@dataclass(frozen=True, slots=True)
class Started:
    """A new project: the scaffolded tables, the failed statements, and the lost tables."""

    project: Settings
    scaffolded: Scaffolded
    failed: list[Failure]
    lost: list[Diagnostic]

    @property
    def ok(self) -> bool:
        """Whether there are tables, and none is lost."""
        return not has_errors(self.lost)

    def to_json(self) -> dict[str, Any]:
        """The JSON of ``init --json``."""
        return {
            "ok": self.ok,
            "tables": self.scaffolded.names,
            "failed": [asdict(failure) for failure in self.failed],
            "lost": [loss.to_json() for loss in self.lost],
        }


@step("looking at the source")
def init_project(root: Path, options: InitOptions = InitOptions()) -> Started:
    """Writes supavex.toml and scaffolds schema.py in the folder ``root``.

    Raises ``ProjectExists`` if there is a supavex.toml and ``force`` is false, and ``NoMigrations`` or ``NoTables`` if
    the source is empty. If the source can't be read, all files stay unchanged.
    """
    if root.exists() and not root.is_dir():
        raise UsageError("NoProject", "this is not a folder.", where=str(root), hint="Name a folder: -C DIR.")
    config = root / CONFIG_NAME
    if config.exists() and not options.force:
        raise UsageError(
            "ProjectExists",
            "there is a supavex.toml already.",
            where=str(config),
            hint="`supavex scaffold` adds definitions for tables that have none; `supavex init --force` starts anew.",
        )
    text = _toml(root, options)
    moved = _moved_away(root) if options.force else {}
    try:
        config.write_text(text, encoding="utf-8")
        project = load_settings(root)
        schemas = Source(project).schemas()
        if schemas and schemas != list(project.schemas):
            config.write_text(_with_schemas(config.read_text(encoding="utf-8"), schemas), encoding="utf-8")
            project = load_settings(root)
        catalog, report = Source(project).catalog()
        lost = losses(project, catalog, report)
        nothing = next((finding for finding in lost if finding.code == "NoTables"), None)
        if nothing is not None:
            where = Source(project).described
            message, hint = f"nothing is there: {nothing.message}", nothing.hint
            failed = [] if report is None else [failure for failure in report.failed if not failure.harmless]
            if failed:
                one = failed[0]
                message += f" {counted(len(failed), 'statement')} failed, first {one.file}:{one.line}: {one.error}"
                hint = f"Correct that statement. {hint}"
            raise SupavexError(nothing.code, message, where=where, hint=hint)
        made = scaffold_files(project)
    except BaseException:
        config.unlink(missing_ok=True)
        for file, old in moved.items():
            old.replace(file)
        raise
    failed = [] if report is None else list(report.failed)
    return Started(project, made, failed, lost)


def _moved_away(root: Path) -> dict[Path, Path]:
    """Moves the files of the existing project aside. Returns the new path of each."""
    files = [root / CONFIG_NAME, root / "schema.py"]
    with suppress(SupavexError):
        files[1] = load_settings(root).schema_file
    moved = {file: file.with_name(f"{file.name}.old") for file in files if file.exists()}
    for file, old in moved.items():
        file.replace(old)
    return moved


def _with_schemas(text: str, schemas: list[str]) -> str:
    """supavex.toml with the schemas that have tables, unless that is only ``public``."""
    return (text or "[source]\n") + f"schemas = {json.dumps(schemas)}\n"


def _toml(root: Path, options: InitOptions) -> str:
    migrations, env, url = options.migrations, options.database_url_env, options.database_url
    if url and env:
        raise UsageError("InvalidConfig", "--database-url and --database-url-env: give one of them.")
    if url:
        # The address holds a password, which must not be in a committed file.
        env = VARIABLE
        os.environ[env] = url
    if env:
        if not env.isidentifier():
            hint = "--database-url takes an address, --database-url-env the name of a variable that holds one."
            raise UsageError("InvalidConfig", "--database-url-env names no environment variable.", hint=hint)
        return f'[source]\ndatabase_url_env = "{env}"\n'
    where = migrations or "supabase/migrations"
    try:
        find_files(root.resolve(), root.resolve() / where, chosen=migrations is not None)
    except UsageError as error:
        if error.code != "NoMigrations" or migrations is not None:
            raise
        raise SupavexError(
            error.code,
            f"nothing is there to begin with: {error.message}",
            where=error.where,
            hint="Go to the folder that holds supabase/, name the folder of the migrations (--migrations DIR), or "
            f"begin from the live database: export {VARIABLE}=postgresql://… && supavex init "
            f"--database-url-env {VARIABLE}",
        ) from None
    return "" if migrations is None else f'[source]\nmigrations = "{migrations}"\n'
