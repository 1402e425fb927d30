"""The options of a migration. Light: what copies rows is imported when a migration runs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from supavex.errors import UsageError


@dataclass(frozen=True, slots=True)
class MigrateOptions:
    """What a migration copies, how, and where the rows go."""

    #: ``local``, ``cloud`` (the deployment of the app's folder), or the URL of a deployment.
    to: str = "local"
    #: The rows go into this archive only; no deployment is needed.
    out: Path | None = None
    #: Only these source tables: ``schema.name``, or the name alone in the first schema. None: all.
    tables: frozenset[str] | None = None
    #: Where the files of storage buckets are: a folder, or ``s3://…``; None: where supavex.toml says.
    files: str | None = None
    #: An export of the target, which has the ids of tables that are in Convex already.
    existing: Path | None = None
    #: Rejected rows that are allowed; None: as many as supavex.toml says. With more, nothing is imported.
    max_rejects: int | None = None
    #: All of the work is done, and nothing is written.
    dry_run: bool = False
    #: Processes that copy parts of tables; None: this process copies.
    workers: int | None = None
    #: The address of a Dask scheduler whose workers copy, and the place that all of them see for the parts.
    cluster: str | None = None
    parts: str | None = None
    #: Whether what an interrupted copy has done is thrown away.
    restart: bool = False
    #: Whether tables of an interrupted copy stay as they were read, though rows changed since.
    accept_two_snapshots: bool = False
    #: Only tables that have changed since the last import into the target.
    changes: bool = False
    #: A name under which what the source holds now is kept, for ``changes``.
    baseline: str | None = None

    def check(self) -> None:
        """Raises where the options contradict each other."""
        if self.changes and (self.out is not None or self.tables is not None or self.existing is not None):
            hint = "supavex migrate --changes --to TARGET takes the tables that have changed, whichever they are."
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
