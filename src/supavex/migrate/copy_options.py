"""The arguments of a copy, made of the options of a migration."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from supavex.mapping.plan import Plan
from supavex.migrate.changes.detection import ChangeDetector
from supavex.migrate.changes.recorder import BaselineRecorder
from supavex.migrate.changes.selection import ChangedTables
from supavex.migrate.copy.context import Progress
from supavex.migrate.copy.executors import Cluster, Executor, Here, Processes
from supavex.migrate.copy.options import CopyOptions
from supavex.migrate.options import MigrateOptions
from supavex.migrate.state.baseline import Moment
from supavex.migrate.state.baselines import name_of
from supavex.migrate.state.folder import Folder
from supavex.migrate.storage.buckets import files_job


@contextmanager
def copy_options(options: MigrateOptions, plan: Plan, target: str, progress: Progress) -> Iterator[CopyOptions]:
    """The arguments of :func:`~supavex.migrate.copy.run.copy`.

    ``target``: the deployment that the rows go to, or ``archive`` where they stay in one.
    """
    moments = Folder(plan.project.migration_folder).moments
    if options.moment is not None:
        moments.path(options.moment)  # raises for a name that can't be one
    recorder = None
    if not options.dry_run and (target != "archive" or options.moment is not None):
        recorder = BaselineRecorder(moments, target, options.moment)
    found = CopyOptions(
        tables=options.tables,
        executor=_executor(options),
        place=options.parts if options.parts is None or "://" in options.parts else str(Path(options.parts).resolve()),
        moments="restart" if options.restart else "accept two" if options.accept_two_moments else "ask",
        recorder=recorder,
        files=files_job(plan, options.files, options.existing),
        progress=progress,
    )
    if not options.changes:
        yield found
        return
    with Moment.open(moments.path(name_of(target))) as moment:
        changed = ChangedTables(plan, ChangeDetector(moment), moments.doubted(target))
        if recorder is not None:
            recorder.changed = changed
        # What an interrupted copy of changes has done is of another choice of tables.
        yield replace(found, selection=changed, moments="restart")


def _executor(options: MigrateOptions) -> Executor:
    if options.cluster is not None:
        return Cluster(options.cluster)
    if options.workers is not None and options.workers > 1:
        return Processes(options.workers)
    return Here()
