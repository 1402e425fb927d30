"""The extensions that files may create: an allow-list of PostgreSQL's extensions, and stand-ins of supavex.

A file's ``CREATE EXTENSION`` runs unchanged, as the files' role and in its own transaction. PostgreSQL looks for
extensions only in the folder that :func:`write_control_files` makes, so no other extension can be created. Extensions
of C code are marked ``trusted`` there: PostgreSQL runs their scripts as the superuser, with a fixed search path.
Stand-ins are SQL that the files' role runs itself; only types need the superuser.
"""

from __future__ import annotations

import hashlib
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

#: Extensions that reach no file, no network, no other session's memory, and no program. Never add dblink, file_fdw,
#: postgres_fdw, lo, adminpack, amcheck, pageinspect, pg_buffercache, pg_prewarm, pg_surgery, pg_walinspect, refint or
#: xml2.
ALLOWED = frozenset({
    "autoinc", "bloom", "btree_gin", "btree_gist", "citext", "cube", "dict_int", "dict_xsyn", "earthdistance",
    "fuzzystrmatch", "hstore", "insert_username", "intarray", "isn", "ltree", "moddatetime", "pg_stat_statements",
    "pg_trgm", "pgcrypto", "plpgsql", "seg", "tablefunc", "tcn", "tsm_system_rows", "tsm_system_time", "unaccent",
    "uuid-ossp", "vector",
})  # fmt: skip


def write_control_files(shared: Path, folder: Path) -> None:
    """Makes ``folder``, the value of ``extension_control_path``, for a server whose shared files are in ``shared``.

    If the server has an extension of the allow-list, it is used and not supavex's stand-in of that name.
    """
    made = folder / "extension"
    made.mkdir(exist_ok=True)
    made.chmod(0o755)
    real = {name for name in ALLOWED if (shared / "extension" / f"{name}.control").is_file()}
    for name in sorted(real):
        lines = (shared / "extension" / f"{name}.control").read_text(encoding="utf-8").splitlines()
        lines = [line for line in lines if line.split("=")[0].strip() not in ("trusted", "directory")]
        directory = str(shared / "extension").replace("'", "''")
        _write(made / f"{name}.control", "\n".join([*lines, "trusted = true", f"directory = '{directory}'", ""]))
    for file in _stand_in_files():
        if file.name.split("--")[0].removesuffix(".control") not in real:
            _write(made / file.name, file.read_text(encoding="utf-8"))


def stand_ins_digest() -> str:
    """A hash of the allow-list and of supavex's stand-ins. If it changes, a replay may give another result."""
    digest = hashlib.sha256(repr(sorted(ALLOWED)).encode())
    for file in _stand_in_files():
        digest.update(f"\0{file.name}\0".encode() + file.read_bytes())
    return digest.hexdigest()


def _stand_in_files() -> list[Traversable]:
    folder = resources.files("supavex.postgres").joinpath("share", "extension")
    return sorted((file for file in folder.iterdir() if file.name.endswith((".control", ".sql"))), key=lambda f: f.name)


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")
    path.chmod(0o644)
