"""The baselines of a project: one for each target, and those with a chosen name."""

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

    A second file for each target lists its stale tables: an import of them was begun and did not end, or was not
    proven.
    """

    folder: Path

    def path(self, name: str) -> Path:
        """The file of the baseline ``name``. Raises :class:`~supavex.errors.UsageError` for a text that can't be a
        name.
        """
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
        """The source tables whose rows in ``target`` may differ from its baseline."""
        try:
            names = json.loads(read_own(self._stale_file(target)))
            if isinstance(names, list) and all(isinstance(name, str) for name in names):
                return frozenset(names)
        except FileNotFoundError:
            return frozenset()
        except ValueError:
            pass  # The file is damaged, so it may have named any table.
        baseline = Baseline.usable(self.path(name_of(target)))
        if baseline is None:
            return frozenset()
        with baseline:
            return frozenset(baseline.tables())

    def mark_stale(self, target: str, tables: Iterable[str]) -> None:
        """Marks ``tables`` of ``target`` as stale: they have to be imported again."""
        self._write_stale(target, sorted({*self.stale(target), *tables}))

    def mark_all_stale(self, target: str) -> None:
        """Marks all tables of ``target`` as stale."""
        self._write_stale(target, "all")

    def mark_current(self, target: str, tables: Iterable[str]) -> None:
        """Marks ``tables`` of ``target`` as equal to its baseline."""
        self._write_stale(target, sorted(self.stale(target) - set(tables)))

    def _write_stale(self, target: str, tables: list[str] | Literal["all"]) -> None:
        path = self._stale_file(target)
        if not tables:
            path.unlink(missing_ok=True)
            return
        write_whole(path, json.dumps(tables))

    def begun(self, name: str) -> Path:
        """The path of a baseline until its rows are in the deployment."""
        return self.folder / f"{name}.begun"

    def keep(self, target: str, also: str | None = None) -> None:
        """Makes the baseline at :meth:`begun` the target's. ``also``: a second name for it."""
        begun = self.begun(name_of(target))
        if also is not None:
            partial = self.begun(also).with_suffix(".copy")
            partial.unlink(missing_ok=True)
            shutil.copyfile(begun, own_database(partial))
            partial.replace(self.path(also))
        begun.replace(self.path(name_of(target)))

    def latest(self) -> str | None:
        """The name of the baseline of the last import's target; None if there is none.

        If there are only baselines with chosen names, the newest of them.
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
    """The name of the baseline of ``target``: ``local``, ``cloud``, or host and port."""
    place = urlsplit(target).netloc or target
    return re.sub(r"[^A-Za-z0-9.]+", "-", place).strip("-.") or "target"
