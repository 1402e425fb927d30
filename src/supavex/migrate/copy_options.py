"""The arguments of a copy, made of the options of a migration."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from supavex.mapping.plan import Plan
from supavex.migrate.changes.detection import ChangeDetector
from supavex.migrate.changes.recorder import BaselineRecorder
from supavex.migrate.changes.selection import ChangedTables
from supavex.migrate.copy.executors import Cluster, Executor, Here, Processes
from supavex.migrate.options import MigrateOptions
from supavex.migrate.state.baseline import Moment
from supavex.migrate.state.baselines import name_of
from supavex.migrate.state.folder import Folder

if TYPE_CHECKING:
    from supavex.migrate.copy.run import CopyOptions, Moments


@contextmanager
def copy_options(options: MigrateOptions, plan: Plan, target: str) -> Iterator[CopyOptions]:
    """The arguments of :func:`~supavex.migrate.copy.run.copy`.

    ``target``: the deployment that the rows go to, or ``archive`` where they stay in one.
    """
    moments = Folder(plan.project.migration_folder).moments
    found = _copying(options)
    if options.moment is not None:
        moments.path(options.moment)  # raises for a name that can't be one
    recorder = None
    if not options.dry_run and (target != "archive" or options.moment is not None):
        recorder = found["recorder"] = BaselineRecorder(moments, target, options.moment)
    if not options.changes:
        yield found
        return
    # What an interrupted copy of changes has done is of another choice of tables.
    found["moments"] = "restart"
    with Moment.open(moments.path(name_of(target))) as moment:
        changed = found["selection"] = ChangedTables(plan, ChangeDetector(moment), moments.doubted(target))
        if recorder is not None:
            recorder.changed = changed
        yield found


def _copying(options: MigrateOptions) -> CopyOptions:
    """Who copies, where the parts go, and what becomes of an interrupted copy."""
    executor: Executor = Here()
    if options.cluster is not None:
        executor = Cluster(options.cluster)
    elif options.workers is not None and options.workers > 1:
        executor = Processes(options.workers)
    place = options.parts
    if place is not None and "://" not in place:
        place = str(Path(place).resolve())
    moments: Moments = "restart" if options.restart else "accept two" if options.accept_two_moments else "ask"
    return {"executor": executor, "place": place, "moments": moments}
