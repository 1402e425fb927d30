"""Rejected rows: every row that did not go, with its key, its column, the reason and the fix."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from supavex.errors import SupavexError, UsageError
from supavex.files import STATE_NAME, owner_only, whole_file
from supavex.migrate.state.old_state import old_state

#: What stands for the key of a row whose key is NULL, where people read it: a key may be this very text.
NO_KEY = "NULL"
_VERSION = 1


@dataclass(frozen=True, slots=True)
class Reject:
    """One row that did not go. A row that breaks several rules has one entry, for the first of them.

    ``table`` is the source table, ``key`` the row's key as text (None where that is NULL), ``column`` where it fails,
    ``code`` stable. ``internal_id``: the 16 bytes that the document's id would have; None where the key is NULL, and of
    a stored file. Two that differ in nothing else are equal.
    """

    table: str
    key: str | None
    column: str
    code: str
    reason: str
    fix: str
    internal_id: bytes | None = field(default=None, compare=False, repr=False)

    @property
    def shown_key(self) -> str:
        """The key as people read it."""
        return NO_KEY if self.key is None else self.key

    def to_json(self) -> dict[str, str | None]:
        """The fields by name; the bytes in hexadecimal."""
        return {**asdict(self), "internal_id": None if self.internal_id is None else self.internal_id.hex()}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Reject:
        """The reject that :meth:`to_json` gave. Raises ValueError, TypeError or KeyError for anything else."""
        found = data["internal_id"]
        return cls(**{**data, "internal_id": None if found is None else bytes.fromhex(found)})


#: Rejected rows by the source's table and by key.
Rejects = Mapping[str, Mapping[str | None, Reject]]


class TooManyRejectsError(SupavexError):
    """So many rows don't go that something is wrong with all of them: the copy stops. ``rejects``: those so far."""

    def __init__(self, rejects: list[Reject], most: int) -> None:
        (column, code, reason), count = Counter((r.column, r.code, r.reason) for r in rejects).most_common(1)[0]
        super().__init__(
            "TooManyRejects",
            f"more than {most:,} rows are rejected; of {rejects[-1].table} {count:,} for {code}: {reason}.",
            where=f"{rejects[-1].table}.{column}",
            hint="No archive was written. Change the field in schema.py, or the rule in supavex.toml, and run again.",
        )
        self.rejects, self.most = rejects, most

    def __reduce__(self) -> tuple[object, ...]:
        return TooManyRejectsError, (self.rejects, self.most)


def write_rejects(path: Path, rejects: Iterable[Reject]) -> int:
    """Writes one JSON object a line, each with the format's version; how many."""
    count = 0
    with whole_file(path) as file:
        for reject in rejects:
            file.write(json.dumps({"version": _VERSION, **reject.to_json()}, ensure_ascii=False) + "\n")
            count += 1
    return count


def read_rejects(path: Path) -> Iterator[Reject]:
    """The rejects that ``path`` holds; none where there is no file. Raises for lines of another version."""
    if not path.exists():
        return
    # Invalid UTF-8 becomes escapes, so that json.loads reports the line.
    # A file that somebody names with --rejects may be another user's; one of supavex's own may not.
    opener = owner_only if STATE_NAME in path.parts else None
    with open(path, encoding="utf-8", errors="backslashreplace", opener=opener) as file:
        for number, line in enumerate(file, start=1):
            try:
                data = json.loads(line)
                if data.pop("version", None) != _VERSION:
                    raise old_state(path, "run supavex migrate again")
                yield Reject.from_json(data)
            except (ValueError, TypeError, KeyError, AttributeError):
                raise UsageError(
                    "InvalidRejects",
                    "the line is no rejected row.",
                    where=f"{path}:{number}",
                    hint="Run supavex migrate again; it writes the file anew.",
                ) from None
