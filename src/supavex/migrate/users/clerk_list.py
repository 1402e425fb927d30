"""Reads Clerk's lists of users: Clerk's id of each old id (``external_id``).

The formats: the answers of the Backend API (``GET /v1/users``: a list, or an object with the list as ``data``), the
file of ``clerk migrate export clerk``, the log of ``clerk migrate import`` (JSON lines), and CSV with a header. Lists
of any length are read piece by piece.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any

from supavex.errors import SupavexError, UsageError

_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\Z")
_CLERK_ID = re.compile(r"user_[0-9A-Za-z]+\Z")
_SPACE = re.compile(r"\s*")
_OLD = ("external_id", "externalId", "sourceId", "userId")
_NEW = ("id", "clerkId", "clerkUserId", "clerk_id")
PIECE = 1 << 20
_LIST = "Name the list of users that Clerk gives (GET /v1/users)."
#: The longest entry. No user in Clerk's list is as long.
_MAX_USER = 8 << 20


def listed_ids(path: Path, shown: str, piece_size: int = PIECE) -> Iterator[tuple[str | None, str]]:
    """For each user of a list: the old id (a uuid in lower case; None if it has no Supabase id), and Clerk's id.

    ``piece_size``: characters that are read at once. Raises :class:`~supavex.errors.SupavexError` if the file is not
    such a list. The message never quotes the file.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            for number, entry in enumerate(_entries(file, path.suffix, shown, piece_size), start=1):
                if not isinstance(entry, Mapping):
                    raise _invalid(f"{shown}:{number}", "an entry is not a user")
                new = next((entry[key] for key in _NEW if _matches(_CLERK_ID, entry.get(key))), None)
                if new is None:
                    if entry.get("status") not in (None, "created", "success"):
                        continue  # It is a line of an import's log for a user that was not created.
                    raise _invalid(f"{shown}:{number}", "an entry has no Clerk id (user_…) as its id")
                olds = [entry.get(key) for key in _OLD] + [_kept(entry)]
                old = next((str(value).lower() for value in olds if _matches(_UUID, value)), None)
                yield old, new
    except FileNotFoundError:
        raise UsageError("NoClerkList", "there is no such file.", where=shown, hint=_LIST) from None
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UsageError(
            "NoClerkList", f"the file can't be read ({type(error).__name__}).", where=shown, hint=_LIST
        ) from None


def _matches(pattern: re.Pattern[str], value: object) -> bool:
    return isinstance(value, str) and pattern.match(value) is not None


def _kept(entry: Mapping[str, Any]) -> object:
    """The old id in the private metadata, where Clerk's export puts it."""
    private = entry.get("private_metadata") or entry.get("privateMetadata")
    return private.get("clerkExternalId") if isinstance(private, Mapping) else None


def _entries(file: IO[str], suffix: str, shown: str, piece_size: int) -> Iterator[Any]:
    if suffix == ".csv":
        yield from csv.DictReader(file)
        return
    if suffix in (".jsonl", ".ndjson"):
        for number, line in enumerate(file, start=1):
            if line.strip():
                yield _parsed(line, f"{shown}:{number}")
        return
    start = file.read(1)
    while start and start.isspace():
        start = file.read(1)
    if start == "[":
        yield from _array(file, shown, piece_size)
    elif start == "{":
        whole = _parsed(start + file.read(), shown)
        if not isinstance(whole.get("data"), list):
            raise _invalid(shown, "the object has no list of users as its data")
        yield from whole["data"]
    else:
        raise _invalid(shown, "neither a list of users nor an object that holds one")


def _array(file: IO[str], shown: str, piece_size: int) -> Iterator[Any]:
    """The values of an array whose ``[`` has been read, one by one."""
    decoder, buffer, at, first = json.JSONDecoder(), "", 0, True
    while True:
        at = _SPACE.match(buffer, at).end()  # type: ignore[union-attr]
        mark = buffer[at : at + 1]
        if mark == "]":
            if buffer[at + 1 :].strip() or file.read(piece_size).strip():
                raise _invalid(shown, "the file continues after the list")
            return
        if mark and (first or mark == ","):
            start = at if first else _SPACE.match(buffer, at + 1).end()  # type: ignore[union-attr]
            try:
                value, end = decoder.raw_decode(buffer, start)
            except ValueError:
                pass  # The rest of the value has not been read yet, or is missing.
            else:
                yield value
                at, first = end, False
                continue
        piece = file.read(piece_size)
        if not piece or len(buffer) - at > _MAX_USER:
            raise _invalid(shown, "not a JSON list")
        buffer, at = buffer[at:] + piece, 0


def _parsed(text: str, where: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        raise _invalid(where, "not JSON") from None


def _invalid(where: str, message: str) -> SupavexError:
    hint = 'It looks like [{"id": "user_…", "external_id": "<the Supabase user\'s id>", …}, …].'
    return SupavexError("InvalidClerkList", f"{message}.", where=where, hint=hint)
