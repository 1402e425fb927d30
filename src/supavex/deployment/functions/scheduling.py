"""Scheduled functions: documents of ``_scheduled_functions``, written in the transaction that schedules them.

Source: ``model/src/scheduled_jobs`` of convex-backend. A mutation's job ends in the mutation's own transaction. An
action runs at most once.
"""

from __future__ import annotations

import json
import math

from supavex.convex.ids import InvalidId, decode_id
from supavex.convex.values import Document, size
from supavex.deployment.database.catalog import SCHEDULED
from supavex.deployment.database.store import read_body
from supavex.deployment.database.transaction import Transaction
from supavex.deployment.functions.call import argument_value
from supavex.deployment.functions.references import named
from supavex.deployment.functions.syscalls import Arguments, Frame, invalid, writable
from supavex.errors import SupavexError

_YEARS = 5 * 366 * 86_400.0
#: From this version of the npm package on, a mutation may not cancel its own job.
_NO_SELF_CANCEL = (1, 50)
_SELF_CANCEL = (
    "A scheduled mutation canceling itself is deprecated and will throw an error in a future version of Convex."
)


def schedule(frame: Frame, arguments: Arguments) -> str:
    """Schedules a job. Returns its id as JSON."""
    return json.dumps(scheduled(writable(frame), frame, arguments))


def scheduled(transaction: Transaction, frame: Frame, arguments: Arguments) -> str:
    """Writes a new job. Returns its id. Raises if there is no such function, or if its arguments are beyond a limit.

    Whether its arguments fit the function's validator, and whether it can be a job, is decided when the job runs, as
    with Convex.
    """
    path, component = named(frame.app, frame.component, arguments)
    ts = arguments["ts"]
    delay = ts - transaction.begun / 1000 if isinstance(ts, int | float) else math.nan
    if not abs(delay) <= _YEARS:
        message = f"{ts} is more than 5 years in the {'past' if delay < 0 else 'future'}"
        raise SupavexError("InvalidScheduledFunctionDelay", message)
    function = frame.app.find(path, component)
    if function is None:
        raise _missing(frame, path, component)
    args = arguments.get("args", {})
    if isinstance(args, list):
        args = args[0] if args else {}
    given = [argument_value(function, args)]
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


def _missing(frame: Frame, path: str, component: str) -> SupavexError:
    """The error of a job whose function is missing."""
    module, _, name = path.partition(":")
    module = module if module.endswith(".js") else f"{module}.js"
    if not any(place[:2] == (component, module) for place in frame.app.functions):
        shown = f"{component} {module}" if component else module
        message = f"Attempted to schedule function at nonexistent path: {shown}"
        return SupavexError("InvalidScheduledFunction", message)
    shown = f"{module} in '{component}'" if component else module
    message = (
        f"Attempted to schedule function, but no exported function {name or 'default'} found in the file: {shown}. "
        "Did you forget to export it?"
    )
    return SupavexError("InvalidScheduledFunction", message)


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
