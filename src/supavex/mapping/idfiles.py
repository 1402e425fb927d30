"""Id files: old ids to new ids, such as Supabase's user ids to Clerk's. CSV with two columns, or JSON.

CSV: the first line names the columns; the first column is the old id, the second the new id. JSON: one object of old
ids to new ids, or a list of objects with two keys in that order.
"""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path
from typing import Any

from supavex.errors import SupavexError, UsageError, unreadable

_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


def load_id_file(path: Path, shown: str) -> dict[str, str]:
    """Old id to new id, both as text. Old uuids are in lower case, as PostgreSQL writes them.

    Raises :class:`~supavex.errors.UsageError` if the file is missing or invalid.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise UsageError(
            "NoIdFile", "the id file is missing.", where=shown, hint="supavex.toml names it under `ids`."
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise unreadable("NoIdFile", "the id file", shown, error) from None
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
        rows.append((line, _old(row[0].strip()), row[1].strip()))
    return rows


def _old(text: str) -> str:
    """An old id in PostgreSQL's notation: a uuid in lower case, other text unchanged."""
    return text.lower() if _UUID.fullmatch(text) else text


def _json_rows(text: str, shown: str) -> list[tuple[int, str, str]]:
    try:
        # Pairs instead of a dict, to find a repeated key.
        data = json.loads(text, object_pairs_hook=list)
    except ValueError as error:
        raise _invalid(shown, f"not JSON: {error}") from None
    if not isinstance(data, list):
        raise _invalid(shown, "not an object of old ids and new ones")
    if data and all(isinstance(entry, list) for entry in data):
        data = [tuple(value for _, value in entry)[:2] for entry in data if _is_object(entry, shown)]
    rows = []
    for number, pair in enumerate(data, start=1):
        if not (isinstance(pair, tuple) and len(pair) == 2 and all(map(_is_id, pair))):
            raise _invalid(f"{shown}:{number}", "an entry holds an old id and a new one")
        rows.append((number, _old(str(pair[0])), str(pair[1])))
    return rows


def _is_object(entry: list[Any], shown: str) -> bool:
    if not all(isinstance(pair, tuple) for pair in entry):
        raise _invalid(shown, "not a list of objects")
    return True


def _is_id(value: object) -> bool:
    return (isinstance(value, str) and bool(value.strip())) or (isinstance(value, int) and not isinstance(value, bool))


def _invalid(where: str, message: str) -> SupavexError:
    return SupavexError("InvalidIdFile", f"{message}.", where=where, hint='{"old": "new"}')
