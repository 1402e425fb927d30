"""Rows for any catalog: they respect its constraints, and are as nasty as they can be within them.

PostgreSQL is the judge: a row that breaks a constraint is made anew, tamer with each attempt. Deterministic for a seed.
"""

from __future__ import annotations

import json
import random
import re
import string
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import psycopg

from supavex.mapping.check_constraints import allowed_values, numeric_bounds
from supavex.postgres.catalog import Catalog, Column, ForeignKey, Table, Type
from supavex.postgres.connection import connect, quoted
from supavex.postgres.inspection import inspect_catalog

_ATTEMPTS = 40
_OTHER_SCHEMAS = ["auth", "storage", "vault", "realtime"]
#: Texts that a careless encoder, splitter or quoter would change.
TEXTS = (
    "", " ", "a", "NULL", "null", "\\N", "\\", '"', "'", '","', '"}', "{}", "[1]", "a\nb", "\r\n", "\t", "\x01\x1f",
    "\x7f",
    "é", "漢字", "👩‍👩‍👧", "\u202eabc", "e\u0301", "\u2028\u2029", "$ne", "%s", "${x}", "<script>", "\ufeff", "1e5",
    "true",
    "x" * 300, "ü" * 70, "line one\nline two\\n", "2024-01-01",
    "https://example.com/?a=b&c=d", "-0",
)  # fmt: skip
#: Texts that checks of real projects ask for.
TAME = (
    "a@example.com", "abc", "abc-def", "ABC", "https://example.com", "+15550001111", "#a1b2c3", "en", "USD", "123456",
    "12:30", "2024-01", "1.0.0", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "A", "https://example.com/a.png", "abc_def",
)  # fmt: skip


@dataclass
class Filled:
    """What the faker did: rows inserted by table, and attempts that PostgreSQL refused to the last."""

    rows: dict[str, int] = field(default_factory=dict)
    refused: dict[str, int] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)


def fill(url: str, catalog: Catalog, rows: int, seed: int = 0, odd: float = 0.03) -> Filled:
    """Fills every table of ``catalog`` with up to ``rows`` rows. ``url`` is the owner's or a superuser's connection.

    ``odd`` is how often a value is one that Convex can't take as it is: NaN, infinity, ``$`` keys, whole numbers
    beyond 2**53, NULL in arrays.
    """
    with connect(url, settings={"row_security": "off", "search_path": "public, extensions"}) as connection:
        outside = inspect_catalog(connection, _OTHER_SCHEMAS)
        return _Faker(connection, catalog, outside, random.Random(seed), odd).fill(rows)


class _Faker:
    def __init__(
        self, connection: psycopg.Connection, catalog: Catalog, outside: Catalog, rng: random.Random, odd: float
    ) -> None:
        self.connection, self.rng, self.odd = connection, rng, odd
        self.tables = {(t.schema, t.name): t for t in [*outside, *catalog]}
        self.wanted = list(catalog)
        self.filled = Filled()
        self.keys: dict[tuple[str, str, tuple[str, ...]], list[tuple[Any, ...]]] = {}
        self.composites: dict[str, list[Type]] = {}

    def fill(self, rows: int) -> Filled:
        wanted = {(key.referenced_schema, key.referenced_table) for t in self.wanted for key in t.foreign_keys}
        outside = [t for place, t in self.tables.items() if t not in self.wanted and place in wanted]
        order = _parents_first([*outside, *self.wanted])
        for table in order:
            self._no_triggers(table)
            count = rows if self.rng.random() > 0.05 or table in outside else 0
            self._table(table, count)
        for table in order:
            self._close_cycles(table)
            self._execute(f"ALTER TABLE {quoted(table.schema, table.name)} ENABLE TRIGGER USER")
        return self.filled

    def _execute(self, sql: str, values: Sequence[Any] = ()) -> str | None:
        """Runs a statement; PostgreSQL's words where it refuses."""
        try:
            with self.connection.transaction():
                self.connection.execute(sql.encode(), list(values))
        except psycopg.Error as error:
            return str(error.diag.message_primary or error)
        except UnicodeError as error:
            return str(error)
        return None

    def _no_triggers(self, table: Table) -> None:
        self._execute(f"ALTER TABLE {quoted(table.schema, table.name)} DISABLE TRIGGER USER")

    def _table(self, table: Table, count: int) -> None:
        done = refused = 0
        for number in range(count):
            problem: str | None = "no attempt"
            for attempt in range(_ATTEMPTS):
                row = self._row(table, attempt, number)
                if row is None:
                    problem = "a row that it must refer to is not there"
                    break
                names = ", ".join(quoted(name) for name in row)
                # %s::text::type lets PostgreSQL read its own text, whatever the type.
                marks = ", ".join(f"%s::{_cast(table, name)}" for name in row)
                sql = (
                    f"INSERT INTO {quoted(table.schema, table.name)} ({names}) OVERRIDING SYSTEM VALUE VALUES ({marks})"
                )
                if not row:
                    sql = f"INSERT INTO {quoted(table.schema, table.name)} DEFAULT VALUES"
                problem = self._execute(sql, list(row.values()))
                if problem is None:
                    break
            if problem is None:
                done += 1
            else:
                refused += 1
                self.filled.reasons[table.qualified] = problem
        if table in self.wanted:
            self.filled.rows[table.qualified] = done
            if refused:
                self.filled.refused[table.qualified] = refused

    def _row(self, table: Table, attempt: int, number: int) -> dict[str, str | None] | None:
        row: dict[str, str | None] = {}
        for key in table.foreign_keys:
            chosen = self._reference(table, key)
            if chosen is None:
                return None
            for column, value in zip(key.columns, chosen, strict=True):
                if row.get(column) is None:
                    row[column] = value
        for column in table.columns:
            if column.name in row or column.generated:
                continue
            if column.default is not None and self.rng.random() < 0.2 + attempt / _ATTEMPTS:
                continue
            if column.nullable and self.rng.random() < (0.2 if attempt < _ATTEMPTS - 5 else 1):
                row[column.name] = None
                continue
            row[column.name] = self._value(table, column, attempt, number)
        return row

    def _reference(self, table: Table, key: ForeignKey) -> tuple[str | None, ...] | None:
        """Values for a foreign key's columns; None where the row can't be made."""
        nullable = all((column := table.column(name)) and column.nullable for name in key.columns)
        place = (key.referenced_schema, key.referenced_table)
        if place == (table.schema, table.name) and not nullable:
            nullable = False
        parents = self._parents(key)
        if nullable and (not parents or self.rng.random() < 0.3):
            return (None,) * len(key.columns)
        if not parents:
            return None
        return tuple(self.rng.choice(parents))

    def _parents(self, key: ForeignKey) -> list[tuple[str | None, ...]]:
        columns = ", ".join(f"{quoted(column)}::text" for column in key.referenced_columns)
        whole = " AND ".join(f"{quoted(column)} IS NOT NULL" for column in key.referenced_columns)
        parent = quoted(key.referenced_schema, key.referenced_table)
        sql = f"SELECT {columns} FROM {parent} WHERE {whole} LIMIT 200"
        try:
            with self.connection.transaction():
                return [tuple(row) for row in self.connection.execute(sql.encode())]
        except psycopg.Error:
            return []

    def _close_cycles(self, table: Table) -> None:
        """Lets rows refer to their own table, and to tables that were filled after theirs."""
        source = quoted(table.schema, table.name)
        for key in table.foreign_keys:
            columns = [table.column(name) for name in key.columns]
            parents = self._parents(key)
            if not parents or not all(column is not None and column.nullable for column in columns):
                continue
            for _ in range(5):
                parent = self.rng.choice(parents)
                sets = ", ".join(f"{quoted(c)} = %s::{_cast(table, c)}" for c in key.columns)
                sql = f"UPDATE {source} SET {sets} WHERE ctid = (SELECT ctid FROM {source} ORDER BY random() LIMIT 1)"
                self._execute(sql, parent)

    def _value(self, table: Table, column: Column, attempt: int, number: int) -> str | None:
        allowed = allowed_values(table, column.name)
        if allowed and column.type.category != "e":
            return self.rng.choice(allowed)
        bounds = numeric_bounds(table, column.name)
        if bounds:
            return self._bounded(column.type, bounds)
        return self.of_type(column.type, attempt, number, column.dimensions)

    def _bounded(self, type_: Type, bounds: dict[str, str]) -> str:
        low = float(bounds.get("ge", bounds.get("gt", "-1000")))
        high = float(bounds.get("le", bounds.get("lt", str(max(low + 1000, 1000.0)))))
        if type_.base.startswith("int") or type_.scale == 0:
            between = self.rng.randint(int(low) + 1, max(int(high) - 1, int(low) + 1))
            return str(self.rng.choice([int(low) + ("gt" in bounds), int(high) - ("lt" in bounds), between]))
        middle = low + (high - low) * self.rng.random()
        chosen = self.rng.choice([middle, low if "ge" in bounds else middle, high if "le" in bounds else middle])
        return f"{chosen:.{2 if type_.scale is None else type_.scale}f}"

    def of_type(self, type_: Type, attempt: int = 0, number: int = 0, dimensions: int = 1) -> str | None:
        """PostgreSQL's text of some value of a type. Later attempts are tamer."""
        if type_.element is not None:
            return self._array(type_, attempt, dimensions)
        if type_.category == "e":
            return self.rng.choice(type_.labels) if type_.labels else None
        if type_.category == "c":
            return self._composite(type_, attempt)
        if type_.category in ("r", "m"):
            return self.rng.choice(_RANGES.get(type_.base, ("empty",)))
        make: Callable[[Type, int], str] = getattr(self, f"_{_MAKERS.get(type_.base, 'other')}")
        return make(type_, attempt)

    def _is_odd(self, attempt: int) -> bool:
        return attempt < 5 and self.rng.random() < self.odd

    def _array(self, type_: Type, attempt: int, dimensions: int) -> str:
        assert type_.element is not None
        if dimensions > 1:
            inner = self.of_type(type_.element, 20) or "x"
            return "{" * dimensions + _element(inner) + "," + _element(inner) + "}" * dimensions
        items = [self.of_type(type_.element, attempt) for _ in range(self.rng.choice([0, 1, 1, 2, 5]))]
        if self._is_odd(attempt):
            items.append(None)
        return "{" + ",".join(_element(item) for item in items) + "}"

    def _composite(self, type_: Type, attempt: int) -> str:
        name = f"{type_.schema}.{type_.base}"
        if name not in self.composites:
            sql = (
                "SELECT format_type(a.atttypid, a.atttypmod), t.typname FROM pg_attribute a "
                "JOIN pg_type t ON t.oid = a.atttypid JOIN pg_class c ON c.oid = a.attrelid "
                "JOIN pg_type r ON r.oid = c.reltype JOIN pg_namespace n ON n.oid = r.typnamespace "
                "WHERE r.typname = %s AND n.nspname = %s AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum"
            )
            rows = self.connection.execute(sql, (type_.base, type_.schema)).fetchall()
            self.composites[name] = [Type(shown, base) for shown, base in rows]
        parts = [self.of_type(part, attempt + 10) for part in self.composites[name]]
        return "(" + ",".join("" if part is None else _element(part, '""') for part in parts) + ")"

    def _text(self, type_: Type, attempt: int) -> str:
        tame = self.rng.random() < attempt / _ATTEMPTS
        text = self.rng.choice(TAME if tame else TEXTS)
        if attempt and self.rng.random() < 0.3:
            text += "".join(self.rng.choices(string.ascii_lowercase, k=8))
        elif self.rng.random() < 0.02:
            text = text * 40 or "long " * 1000
        if type_.base == "char":
            text = self.rng.choice("az~ ")
        return text[: type_.length] if type_.length is not None else text

    def _integer(self, type_: Type, attempt: int) -> str:
        bits = {"int2": 15, "int4": 31, "int8": 63, "oid": 32}[type_.base]
        low, high = (0, (1 << bits) - 1) if type_.base == "oid" else (-(1 << bits), (1 << bits) - 1)
        if type_.base == "int8" and not self._is_odd(attempt):
            low, high = -(1 << 53), 1 << 53
        if attempt > 3:
            low, high = 0, min(high, 10**attempt)
        choices = [low, high, 0, 1, max(-1, low), self.rng.randint(low, high), self.rng.randint(0, min(high, 100_000))]
        return str(self.rng.choice(choices))

    def _numeric(self, type_: Type, attempt: int) -> str:
        if self._is_odd(attempt):
            return self.rng.choice(["NaN", "0.1234567890123456789", "1e-20"])
        if type_.precision is None:
            return self.rng.choice(
                ["0", "1.50", "-0.1", "1234567.89", "1e15", "0.000001", str(self.rng.randint(0, 9999))]
            )
        scale = type_.scale or 0
        digits = type_.precision - scale
        if scale < 0 or digits <= 0:
            return "0"
        whole = self.rng.choice([0, 1, 10 ** min(digits, 60 if attempt < 3 else 4) - 1, self.rng.randint(0, 9)])
        whole = min(whole, 10**digits - 1)
        fraction = "".join(self.rng.choices(string.digits, k=scale))
        sign = "-" if attempt < 5 and self.rng.random() < 0.3 else ""
        return f"{sign}{whole}" + (f".{fraction}" if fraction else "")

    def _float(self, type_: Type, attempt: int) -> str:
        if self._is_odd(attempt):
            return self.rng.choice(["NaN", "Infinity", "-Infinity"])
        if attempt > 3:
            return f"{self.rng.random():.4f}"
        large = (
            ("3.4028235e38", "1e-45", "16777217")
            if type_.base == "float4"
            else ("1.7976931348623157e308", "5e-324", "9007199254740993")
        )
        return self.rng.choice([*large, "0", "-0", "0.1", "1e21", "-1.5", repr(self.rng.random())])

    def _bool(self, type_: Type, attempt: int) -> str:
        return self.rng.choice(["true", "false"])

    def _uuid(self, type_: Type, attempt: int) -> str:
        return str(uuid.UUID(int=self.rng.getrandbits(128)))

    def _date(self, type_: Type, attempt: int) -> str:
        if self._is_odd(attempt):
            return self.rng.choice(["infinity", "-infinity"])
        return self.rng.choice(
            ["0001-01-01", "9999-12-31", "4713-01-01 BC", "1970-01-01", "2024-02-29", "2026-07-01"][4 * (attempt > 3) :]
        )

    def _time(self, type_: Type, attempt: int) -> str:
        text = self.rng.choice(["00:00", "23:59:59.999999", "24:00", "12:30", "09:05:07.1"])
        return text + (self.rng.choice(["+00", "-08", "+05:30"]) if type_.base == "timetz" else "")

    def _moment(self, type_: Type, attempt: int) -> str:
        if self._is_odd(attempt):
            return self.rng.choice(["infinity", "-infinity", "4000-01-01 00:00:00.000001"])
        if attempt > 3:
            return f"2026-{self.rng.randint(1, 12):02d}-{self.rng.randint(1, 28):02d} 10:00:00"
        return self.rng.choice(
            ["1970-01-01", "1969-12-31 23:59:59.999999", "2024-02-29 12:00:00.123456", "0001-01-01",
            "9999-12-31 23:59:59.999",
             "2026-07-01 08:30:00.5", "1900-01-01 00:00:00.000001", "2200-01-01"]
        )  # fmt: skip

    def _interval(self, type_: Type, attempt: int) -> str:
        return self.rng.choice(["1 year 2 mons 3 days 04:05:06.789", "-1 day", "0", "00:00:00.000001", "1 hour"])

    def _json(self, type_: Type, attempt: int) -> str:
        if self._is_odd(attempt):
            return self.rng.choice(['{"$ref": 1}', '{"é": 1}', "[" * 20 + "]" * 20, '{"a": {"%24": {"$": null}}}'])
        if attempt > 5:
            return self.rng.choice(["{}", "[]", '{"a": 1}', '["a"]', "1", '"a"'])
        return json.dumps(self._json_value(3), ensure_ascii=self.rng.random() < 0.5)

    def _json_value(self, depth: int) -> Any:
        kinds = ["text", "number", "null", "bool", "list", "dict"] if depth else ["text", "number", "null", "bool"]
        kind = self.rng.choice(kinds)
        if kind == "text":
            return self.rng.choice(TEXTS)
        if kind == "number":
            return self.rng.choice([0, -0.0, 1, 1.5, 2**53, 1e21, 1e-7, -3, 12345678901234567890])
        if kind == "list":
            return [self._json_value(depth - 1) for _ in range(self.rng.randint(0, 3))]
        if kind == "dict":
            keys = ["a", "b c", "", "_x", "a.b", '"', "\\", "type", "longer key", "0"]
            return {self.rng.choice(keys): self._json_value(depth - 1) for _ in range(self.rng.randint(0, 3))}
        return None if kind == "null" else self.rng.random() < 0.5

    def _bytes(self, type_: Type, attempt: int) -> str:
        return "\\x" + self.rng.randbytes(self.rng.choice([0, 1, 2, 3, 100])).hex()

    def _vector(self, type_: Type, attempt: int) -> str:
        match = re.search(r"\((\d+)\)", type_.name)
        count = int(match[1]) if match else 3
        return "[" + ",".join(f"{self.rng.uniform(-1, 1):.6g}" for _ in range(count)) + "]"

    def _bits(self, type_: Type, attempt: int) -> str:
        match = re.search(r"\((\d+)\)", type_.name)
        count = int(match[1]) if match else 1 if type_.base == "bit" else self.rng.randint(0, 9)
        return "".join(self.rng.choices("01", k=count))

    def _other(self, type_: Type, attempt: int) -> str:
        known = _TEXTS_OF.get(type_.base)
        return self.rng.choice(known or ("0", "1", "{}", "()", "a", "POINT(1 2)", "[1,2]", "a=>1"))


def _element(text: str | None, quote: str = '\\"') -> str:
    if text is None:
        return "NULL"
    return '"' + text.replace("\\", "\\\\").replace('"', quote) + '"'


def _cast(table: Table, name: str) -> str:
    column = table.column(name)
    assert column is not None
    domain = column.type.domain
    return "text::" + (quoted(*domain.split(".", 1)) if domain else column.type.name)


def _parents_first(tables: list[Table]) -> list[Table]:
    places = {(table.schema, table.name): table for table in tables}
    order: list[Table] = []
    seen: set[tuple[str, str]] = set()

    def visit(table: Table) -> None:
        place = (table.schema, table.name)
        if place in seen:
            return
        seen.add(place)
        for key in table.foreign_keys:
            parent = places.get((key.referenced_schema, key.referenced_table))
            if parent is not None:
                visit(parent)
        order.append(table)

    for table in tables:
        visit(table)
    return order


_MAKERS = {
    **dict.fromkeys(("text", "varchar", "bpchar", "name", "citext", "char"), "text"),
    **dict.fromkeys(("int2", "int4", "int8", "oid"), "integer"),
    **dict.fromkeys(("float4", "float8"), "float"),
    **dict.fromkeys(("time", "timetz"), "time"),
    **dict.fromkeys(("timestamp", "timestamptz"), "moment"),
    **dict.fromkeys(("json", "jsonb"), "json"),
    **dict.fromkeys(("vector", "halfvec"), "vector"),
    **dict.fromkeys(("bit", "varbit"), "bits"),
    "numeric": "numeric", "bool": "bool", "uuid": "uuid", "date": "date", "interval": "interval", "bytea": "bytes",
}  # fmt: skip
_TEXTS_OF = {
    "inet": ("192.168.0.1", "::1", "10.0.0.0/8"), "cidr": ("10.0.0.0/8", "::/0"), "money": ("0", "12.34",
    "-1000000.01"),
    "macaddr": ("08:00:2b:01:02:03",), "macaddr8": ("08:00:2b:01:02:03:04:05",), "xml": ("<a>é</a>", "<a/>"),
    "tsvector": ("'a':1 'b':2", ""), "tsquery": ("'a' & 'b'",), "point": ("(1,2)", "(-0.5,1e10)"), "line": ("{1,2,3}",),
    "lseg": ("[(0,0),(1,1)]",), "box": ("(1,1),(0,0)",), "path": ("[(0,0),(1,1)]", "((0,0),(1,1))"),
    "polygon": ("((0,0),(1,1),(1,0))",), "circle": ("<(0,0),1>",), "pg_lsn": ("16/B374D848",), "jsonpath": ("$.a",),
}  # fmt: skip
_RANGES = {
    "int4range": ("[1,5)", "empty", "(,)", "[3,)"), "int8range": ("[1,5)", "empty"), "numrange": ("[1.5,2)", "(,1]"),
    "tsrange": ("[2024-01-01,2024-02-01)",), "tstzrange": ("[2024-01-01,infinity)", "empty"),
    "daterange": ("[2024-01-01,2024-02-01)",), "int4multirange": ("{[1,2),[5,6)}", "{}"),
    "datemultirange": ("{}",), "nummultirange": ("{[1,2]}",), "int8multirange": ("{}",), "tsmultirange": ("{}",),
    "tstzmultirange": ("{}",),
}  # fmt: skip
