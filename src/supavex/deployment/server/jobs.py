"""Imports and exports as jobs in the deployment's file, which a restarted server still knows."""

from __future__ import annotations

import json
from typing import Any

from supavex.convex.ids import InvalidId, decode_id, encode_id
from supavex.convex.values import from_internal_json, to_internal_json
from supavex.deployment.database.store import Store

#: The numbers of Convex's system tables ``_snapshot_imports`` and ``_exports``.
_NUMBERS = {"import": 541, "export": 516}


def add_job(store: Store, kind: str, state: dict[str, Any], **details: Any) -> str:
    """Adds a job. Returns its id."""
    text = json.dumps(to_internal_json({**details, "state": state}))
    with store.transaction():
        cursor = store.connection.execute("INSERT INTO jobs (kind, state) VALUES (?, ?)", (kind, text))
    return _id(kind, int(cursor.lastrowid or 0))


def set_state(store: Store, kind: str, id_: str, state: dict[str, Any]) -> None:
    """Sets the state of a job."""
    job = job_document(store, kind, id_)
    if job is None:
        return
    job.pop("_id")
    text = json.dumps(to_internal_json({**job, "state": state}))
    with store.transaction():
        store.connection.execute("UPDATE jobs SET state = ? WHERE id = ?", (text, _row(kind, id_)))


def job_document(store: Store, kind: str, id_: str) -> dict[str, Any] | None:
    """A job as a document of its system table, or None."""
    row = store.connection.execute(
        "SELECT id, state FROM jobs WHERE kind = ? AND id = ?", (kind, _row(kind, id_))
    ).fetchone()
    return None if row is None else {"_id": _id(kind, row[0]), **from_internal_json(json.loads(row[1]))}


def job_documents(store: Store, kind: str) -> list[dict[str, Any]]:
    """The jobs of a kind, the newest first."""
    rows = store.connection.execute("SELECT id, state FROM jobs WHERE kind = ? ORDER BY id DESC LIMIT 100", (kind,))
    return [{"_id": _id(kind, row), **from_internal_json(json.loads(text))} for row, text in rows]


def fail_interrupted(store: Store) -> None:
    """Marks the unfinished jobs of an earlier server as failed. Nothing of them was written."""
    for kind in _NUMBERS:
        for job in job_documents(store, kind):
            state = job["state"].get("state")
            if kind == "import" and state not in ("completed", "failed"):
                message = "The server was stopped before the import was done. Nothing was imported."
                set_state(store, kind, job["_id"], {"state": "failed", "error_message": message})
            elif kind == "export" and state not in ("completed", "failed"):
                set_state(store, kind, job["_id"], {**job["state"], "state": "failed"})


def _id(kind: str, row: int) -> str:
    return encode_id(_NUMBERS[kind], row.to_bytes(16, "big"))


def _row(kind: str, id_: str) -> int:
    try:
        number, internal_id = decode_id(id_)
    except InvalidId:
        return -1
    return int.from_bytes(internal_id, "big") if number == _NUMBERS[kind] and not internal_id[0] else -1
