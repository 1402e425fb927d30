"""Rejected rows: every row that did not go, with its key, its column, the reason and the fix."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from supavex.errors import SupavexError, UsageError
from supavex.files import STATE_NAME, owner_only, whole_file

#: What stands for the key of a row whose key is NULL, where people read it: a key may be this very text.
NO_KEY = "NULL"


@dataclass(frozen=True, slots=True)
class Reject:
    """One row that did not go. A row that breaks several rules has one entry, for the first of them.

    ``table`` is the source table, ``key`` the row's key as text (None where that is NULL), ``column`` where it fails,
    ``code`` stable.
    """

    table: str
    key: str | None
    column: str
    code: str
    reason: str
    fix: str

    @property
    def shown_key(self) -> str:
        """The key as people read it."""
        return NO_KEY if self.key is None else self.key

    @classmethod
    def of_json(cls, data: object) -> Reject:
        """From what :func:`write_rejects` wrote of it. Raises ValueError or TypeError for anything else."""
        reject = cls(**data)  # type: ignore[arg-type]
        # As it was written once: no other row has this code.
        return replace(reject, key=None) if reject.code == "NullKey" else reject


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
    """Writes one JSON object a line; how many."""
    count = 0
    with whole_file(path) as file:
        for reject in rejects:
            file.write(json.dumps(asdict(reject), ensure_ascii=False) + "\n")
            count += 1
    return count


def read_rejects(path: Path) -> Iterator[Reject]:
    """The rejects that ``path`` holds; none where there is no file."""
    if not path.exists():
        return
    # What is no UTF-8 becomes what is no JSON.
    # A file that somebody names with --rejects may be another user's; one of supavex's own may not.
    opener = owner_only if STATE_NAME in path.parts else None
    with open(path, encoding="utf-8", errors="backslashreplace", opener=opener) as file:
        for number, line in enumerate(file, start=1):
            try:
                yield Reject.of_json(json.loads(line))
            except (ValueError, TypeError):
                raise UsageError(
                    "InvalidRejects",
                    "the line is no rejected row.",
                    where=f"{path}:{number}",
                    hint="Run supavex migrate again; it writes the file anew.",
                ) from None
