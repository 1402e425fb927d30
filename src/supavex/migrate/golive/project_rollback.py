"""``supavex rollback``: puts a deployment of a project back to a kept export."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from supavex.callbacks import Log
from supavex.convex_cli.cli import official_cli
from supavex.convex_cli.targets import CLOUD, deployment_of
from supavex.errors import UsageError
from supavex.migrate.golive.guarded_import import Callbacks
from supavex.migrate.golive.rollback import Rollback, choose_export, roll_back
from supavex.migrate.state.exports import KeptExport, damaged_notes, every_kept_export, kept_exports, read_export
from supavex.migrate.state.folder import Folder
from supavex.migrate.state.lock import locked
from supavex.settings.settings import Settings


@dataclass(frozen=True, slots=True)
class RollbackOptions:
    """What :func:`roll_back_project` puts back, and where."""

    #: ``cloud`` or the URL of a deployment; None: the deployment of the export.
    to: str | None = None
    #: The export; None: the newest kept export of the deployment.
    export: Path | None = None
    #: Whether to continue if the app has written to the tables since.
    discard_changes_since: bool = False


@dataclass(frozen=True, slots=True)
class KeptExports:
    """The exports that migrations kept, and the damaged notes beside them."""

    exports: list[KeptExport]
    damaged: list[Path]


_FIRST = "`supavex migrate --to cloud` (or to the URL of a deployment) keeps one, before it imports."


def exports_of(project: Settings, to: str | None = None) -> KeptExports:
    """The kept exports of the deployment ``to``; None: of all."""
    folder = Folder(project.migration_folder).path
    deployment = None if to is None else deployment_of(project.convex_folder, to)
    found = every_kept_export(folder) if deployment is None else kept_exports(folder, deployment)
    return KeptExports(list(found), list(damaged_notes(folder)))


def roll_back_project(
    project: Settings, options: RollbackOptions, *, confirm: Callable[[str], bool], log: Log
) -> Rollback:
    """Rolls a deployment of ``project`` back; see :func:`supavex.migrate.golive.rollback.roll_back`.

    ``confirm`` is asked before anything changes. ``log`` gets the lines of Convex's CLI.
    """
    folder = Folder(project.migration_folder)
    to = options.to
    if to == "local":
        hint = "`supavex migrate` writes it anew; to keep several, use `supavex serve --data DIR` and its URL."
        raise UsageError("UnsupportedTarget", "of the local deployment no exports are kept.", hint=hint)
    if to is None:
        to = _only_target(folder.path, options.export)
        to = CLOUD if to.split()[0] == CLOUD else to
    cli = official_cli(project.convex_folder, to)
    project.make_state()
    with locked(folder.path):
        chosen = choose_export(folder.path, cli.deployment, options.export)
        return roll_back(folder, cli, chosen, Callbacks(confirm, log), discard=options.discard_changes_since)


def _only_target(folder: Path, export: Path | None) -> str:
    if export is not None:
        return read_export(export).target
    targets = sorted({kept.target for kept in every_kept_export(folder)})
    if len(targets) != 1:
        hint = f"--to is one of {', '.join(targets)}." if targets else _FIRST
        many = "exports of several deployments are kept." if targets else "no export from before a migration is kept."
        raise UsageError("WhichTarget" if targets else "NothingToRollBack", many, hint=hint)
    return targets[0]
