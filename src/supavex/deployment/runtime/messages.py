"""The messages of ``run.js``, which a function may have forged: only those of the right form are believed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from supavex.convex.json_bounds import parse_bounded
from supavex.convex.values import InvalidValue, from_internal_json, value_problem

#: A run for which all of these are as they were for the last one uses the modules that its process has prepared.
_CONDITIONS = ("path", "kind", "environment", "imported", "component", "componentArgs")


def conditions_of(request: Mapping[str, Any]) -> list[Any]:
    """What the evaluation of a run's modules depends on. ``request``: the description of its function."""
    return [request.get(name) for name in _CONDITIONS]


def is_message(message: Any) -> bool:
    """Whether a message of ``run.js`` has the right form: frame, call, operation, and its arguments."""
    if type(message) is not list or not 4 <= len(message) <= 5:
        return False
    frame, call, operation, payload = message[:4]
    if type(frame) is not int or type(call) is not int or type(operation) is not str:
        return False
    more = message[4] if len(message) == 5 else None
    if operation == "log":
        texts = type(payload) is str and type(more) is list and all(type(text) is str for text in more)
        return texts and bool(more or payload != "TRACE")
    if operation == "failed":
        if type(payload) is not dict or any(type(payload.get(name)) is not str for name in ("name", "message")):
            return False
        places = payload.get("places")
        if type(places) is not list or not all(type(place) is str for place in places):
            return False
        if not _is_data(payload.get("data")):
            return False
    elif type(payload) is not str:
        return False
    read = [] if more is None and operation not in ("done", "failed", "stuck") else more
    return type(read) is list and all(
        type(one) is list and [*map(type, one)] == [int, int, bool] and one[1] >= 0 for one in read
    )


def _is_data(data: object) -> bool:
    """Whether ``data`` may be the data of a ``ConvexError``, as internal JSON; or None."""
    if data is None:
        return True
    try:
        return isinstance(data, str) and value_problem(from_internal_json(parse_bounded(data))) is None
    except (ValueError, RecursionError, InvalidValue):
        return False
