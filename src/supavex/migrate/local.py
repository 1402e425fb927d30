"""``supavex migrate`` into the local deployment, or into an archive."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from functools import partial

from supavex.callbacks import StepProgress
from supavex.convex.ids import decode_id, encode_id
from supavex.convex.limits import STORAGE_NUMBER
from supavex.convex.snapshot import SnapshotArchive
from supavex.deployment.database.stored_files import Files
from supavex.deployment.deployment import Deployment
from supavex.deployment.transfer.file_import import import_all, stored_entries
from supavex.mapping.plan import Plan, TablePlan
from supavex.migrate.copy.results import CopyResult
from supavex.migrate.copy_options import copy_options
from supavex.migrate.migration import Destination, Migration, measure, migrate
from supavex.migrate.options import MigrateOptions
from supavex.migrate.state.lock import locked
from supavex.migrate.state.runs import Run
from supavex.migrate.storage.values import left_over
from supavex.migrate.target.archive import ArchiveDocuments
from supavex.migrate.target.local import local_deployment


def migrate_here(plan: Plan, options: MigrateOptions, progress: StepProgress) -> Migration:
    """Copies the rows of ``plan`` into the archive ``options.out``, or into the local deployment."""
    project = plan.project
    place = options.to if options.out is None else "archive"
    run = Run("changes" if options.changes else "migrate", place)
    with ExitStack() as stack:
        if not options.dry_run:
            project.make_state()
            stack.enter_context(locked(project.migration_folder))
        target = None
        if options.out is None:
            target = stack.enter_context(local_deployment(project, options.to, make=not options.dry_run))
        known = None if options.existing is None else stack.enter_context(ArchiveDocuments(options.existing))
        how = stack.enter_context(copy_options(options, plan, place, partial(progress, "copied")))

        def put(archive: SnapshotArchive, copied: CopyResult) -> object:
            assert target is not None
            counts = {table.target: table.documents for table in copied.tables}
            with run.step("import"):
                forget = files_to_forget(target, archive, [t for t in plan.moving if t.target in counts])
                return import_all(
                    target, archive, progress=lambda t, n: progress("imported", t, n, counts.get(t, 0)), forget=forget
                )

        to = Destination(options.out, target, None if target is None else put, known)
        result = migrate(plan, to, how, max_rejects=options.max_rejects, dry_run=options.dry_run)
        recorder = how.recorder
        if options.out is not None and recorder is not None and result.ok:
            recorder.keep()
        if not options.dry_run and not result.nothing and result.ok:
            run.ok = True
            measure(run, result.copy)
            run.write(result.folder.path)
    return result


def files_to_forget(deployment: Deployment, archive: SnapshotArchive, tables: Iterable[TablePlan]) -> set[str]:
    """The stored files of a local deployment that former documents of ``tables`` had, and that ``archive`` lacks."""
    there = {decode_id(file.id)[1] for file in Files(deployment.store, deployment.path.parent).all()}
    there -= {decode_id(entry.id)[1] for entry in stored_entries(archive)}

    def ids(target: str) -> Iterator[str]:
        return (str(document["_id"]) for document in deployment.documents(target))

    return {encode_id(STORAGE_NUMBER, internal_id) for internal_id in left_over(tables, ids, there)}
