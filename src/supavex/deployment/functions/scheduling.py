"""Scheduled functions: documents of ``_scheduled_functions``, written in the transaction that schedules them.

Source: ``model/src/scheduled_jobs`` of convex-backend. A mutation's job ends in the mutation's own transaction. An
action runs at most once.
"""

from __future__ import annotations

import json

from supavex.convex.ids import InvalidId, decode_id
from supavex.convex.values import Document, from_internal_json, size
from supavex.deployment.database.catalog import SCHEDULED
from supavex.deployment.database.store import read_body
from supavex.deployment.database.transaction import Transaction
from supavex.deployment.functions.call import check_arguments
from supavex.deployment.functions.references import named
from supavex.deployment.functions.syscalls import Arguments, Frame, invalid, writable
from supavex.errors import SupavexError

_YEARS = 5 * 365.25 * 86_400
#: From this version of the npm package on, a mutation may not cancel its own job.
_NO_SELF_CANCEL = (1, 50)
_SELF_CANCEL = (
    "A scheduled mutation canceling itself is deprecated and will throw an error in a future version of Convex."
)


def schedule(frame: Frame, arguments: Arguments) -> str:
    """Schedules a job. Returns its id as JSON."""
    return json.dumps(scheduled(writable(frame), frame, arguments))


def scheduled(transaction: Transaction, frame: Frame, arguments: Arguments) -> str:
    """Writes a new job. Returns its id. Raises if there is no such function, or its arguments don't fit."""
    path, component = named(frame.app, frame.component, arguments)
    function = frame.app.find(path, component)
    if function is None:
        message = f"Attempted to schedule function at nonexistent path: {component + ' ' if component else ''}{path}"
        raise SupavexError("InvalidScheduledFunction", message)
    if function.kind == "query":
        message = f"Only mutations and actions can be scheduled. {function.path} is a query."
        raise SupavexError("UnsupportedScheduledFunctionType", message)
    ts = arguments["ts"]
    if not isinstance(ts, int | float) or abs(ts - transaction.begun / 1000) > _YEARS:
        raise SupavexError("InvalidScheduledFunctionDelay", f"{ts} is more than five years from now.")
    args = arguments.get("args", {})
    args = args[0] if isinstance(args, list) else args
    with transaction.within(function.component.id):
        check_arguments(function, args, transaction)
    given = [from_internal_json(args)]
    transaction.usage.schedules(size(given))
    document: Document = {
        "name": function.udf_path,
        "args": given,
        "scheduledTime": float(ts) * 1000,
        "state": {"kind": "pending"},
    }
    if function.component.id != frame.component.id:
        document["component"] = function.component.path
    if frame.job is not None and _is_cancelled(transaction, frame.job):
        # A job whose scheduler was cancelled is recorded, but never runs.
        document = ended({**document, "scheduledTime": transaction.begun}, "canceled", transaction)
    return transaction.insert(SCHEDULED, document, system=True)


def _is_cancelled(transaction: Transaction, job: tuple[int, str]) -> bool:
    component, id_ = job
    with transaction.within(component):
        table = transaction.table(SCHEDULED)
        body = None if table is None else transaction.get(table, decode_id(id_)[1])
    return body is not None and read_body(body)["state"]["kind"] == "canceled"


def cancel(frame: Frame, arguments: Arguments) -> str:
    """Cancels a pending job. Other jobs are not changed."""
    if frame.job is not None and arguments.get("id") == frame.job[1]:
        if frame.app.client_version >= _NO_SELF_CANCEL:
            raise SupavexError("ScheduledFunctionCancelingItself", "A mutation cannot cancel itself")
        frame.warnings.append(_SELF_CANCEL)
    cancelled(writable(frame), arguments)
    return "null"


def cancel_from_action(frame: Frame, arguments: Arguments) -> str:
    """As :func:`cancel`, but an action may cancel its own job."""
    cancelled(writable(frame), arguments)
    return "null"


def cancelled(transaction: Transaction, arguments: Arguments) -> None:
    """Cancels a job."""
    id_ = arguments.get("id")
    try:
        number, internal_id = decode_id(str(id_))
    except InvalidId as error:
        raise invalid("id", "db.cancel_job", f"Unable to decode ID: {error.message}") from None
    table = transaction.table(SCHEDULED)
    body = None if table is None or number != table.number else transaction.get(table, internal_id)
    if table is None or body is None:
        raise SupavexError("NonexistentDocument", f"Cancel on nonexistent document ID {id_}")
    document = read_body(body)
    if document["state"]["kind"] in ("pending", "inProgress"):
        transaction.put(table, internal_id, ended(document, "canceled", transaction))


def ended(document: Document, kind: str, transaction: Transaction, error: str | None = None) -> Document:
    """A job in another state. ``kind`` is Convex's name of the state, ``error`` the message of a failure."""
    state = {"kind": kind} if error is None else {"kind": kind, "error": error}
    job = {**document, "state": state}
    if kind != "inProgress":
        job["completedTime"] = transaction.begun
    return job
