"""The changes since a baseline: counts by table, and the first keys of each kind."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, Literal

Kind = Literal["inserted", "updated", "deleted"]
KINDS: tuple[Kind, ...] = ("inserted", "updated", "deleted")
#: The most keys of one kind that are listed for one table. All are counted.
LISTED = 5


@dataclass(slots=True)
class TableChanges:
    """The changes of one table."""

    #: The PostgreSQL table, ``schema.name``.
    source: str
    #: The Convex table.
    target: str
    #: The number of rows now.
    rows: int = 0
    #: The rows that the baseline does not have.
    inserted: int = 0
    #: The rows that differ from the baseline.
    updated: int = 0
    #: The rows of the baseline that are gone.
    deleted: int = 0
    #: Rows that were rewritten without a change.
    rewritten: int = 0
    #: "xmin" if only newer rows were read, "digests" if all were.
    by: Literal["xmin", "digests"] = "xmin"
    #: Why all rows were read.
    why: str = ""
    #: How long the search took.
    seconds: float = 0.0
    #: The first keys of each kind, as text.
    keys: dict[str, list[str]] = field(default_factory=dict)
    #: The keys (16 bytes) of inserted and deleted rows; None if there are more than :data:`HELD_KEYS`.
    came_or_went: list[bytes] | None = field(default_factory=list)

    @property
    def unchanged(self) -> int:
        """The number of unchanged rows."""
        return self.rows - self.inserted - self.updated

    @property
    def any(self) -> bool:
        """Whether anything changed."""
        return bool(self.inserted or self.updated or self.deleted)

    @property
    def described(self) -> str:
        """The changes, in a few words."""
        return ", ".join(f"{getattr(self, kind):,} {kind}" for kind in KINDS if getattr(self, kind)) or "nothing"

    def to_json(self) -> dict[str, Any]:
        """The JSON of a table in ``changes --json``."""
        return {
            "source": self.source,
            "target": self.target,
            "rows": self.rows,
            **{kind: getattr(self, kind) for kind in KINDS},
            "unchanged": self.unchanged,
            "rewritten": self.rewritten,
            "by": self.by,
            "why": self.why,
            "seconds": round(self.seconds, 3),
            "keys": self.keys,
        }


@dataclass(frozen=True, slots=True)
class Changes:
    """The changes since a baseline, table by table."""

    #: The name of the baseline.
    baseline: str
    #: The deployment whose import left the baseline.
    target: str
    #: When the baseline's snapshot was taken.
    since: str
    #: When the snapshot was taken with which it is compared.
    taken_at: str
    #: The changes of each table.
    tables: list[TableChanges]
    #: Tables of the baseline that do not move any more.
    gone: list[str]
    #: Tables whose rows in the deployment may differ from the baseline.
    stale: list[str]
    #: How long the search took.
    seconds: float
    #: Whether files of storage buckets were added, deleted or replaced.
    files: bool = False
    #: Tables to copy again, because their rules have changed (schema.py, supavex.toml, ids, supavex).
    rules: list[str] = field(default_factory=list)

    @property
    def any(self) -> bool:
        """Whether anything changed."""
        return bool(self.stale or self.rules) or self.files or any(table.any for table in self.tables)

    def to_json(self) -> dict[str, Any]:
        """The JSON of ``changes --json``."""
        return {
            "ok": not self.any,
            "baseline": self.baseline,
            "target": self.target,
            "since": self.since,
            "takenAt": self.taken_at,
            "seconds": round(self.seconds, 3),
            "tables": [table.to_json() for table in self.tables],
            "notMovedAnyMore": self.gone,
            "stale": self.stale,
            "filesChanged": self.files,
            "rulesChanged": self.rules,
        }


def listed_line(source: str, kind: Kind, key: str) -> str:
    """A line of ``changes --list``."""
    return json.dumps({"table": source, "change": kind, "key": key}, ensure_ascii=False)
