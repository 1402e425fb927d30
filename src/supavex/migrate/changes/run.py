"""``supavex changes``: what changed in the source of a project since one of its baselines."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial

from supavex.convex_cli.targets import deployment_of
from supavex.errors import UsageError
from supavex.mapping.check import checked_plan
from supavex.mapping.source import Source
from supavex.migrate.changes.detection import ChangeDetector, Each, changes_since
from supavex.migrate.changes.result import Changes
from supavex.migrate.changes.selection import other_rules
from supavex.migrate.state.baseline import Baseline
from supavex.migrate.state.baselines import name_of
from supavex.migrate.state.folder import Folder
from supavex.migrate.storage.buckets import files_job
from supavex.settings.settings import Settings


@dataclass(frozen=True, slots=True)
class ChangesOptions:
    """The baseline for :func:`changes_of`, and the method."""

    #: The last import into this deployment (``local``, ``cloud`` or a URL); None: into any.
    to: str | None = None
    #: The name of a kept baseline, in place of an import.
    baseline: str | None = None
    #: Whether to compare every row's digest, without ``xmin``.
    full: bool = False
    #: The files of storage buckets: a folder, or ``s3://…``; None: the setting of supavex.toml.
    files: str | None = None
    #: Called with each changed row: its table, the kind of change, and its key as text.
    each: Each | None = None


def changes_of(
    project: Settings,
    options: ChangesOptions = ChangesOptions(),
    progress: Callable[[str, int, int], None] = lambda table, rows, estimate: None,
) -> Changes:
    """The rows of ``project`` that were inserted, updated or deleted since the chosen baseline.

    Raises ``NoBaseline`` if it does not exist. ``progress``: a table, the rows read, and an estimate of all (0: none).
    """
    if options.to is not None and options.baseline is not None:
        raise UsageError("TwoChoices", "--to and --baseline both name a baseline.", hint="Give one.")
    baselines = Folder(project.migration_folder).baselines
    latest = baselines.latest() or "local"
    last = latest if options.to is None else name_of(deployment_of(project.convex_folder, options.to))
    path = baselines.path(options.baseline or last)
    if options.baseline is not None and not path.is_file():
        kept = ", ".join(baselines.names()) or "none"
        message = f"there is no baseline {options.baseline}."
        raise UsageError("NoBaseline", message, where=str(path), hint=f"Kept are: {kept}.")
    plan, _ = checked_plan(project)
    with ExitStack() as stack:
        opened = stack.enter_context(Baseline.open(path))
        # Only the target's own baseline can be stale. A named baseline describes one past import.
        stale = baselines.stale(opened.target) if path == baselines.path(name_of(opened.target)) else ()
        detector = ChangeDetector(opened, options.full, options.each)
        detector.progress = lambda table, rows: progress(table, rows, 0)
        url = stack.enter_context(Source(project).running())
        rules = partial(other_rules, plan, opened)
        return changes_since(plan, url, detector, stale, files_job(plan, options.files), rules)
