"""What changed since a baseline: counts by table, and the first keys of each kind."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, Literal

Kind = Literal["inserted", "updated", "deleted"]
KINDS: tuple[Kind, ...] = ("inserted", "updated", "deleted")
#: Keys of one kind that are listed for one table; all are counted.
LISTED = 5


@dataclass(slots=True)
class TableChanges:
    """What changed of one table. ``rewritten``: rows that were written again and are as they were.

    ``by``: "xmin" where only newer rows were read, "digests" where all were, and then ``why``.
    """

    source: str
    target: str
    rows: int = 0
    inserted: int = 0
    updated: int = 0
    deleted: int = 0
    rewritten: int = 0
    by: Literal["xmin", "digests"] = "xmin"
    why: str = ""
    seconds: float = 0.0
    keys: dict[str, list[str]] = field(default_factory=dict)
    #: The keys (16 bytes) of rows that were inserted or deleted; None where they are more than :data:`HELD_KEYS`.
    came_or_went: list[bytes] | None = field(default_factory=list)

    @property
    def unchanged(self) -> int:
        """Rows that are as they were."""
        return self.rows - self.inserted - self.updated

    @property
    def any(self) -> bool:
        """Whether anything changed."""
        return bool(self.inserted or self.updated or self.deleted)

    @property
    def described(self) -> str:
        """What changed, in a few words."""
        return ", ".join(f"{getattr(self, kind):,} {kind}" for kind in KINDS if getattr(self, kind)) or "nothing"

    def to_json(self) -> dict[str, Any]:
        """As ``changes --json`` shows it."""
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
    """What changed since a baseline: table by table. ``gone``: tables of the baseline that are not moved any more.

    ``stale``: tables of which the deployment may hold something else than the baseline says.
    """

    baseline: str
    target: str
    since: str
    taken_at: str
    tables: list[TableChanges]
    gone: list[str]
    stale: list[str]
    seconds: float
    #: Whether files of storage buckets came, went or were uploaded again.
    files: bool = False
    #: Tables that go again, for something else decides on their rows now (schema.py, supavex.toml, ids, supavex).
    rules: list[str] = field(default_factory=list)

    @property
    def any(self) -> bool:
        """Whether anything changed."""
        return bool(self.stale or self.rules) or self.files or any(table.any for table in self.tables)

    def to_json(self) -> dict[str, Any]:
        """As ``changes --json`` shows it."""
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
    """A change as ``changes --list`` writes it."""
    return json.dumps({"table": source, "change": kind, "key": key}, ensure_ascii=False)
