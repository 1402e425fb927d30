"""The options of a migration. This module is light: the copy's modules are imported when a migration runs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from supavex.errors import UsageError


@dataclass(frozen=True, slots=True)
class MigrateOptions:
    """The options of a migration: what it copies, how, and where the rows go."""

    #: ``local``, ``cloud`` (the deployment of the app's folder), or the URL of a deployment.
    to: str = "local"
    #: The archive for the rows. No deployment is needed then.
    out: Path | None = None
    #: Only these source tables: ``schema.name``, or the name alone in the first schema. None: all.
    tables: frozenset[str] | None = None
    #: The files of storage buckets: a folder, or ``s3://…``; None: the setting of supavex.toml.
    files: str | None = None
    #: An export of the target, with the ids of tables that exist in Convex.
    existing: Path | None = None
    #: The number of rejected rows that are allowed; None: the setting of supavex.toml. With more, nothing is imported.
    max_rejects: int | None = None
    #: Whether to do all of the work, and write nothing.
    dry_run: bool = False
    #: The number of processes that copy parts of tables; None: this process copies.
    workers: int | None = None
    #: The address of a Dask scheduler whose workers copy.
    cluster: str | None = None
    #: The place for the parts that all workers see.
    parts: str | None = None
    #: Whether to discard the work of an interrupted copy.
    restart: bool = False
    #: Whether to keep finished tables of an interrupted copy, although rows have changed since.
    accept_two_snapshots: bool = False
    #: Whether to copy only tables that have changed since the last import into the target.
    changes: bool = False
    #: The name of a baseline to keep of the source's present content, for ``changes``.
    baseline: str | None = None

    def check(self) -> None:
        """Raises :class:`~supavex.errors.UsageError` if the options contradict each other."""
        if self.changes and (self.out is not None or self.tables is not None or self.existing is not None):
            hint = "supavex migrate --changes --to TARGET takes the tables that have changed."
            message = "--changes goes with --to, not with --out, --tables, --existing."
            raise UsageError("UnsupportedOption", message, hint=hint)
        if self.to != "local" and self.out is not None:
            raise UsageError("OutAndTo", "--out writes an archive only; --to names a deployment.", hint="Give one.")
        if self.to != "local" and (self.dry_run or self.existing is not None):
            raise UsageError("UnsupportedOption", "--dry-run and --existing work with the local deployment and --out.")
        if self.workers is not None and self.cluster is not None:
            raise UsageError("TwoChoices", "--workers are processes here, --cluster has its own.", hint="Give one.")
        if self.restart and self.accept_two_snapshots:
            raise UsageError("TwoChoices", "--restart throws away what --accept-two-snapshots keeps.", hint="Give one.")
        if (self.cluster is None) != (self.parts is None):
            hint = "Give both: --cluster tcp://host:8786 --parts /mnt/shared/parts (or s3://bucket/parts)."
            raise UsageError("NoPlaceForParts", "--cluster needs --parts: a place that all workers see.", hint=hint)
