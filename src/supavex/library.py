"""The library: a Supabase project with the commands as methods.

Each method does what the command of its name does, and returns a typed result with ``to_json``. A command parses its
options, calls the method, and prints. A method imports its modules when it is called, so that opening a project is
fast.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from supavex.callbacks import Log, StepProgress
from supavex.errors import UsageError
from supavex.settings.reading import load_settings

if TYPE_CHECKING:
    from supavex.deployment.server.host import Host
    from supavex.diagnostics import Diagnostic
    from supavex.mapping.build import Build
    from supavex.mapping.check import Check
    from supavex.mapping.inspect import Inspection
    from supavex.mapping.scaffold import Scaffolded
    from supavex.mapping.start import InitOptions
    from supavex.migrate.changes.result import Changes
    from supavex.migrate.changes.run import ChangesOptions
    from supavex.migrate.deploying import Deployed, DeployOptions
    from supavex.migrate.explain import Explanation
    from supavex.migrate.golive.cutover import CutoverPlan
    from supavex.migrate.golive.live import NothingChanged
    from supavex.migrate.golive.project_rollback import KeptExports, RollbackOptions
    from supavex.migrate.golive.remote import RemoteMigration
    from supavex.migrate.golive.rollback import Rollback
    from supavex.migrate.migration import Migration
    from supavex.migrate.options import MigrateOptions
    from supavex.migrate.proof.findings import Proof
    from supavex.migrate.restore.run import Restored
    from supavex.migrate.users.clerk_ids import ClerkIds
    from supavex.migrate.users.export import UsersOptions
    from supavex.migrate.users.report import UsersReport
    from supavex.migrate.verifying import VerifyOptions
    from supavex.rules.proof.run import RulesProof
    from supavex.rules.writing import Rules
    from supavex.usage.usage import Usage

#: Called with the pending changes. Returns whether to continue.
Confirm = Callable[[str], bool]


def _silent(step: str, table: str, rows: int, estimate: int) -> None:
    """The default progress callback: ignores all calls."""


def _unheard(line: str) -> None:
    """The default log callback: ignores all lines."""


def _unwarned(found: list[Diagnostic]) -> None:
    """The default warning callback: ignores warnings, which :meth:`Project.check` returns."""


def _unconfirmed(changes: str) -> bool:
    hint = "Give confirm=…: a function that is shown what changes, and returns whether to go on."
    raise UsageError("NotConfirmed", "no answer was given to whether the deployment may change.", hint=hint)


def init(path: str | Path = ".", options: InitOptions | None = None) -> Project:
    """Makes the folder ``path`` a project: writes supavex.toml, and schema.py from the source. See ``supavex init``.

    Raises ``ProjectExists`` if there is a supavex.toml. :meth:`Project.check` says whether every table was found.
    """
    from supavex.mapping.start import InitOptions, init_project

    init_project(Path(path), options or InitOptions())
    return Project(path)


def inspect(source: str, schemas: Sequence[str] = ("public",)) -> Inspection:
    """The contents of a source without a project: a folder of migrations, a .sql file, or a connection string."""
    from supavex.mapping.inspect import inspect_source

    return inspect_source(source, schemas)


def inspect_folder(folder: str | Path = ".", schemas: Sequence[str] | None = None) -> Inspection:
    """The contents of the files in a folder that is not a project yet, from the replay that :func:`init` also uses."""
    from supavex.mapping.inspect import inspect_project, inspect_source
    from supavex.settings.reading import default_settings

    settings = default_settings(Path(folder))
    settings = settings if schemas is None else replace(settings, schemas=tuple(schemas))
    if os.access(settings.root, os.W_OK):
        return inspect_project(settings)
    # The folder can't be written, so nothing is cached.
    return inspect_source(str(settings.migrations), settings.schemas)


class Project:
    """The project in the folder ``path``: its source, its schema, and its deployments.

    ``config`` names another file than supavex.toml. ``settings`` are the file's settings. Raises
    :class:`~supavex.errors.UsageError` if the file is missing or wrong.
    """

    def __init__(self, path: str | Path = ".", config: str | None = None) -> None:
        self.settings = load_settings(Path(path), config)

    def __repr__(self) -> str:
        return f"Project({str(self.settings.root)!r})"

    # The schema

    def inspect(self, schemas: Sequence[str] | None = None) -> Inspection:
        """The contents of the source, and what Convex does not carry over. ``schemas``: in place of supavex.toml's."""
        from supavex.mapping.inspect import inspect_project

        return inspect_project(self.settings if schemas is None else replace(self.settings, schemas=tuple(schemas)))

    def scaffold(self, *, write: bool = True) -> Scaffolded:
        """Python definitions for source tables without one. With ``write``, they go into schema.py and supavex.toml."""
        from supavex.mapping.scaffold_files import scaffold_files

        return scaffold_files(self.settings, write=write)

    def explain(self, table: str) -> Explanation:
        """What happens to each column of ``table``, and why, with one row before and after."""
        from supavex.migrate.explain import explain_table

        return explain_table(self.settings, table)

    def check(self) -> Check:
        """Whether the schema compiles and covers every table and column of the source."""
        from supavex.mapping.check import check
        from supavex.rules.counting import with_refusals

        return with_refusals(check(self.settings))

    def build(self, *, check: bool = False) -> Build:
        """Writes the TypeScript that Convex reads. With ``check``, it only finds the files that are not up to date."""
        from supavex.mapping.build import build

        return build(self.settings, check=check)

    def rules(self, *, check: bool = False) -> Rules:
        """Writes ``convex/rules.ts`` from policies and constraints; with ``check``, only says if it is up to date."""
        from supavex.rules.writing import write_rules

        return write_rules(self.settings, check=check)

    def deploy(self, options: DeployOptions | None = None, *, log: Log = _unheard) -> Deployed:
        """Pushes the schema, into the local deployment by default."""
        from supavex.migrate.deploying import DeployOptions, deploy

        return deploy(self.settings, options or DeployOptions(), log)

    # The data

    def changes(self, options: ChangesOptions | None = None, progress: StepProgress = _silent) -> Changes:
        """The rows that were inserted, updated or deleted since they were imported."""
        from supavex.migrate.changes.run import ChangesOptions, changes_of

        return changes_of(self.settings, options or ChangesOptions(), partial(progress, "reading"))

    def migrate(
        self,
        options: MigrateOptions | None = None,
        *,
        confirm: Confirm = _unconfirmed,
        log: Log = _unheard,
        warn: Callable[[list[Diagnostic]], object] = _unwarned,
        progress: StepProgress = _silent,
    ) -> Migration | RemoteMigration | NothingChanged:
        """Copies the rows under one snapshot of the source, and imports them.

        ``confirm`` is asked before a deployment that Convex's CLI reaches changes. ``warn`` gets ``check``'s warnings.
        """
        from supavex.mapping.check import checked_plan
        from supavex.migrate.options import MigrateOptions

        options = options or MigrateOptions()
        options.check()
        plan, diagnostics = checked_plan(self.settings)
        warn([finding for finding in diagnostics if finding.severity == "warning"])
        if options.to == "local":
            from supavex.migrate.local import migrate_here

            return migrate_here(plan, options, progress)
        from supavex.migrate.golive.live import migrate_live

        return migrate_live(plan, options, confirm=confirm, log=log, progress=progress)

    def verify(self, options: VerifyOptions | None = None, progress: StepProgress = _silent) -> Proof:
        """Proves that every row arrived, field by field, and keeps the proof."""
        from supavex.migrate.verifying import VerifyOptions, verify_project

        return verify_project(self.settings, options or VerifyOptions(), partial(progress, "verified"))

    def verify_rules(self, users: int | None = None, log: Log = _unheard) -> RulesProof:
        """Tests the app's functions and ``rules.ts`` against PostgreSQL, as nobody and as ``users`` users
        (None: all).
        """
        from supavex.rules.proof.run import prove_rules

        return prove_rules(self.settings, users, log)

    def restore(self, archive: Path, to: str, *, replace: bool = False, progress: StepProgress = _silent) -> Restored:
        """Writes the documents of an archive into the tables of the PostgreSQL at ``to``."""
        from supavex.migrate.restore.archive import restore_archive

        return restore_archive(self.settings, archive, to, replace=replace, progress=partial(progress, "restored"))

    def users(self, options: UsersOptions | None = None, progress: StepProgress = _silent) -> UsersReport:
        """Writes the users of auth.users for Clerk, or as Convex Auth's documents."""
        from supavex.migrate.users.export import UsersOptions, export_users

        return export_users(self.settings, options or UsersOptions(), partial(progress, "reading"))

    def clerk_ids(self, lists: Sequence[Path], out: Path | None = None, progress: StepProgress = _silent) -> ClerkIds:
        """Writes the id file from Clerk's own lists of its users."""
        from supavex.migrate.users.export import clerk_ids

        return clerk_ids(self.settings, lists, out, partial(progress, "reading"))

    # Going live

    def plan_cutover(self, to: str = "local", *, command_options: str = "", log: Log = _unheard) -> CutoverPlan:
        """The checklist of the cutover to the deployment ``to``, with the times of the rehearsal."""
        from supavex.migrate.golive.planning import cutover_of

        return cutover_of(self.settings, to, command_options=command_options, log=log)

    def kept_exports(self, to: str | None = None) -> KeptExports:
        """The exports that migrations into the deployment ``to`` kept; None: into any."""
        from supavex.migrate.golive.project_rollback import exports_of

        return exports_of(self.settings, to)

    def rollback(
        self, options: RollbackOptions | None = None, *, confirm: Confirm = _unconfirmed, log: Log = _unheard
    ) -> Rollback:
        """Puts a deployment back to its content before a migration, and proves it."""
        from supavex.migrate.golive.project_rollback import RollbackOptions, roll_back_project

        return roll_back_project(self.settings, options or RollbackOptions(), confirm=confirm, log=log)

    # The app

    def usage(self, app: Path | None = None, tables: frozenset[str] | None = None) -> Usage:
        """The calls of Supabase in the app's code, with their replacement."""
        from supavex.usage.usage import usage

        return usage(self.settings, app, tables)

    def serve(
        self,
        started: Callable[[Host], None],
        *,
        data: Path | None = None,
        port: int = 3210,
        site_port: int = 3211,
        host: str = "127.0.0.1",
        fetch_hosts: frozenset[str] = frozenset(),
    ) -> None:
        """Serves the local deployment until the process is told to stop. ``started`` is called when the ports listen.

        ``data``: the deployment's folder; None: that of the project's other commands.
        """
        from supavex.deployment.serving import ServeOptions, data_folder, serve

        if data is None:
            self.settings.make_state()
        folder = data_folder(data or self.settings.state, ignored=True)
        serve(ServeOptions(folder, host, port, site_port, fetch_hosts), started)
