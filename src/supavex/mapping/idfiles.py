"""Id files: old ids to new ones, such as Supabase user ids to Clerk ids. CSV with two columns, or JSON.

CSV: the first line names the columns; the first column is the old id, the second the new one. JSON: one object of old
to new, or a list of objects with two keys in that order.
"""

from __future__ import annotations

import csv
import json
from pathlib import Path

from supavex.errors import SupavexError, UsageError


def load_id_file(path: Path, shown: str) -> dict[str, str]:
    """Old id to new id, both as text; old ids in lower case, as PostgreSQL writes uuids. Raises where it is wrong."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise UsageError(
            "NoIdFile", "the id file is missing.", where=shown, hint="supavex.toml names it under `ids`."
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError("NoIdFile", f"the id file can't be read: {error}.", where=shown) from None
    rows = _json_rows(text, shown) if path.suffix == ".json" else _csv_rows(text, shown)
    ids: dict[str, str] = {}
    for line, old, new in rows:
        if ids.setdefault(old, new) != new:
            raise SupavexError("IdTwice", f"{old} has two new ids.", where=f"{shown}:{line}", hint="Keep one of them.")
    return ids


def _csv_rows(text: str, shown: str) -> list[tuple[int, str, str]]:
    rows = []
    reader = csv.reader(text.splitlines())
    for line, row in enumerate(reader, start=1):
        if line == 1 or not row:
            continue
        if len(row) < 2 or not row[0].strip() or not row[1].strip():
            raise SupavexError(
                "InvalidIdFile", "a line holds an old id and a new one.", where=f"{shown}:{line}", hint="old,new"
            )
        rows.append((line, row[0].strip().lower(), row[1].strip()))
    return rows


def _json_rows(text: str, shown: str) -> list[tuple[int, str, str]]:
    try:
        data = json.loads(text)
        pairs = list(data.items()) if isinstance(data, dict) else [tuple(entry.values())[:2] for entry in data]
        return [(number, str(old).lower(), str(new)) for number, (old, new) in enumerate(pairs, start=1)]
    except (ValueError, AttributeError, TypeError) as error:
        raise SupavexError(
            "InvalidIdFile", f"not an object of old ids and new ones: {error}.", where=shown, hint='{"old": "new"}'
        ) from None
