"""The report of an export of users, and remarks on single users."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any, Literal

import psycopg

from supavex.errors import SupavexError
from supavex.files import begins_with
from supavex.migrate.users.clerk_user import Remark
from supavex.postgres.auth import AuthUser, count_left, read_users
from supavex.postgres.connection import without_password
from supavex.postgres.snapshot import exported

AuthTarget = Literal["clerk", "convex-auth"]
#: Called with the users done so far.
UserProgress = Callable[[int], None]
#: The most remarks of one kind that ``--json`` lists. The file of remarks has all.
LISTED = 20
#: The codes of users that the target can't have although they should be able to sign in.
LOST = ("EmailTaken", "NoIdentifier", "NoIdentity", "Rejected")
_PROGRESS = 1000


@dataclass(slots=True)
class UsersReport:
    """The report of an export of users: counts that are independent of each other."""

    #: The service or library that the users are exported for.
    target: AuthTarget
    #: The file of the users.
    file: Path
    #: The file of the remarks, one JSON object a line for each remark.
    remarks_file: Path
    #: Whether password hashes were to be exported.
    with_password_hashes: bool
    #: When the snapshot was taken.
    taken_at: str = ""
    #: The users of the source.
    users: int = 0
    #: The users in the file.
    exported: int = 0
    #: The password hashes in the file.
    hashes: int = 0
    #: The seconds of the export.
    seconds: float = 0.0
    #: Users by kind. A user may be of several kinds.
    kinds: Counter[str] = field(default_factory=Counter)
    #: Users by provider.
    providers: Counter[str] = field(default_factory=Counter)
    #: Users that were not exported, by code.
    skipped: Counter[str] = field(default_factory=Counter)
    #: Users with a remark, by code.
    remarks: Counter[str] = field(default_factory=Counter)
    #: The remark of each code.
    reasons: dict[str, Remark] = field(default_factory=dict)
    #: The first users of each code.
    listed: list[dict[str, str]] = field(default_factory=list)
    #: Rows that no import takes, by table.
    left: dict[str, int] = field(default_factory=dict)
    #: The verdict of the archive's proof; None for Clerk's file.
    proven: bool | None = None
    #: The documents of the archive by table.
    documents: dict[str, int] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Whether every user who should be able to sign in can, and the archive, if any, is proven."""
        lost = sum(self.skipped[code] + self.remarks[code] for code in LOST)
        return not lost and self.proven is not False

    def to_json(self) -> dict[str, Any]:
        """The JSON of ``users --json``."""
        return {
            "ok": self.ok,
            "for": self.target,
            "file": str(self.file),
            "remarksFile": str(self.remarks_file),
            "takenAt": self.taken_at,
            "seconds": round(self.seconds, 3),
            "users": self.users,
            "exported": self.exported,
            "withPasswordHashes": self.with_password_hashes,
            "hashes": self.hashes,
            "kinds": dict(sorted(self.kinds.items())),
            "providers": dict(sorted(self.providers.items())),
            "skipped": dict(sorted(self.skipped.items())),
            "remarks": dict(sorted(self.remarks.items())),
            "listed": self.listed,
            "left": self.left,
            "proven": self.proven,
            "documents": self.documents,
        }


def remarks_path(file: Path) -> Path:
    """The path of the remarks on single users, beside the file of the users."""
    return file.with_name(f"{file.stem}.remarks.jsonl")


def holds_remarks(path: Path) -> bool:
    """Whether ``path`` looks like a file of remarks."""
    return begins_with(path, ('{"user": ',))


def listed_users(url: str, report: UsersReport, progress: UserProgress) -> Iterator[AuthUser]:
    """The users, counted by kind."""
    started = time.monotonic()
    try:
        with exported(url) as (snapshot, connection):
            report.taken_at = snapshot.taken_at
            report.left = count_left(connection)
            for user in read_users(connection, hashes=report.with_password_hashes):
                report.users += 1
                report.kinds.update(_kinds(user))
                report.providers.update(user.providers)
                if report.users % _PROGRESS == 0:
                    progress(report.users)
                yield user
        progress(report.users)
    except psycopg.Error as error:
        # PostgreSQL's message could quote a value. The error's class can't.
        raise SupavexError(
            "ReadFailed",
            f"PostgreSQL stopped the read of the users: {type(error).__name__}.",
            where=without_password(url),
            hint="Nothing was written. Run the command again.",
            retryable=True,
        ) from None
    report.seconds = time.monotonic() - started


def _kinds(user: AuthUser) -> list[str]:
    found = [
        name
        for name, holds in (
            ("password", user.has_password),
            ("emailConfirmed", user.email is not None and user.email_confirmed),
            ("emailUnconfirmed", user.email is not None and not user.email_confirmed),
            ("phoneOnly", user.phone is not None and user.email is None),
            ("banned", user.ban is not None),
            ("deleted", user.deleted),
            ("anonymous", user.anonymous),
            ("sso", user.sso),
        )
        if holds
    ]
    if set(user.providers) - {"email", "phone"} and not user.has_password:
        found.append("socialOnly")
    return found


def say_remark(report: UsersReport, counts: Counter[str], user: str, remark: Remark, file: IO[str]) -> None:
    """Counts a remark on one user, and writes it as a JSON line."""
    counts[remark.code] += 1
    entry = {"user": user, **asdict(remark)}
    file.write(json.dumps(entry, ensure_ascii=False) + "\n")
    report.reasons.setdefault(remark.code, remark)
    if counts[remark.code] <= LISTED:
        report.listed.append(entry)
