"""The files of a project that are run, in order: those that the Supabase CLI runs.

roles.sql comes first, then the migrations by name, then the seeds. If the migrations need a table that they do not
create, the files of a declarative schema run before them.
"""

from __future__ import annotations

import glob
import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from supavex.errors import UsageError
from supavex.postgres.losses import tables_made
from supavex.postgres.psql import included_files, statements_of
from supavex.postgres.report import NotRun
from supavex.postgres.statements import Statement, read_text
from supavex.postgres.supabase_config import CONFIG_FILE, SupabaseConfig, read_config

_MIGRATION = re.compile(r"([0-9]+)_(.*)\.sql")
#: The CLI ignores a first migration of this name if it is older than the CLI's history: a dump of Supabase's own
#: schemas.
_OLD_INIT = re.compile(r"([0-9]{14})_init\.sql")
_OLD = "20211209000000"
_NO_CLI_FILE = "its name is not <digits>_name.sql: the Supabase CLI does not run it"


@dataclass(frozen=True)
class SourceFiles:
    """The files of a replay, in the order in which they run."""

    files: tuple[Path, ...]
    #: The folder in which includes are allowed; None for the folder of each file.
    root: Path | None = None
    not_run: tuple[NotRun, ...] = ()
    notes: tuple[str, ...] = ()
    #: The major version in config.toml.
    major_version: int | None = None

    def shown(self, path: Path) -> str:
        """A file's name in reports, with its folders if another file has the same name."""
        if self.root is None or path.name not in self._repeated:
            return path.name
        return _relative(path, self.root)

    @cached_property
    def _repeated(self) -> frozenset[str]:
        """The names that several files have."""
        return frozenset(name for name, count in Counter(file.name for file in self.files).items() if count > 1)

    def root_of(self, path: Path) -> Path:
        """The folder in which a file's includes are allowed."""
        return self.root or path.parent

    def read(self) -> Iterator[Path]:
        """All files that are read, including those that others include."""
        for path in self.files:
            yield path
            yield from included_files(path, self.root_of(path))


def find_files(
    root: Path, migrations: Path, seeds: Sequence[Path] | None = None, *, chosen: bool = False
) -> SourceFiles:
    """The files of the project in ``root``, whose migrations are in ``migrations``.

    ``seeds`` replace those of config.toml. ``chosen``: whether the user named ``migrations``, so that no other folder
    is searched. Raises :class:`~supavex.errors.UsageError` if there is nothing to run, or config.toml can't be read.
    """
    folder = supabase_folder(root, migrations)
    config = read_config(folder)
    not_run: list[NotRun] = []
    notes: list[str] = []
    files: list[Path] = []
    others = list(_other_tools(root))
    if not config.migrations_enabled:
        reason = f"db.migrations.enabled is false in {folder.name}/{CONFIG_FILE}"
        not_run += [NotRun(_relative(migrations, root), reason)] if migrations.is_dir() else []
    elif chosen or _has_sql(migrations):
        files, skipped = _migrations(migrations)
        not_run += skipped
        notes += [
            f"{name} is not run: the migrations are those of {_relative(migrations, root)}." for name, _ in others
        ]
    unseeded: list[NotRun] = []
    if seeds is None:
        seeds, unseeded = seed_files(folder, root, config)
    base, unused = _base(folder, root, config, files, seeds)
    if not files and not base and others:
        name, files = others[0]
        notes.append(f"The migrations are those of {name}: there are none in {_relative(migrations, root)}.")
    if not files and not base:
        files, _ = _migrations(migrations)
    not_run += [*unused, *unseeded]
    roles = [folder / "roles.sql"] if (folder / "roles.sql").is_file() else []
    order = tuple(dict.fromkeys([*roles, *base, *files, *seeds]))
    return SourceFiles(order, root, tuple(not_run), tuple(notes), config.major_version)


def files_of_folder(folder: Path) -> SourceFiles:
    """The files of a folder of migrations; with the files beside it if its name is ``migrations``."""
    folder = folder.resolve()
    if folder.name != "migrations":
        files, not_run = _migrations(folder)
        return SourceFiles(tuple(files), folder, tuple(not_run))
    above = folder.parent
    return find_files(above.parent if above.name == "supabase" else above, folder, chosen=True)


def supabase_folder(root: Path, migrations: Path) -> Path:
    """The folder of config.toml: beside the migrations if it exists there, else ``supabase`` in the project."""
    parent = migrations.parent
    return parent if (parent / CONFIG_FILE).is_file() or parent.name == "supabase" else root / "supabase"


def seed_files(folder: Path, root: Path, config: SupabaseConfig) -> tuple[list[Path], list[NotRun]]:
    """The seeds that the CLI runs, and those that it does not run."""
    patterns = config.seed_paths if config.seed_paths is not None else ("./seed.sql",)
    found, missing = _matching(folder, root, patterns)
    if not config.seed_enabled:
        reason = f"db.seed.enabled is false in {folder.name}/{CONFIG_FILE}"
        return [], [NotRun(_relative(path, root), reason) for path in found]
    return found, missing if config.seed_paths is not None else []


def _matching(folder: Path, root: Path, patterns: Iterable[str]) -> tuple[list[Path], list[NotRun]]:
    """The files that match ``patterns`` in ``folder``, in order, each once; and the patterns that match none."""
    found: dict[Path, None] = {}
    missing: list[NotRun] = []
    for pattern in patterns:
        paths = [Path(os.path.normpath(name)) for name in glob.glob(str(folder / pattern), recursive=True)]
        files = sorted(path for path in paths if path.is_file())
        inside = [path for path in files if path.resolve().is_relative_to(root.resolve())]
        missing += [NotRun(str(path), "it is outside of the project's folder") for path in files if path not in inside]
        if not files:
            missing.append(NotRun(pattern, f"no file matches this path of {folder.name}/{CONFIG_FILE}"))
        found.update(dict.fromkeys(inside))
    return list(found), missing


def _has_sql(folder: Path) -> bool:
    return folder.is_dir() and any(path.suffix == ".sql" for path in folder.iterdir())


def _migrations(folder: Path) -> tuple[list[Path], list[NotRun]]:
    """The migrations that the CLI would run, by name, and the other .sql files. If the CLI would run none:
    all of them.
    """
    if not folder.is_dir():
        raise UsageError(
            "NoMigrations",
            "there is no folder of migrations.",
            where=str(folder),
            hint="Go to the folder that holds supabase/, or name in supavex.toml, under [source], the folder of the "
            "migrations (migrations) or the variable with a live database's address (database_url_env).",
        )
    files = sorted((p for p in folder.iterdir() if p.suffix == ".sql" and p.is_file()), key=lambda p: p.name)
    if not files:
        hint = "`supabase db pull` writes the live database's definition there."
        raise UsageError("NoMigrations", "the folder holds no .sql file.", where=str(folder), hint=hint)
    known = [file for file in files if _MIGRATION.fullmatch(file.name)]
    if not known:
        return files, []
    not_run = [NotRun(file.name, _NO_CLI_FILE) for file in files if not _MIGRATION.fullmatch(file.name)]
    first = _OLD_INIT.fullmatch(files[0].name)
    if first and first[1] < _OLD and len(known) > 1:
        known.remove(files[0])
        not_run.append(NotRun(files[0].name, "the Supabase CLI passes over a first migration named init of that age"))
    return known, not_run


def _other_tools(root: Path) -> Iterator[tuple[str, list[Path]]]:
    """Migrations of other tools, each with the name of its folder."""
    prisma = sorted((root / "prisma/migrations").glob("*/migration.sql"))
    drizzle = sorted((root / "drizzle").glob("*.sql"))
    for name, files in (("prisma/migrations", prisma), ("drizzle", drizzle)):
        if files:
            yield name, files


def _base(
    folder: Path, root: Path, config: SupabaseConfig, migrations: Sequence[Path], seeds: Sequence[Path]
) -> tuple[list[Path], list[NotRun]]:
    """The files of a declarative schema that migrations or seeds need, and those that are not run.

    If no migration creates a table, the declarative schema is the project's schema.
    """
    declared, missing = _matching(folder, root, config.schema_paths)
    candidates = [declared, sorted((folder / "schemas").rglob("*.sql")), [folder / "schema.sql"], [root / "schema.sql"]]
    candidates = [[path for path in files if path.is_file()] for files in candidates]
    made = set(_made(migrations, root)) if any(candidates) else set()
    used: list[Path] = []
    not_run: list[NotRun] = list(missing)
    seen: set[Path] = set()
    for files in candidates:
        files = [path for path in files if path not in seen]
        seen.update(files)
        missed = set(_made(files, root)) - made
        if files and not used and missed and (not made or _named(missed, [*migrations, *seeds])):
            used = files
        elif files:
            not_run.append(NotRun(_common(files, root), "the migrations need no table that only it makes"))
    return used, not_run


def _made(files: Iterable[Path], root: Path) -> Iterator[str]:
    """The names of the tables that files create."""
    for path in files:
        items = statements_of(path, path.name, root)
        yield from (name for _, name in tables_made(i.sql for i in items if isinstance(i, Statement) and _makes(i.sql)))


def _makes(sql: str) -> bool:
    return sql[:6].lower() in ("create", "select", "alter ") or sql[:2].lower() == "do"


def _named(tables: set[str], files: Iterable[Path]) -> bool:
    """Whether a file names one of ``tables``."""
    names = re.compile(rf"\b(?:{'|'.join(map(re.escape, sorted(tables)))})\b")
    return any(names.search(read_text(path.read_bytes())[0]) for path in files)


def _common(files: Sequence[Path], root: Path) -> str:
    return _relative(files[0] if len(files) == 1 else Path(os.path.commonpath(files)), root)


def _relative(path: Path, root: Path) -> str:
    try:
        return str(path.relative_to(root))
    except ValueError:
        return str(path)


def of_paths(files: SourceFiles | Sequence[Path]) -> SourceFiles:
    """The files in the order of ``files``."""
    return files if isinstance(files, SourceFiles) else replace(SourceFiles(()), files=tuple(files))
