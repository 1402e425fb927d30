"""The system functions that the official CLI calls: ``_system/cli/…``, by name.

Source: ``npm-packages/system-udfs/convex/_system`` of convex-backend.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from supavex.convex.values import Document, Value, from_internal_json, size
from supavex.deployment.database.catalog import SCHEDULED
from supavex.deployment.database.components import component_at, components
from supavex.deployment.database.database import Database
from supavex.deployment.database.queries import END
from supavex.deployment.database.store import read_body, tables_of
from supavex.deployment.database.stored_files import file_documents
from supavex.deployment.deployment import Deployment
from supavex.deployment.functions import crons, modules
from supavex.deployment.server import jobs
from supavex.deployment.server.host import Addresses
from supavex.errors import SupavexError

_PAGE_BYTES = 5 << 20
_PAGE_ROWS = 10_000
Arguments = dict[str, Value]
#: The functions by name. The database is the app's, or a component's.
_FUNCTIONS: dict[str, Callable[[Database, Addresses, Arguments], Value]] = {}


def _system(name: str) -> Callable[[Callable[[Database, Addresses, Arguments], Value]], Any]:
    def register(function: Callable[[Database, Addresses, Arguments], Value]) -> Any:
        _FUNCTIONS[name] = function
        return function

    return register


def canonical(path: str) -> str:
    """A function's path as in this table: ``_system/cli/tables.js:default`` is ``_system/cli/tables``."""
    path = path.replace(".js:", ":")
    return path.removesuffix(":default")


def call(deployment: Deployment, addresses: Addresses, path: str, arguments: Arguments, component: str = "") -> Value:
    """The result of a system function, for the app or the component at a path.

    Raises :class:`SupavexError` for an unknown function or component.
    """
    function = _FUNCTIONS.get(canonical(path))
    if function is None:
        raise SupavexError("FunctionNotFound", f"Could not find function for '{path}'. Not supported here.")
    # An import of another process drops the storage of a replaced table, so a table is looked up and read in one
    # transaction.
    with deployment.reading():
        if function is api_spec and component and component not in components(deployment.store.connection):
            return []  # The CLI asks for the functions when it reports a missing one.
        database = deployment.within(component_at(deployment.store.connection, component).id)
        return function(database, addresses, arguments)


@_system("_system/cli/tables")
def tables(database: Database, addresses: Addresses, arguments: Arguments) -> Value:
    """All tables, in one page."""
    return {"page": [{"name": name} for name in database.tables()], "isDone": True, "continueCursor": END}


@_system("_system/cli/tableData")
def table_data(database: Database, addresses: Addresses, arguments: Arguments) -> Value:
    """A page of a table's documents, by creation time."""
    name, order = str(arguments.get("table")), arguments.get("order")
    cursor, count = _page_wanted(arguments)
    if name.startswith("_"):
        documents = _system_documents(database, name)
        if name == "_scheduled_functions" and order != "asc":
            documents.reverse()
        return {"page": documents[:count], "isDone": True, "continueCursor": END}
    if name not in database.tables():
        return {"page": [], "isDone": True, "continueCursor": END}
    query = database.query(name).order("asc" if order == "asc" else "desc")
    page: list[Document] = []
    weight = 0
    while len(page) < count and weight < _PAGE_BYTES:
        found = query.paginate(cursor, min(200, count - len(page)))
        page += found.page
        weight += sum(map(size, found.page))
        cursor = found.continue_cursor
        if found.is_done:
            break
    return {"page": page, "isDone": cursor == END, "continueCursor": cursor}


def _page_wanted(arguments: Arguments) -> tuple[str | None, int]:
    """Cursor and number of documents of a call's ``paginationOpts``."""
    options = arguments.get("paginationOpts") or {}
    cursor = options.get("cursor") if isinstance(options, dict) else None
    count = options.get("numItems", 100) if isinstance(options, dict) else None
    if not isinstance(count, int | float) or count < 1 or not (cursor is None or isinstance(cursor, str)):
        raise SupavexError("InvalidArguments", "paginationOpts names a cursor, or null, and at least one item.")
    return cursor, int(min(count, _PAGE_ROWS))


def _system_documents(database: Database, name: str) -> list[Document]:
    if name == "_storage":
        return stored_files(database)
    if name == "_tables":
        return [{"name": table, "number": float(number)} for table, number in database.table_numbers().items()]
    if name == "_environment_variables":
        return modules.variable_documents(database.store)
    if name == "_scheduled_functions":
        return scheduled_functions(database)
    if name in _CRONS:
        return _CRONS[name](database.store)
    raise SupavexError("TableNotFound", f"Not supported here: the system table {name}.")


#: Convex's system tables of cron jobs: the jobs, their next runs, and their last runs.
_CRONS = {
    "_cron_jobs": crons.job_documents,
    "_cron_next_run": crons.next_documents,
    "_cron_job_logs": crons.run_documents,
}


@_system("_system/frontend/listCronJobs")
def list_cron_jobs(database: Database, addresses: Addresses, arguments: Arguments) -> Value:
    """The cron jobs, each with its next run and its last one."""
    store = database.store
    following = {document["cronJobId"]: document for document in crons.next_documents(store)}
    last = {document["name"]: document for document in crons.run_documents(store)}
    jobs_ = crons.job_documents(store)
    return [{**job, "nextRun": following[job["_id"]], "lastRun": last.get(job["name"])} for job in jobs_]


@_system("_system/frontend/listCronJobRuns")
def list_cron_runs(database: Database, addresses: Addresses, arguments: Arguments) -> Value:
    """The last runs of cron jobs, the oldest first."""
    return list(crons.run_documents(database.store))


def stored_files(database: Database) -> list[Document]:
    """The documents of ``_storage``: one for each stored file, sha256 as base64."""
    return [document for _, _, _, document in file_documents(database.store.connection, database.store.component)]


def scheduled_functions(database: Database) -> list[Document]:
    """The documents of ``_scheduled_functions``: jobs that wait, run, or have ended; the oldest first."""
    connection = database.store.connection
    found = tables_of(connection, database.store.component, system=True).get(SCHEDULED)
    if found is None:
        return []
    rows = connection.execute(f"SELECT body FROM documents_{found.storage} ORDER BY row")
    return [read_body(body) for (body,) in rows]


@_system("_system/cli/tableSize")
def table_size(database: Database, addresses: Addresses, arguments: Arguments) -> Value:
    """The number of documents in a table."""
    return float(database.count(str(arguments.get("tableName"))))


@_system("_system/cli/queryTable")
def query_table(database: Database, addresses: Addresses, arguments: Arguments) -> Value:
    """A value that changes when the table does. `convex dev` waits for that after a failed push."""
    name = str(arguments.get("tableName"))
    connection = database.store.connection
    stored = database.store.tables().get(name)
    if stored is None:
        return None
    (last, count) = connection.execute(f"SELECT max(row), count(*) FROM documents_{stored.storage}").fetchone()
    (version,) = connection.execute("PRAGMA data_version").fetchone()
    return {
        "storage": float(stored.storage),
        "last": float(last or 0),
        "count": float(count),
        "version": float(version),
    }


@_system("_system/cli/queryEnvironmentVariables")
def environment_variables(database: Database, addresses: Addresses, arguments: Arguments) -> Value:
    """All environment variables."""
    return modules.variable_documents(database.store)


@_system("_system/cli/queryEnvironmentVariables:get")
def environment_variable(database: Database, addresses: Addresses, arguments: Arguments) -> Value:
    """One environment variable, or null."""
    name = str(arguments.get("name"))
    value = modules.variables(database.store).get(name)
    return None if value is None else {"name": name, "value": value}


@_system("_system/cli/modules:apiSpec")
def api_spec(database: Database, addresses: Addresses, arguments: Arguments) -> Value:
    """Every pushed function, with its validators."""
    spec: list[Value] = []
    found = (one for one in components(database.store.connection).values() if one.id == database.store.component)
    definition = next((one.definition for one in found), "")
    for path, analysis in modules.analyses(database.store, definition).items():
        spec += [_function_spec(path, function) for function in analysis["functions"]]
        spec += [{"functionType": "HttpAction", **route["route"]} for route in analysis.get("httpRoutes") or []]
    return spec


def _function_spec(path: str, function: dict[str, Any]) -> dict[str, Any]:
    return {
        "identifier": f"{path}:{function['name']}",
        "functionType": function["udfType"],
        "visibility": function["visibility"],
        "args": json.loads(function["args"] or '{"type":"any"}'),
        "returns": json.loads(function["returns"] or '{"type":"any"}') or {"type": "any"},
    }


@_system("_system/cli/convexUrl:cloudUrl")
def cloud_url(database: Database, addresses: Addresses, arguments: Arguments) -> Value:
    """The deployment's own address."""
    return addresses.cloud


@_system("_system/cli/convexUrl:siteUrl")
def site_url(database: Database, addresses: Addresses, arguments: Arguments) -> Value:
    """The address of HTTP actions."""
    return addresses.site


@_system("_system/cli/queryImport")
def query_import(database: Database, addresses: Addresses, arguments: Arguments) -> Value:
    """One import's state."""
    return jobs.job_document(database.store, "import", str(arguments.get("importId")))


@_system("_system/cli/queryImport:list")
def list_imports(database: Database, addresses: Addresses, arguments: Arguments) -> Value:
    """All imports, the newest first."""
    return jobs.job_documents(database.store, "import")


@_system("_system/cli/exports:getLatest")
def latest_export(database: Database, addresses: Addresses, arguments: Arguments) -> Value:
    """The state of the newest export, or null."""
    found = jobs.job_documents(database.store, "export")
    return found[0]["state"] | {"_id": found[0]["_id"]} if found else None


@_system("_system/frontend/components:list")
def list_components(database: Database, addresses: Addresses, arguments: Arguments) -> Value:
    """The components, including unmounted ones; empty if there was never one."""
    found = components(database.store.connection).values()
    return [
        {
            "id": one.document,
            "name": one.name,
            "path": one.path,
            "args": {name: from_internal_json(value) for name, value in one.args.items()},
            "state": "active" if one.mounted else "unmounted",
            "httpPrefix": one.http_prefix,
        }
        for one in found
    ]


@_system("_system/frontend/getSchemas")
@_system("_system/frontend/getSchemas:default")
def schemas(database: Database, addresses: Addresses, arguments: Arguments) -> Value:
    """The active schema, as the text of its JSON."""
    text = database.schema_text
    return {} if text is None else {"active": text}
