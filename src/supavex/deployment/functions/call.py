"""A call of one of the app's functions: the caller, the permission, the arguments and the result."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from supavex.convex.json_bounds import parse_bounded
from supavex.convex.limits import MAX_VALUE_NESTING
from supavex.convex.messages import mismatch_text
from supavex.convex.values import (
    InvalidValue,
    Value,
    from_internal_json,
    nesting,
    plain_value,
    size,
    value_problem,
)
from supavex.deployment.database.transaction import Transaction
from supavex.deployment.database.usage import DENSEST
from supavex.deployment.functions.app import App, Function, Kind, canonical
from supavex.deployment.functions.identity import NOBODY, Identity
from supavex.deployment.functions.outcome import Failure

MAX_ARGUMENT_BYTES = MAX_RESULT_BYTES = 16 << 20
TOO_NESTED = f"Value is too nested (more than {MAX_VALUE_NESTING} levels deep)"


@dataclass(slots=True)
class Call:
    """A function to run."""

    #: The function: ``messages:list``, or ``dir/messages:list``.
    path: str
    #: The JSON data (internal form) of an object.
    args: Any
    #: The user whose token came with the call.
    identity: Identity = NOBODY
    #: Whether internal functions may be called.
    internal: bool = False
    #: The state of pagination that an earlier run of the query left, as text.
    journal: str | None = None
    #: The job that runs it or its caller: the id of the job's component (0: the app), and the job's own id.
    scheduled: tuple[int, str] | None = None
    #: The path of the function's component; empty for the app.
    component: str = ""
    #: The id of the request that makes the call; None: the call is a request.
    request_id: str | None = None
    #: Called when the arguments are no longer needed as data, at the latest after the function.
    taken: Callable[[], None] = lambda: None


def checked(app: App, call: Call, kind: Kind) -> Function:
    """The function of a call. Raises :class:`Failure` if there is none that may be called."""
    function = app.find(call.path, call.component)
    component = app.components.get(call.component)
    shown = f"'{canonical(call.path)}'" + (f" in '{call.component}'" if component is None else component.shown)
    if function is None:
        if call.internal:
            raise Failure(f"Could not find function for {shown}. Did you forget to run `npx convex dev`?")
        raise Failure(f"Could not find public function for {shown}. Did you forget to run `npx convex dev`?")
    if not function.public and not call.internal:
        raise Failure(f"Could not find public function for {shown}. Did you forget to run `npx convex dev`?")
    if function.kind != kind:
        raise Failure(
            f"Trying to execute {function.udf_path}{function.component.shown} as {kind.capitalize()}, "
            f"but it is defined as {function.kind.capitalize()}."
        )
    return function


def _value(data: Any) -> Value:
    """The value of internal JSON. Raises :class:`InvalidValue`, also for values beyond Convex's limits."""
    value = from_internal_json(data)
    problem = value_problem(value)
    if problem:
        raise InvalidValue(problem)
    if nesting(value) > MAX_VALUE_NESTING:
        raise InvalidValue(TOO_NESTED)
    return value


def argument_value(function: Function, args: Any) -> Value:
    """The value of a call's arguments. Raises :class:`Failure` if they exceed Convex's limits."""
    try:
        value = _value(args)
    except RecursionError:
        raise Failure(f"Invalid arguments for {function.path}: {TOO_NESTED}") from None
    except InvalidValue as error:
        raise Failure(f"Invalid arguments for {function.path}: {error.message}") from None
    weight = size([value])
    if weight > MAX_ARGUMENT_BYTES:
        raise Failure(f"Arguments for {function.path} are too large (actual: {_shown(weight)}, limit: 16 MiB)")
    return value


def check_arguments(function: Function, args: Any, transaction: Transaction) -> None:
    """Raises :class:`Failure` if the arguments don't fit."""
    value = argument_value(function, args)
    mismatch = None if function.args is None else function.args.check(value, transaction.name_of)
    if mismatch:
        raise Failure(f"ArgumentValidationError: {mismatch_text(mismatch)}")


def checked_result(function: Function, text: str, catalog_name: Callable[[int], str | None]) -> str:
    """A function's result. Raises :class:`Failure` if it is not a value, too large, or does not fit."""
    plain = plain_value(text)
    try:
        value = _value(parse_bounded(text)) if plain is None else plain[0]
    except RecursionError:
        raise Failure(f"Function {function.path} return value invalid: {TOO_NESTED}") from None
    except (InvalidValue, ValueError) as error:
        said = error.message if isinstance(error, InvalidValue) else str(error)
        raise Failure(f"Function {function.path} return value invalid: {said}") from None
    weight = 0 if len(text) * DENSEST <= MAX_RESULT_BYTES else size(value)
    if weight > MAX_RESULT_BYTES:
        said = f"Function {function.path} return value is too large (actual: {_shown(weight)}, limit: 16 MiB)"
        raise Failure(said)
    mismatch = None if function.returns is None else function.returns.check(value, catalog_name)
    if mismatch:
        raise Failure(f"ReturnsValidationError: {mismatch_text(mismatch)}")
    return text


def _shown(weight: int) -> str:
    return f"{weight / (1 << 20):.2f} MiB"
