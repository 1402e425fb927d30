"""Makes the arguments of a copy from the options of a migration."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from supavex.callbacks import Progress
from supavex.mapping.plan import Plan
from supavex.migrate.changes.detection import ChangeDetector
from supavex.migrate.changes.recorder import BaselineRecorder
from supavex.migrate.changes.selection import ChangedTables
from supavex.migrate.copy.executors import DaskCluster, Executor, InProcess, ProcessPool
from supavex.migrate.copy.options import CopyOptions
from supavex.migrate.options import MigrateOptions
from supavex.migrate.state.baseline import Baseline
from supavex.migrate.state.baselines import name_of
from supavex.migrate.state.folder import Folder
from supavex.migrate.storage.buckets import files_job


@contextmanager
def copy_options(options: MigrateOptions, plan: Plan, target: str, progress: Progress) -> Iterator[CopyOptions]:
    """The arguments of :func:`~supavex.migrate.copy.run.copy`.

    ``target``: the deployment for the rows, or ``archive`` if they stay in one.
    """
    baselines = Folder(plan.project.migration_folder).baselines
    if options.baseline is not None:
        baselines.path(options.baseline)  # This raises an error for an invalid name.
    recorder = None
    if not options.dry_run and (target != "archive" or options.baseline is not None):
        recorder = BaselineRecorder(baselines, target, options.baseline)
    found = CopyOptions(
        tables=options.tables,
        executor=_executor(options),
        place=options.parts if options.parts is None or "://" in options.parts else str(Path(options.parts).resolve()),
        resume="restart" if options.restart else "accept two" if options.accept_two_snapshots else "ask",
        recorder=recorder,
        files=files_job(plan, options.files, options.existing),
        progress=progress,
    )
    if not options.changes:
        yield found
        return
    with Baseline.open(baselines.path(name_of(target))) as baseline:
        changed = ChangedTables(plan, ChangeDetector(baseline), baselines.stale(target))
        if recorder is not None:
            recorder.changed = changed
        # The work of an interrupted copy of changes belongs to another selection of tables.
        yield replace(found, selection=changed, resume="restart")


def _executor(options: MigrateOptions) -> Executor:
    if options.cluster is not None:
        return DaskCluster(options.cluster)
    if options.workers is not None and options.workers > 1:
        return ProcessPool(options.workers)
    return InProcess()
