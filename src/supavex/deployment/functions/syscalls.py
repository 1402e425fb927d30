"""The operations of running functions, by the names of ``convex/server``.

Source: ``isolate/src/environment/udf/async_syscall.rs`` of convex-backend. Arguments are parsed JSON; an answer is JSON
text. Errors are thrown in the function, with Convex's messages.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from typing import Any

from supavex.convex.ids import InvalidId, decode_id
from supavex.convex.json_bounds import parse_strict
from supavex.convex.names import table_name_problem
from supavex.convex.values import Document, from_internal_json
from supavex.deployment.database.catalog import SYSTEM_NUMBERS
from supavex.deployment.database.components import APP, Component
from supavex.deployment.database.paging import OpenQuery, PageWanted, read_page
from supavex.deployment.database.plans import QueryPlan, plan_query
from supavex.deployment.database.search_plans import SearchPlan
from supavex.deployment.database.store import StoredTable, write_body
from supavex.deployment.database.transaction import Transaction
from supavex.deployment.database.usage import MAX_READ_ROWS, Limits, spelled
from supavex.deployment.functions.app import App
from supavex.deployment.functions.identity import Identity
from supavex.deployment.functions.references import handle_of, named
from supavex.errors import SupavexError


class Arguments(dict[str, Any]):
    """The parsed arguments of an operation. The function gets an error if a field is missing, or has another type."""

    def __init__(self, operation: str, fields: Mapping[str, Any]) -> None:
        super().__init__(fields)
        self.operation = operation

    def __missing__(self, name: str) -> Any:
        raise malformed(self.operation, f"missing field `{name}`")

    def text(self, name: str) -> str:
        """A field that is a text."""
        value = self[name]
        if not isinstance(value, str):
            raise malformed(self.operation)
        return value

    def whole(self, name: str) -> int:
        """A field that is a whole number."""
        value = self[name]
        if type(value) is not int:
            raise malformed(self.operation)
        return value


@dataclass(frozen=True, slots=True)
class Addresses:
    """The addresses of the deployment for clients. Functions read both from the environment."""

    cloud: str = "http://127.0.0.1:3210"
    site: str = "http://127.0.0.1:3211"


@dataclass(slots=True)
class Services:
    """The services that a deployment gives its functions, apart from data.

    ``upload_url`` makes an address for uploads into a component (0: the app); None without a server. ``fetch_hosts``:
    the hosts that actions may fetch from, with or without a port; ``*`` is any.
    """

    addresses: Addresses = field(default_factory=Addresses)
    upload_url: Callable[[int], str] | None = None
    fetch_hosts: frozenset[str] = frozenset()


@dataclass(slots=True)
class Frame:
    """A function that runs in a transaction: its open queries, and what its result depends on."""

    #: The function that runs.
    path: str
    #: ``query``, ``mutation`` or ``action``.
    kind: str
    #: The transaction of the outermost call.
    transaction: Transaction
    #: The user that ``ctx.auth`` gives.
    identity: Identity
    #: The pushed app that the function is part of.
    app: App
    #: The services that the deployment gives its functions.
    services: Services
    #: The component of the function, whose tables it sees.
    component: Component = APP
    #: The scheduled job that runs the function or its caller: its component's id, and its own id.
    job: tuple[int, str] | None = None
    #: The id of the request that began the transaction.
    request_id: str = ""
    #: The open queries by number.
    queries: dict[int, OpenQuery] = field(default_factory=dict)
    #: The end of the page that an earlier run of the same query read.
    journal: str | None = None
    #: The end of the page of this run.
    next_journal: str | None = None
    #: Whether the function asked for the user, so that its result holds for this user only.
    saw_identity: bool = False
    #: Lines for the function's log.
    warnings: list[str] = field(default_factory=list)

    def consumed(self, read: Sequence[Any]) -> None:
        """Records how far the function has read its queries."""
        for id_, count, end in read:
            query = self.queries.get(id_)
            if query is not None:
                query.read(self.transaction, count, end=end)


def parsed(operation: str, text: str) -> Arguments:
    """The arguments of an operation. Raises :class:`SupavexError` for JSON that Convex's client never sends."""
    with understood(operation):
        data = parse_strict(text)
        if not isinstance(data, dict):
            raise ValueError("no object")
    return Arguments(operation, data)


@contextmanager
def understood(operation: str) -> Iterator[None]:
    """Raises :class:`SupavexError` for arguments that Convex's client never sends.

    The block only reads arguments. An exception of anything else is not about them, and is an incident.
    """
    try:
        yield
    except KeyError as error:
        raise malformed(operation, f"missing field `{error.args[0]}`") from None
    except (TypeError, AttributeError, IndexError, ValueError, ArithmeticError):
        raise malformed(operation) from None


def malformed(operation: str, cause: str = "they are not of its form") -> SupavexError:
    """The error for an operation's arguments of another form than Convex's client sends."""
    return SupavexError("InvalidArgument", f"Invalid arguments for `{operation.rpartition('/')[2]}`: {cause}")


def invalid(name: str, method: str, cause: str) -> SupavexError:
    """The error for an invalid argument."""
    return SupavexError("InvalidArgument", f"Invalid argument `{name}` for `{method}`: {cause}")


# Reading


def query_next(frame: Frame, arguments: Arguments) -> str:
    """The next documents of a query that the function iterates over."""
    id_ = arguments.whole("queryId")
    if "query" in arguments:
        frame.queries[id_] = OpenQuery(_plan(frame, arguments), growing=frame.kind != "mutation")
    elif id_ not in frame.queries:
        raise SupavexError("NoSuchQuery", "in-progress query not found")
    items, ended = frame.queries[id_].batch(frame.transaction)
    return json.dumps({"items": items, "ended": ended})


def _table_name(query: Any) -> str:
    source = query.get("source", {}) if isinstance(query, dict) else {}
    return str(source.get("tableName") or str(source.get("indexName", "")).partition(".")[0])


def _plan(frame: Frame, arguments: Arguments) -> QueryPlan | SearchPlan:
    """The plan of the field ``query``. It includes tables that this transaction is about to make."""
    query = arguments["query"]
    frame.transaction.table(_table_name(query))
    with understood(arguments.operation):
        plan = plan_query(query, frame.transaction.catalog)
    if isinstance(plan, SearchPlan):
        return plan
    new = frame.transaction.new_table(plan.name)
    return plan if plan.table is not None or new is None else plan.of_new(new)


def get(frame: Frame, arguments: Arguments) -> str:
    """A document, or null. An id of a missing table also gives null."""
    system = arguments.get("isSystem") is True
    method = "db.system.get" if system else "db.get"
    try:
        number, internal_id = decode_id(arguments.text("id"))
    except InvalidId as error:
        raise invalid("id", method, f"Unable to decode ID: {error.message}") from None
    table = frame.transaction.table_of(number)
    if table is None:
        frame.transaction.read(0)
        return "null"
    if (table.name in SYSTEM_NUMBERS) != system:
        raise _system_table(system)
    _check_table(arguments, table, method)
    body = frame.transaction.get(table, internal_id)
    return "null" if body is None else body


def _system_table(expected: bool) -> SupavexError:
    if expected:
        return SupavexError("SystemTableError", "User tables cannot be accessed with db.system.")
    message = "System tables can only be accessed from db.system."
    return SupavexError("SystemTableError", message)


def _check_table(arguments: Arguments, table: StoredTable, method: str) -> None:
    wanted = arguments.get("table")
    if wanted is not None and wanted != table.name:
        cause = f'expected to be an Id<"{wanted}">, got Id<"{table.name}"> instead.'
        raise invalid("id", method, cause)


def query_page(frame: Frame, arguments: Arguments) -> str:
    """One page of a query."""
    size, cursor, end = arguments["pageSize"], arguments.get("cursor"), arguments.get("endCursor")
    if not isinstance(size, int | float) or size != int(size) or size < 0:
        raise SupavexError("InvalidArgument", f"Invalid arguments for `queryPage`: invalid page size {size}")
    if size == 0:
        raise SupavexError("NoDocumentsForPagination", "Must request at least 1 document while paginating")
    if size > MAX_READ_ROWS:
        raise SupavexError("PageSizeTooLarge", f"Requested too many items: {int(size)}")
    limits = arguments.get("maximumRowsRead"), arguments.get("maximumBytesRead")
    if 0 in limits:
        message = "maximumRowsRead and maximumBytesRead must be greater than 0"
        raise SupavexError("InvalidPaginationLimit", message)
    if frame.next_journal is not None:
        message = "This query or mutation function ran multiple paginated queries. Convex only supports a single "
        raise SupavexError("MultiplePaginatedDatabaseQueries", f"{message}paginated query in each function.")
    if frame.component.id:
        message = "paginate() is only supported in the app. "
        more = "Learn more at https://docs.convex.dev/components/authoring#pagination"
        raise SupavexError("PaginationUnsupportedInComponents", message + more)
    plan = _plan(frame, arguments)
    wanted = PageWanted(cursor, end if end is not None else frame.journal, int(size), *limits)
    page = read_page(frame.transaction, plan, wanted)
    frame.next_journal = page.cursor
    head = json.dumps(
        {
            "isDone": page.done,
            "continueCursor": page.cursor,
            "splitCursor": page.split_cursor,
            "pageStatus": page.status,
        }
    )
    return f'{head[:-1]}, "page": [{",".join(page.documents)}]}}'


def count(frame: Frame, arguments: Arguments) -> str:
    """The number of documents in a table."""
    table = frame.transaction.table(str(arguments["table"]))
    return "0.0" if table is None else str(float(frame.transaction.count(table)))


# Writing


def writable(frame: Frame) -> Transaction:
    """The transaction of a mutation. Raises for a query."""
    if frame.kind != "mutation":
        raise SupavexError("WriteInQuery", f"Can't write to the database in a {frame.kind}.")
    return frame.transaction


def _document(method: str, data: Any) -> Document:
    value = from_internal_json(data)
    if not isinstance(value, dict):
        raise invalid("value", method, "Value must be an Object")
    return value


def insert(frame: Frame, arguments: Arguments) -> str:
    """Inserts a document. Returns its id."""
    transaction, name = writable(frame), str(arguments["table"])
    problem = table_name_problem(name)
    if problem:
        raise invalid("table", "db.insert", f"{problem}.")
    return json.dumps({"_id": transaction.insert(name, _document("db.insert", arguments["value"]))})


def _named(frame: Frame, arguments: Arguments, method: str) -> tuple[StoredTable, bytes]:
    """The table and the internal id of a write."""
    try:
        number, internal_id = decode_id(arguments.text("id"))
    except InvalidId as error:
        raise invalid("id", method, f"Unable to decode ID: {error.message}") from None
    table = frame.transaction.table_of(number)
    if table is None:
        raise invalid("id", method, f"Table for ID {arguments['id']} not found")
    _check_table(arguments, table, method)
    if table.name in SYSTEM_NUMBERS:
        raise _system_table(expected=False)
    return table, internal_id


def patch(frame: Frame, arguments: Arguments) -> str:
    """Sets some fields, and removes those that are undefined."""
    transaction = writable(frame)
    table, internal_id = _named(frame, arguments, "db.patch")
    data = arguments["value"]
    if not isinstance(data, dict):
        raise invalid("value", "db.patch", "Value must be an Object")
    removed = {name for name, value in data.items() if value == {"$undefined": None}}
    fields = _document("db.patch", {name: value for name, value in data.items() if name not in removed})
    return write_body(transaction.patch(table, internal_id, fields, removed))


def replace(frame: Frame, arguments: Arguments) -> str:
    """Replaces a document by another."""
    transaction = writable(frame)
    table, internal_id = _named(frame, arguments, "db.replace")
    return write_body(transaction.replace(table, internal_id, _document("db.replace", arguments["value"])))


def remove(frame: Frame, arguments: Arguments) -> str:
    """Removes a document."""
    transaction = writable(frame)
    return write_body(transaction.delete(*_named(frame, arguments, "db.delete")))


# The caller and the place


def user_identity(frame: Frame, arguments: Arguments) -> str:
    """The caller's identity, or null."""
    frame.saw_identity = True
    if frame.identity.problem is not None and frame.kind == "action":
        raise SupavexError("Unauthenticated", frame.identity.problem)
    user = frame.identity.user
    return "null" if user is None else json.dumps(dict(user))


def function_metadata(frame: Frame, arguments: Arguments) -> str:
    """The function's own name."""
    return json.dumps({"name": frame.path, "componentPath": frame.component.path})


def deployment_metadata(frame: Frame, arguments: Arguments) -> str:
    """The deployment's name."""
    return json.dumps({"name": "supavex-local", "region": None, "class": "s16"})


def request_metadata(frame: Frame, arguments: Arguments) -> str:
    """The metadata of the request that called a mutation or an action."""
    if frame.kind == "query":
        raise SupavexError("RequestMetadataNotAllowed", f"Cannot get request metadata in a {frame.kind}")
    frame.saw_identity = True
    job = None if frame.job is None else frame.job[1]
    data = {"ip": None, "userAgent": None, "requestId": frame.request_id, "scheduledFunctionId": job}
    return json.dumps({**data, "authToken": frame.identity.token})


def function_handle(frame: Frame, arguments: Arguments) -> str:
    """A handle of a function, for ``runMutation`` and others."""
    path, component = named(frame.app, frame.component, arguments)
    function = frame.app.find(path, component)
    if function is None:
        raise SupavexError("FunctionHandleNotFound", f"Function handle not found: there is no function {path}")
    return json.dumps(handle_of(frame.app, function))


def audit_log(frame: Frame, arguments: Arguments) -> str:
    """Accepts an entry of the audit log, which is not kept."""
    return "null"


def transaction_metrics(frame: Frame, arguments: Arguments) -> str:
    """The transaction's use of its limits, and the rest."""
    usage, queries = frame.transaction.usage, frame.transaction.reads.count()
    used, found = usage.used(queries), {}
    for limit in fields(Limits):
        count = getattr(used, limit.name)
        found[spelled(limit.name)] = {"used": count, "remaining": getattr(usage.limits, limit.name) - count}
    return json.dumps(found)
