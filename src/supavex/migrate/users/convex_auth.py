"""Exports users as documents of Convex Auth."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import IO

from supavex.files import whole_file
from supavex.mapping.convex_auth import BANNED, SOURCES
from supavex.mapping.plan import Plan
from supavex.mapping.source import Source
from supavex.mapping.table_numbers import load_lock, with_new_tables
from supavex.migrate.users.clerk_user import Remark, hasher_of
from supavex.migrate.users.report import UsersReport, listed_users, remarks_path, say_remark
from supavex.postgres.auth import AuthUser


def _remark_on_accounts(report: UsersReport, url: str, remarked: IO[str]) -> None:
    """Adds the remarks on users of Convex Auth to a report."""
    for user in listed_users(url, report, lambda done: None):
        for remark in _account_remarks(user, hashes=report.with_password_hashes):
            say_remark(report, report.remarks, user.id, remark, remarked)
        known = user.password_hash is not None and hasher_of(user.password_hash) == "bcrypt"
        report.hashes += known and "email" in user.providers


def _account_remarks(user: AuthUser, *, hashes: bool) -> list[Remark]:
    found = []
    if user.deleted:
        fix = "Nothing: its document stays without email, so that what refers to it does not break."
        found.append(Remark("Deleted", "the user was deleted in Supabase", fix))
    elif user.ban is not None:
        fix = f"Lift it by taking {BANNED} away from the provider of its accounts; Convex Auth has no bans."
        found.append(Remark("Banned", f"the user is banned: its accounts' providers begin with {BANNED}", fix))
    elif user.anonymous:
        fix = "Nothing: its document stays, and the person signs in as a new user."
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


def export_for_convex_auth(
    plan: Plan, file: Path, *, progress: Callable[[str, int, int], None] = lambda table, done, estimate: None
) -> UsersReport:
    """Writes ``users`` and ``authAccounts`` of ``plan`` into the snapshot archive ``file``, and proves them.

    The plan says whether hashes are included. The remarks on single users are read at another snapshot than the
    archive's, which gives the report's ``taken_at``.
    """
    # Arrow is an extra and slow to import, and Clerk's file does not need it.
    from supavex.migrate.copy.options import CopyOptions
    from supavex.migrate.copy.retry import rejects_that_would_go
    from supavex.migrate.copy.run import copy
    from supavex.migrate.proof.run import ProofOptions, verify
    from supavex.migrate.state.folder import work_folder
    from supavex.migrate.target.archive import ArchiveDocuments

    report = UsersReport("convex-auth", file, remarks_path(file), plan.project.users.password_hashes)
    tables = [table for table in plan.tables if table.name in SOURCES]
    only = Plan(plan.project, plan.schema, plan.catalog, tables)
    numbers = with_new_tables(load_lock(plan.project.lock_file), plan.schema.tables)
    started = time.monotonic()
    with Source(plan.project).running() as url:
        with whole_file(report.remarks_file) as remarked:
            _remark_on_accounts(report, url, remarked)
            copied = copy(only, url, numbers, file, work_folder(file), CopyOptions(resume="restart", progress=progress))
            for reject in copied.rejects:
                remark = Remark("Rejected", f"{reject.table}.{reject.column}: {reject.reason}", reject.fix)
                say_remark(report, report.skipped, reject.shown_key, remark, remarked)
        with ArchiveDocuments(file) as documents:
            proof = verify(only, url, documents, copied.rejects, ProofOptions(retry=rejects_that_would_go))
    report.taken_at, report.proven = copied.taken_at, proof.ok
    report.documents = {table.target: table.documents for table in copied.tables}
    report.exported = report.documents.get("users", 0)
    report.seconds = time.monotonic() - started
    return report
