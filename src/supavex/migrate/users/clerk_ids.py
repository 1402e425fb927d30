"""``supavex users --ids``: writes the file of old user ids and Clerk's ids, from Clerk's own list of its users."""

from __future__ import annotations

import csv
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from supavex.errors import SupavexError, UsageError
from supavex.files import whole_file
from supavex.mapping.idfiles import load_id_file
from supavex.migrate.users.clerk_list import listed_ids
from supavex.migrate.users.clerk_user import why_not
from supavex.postgres.auth import AuthUser, read_users
from supavex.postgres.snapshot import exported
from supavex.scratch import scratch_database

#: The most users without a Clerk id that are listed. All are counted.
LISTED = 20
_BATCH = 1000


@dataclass(slots=True)
class ClerkIds:
    """The result of ``users --ids``."""

    #: The file of ids that was written.
    file: Path
    #: The number of ids in the file.
    ids: int = 0
    #: Clerk's users without a Supabase id.
    without_old_id: int = 0
    #: Ids in the file without a user in the source.
    unknown: int = 0
    #: Users of the source that Clerk can't have (see ``supavex users --for clerk``).
    not_meant: int = 0
    #: Users of the source that Clerk could have, and lacks.
    missing: int = 0
    #: Lines that stay from the earlier file: other old ids of users in Clerk's list.
    kept: int = 0
    #: Lines that were removed from the earlier file: their users are not in Clerk's list.
    dropped: int = 0
    #: The first missing users.
    listed: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether Clerk has every user that it could have."""
        return not self.missing

    def to_json(self) -> dict[str, Any]:
        """The JSON of ``users --ids … --json``."""
        return {
            "ok": self.ok,
            "file": str(self.file),
            "ids": self.ids,
            "withoutOldId": self.without_old_id,
            "unknown": self.unknown,
            "notMeant": self.not_meant,
            "missing": self.missing,
            "kept": self.kept,
            "dropped": self.dropped,
            "listed": self.listed,
        }


def write_clerk_ids(
    lists: Sequence[tuple[Path, str]], url: str, file: Path, *, progress: Callable[[int], None] = lambda done: None
) -> ClerkIds:
    """Writes the id file from Clerk's ``lists`` (paths, with their names in messages), and compares it with the source.

    The file is CSV for the setting ``ids`` of supavex.toml, sorted by the old id. A line of the earlier file stays if
    the lists have its Clerk id and not its old id, because several old users may be one user of Clerk. Raises
    :class:`~supavex.errors.SupavexError` if a file is not such a list, if there are no users, or if two users of Clerk
    have one old id.
    """
    result = ClerkIds(file)
    with closing(scratch_database()) as known:
        known.execute("CREATE TABLE ids (old TEXT PRIMARY KEY, new TEXT NOT NULL) WITHOUT ROWID")
        known.execute("CREATE TABLE users (id TEXT PRIMARY KEY) WITHOUT ROWID")
        for path, shown in lists:
            for old, new in listed_ids(path, shown):
                known.execute("INSERT OR IGNORE INTO users VALUES (?)", (new,))
                if old is None:
                    result.without_old_id += 1
                    continue
                known.execute("INSERT OR IGNORE INTO ids VALUES (?, ?)", (old, new))
                (there,) = known.execute("SELECT new FROM ids WHERE old = ?", (old,)).fetchone()
                if there != new:
                    message = f"{there} and {new} both have the external id {old}."
                    raise SupavexError("IdTwice", message, where=shown, hint="Delete one of these users in Clerk.")
        if known.execute("SELECT 1 FROM users LIMIT 1").fetchone() is None:
            hint = "Nothing was replaced. Give the list of Clerk's users (GET /v1/users)."
            raise UsageError("NoClerkUsers", "there are no users in the list.", where=lists[0][1], hint=hint)
        _keep_lines(result, known, file)
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
        with whole_file(file) as out:
            lines = csv.writer(out, lineterminator="\n")
            lines.writerow(("supabase_id", "clerk_id"))
            lines.writerows(known.execute("SELECT old, new FROM ids ORDER BY old"))
    return result


def _keep_lines(result: ClerkIds, known: sqlite3.Connection, file: Path) -> None:
    """Keeps the lines of the earlier file for other old ids."""
    for old, new in load_id_file(file, str(file)).items() if file.exists() else ():
        if known.execute("SELECT 1 FROM ids WHERE old = ?", (old,)).fetchone() is not None:
            continue
        if known.execute("SELECT 1 FROM users WHERE id = ?", (new,)).fetchone() is None:
            result.dropped += 1
            continue
        known.execute("INSERT INTO ids VALUES (?, ?)", (old, new))
        result.kept += 1


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
