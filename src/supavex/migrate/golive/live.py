"""``supavex migrate --to``: migrates into a deployment that Convex's CLI reaches."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from supavex.callbacks import Log, StepProgress
from supavex.convex_cli.cli import official_cli
from supavex.mapping.plan import Plan
from supavex.mapping.source import Source
from supavex.migrate.changes.result import TableChanges
from supavex.migrate.changes.selection import ChangedTables, nothing_changed
from supavex.migrate.copy_options import copy_options
from supavex.migrate.golive.guarded_import import Callbacks
from supavex.migrate.golive.remote import RemoteMigration, migrate_by_cli
from supavex.migrate.options import MigrateOptions
from supavex.migrate.state.lock import locked
from supavex.migrate.verifying import described_target, write_proof


@dataclass(frozen=True, slots=True)
class NothingChanged:
    """The result of a migration of changes that found none and imported nothing. ``since``: ISO 8601, UTC."""

    target: str
    since: str
    changes: list[TableChanges]
    ok: bool = True

    def to_json(self) -> dict[str, Any]:
        """The result in the JSON of ``migrate --json``."""
        changes = [change.to_json() for change in self.changes]
        return {"ok": True, "imported": False, "target": self.target, "since": self.since, "changes": changes}


def migrate_live(
    plan: Plan,
    options: MigrateOptions,
    *,
    confirm: Callable[[str], bool],
    log: Log,
    progress: StepProgress,
) -> RemoteMigration | NothingChanged:
    """Migrates the rows of ``plan`` into the deployment ``options.to``, and proves them there.

    ``confirm`` is asked before anything changes. ``log`` gets the lines of Convex's CLI.
    """
    project = plan.project
    cli = official_cli(project.convex_folder, options.to)
    project.make_state()

    with (
        locked(project.migration_folder),
        copy_options(options, plan, cli.deployment, partial(progress, "copied")) as how,
    ):
        changed = how.selection
        if isinstance(changed, ChangedTables):
            with Source(project).running() as url:
                nothing = nothing_changed(changed, url, how.files)
            if nothing:
                return NothingChanged(options.to, changed.made_at, changed.changes)
        remote = migrate_by_cli(plan, cli, how, Callbacks(confirm, log, progress), options.max_rejects)
        if remote.proof is not None:
            write_proof(project, remote.proof, remote.migration.copy.rejects, described_target(project, options.to))
    return remote
