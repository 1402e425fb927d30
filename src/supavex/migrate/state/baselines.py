"""The baselines of a project: one a target, and those with a chosen name."""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from supavex.errors import UsageError
from supavex.files import own_database, read_own, write_whole
from supavex.migrate.state.baseline import Baseline

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*\Z")


@dataclass(frozen=True, slots=True)
class Baselines:
    """The baselines of a project: a file for each target, which follows every import, and copies under chosen names.

    Beside the file of a target stands which of its tables are not surely what the baseline says: an import of them was
    begun, and did not end, or was not proven.
    """

    folder: Path

    def path(self, name: str) -> Path:
        """The file of the baseline ``name``. Raises for a text that cannot be a name."""
        if not _NAME.match(name):
            raise UsageError("InvalidName", f"{name!r} names no baseline.", hint="Letters, digits, dots and dashes.")
        return self.folder / f"{name}.sqlite3"

    def names(self) -> list[str]:
        """The baselines that are kept, the newest first."""
        files = sorted(self.folder.glob("*.sqlite3"), key=lambda path: path.stat().st_mtime_ns, reverse=True)
        return [path.stem for path in files]

    def _stale_file(self, target: str) -> Path:
        return self.folder / f"{name_of(target)}.stale.json"

    def stale(self, target: str) -> frozenset[str]:
        """The source tables of which ``target`` may hold something else than its baseline says."""
        try:
            names = json.loads(read_own(self._stale_file(target)))
            if isinstance(names, list) and all(isinstance(name, str) for name in names):
                return frozenset(names)
        except FileNotFoundError:
            return frozenset()
        except ValueError:
            pass  # damaged: any table may have been named
        baseline = Baseline.usable(self.path(name_of(target)))
        if baseline is None:
            return frozenset()
        with baseline:
            return frozenset(baseline.tables())

    def mark_stale(self, target: str, tables: Iterable[str]) -> None:
        """From now on, ``tables`` of ``target`` have to be imported again, whatever the baseline says."""
        self._write_stale(target, sorted({*self.stale(target), *tables}))

    def mark_all_stale(self, target: str) -> None:
        """From now on, all tables of ``target`` have to be imported again."""
        self._write_stale(target, "all")

    def mark_current(self, target: str, tables: Iterable[str]) -> None:
        """``tables`` of ``target`` are what its baseline says."""
        self._write_stale(target, sorted(self.stale(target) - set(tables)))

    def _write_stale(self, target: str, tables: list[str] | Literal["all"]) -> None:
        path = self._stale_file(target)
        if not tables:
            path.unlink(missing_ok=True)
            return
        write_whole(path, json.dumps(tables))

    def begun(self, name: str) -> Path:
        """Where a baseline is written before its rows are in the deployment."""
        return self.folder / f"{name}.begun"

    def keep(self, target: str, also: str | None = None) -> None:
        """The baseline that :meth:`begun` holds is the target's from now on; ``also`` is another name for it."""
        begun = self.begun(name_of(target))
        if also is not None:
            partial = self.begun(also).with_suffix(".copy")
            partial.unlink(missing_ok=True)
            shutil.copyfile(begun, own_database(partial))
            partial.replace(self.path(also))
        begun.replace(self.path(name_of(target)))

    def latest(self) -> str | None:
        """The name of the baseline that follows the target of the last import; None where none is kept.

        Where there are only others under chosen names, the newest of them.
        """
        names = self.names()
        return next((name for name in names if name == self._followed(name)), next(iter(names), None))

    def _followed(self, name: str) -> str | None:
        try:
            with closing(sqlite3.connect(self.path(name))) as database:
                row = database.execute("SELECT value FROM about WHERE name = 'target'").fetchone()
        except sqlite3.DatabaseError:
            return None
        return None if row is None else name_of(str(row[0]))


def name_of(target: str) -> str:
    """The name of the baseline that follows the imports into ``target``: ``local``, ``cloud``, or host and port."""
    place = urlsplit(target).netloc or target
    return re.sub(r"[^A-Za-z0-9.]+", "-", place).strip("-.") or "target"
