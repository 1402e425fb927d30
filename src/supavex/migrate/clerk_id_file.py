"""``supavex users --ids``: the id file of old user ids and Clerk's, from Clerk's own list of its users."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from supavex.errors import SupavexError
from supavex.mapping.clerk import why_not
from supavex.mapping.clerk_list import clerk_ids
from supavex.postgres.auth import AuthUser, read_users
from supavex.postgres.snapshot import exported

#: Users without a Clerk id that are listed; all are counted.
LISTED = 20
_BATCH = 1000


@dataclass(slots=True)
class ClerkIds:
    """What came of Clerk's list. ``ids`` are in the file; the other counts say who is not.

    ``without_old_id``: users of Clerk that have no Supabase id. ``unknown``: ids in the file that the source has no
    user of. ``not_meant``: users of the source that Clerk can't have (see ``supavex users --for clerk``).
    ``missing``: users of the source that Clerk could have, and has not.
    """

    file: Path
    ids: int = 0
    without_old_id: int = 0
    unknown: int = 0
    not_meant: int = 0
    missing: int = 0
    listed: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether Clerk has everybody."""
        return not self.missing

    def to_json(self) -> dict[str, Any]:
        """As ``users --ids … --json`` shows it."""
        return {
            "ok": self.ok,
            "file": str(self.file),
            "ids": self.ids,
            "withoutOldId": self.without_old_id,
            "unknown": self.unknown,
            "notMeant": self.not_meant,
            "missing": self.missing,
            "listed": self.listed,
        }


def write_clerk_ids(
    lists: Sequence[tuple[Path, str]], url: str, file: Path, *, progress: Callable[[int], None] = lambda done: None
) -> ClerkIds:
    """Writes the id file from Clerk's ``lists`` (paths, and how to show them), and holds it against the source.

    It is CSV as ``ids`` in supavex.toml names it, sorted by the old id. Raises where a list is none, or where two
    users of Clerk have one old id.
    """
    result = ClerkIds(file)
    with closing(sqlite3.connect("", isolation_level=None)) as known:  # a file of SQLite's own, where it grows
        known.execute("CREATE TABLE ids (old TEXT PRIMARY KEY, new TEXT NOT NULL) WITHOUT ROWID")
        for path, shown in lists:
            for old, new in clerk_ids(path, shown):
                if old is None:
                    result.without_old_id += 1
                    continue
                known.execute("INSERT OR IGNORE INTO ids VALUES (?, ?)", (old, new))
                (there,) = known.execute("SELECT new FROM ids WHERE old = ?", (old,)).fetchone()
                if there != new:
                    message = f"{there} and {new} both have the external id {old}."
                    raise SupavexError("IdTwice", message, where=shown, hint="Delete one of these users in Clerk.")
        (result.ids,) = known.execute("SELECT count(*) FROM ids").fetchone()
        found = 0
        with exported(url) as (_, connection):
            for users in _batches(read_users(connection), progress):
                marks = ",".join("?" * len(users))
                rows = known.execute(f"SELECT old FROM ids WHERE old IN ({marks})", [user.id for user in users])
                there_too = {row[0] for row in rows}
                found += len(there_too)
                for user in users:
                    if user.id not in there_too:
                        _without(result, user)
        result.unknown = result.ids - found
        file.parent.mkdir(parents=True, exist_ok=True)
        partial = file.with_name(f"{file.name}.partial")
        try:
            with partial.open("w", encoding="utf-8", newline="\n") as out:
                out.write("supabase_id,clerk_id\n")
                for old, new in known.execute("SELECT old, new FROM ids ORDER BY old"):
                    out.write(f"{old},{new}\n")
            partial.replace(file)
        finally:
            partial.unlink(missing_ok=True)
    return result


def _without(result: ClerkIds, user: AuthUser) -> None:
    if why_not(user) is not None:
        result.not_meant += 1
        return
    result.missing += 1
    if result.missing <= LISTED:
        result.listed.append(user.id)


def _batches(users: Iterator[AuthUser], progress: Callable[[int], None]) -> Iterator[list[AuthUser]]:
    batch: list[AuthUser] = []
    done = 0
    for user in users:
        batch.append(user)
        if len(batch) == _BATCH:
            done += len(batch)
            progress(done)
            yield batch
            batch = []
    if batch:
        yield batch
