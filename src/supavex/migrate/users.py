"""``supavex users``: the users of ``auth.users`` for Clerk's import or Convex Auth, and what there is to say of each.

Hashes are read only where they are asked for, and stand in the file alone: no report, message or log has them.
"""

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
from supavex.files import whole_file
from supavex.mapping.clerk import Remark, clerk_user, hasher_of, why_not
from supavex.mapping.convex_auth import BANNED, SOURCES
from supavex.mapping.plan import Plan
from supavex.mapping.source import Source
from supavex.mapping.table_numbers import load_lock, with_new_tables
from supavex.postgres.auth import AuthUser, count_left, read_users
from supavex.postgres.connection import without_password
from supavex.postgres.snapshot import exported

Target = Literal["clerk", "convex-auth"]
#: Called with the users done so far.
Progress = Callable[[int], None]
#: Remarks of one kind that ``--json`` lists; all are in the file of remarks.
LISTED = 20
#: Users that a target can't have, though they are meant to sign in.
LOST = ("EmailTaken", "NoIdentifier", "NoIdentity", "Rejected")
_PROGRESS = 1000


@dataclass(slots=True)
class UsersReport:
    """What became of the users. ``skipped`` and ``remarks`` count users by code; ``listed`` are the first of each.

    ``kinds``: users by what they are; one may be of several. ``left``: rows of what no import takes.
    """

    target: Target
    file: Path
    remarks_file: Path
    with_password_hashes: bool
    taken_at: str = ""
    users: int = 0
    exported: int = 0
    hashes: int = 0
    seconds: float = 0.0
    kinds: Counter[str] = field(default_factory=Counter)
    providers: Counter[str] = field(default_factory=Counter)
    skipped: Counter[str] = field(default_factory=Counter)
    remarks: Counter[str] = field(default_factory=Counter)
    reasons: dict[str, Remark] = field(default_factory=dict)
    listed: list[dict[str, str]] = field(default_factory=list)
    left: dict[str, int] = field(default_factory=dict)
    #: What the proof of the archive said; None for Clerk's file.
    proven: bool | None = None
    documents: dict[str, int] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Whether everybody who is meant to sign in can, and the archive is proven where there is one."""
        lost = sum(self.skipped[code] + self.remarks[code] for code in LOST)
        return not lost and self.proven is not False

    def to_json(self) -> dict[str, Any]:
        """As ``users --json`` shows it."""
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


def export_for_clerk(
    url: str, file: Path, *, hashes: bool = False, progress: Progress = lambda done: None
) -> UsersReport:
    """Writes the users at ``url`` to ``file`` as Clerk imports them: a JSON array, an object a line.

    ``hashes``: with the hashes of their passwords. The file is its owner's only, and appears when it is whole; so does
    the one beside it with what there is to say of single users. Raises where the source can't be read.
    """
    report = UsersReport("clerk", file, remarks_path(file), hashes)

    with whole_file(file) as out, whole_file(report.remarks_file) as remarked:
        out.write("[")
        for user in _read(url, report, progress):
            reason = why_not(user)
            if reason is not None:
                _say(report, report.skipped, user.id, reason, remarked)
                continue
            text, remarks = clerk_user(user, hashes=hashes)
            out.write(f"{',' if report.exported else ''}\n{text}")
            report.exported += 1
            report.hashes += user.password_hash is not None and hasher_of(user.password_hash) is not None
            for remark in remarks:
                _say(report, report.remarks, user.id, remark, remarked)
        out.write("\n]\n")
    return report


def _remark_on_accounts(report: UsersReport, url: str, remarked: IO[str]) -> None:
    """Fills a report on Convex Auth's users with what there is to say of them."""
    for user in _read(url, report, lambda done: None):
        for remark in _account_remarks(user, hashes=report.with_password_hashes):
            _say(report, report.remarks, user.id, remark, remarked)
        known = user.password_hash is not None and hasher_of(user.password_hash) == "bcrypt"
        report.hashes += known and "email" in user.providers


def remarks_path(file: Path) -> Path:
    """Where the remarks on single users stand: beside the file of the users."""
    return file.with_name(f"{file.stem}.remarks.jsonl")


def _account_remarks(user: AuthUser, *, hashes: bool) -> list[Remark]:
    found = []
    if user.deleted:
        fix = "Nothing: its document stays without email, so that what refers to it does not break."
        found.append(Remark("Deleted", "the user was deleted in Supabase", fix))
    elif user.ban is not None:
        fix = f"Lift it by taking {BANNED} away from the provider of its accounts; Convex Auth has no bans."
        found.append(Remark("Banned", f"the user is banned: its accounts' providers begin with {BANNED}", fix))
    elif user.anonymous:
        fix = "Nothing: its document stays, and whoever it was signs in as somebody new."
        found.append(Remark("Anonymous", "the user is anonymous and has no account", fix))
    elif user.has_password and "email" not in user.providers:
        fix = "Insert the row that Supabase makes for new users into auth.identities, and export again."
        found.append(Remark("NoIdentity", "the user has a password, and no row in auth.identities is for it", fix))
    elif user.email is not None and user.email_owner != user.id:
        fix = "Nothing where it signs in by SSO; Convex Auth finds a user by a confirmed email only where one has it."
        found.append(Remark("EmailShared", f"the user {user.email_owner} has the same email", fix))
    if hashes and user.password_hash is not None and hasher_of(user.password_hash) != "bcrypt":
        found.append(Remark("UnknownHash", "the password's hash is not bcrypt's", "The user sets a new password."))
    return found


def _read(url: str, report: UsersReport, progress: Progress) -> Iterator[AuthUser]:
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
        # PostgreSQL's own words could quote a value; the condition's name can't.
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


def _say(report: UsersReport, counts: Counter[str], user: str, remark: Remark, file: IO[str]) -> None:
    counts[remark.code] += 1
    entry = {"user": user, **asdict(remark)}
    file.write(json.dumps(entry, ensure_ascii=False) + "\n")
    report.reasons.setdefault(remark.code, remark)
    if counts[remark.code] <= LISTED:
        report.listed.append(entry)


def export_for_convex_auth(
    plan: Plan, file: Path, *, progress: Callable[[str, int, int], None] = lambda table, done, estimate: None
) -> UsersReport:
    """Writes ``users`` and ``authAccounts`` of ``plan`` into the snapshot archive ``file``, and proves them.

    The plan says whether hashes are in it. What there is to say of single users is read at another moment than the
    archive's, whose ``taken_at`` is.
    """
    # Arrow is an extra, and slow to import: Clerk's file does without.
    from supavex.migrate.copy.run import copy
    from supavex.migrate.documents import ArchiveDocuments
    from supavex.migrate.mended import mended_rows
    from supavex.migrate.migration import work_folder
    from supavex.migrate.verification import verify

    report = UsersReport("convex-auth", file, remarks_path(file), plan.project.users.password_hashes)
    tables = [table for table in plan.tables if table.name in SOURCES]
    only = Plan(plan.project, plan.schema, plan.catalog, tables)
    numbers = with_new_tables(load_lock(plan.project.lock_file), plan.schema.tables)
    started = time.monotonic()
    with Source(plan.project).running() as url:
        with whole_file(report.remarks_file) as remarked:
            _remark_on_accounts(report, url, remarked)
            copied = copy(only, url, numbers, file, work_folder(file), moments="restart", progress=progress)
            for reject in copied.rejects:
                remark = Remark("Rejected", f"{reject.table}.{reject.column}: {reject.reason}", reject.fix)
                _say(report, report.skipped, reject.shown_key, remark, remarked)
        with ArchiveDocuments(file) as documents:
            proof = verify(only, url, documents, copied.rejects, retry=mended_rows)
    report.taken_at, report.proven = copied.taken_at, proof.ok
    report.documents = {table.target: table.documents for table in copied.tables}
    report.exported = report.documents.get("users", 0)
    report.seconds = time.monotonic() - started
    return report
