"""Table numbers, pinned in ``supavex.lock`` so that an id never changes when a table is added.

A new project's tables get the numbers that an empty Convex deployment would give them: in alphabetical order from
10001. A table that comes later takes the next free number. Where a target has numbers already, the target's win.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from supavex.convex.limits import FIRST_USER_TABLE_NUMBER, MAX_TABLE_NUMBER
from supavex.errors import UsageError

_VERSION = 1


def load_lock(path: Path) -> dict[str, int]:
    """Table name to number, as the lock file pins them; empty where there is no file."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        tables = data["tables"]
        numbers = {str(name): int(number) for name, number in tables.items()}
        valid = data["version"] == _VERSION and len(set(numbers.values())) == len(numbers)
        valid = valid and all(FIRST_USER_TABLE_NUMBER <= n <= MAX_TABLE_NUMBER for n in numbers.values())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        valid = False
    if not valid:
        raise UsageError(
            "InvalidLock",
            "the lock file is not one that this supavex wrote.",
            where=str(path),
            hint="Restore it from version control: ids depend on it. If nothing was migrated yet, remove it.",
        )
    return numbers


def with_new_tables(pinned: Mapping[str, int], tables: Iterable[str]) -> dict[str, int]:
    """``pinned``, and numbers for those of ``tables`` that have none."""
    numbers = dict(pinned)
    free = max(numbers.values(), default=FIRST_USER_TABLE_NUMBER - 1) + 1
    for name in sorted(set(tables) - numbers.keys()):
        numbers[name] = free
        free += 1
    return numbers


def save_lock(path: Path, numbers: Mapping[str, int]) -> bool:
    """Writes the lock file where it differs; whether it did."""
    text = json.dumps({"version": _VERSION, "tables": dict(sorted(numbers.items()))}, indent=2) + "\n"
    if path.exists() and path.read_text(encoding="utf-8") == text:
        return False
    path.write_text(text, encoding="utf-8")
    return True
