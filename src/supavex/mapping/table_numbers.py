"""Table numbers, pinned in ``supavex.lock`` so that adding a table never changes an id.

The tables of a new project get the numbers that an empty Convex deployment would give them: from 10001 in alphabetical
order. A later table takes the next free number. If a target has numbers already, the target's win.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from supavex.convex.limits import FIRST_USER_TABLE_NUMBER, MAX_TABLE_NUMBER
from supavex.errors import UsageError

_VERSION = 1


def load_lock(path: Path) -> dict[str, int]:
    """Table name to number from the lock file; empty if there is no file."""
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
    """``pinned``, with numbers for the other ``tables``."""
    numbers = dict(pinned)
    free = max(numbers.values(), default=FIRST_USER_TABLE_NUMBER - 1) + 1
    for name in sorted(set(tables) - numbers.keys()):
        numbers[name] = free
        free += 1
    return numbers


def save_lock(path: Path, numbers: Mapping[str, int]) -> bool:
    """Writes the lock file if it differs. Returns whether it was written."""
    text = json.dumps({"version": _VERSION, "tables": dict(sorted(numbers.items()))}, indent=2) + "\n"
    if path.exists() and path.read_text(encoding="utf-8") == text:
        return False
    path.write_text(text, encoding="utf-8")
    return True
