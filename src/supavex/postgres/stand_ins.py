"""Replaces extensions, versions and types that the embedded PostgreSQL does not have.

A replay passes each refused statement to :meth:`StandIns.instead`, which runs a replacement. The replay's report lists
the replacements, because the real database may behave differently there.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from supavex.postgres.connection import literal, quoted
from supavex.postgres.driver import psycopg
from supavex.postgres.file_session import Refusal
from supavex.postgres.report import StandIn
from supavex.postgres.statement_kinds import described
from supavex.postgres.statements import Statement
from supavex.postgres.unknown_columns import of_type, uses_schema, without_calls
from supavex.text import counted

#: Runs SQL in place of a statement. Returns PostgreSQL's refusal, or None.
Attempt = Callable[[Statement, str], Refusal | None]

_NOT_AVAILABLE = re.compile(r'extension "([^"]+)" is not available')
_NO_VERSION = re.compile(r'extension "([^"]+)" has no (?:installation script nor )?update path .*"([^"]+)"')
_NO_EXTENSION = re.compile(r'extension "([^"]+)" does not exist')
_EXTENSION = re.compile(r"(?:CREATE|ALTER|DROP|COMMENT\s+ON)\s+EXTENSION\b", re.IGNORECASE)
_VERSION = re.compile(r"""\s+VERSION\s+(?:'[^']*'|"[^"]*"|\S+)""", re.IGNORECASE)
_NAME = r'"(?:[^"]|"")+"|\w+'
_MOVE = re.compile(rf"ALTER\s+EXTENSION\s+({_NAME})\s+SET\s+SCHEMA\s+({_NAME})\s*$", re.IGNORECASE)
_OWNER_OF_PUBLIC = re.compile(r'ALTER\s+SCHEMA\s+"?public"?\s+OWNER\s+TO\b', re.IGNORECASE)
_NO_COLUMN = re.compile(r'column "([^"]+)" of relation "[^"]+" does not exist')
#: Schemas of services. A dump fills their tables with the columns that they had when it was made.
_FILLED = ("auth", "storage", "realtime", "vault", "supabase_functions", "supabase_migrations")
_NO_TYPE = re.compile(r'type "([^"]+)" does not exist')
_NO_SCHEMA = re.compile(r'schema "([^"]+)" does not exist')
_NO_FUNCTION = re.compile(r'function (?:[^\s(]+\.)?"?([^\s(".]+)"?\(.*\) does not exist', re.DOTALL)
#: The behaviour of services' functions in a replay, by schema.
_SERVICES = {
    "net": "Nothing is sent: the function gives an id, and no answer comes.",
    "cron": "Jobs are kept in cron.job, and none of them runs.",
    "vault": "Secrets are kept as they are, without encryption.",
    "realtime": "Nothing is sent.",
    "supabase_functions": "Nothing is sent.",
    "pgmq": "Queues hold no messages.",
}
_SERVICE = re.compile(rf"\b(?:{'|'.join(_SERVICES)})\.\w+(?=\s*\()", re.IGNORECASE)
#: The project's functions. Operators are qualified, because this runs after the files.
_BODIES = """
SELECT n.nspname || '.' || p.proname, p.prosrc
FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
WHERE n.nspname <> ALL (ARRAY['pg_catalog', 'information_schema', 'supavex', 'cron', 'net', 'vault', 'realtime', 'pgmq',
    'supabase_functions', 'graphql', 'graphql_public'])
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d
                  WHERE d.classid = 'pg_catalog.pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e')
ORDER BY 1"""
#: The types of PostGIS's stand-in that table columns use: directly, or in arrays, domains and composite types.
_TYPES_OF_POSTGIS = """
WITH RECURSIVE held (type, oid) AS (
  SELECT t.oid, t.oid FROM pg_catalog.pg_extension e
  JOIN pg_catalog.pg_depend d ON d.refobjid = e.oid AND d.deptype = 'e'
  JOIN pg_catalog.pg_type t ON d.classid = 'pg_catalog.pg_type'::regclass AND t.oid = d.objid
  WHERE e.extname = 'postgis' AND e.extversion = '3.3.7' AND t.typelem = 0
  UNION
  SELECT held.type, t.oid FROM held JOIN pg_catalog.pg_type t ON t.typelem = held.oid OR t.typbasetype = held.oid
    OR t.typrelid IN (SELECT a.attrelid FROM pg_catalog.pg_attribute a
                      WHERE a.atttypid = held.oid AND a.attnum > 0 AND NOT a.attisdropped))
SELECT type::regtype::text, pg_catalog.array_agg(place ORDER BY place) FROM (
  SELECT held.type, n.nspname || '.' || c.relname || '.' || a.attname AS place FROM held
  JOIN pg_catalog.pg_attribute a ON a.atttypid = held.oid AND a.attnum > 0 AND NOT a.attisdropped
  JOIN pg_catalog.pg_class c ON c.oid = a.attrelid AND c.relkind IN ('r', 'p')
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace) used
GROUP BY type ORDER BY 1"""
#: Extensions whose types and functions files use without creating them, because Supabase's dashboard did.
_EXTENSION_OF = {
    "citext": "citext", "hstore": "hstore", "ltree": "ltree", "lquery": "ltree", "ltxtquery": "ltree",
    "vector": "vector", "halfvec": "vector", "sparsevec": "vector", "cube": "cube", "earth": "earthdistance",
    "seg": "seg", "geometry": "postgis", "geography": "postgis", "box2d": "postgis", "box3d": "postgis",
    "isbn": "isn", "isbn13": "isn", "ean13": "isn", "issn": "isn", "ismn": "isn", "upc": "isn",
}  # fmt: skip


class StandIns:
    """Collects the replacements of one replay."""

    def __init__(self) -> None:
        self._places: dict[tuple[str, str, str], dict[str, None]] = {}

    def instead(self, statement: Statement, refusal: Refusal, attempt: Attempt, last: bool = False) -> Refusal | None:
        """Runs a replacement of ``statement``, which PostgreSQL refused. Returns None if that worked, else ``refusal``.

        ``attempt`` runs SQL in the statement's place and undoes it if it is refused. ``last``: all files have run, and
        nothing else has helped.
        """
        place, now, before = f"{statement.file}:{statement.line}", statement.sql, list[str]()
        stand_ins = list[tuple[str, str, str]]()
        seen, said = set[str](), refusal.error
        while said not in seen:
            seen.add(said)
            found = self._help(now, said, last)
            if found is None:
                return refusal
            stand_ins += found.stand_ins
            before += found.before
            now = found.sql
            again = attempt(statement, "".join(f"{each};\n" for each in before) + now) if now else None
            if again is None:
                for key in stand_ins:
                    self._places.setdefault(key, {})[place] = None
                return None
            said = again.error
        return refusal

    def _help(self, sql: str, message: str, last: bool) -> _Help | None:
        """The replacement for a statement that PostgreSQL refused with ``message``."""
        found = _NOT_AVAILABLE.search(message)
        if found:
            missing = ("extension", found[1], "The embedded PostgreSQL does not have this extension.")
            if _EXTENSION.match(sql):
                return _Help("", (missing,))
            self._places.setdefault(missing, {})  # In a block of code, the statements after the error have not run.
            return None
        found = _NO_VERSION.search(message)
        if found and _EXTENSION.match(sql):
            other = ("version", f"{found[1]} {found[2]}", "The embedded PostgreSQL has another version.")
            return _Help(_VERSION.sub("", sql) if sql[:6].upper() == "CREATE" else "", (other,))
        found = _NO_EXTENSION.search(message)
        if found and _EXTENSION.match(sql) and any(key[:2] == ("extension", found[1]) for key in self._places):
            return _Help("")
        moved = _MOVE.match(sql.rstrip("; \n\t"))
        if moved and message.startswith("must be owner of"):
            # PostgreSQL requires the ownership of each object, and objects of C code belong to the superuser.
            return _Help(f"SELECT supavex.move_extension({literal(_plain(moved[1]))}, {literal(_plain(moved[2]))})")
        if message == 'must be able to SET ROLE "pg_database_owner"' and _OWNER_OF_PUBLIC.match(sql):
            return _Help("")  # That role owns public at Supabase, where the files' role owns the database.
        found = _NO_COLUMN.search(message)
        if found:
            return _with_column(sql, found[1])
        if message.startswith("generation expression is not immutable"):
            return _without_calls(sql, lambda name: name.startswith(("st_", "postgis_")))
        return _without_creation(sql, message) if last else None

    def found(self, connection: psycopg.Connection) -> tuple[StandIn, ...]:
        """The replacements, in the order of their first use, and then their uses in the catalog."""
        met = tuple(StandIn(*key, tuple(places)) for key, places in self._places.items())
        return (*met, *_used_types(connection), *_called(connection))


def _used_types(connection: psycopg.Connection) -> list[StandIn]:
    rows = connection.execute(_TYPES_OF_POSTGIS.encode()).fetchall()
    detail = "It keeps the text that was written: PostGIS is missing, and its functions raise."
    return [StandIn("type", str(name), detail, tuple(map(str, columns))) for name, columns in rows]


def _called(connection: psycopg.Connection) -> list[StandIn]:
    """The functions of services that do nothing here, with the project's functions that call them."""
    places: dict[str, list[str]] = {}
    for name, body in connection.execute(_BODIES.encode()).fetchall():
        for called in {match[0].lower() for match in _SERVICE.finditer(str(body))}:
            places.setdefault(called, []).append(str(name))
    return [
        StandIn("function", called, _SERVICES[called.partition(".")[0]], tuple(sorted(where)))
        for called, where in sorted(places.items())
    ]


@dataclass(frozen=True, slots=True)
class _Help:
    """A replacement: ``before`` runs first, then ``sql`` (empty: nothing). ``stand_ins`` are its entries in
    the report.
    """

    sql: str
    stand_ins: tuple[tuple[str, str, str], ...] = ()
    before: tuple[str, ...] = ()


def _without_creation(sql: str, message: str) -> _Help | None:
    """The replacement for a statement that uses a type or a function which no file creates."""
    found = _NO_TYPE.search(message)
    if found:
        schema, _, name = found[1].removesuffix("[]").rpartition(".")
        return _with_extension(sql, schema, name) or _with_unknown_type(sql, schema, name)
    found = _NO_SCHEMA.search(message)
    if found and uses_schema(sql, found[1]):
        return _Help(sql, (), (f"CREATE SCHEMA {quoted(found[1])}",))
    found = _NO_FUNCTION.search(message)
    return _without_calls(sql, lambda name: name == found[1]) if found else None


def _with_column(sql: str, column: str) -> _Help | None:
    """The replacement for a statement that writes rows of a service's table, with a column that the stand-in lacks."""
    known = described(sql)
    schema, table = known.tables[0] if known.kind == "data" and known.tables else (None, "")
    if schema not in _FILLED:
        return None
    return _Help(sql, (), (f"ALTER TABLE {quoted(schema, table)} ADD COLUMN {quoted(column)} text",))


def _with_extension(sql: str, schema: str, type_name: str) -> _Help | None:
    extension = _EXTENSION_OF.get(type_name)
    if extension is None:
        return None
    made = ("extension", extension, "No file creates this extension. It is created at its first use.")
    target = quoted(schema or "extensions")
    create = f"CREATE EXTENSION IF NOT EXISTS {quoted(extension)} SCHEMA {target} CASCADE"
    return _Help(sql, (made,), (f"CREATE SCHEMA IF NOT EXISTS {target}", create))


def _with_unknown_type(sql: str, schema: str, name: str) -> _Help | None:
    reduced = of_type(sql, schema, name)
    if reduced is None:
        return None
    full = ".".join(filter(None, (schema, name)))
    stand_ins = [("type", full, "No file makes this type. Columns of it hold their text, and are skipped.")]
    stand_ins += [
        ("column", column, f"Its type {full} is not known: the column is skipped.") for column in reduced.kept
    ]
    stand_ins += [_left_out(column) for column in reduced.left_out]
    before = [f"CREATE SCHEMA IF NOT EXISTS {quoted(schema)}"] if schema else []
    domain = quoted(*filter(None, (schema, name)))
    if reduced.kept:
        before.append(f"CREATE DOMAIN {domain} AS supavex.unknown_type")
    return _Help(reduced.sql, tuple(stand_ins), tuple(before))


def _without_calls(sql: str, called: Callable[[str], bool]) -> _Help | None:
    reduced = without_calls(sql, called)
    if reduced is None:
        return None
    stand_ins = [_left_out(column) for column in reduced.left_out]
    words = "A check or default of it calls a missing function, and is left out."
    stand_ins += [("column", column, words) for column in reduced.kept]
    if reduced.constraints:
        stand_ins.append(("constraint", counted(reduced.constraints, "check"), words.replace("or default of it ", "")))
    return _Help(reduced.sql, tuple(stand_ins))


def _left_out(column: str) -> tuple[str, str, str]:
    words = "Its expression uses something that the embedded PostgreSQL does not have: the column is left out."
    return ("column", column, words)


def _plain(name: str) -> str:
    """The name of an SQL identifier in the catalog."""
    return name[1:-1].replace('""', '"') if name.startswith('"') else name.lower()
