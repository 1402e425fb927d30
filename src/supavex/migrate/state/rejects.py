"""Rejected rows, each with its key, its column, the reason and the fix."""

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

#: The text for a NULL key in reports. A key may also be this text.
NO_KEY = "NULL"
_VERSION = 2


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a row is rejected: the column, a code, one sentence, and the fix."""

    column: str
    code: str
    reason: str
    fix: str


@dataclass(frozen=True, slots=True)
class Reject:
    """A rejected row. ``column``, ``code``, ``reason`` and ``fix`` are its first reason, ``also`` has the others.

    Two that differ only in ``internal_id`` are equal.
    """

    #: The source table.
    table: str
    #: The row's key as text; None if it is NULL.
    key: str | None
    #: The column that caused the rejection.
    column: str
    #: A code that does not change between versions.
    code: str
    #: The reason in a sentence.
    reason: str
    #: What to change: in supavex.toml, in schema.py or in PostgreSQL.
    fix: str
    #: The 16 bytes of the document's id; None if the key is NULL, and for a stored file.
    internal_id: bytes | None = field(default=None, compare=False, repr=False)
    #: The reasons for which the row would still be rejected without the first one. At most one for each column.
    also: tuple[Reason, ...] = ()

    @property
    def reasons(self) -> tuple[Reason, ...]:
        """All reasons, the first one at the beginning."""
        return Reason(self.column, self.code, self.reason, self.fix), *self.also

    @property
    def shown_key(self) -> str:
        """The key for reports."""
        return NO_KEY if self.key is None else self.key

    def to_json(self) -> dict[str, Any]:
        """The fields by name; the bytes in hexadecimal."""
        return {**asdict(self), "internal_id": None if self.internal_id is None else self.internal_id.hex()}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Reject:
        """The reject of :meth:`to_json`. Raises ValueError, TypeError or KeyError for other data."""
        found = data["internal_id"]
        also = tuple(Reason(**reason) for reason in data["also"])
        return cls(**{**data, "internal_id": None if found is None else bytes.fromhex(found), "also": also})


#: Rejected rows by source table and key.
Rejects = Mapping[str, Mapping[str | None, Reject]]


class TooManyRejectsError(SupavexError):
    """So many rows are rejected that the cause is probably common to all, so the copy stops. ``rejects``:
    those so far.
    """

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
    """Writes one JSON object a line, each with the format's version. Returns their number."""
    count = 0
    with whole_file(path) as file:
        for reject in rejects:
            file.write(json.dumps({"version": _VERSION, **reject.to_json()}, ensure_ascii=False) + "\n")
            count += 1
    return count


def read_rejects(path: Path) -> Iterator[Reject]:
    """The rejects in ``path``; none if the file does not exist. Raises for lines of another version."""
    if not path.exists():
        return
    # Invalid UTF-8 becomes escapes, so that json.loads reports the line. A file named with --rejects may be another
    # user's, but a file in supavex's own folder may not.
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
                    "the line is not a rejected row.",
                    where=f"{path}:{number}",
                    hint="Run supavex migrate again; it writes the file anew.",
                ) from None
