"""Values on their way: what the copy makes of them, that the proof agrees, and which ones may not go.

Each value takes both ways that a conversion has: ``select`` as an Arrow column, written as its kind, taken back by
``decode``; and ``text`` through the other driver, parsed. They must meet, or a guard must have refused the value.
"""

import base64
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest

from supavex.convex.validators import Validator
from supavex.convex.values import parse_export_json, same
from supavex.mapping.conversions import Conversion, Target, choose
from supavex.mapping.seen_text import seen_text
from supavex.migrate.copy.encoding import json_limits
from supavex.migrate.copy.encoding.json_columns import to_json
from supavex.postgres import server as servers
from supavex.postgres.catalog import Type
from supavex.postgres.columns import ColumnReader
from supavex.postgres.connection import literal, quoted
from supavex.postgres.snapshot import exported
from supavex.schema import v
from supavex.settings.rules import ColumnRule
from tests.databases import Database
from tests.mapping.conversions.test_choice import FIELDS, TABLE, database_with_types

N, S, I64, B, A = v.number(), v.string(), v.int64(), v.bytes(), v.any()
NUMBERS, STRINGS = v.array(v.union(v.number(), v.null())), v.array(v.union(v.string(), v.null()))
INT64S, BYTES = v.array(v.union(v.int64(), v.null())), v.array(v.union(v.bytes(), v.null()))
NAN, INFINITY = float("nan"), float("inf")
LOSSY = ColumnRule(lossy=True)
KEEP, NULL = ColumnRule(nonfinite="keep"), ColumnRule(nonfinite="null")
ESCAPE, TEXT = ColumnRule(invalid_json="escape"), ColumnRule(invalid_json="text")
MINUTES, CUT = ColumnRule(format="HH:MM"), ColumnRule(format="HH:MM", lossy=True)
#: Type, field, a value as PostgreSQL's text of it, and the document's value.
ARRIVE: list[tuple[str, Validator, str, object]] = [
    ("text", S, 'it\'s "quoted"\n\t\\ 日本', 'it\'s "quoted"\n\t\\ 日本'),
    ("text", S, "", ""),
    ("text", A, "null", "null"),
    ("char(5)", S, "ab", "ab   "),
    ("uuid", S, "0B7F3C52-91D4-4E0A-8A6F-5D2C1E9B4A01", "0b7f3c52-91d4-4e0a-8a6f-5d2c1e9b4a01"),
    ("public.mood", S, "good", "good"),
    ("public.short_text", S, "short", "short"),
    ("bool", v.boolean(), "yes", True),
    ("bool", v.boolean(), "f", False),
    ("int2", N, "-32768", -32768.0),
    ("int4", N, "7", 7.0),
    ("oid", N, "4294967295", 4294967295.0),
    ("int8", N, "9007199254740992", 2.0**53),
    ("int8", N, "-9007199254740992", -(2.0**53)),
    ("int8", I64, "9223372036854775807", 2**63 - 1),
    ("int8", I64, "-9223372036854775808", -(2**63)),
    ("int8", S, "-9223372036854775808", "-9223372036854775808"),
    ("numeric", N, "0.1", 0.1),
    ("numeric", N, "1.10", 1.1),
    ("numeric", N, "-0.000", 0.0),
    ("numeric", N, "1e300", 1e300),
    ("numeric", N, "123456789.123456", 123456789.123456),
    ("numeric(12, 2)", N, "9999999999.99", 9999999999.99),
    ("numeric(5, -2)", N, "12345", 12300.0),
    ("numeric(15, 0)", N, "999999999999999", 999999999999999.0),
    ("numeric", I64, "9223372036854775807", 2**63 - 1),
    ("numeric", I64, "7.00", 7),
    ("numeric", S, "1.10", "1.10"),
    ("numeric", S, "NaN", "NaN"),
    ("numeric(78, 0)", S, "1" + "0" * 77, "1" + "0" * 77),
    ("float8", N, "0.1", 0.1),
    ("float8", N, "-0", -0.0),
    ("float8", N, "1.7976931348623157e308", 1.7976931348623157e308),
    ("float8", N, "5e-324", 5e-324),
    ("float8", S, "NaN", "NaN"),
    ("float4", N, "0.1", 0.1),
    ("float4", N, "3.4028235e38", 3.4028235e38),
    ("money", N, "1234.56", 1234.56),
    ("money", S, "1234.56", "$1,234.56"),
    ("money", I64, "7", 7),
    ("bytea", B, "\\x00ff", b"\x00\xff"),
    ("bytea", B, "", b""),
    ("bytea", S, "\\x" + "00ff" * 100, base64.b64encode(b"\x00\xff" * 100).decode()),
    ("timestamptz", N, "1970-01-01 00:00+00", 0.0),
    ("timestamptz", N, "2024-02-29 12:34:56.789123+00", 1709210096789.123),
    ("timestamptz", N, "2024-02-29 12:34:56.789+02", 1709202896789.0),
    ("timestamptz", N, "1969-12-31 23:59:59.9995+00", -0.5),
    ("timestamptz", N, "0001-01-01 00:00+00", -62135596800000.0),
    ("timestamptz", N, "4714-11-24 00:00+00 BC", -210866803200000.0),
    ("timestamptz", N, "2300-01-01 00:00:00.123+00", 10413792000123.0),
    ("timestamptz", S, "2024-02-29 12:34:56.5+02", "2024-02-29T10:34:56.5+00:00"),
    ("timestamptz", S, "infinity", "infinity"),
    ("timestamp", N, "2024-02-29 12:34:56.789123", 1709210096789.123),
    ("timestamp", S, "2024-02-29 12:34:56", "2024-02-29T12:34:56"),
    ("date", S, "2024-02-29", "2024-02-29"),
    ("date", S, "0044-03-15 BC", "0044-03-15 BC"),
    ("date", N, "2024-02-29", 1709164800000.0),
    ("date", N, "0001-01-01", -62135596800000.0),
    ("time", S, "08:30", "08:30:00"),
    ("time", S, "08:30:15.25", "08:30:15.25"),
    ("time", S, "24:00", "24:00:00"),
    ("timetz", S, "08:30+02", "08:30:00+02"),
    ("interval", S, "1 day 2 hours", "1 day 02:00:00"),
    ("inet", S, "10.0.0.1/8", "10.0.0.1/8"),
    ("int4range", S, "[1,5)", "[1,5)"),
    ("app.place", S, "(1,2)", "(1,2)"),
    ("jsonb", A, '{"b": [1, 2.5, null, "x"], "a": {"c": true}}', {"b": [1.0, 2.5, None, "x"], "a": {"c": True}}),
    ("jsonb", A, '"text"', "text"),
    ("jsonb", A, "null", None),
    ("json", A, ' {"a" : 1e2} ', {"a": 100.0}),
    ("jsonb", S, '{"a":1}', '{"a": 1}'),
    ("extensions.vector(3)", v.array(v.number()), "[1,2.5,-3]", [1.0, 2.5, -3.0]),
    ("extensions.halfvec(3)", v.array(v.number()), "[1,2.5,-3]", [1.0, 2.5, -3.0]),
    ("text[]", STRINGS, '{a,NULL,"b,c","d\\"e",""}', ["a", None, "b,c", 'd"e', ""]),
    ("text[]", STRINGS, "{}", []),
    ("text[]", STRINGS, "[0:1]={a,b}", ["a", "b"]),
    ("public.mood[]", STRINGS, "{good,bad}", ["good", "bad"]),
    ("uuid[]", STRINGS, "{0b7f3c52-91d4-4e0a-8a6f-5d2c1e9b4a01}", ["0b7f3c52-91d4-4e0a-8a6f-5d2c1e9b4a01"]),
    ("public.tags", STRINGS, "{a,b}", ["a", "b"]),
    ("date[]", STRINGS, "{2024-02-29}", ["2024-02-29"]),
    ("int4[]", NUMBERS, "{1,NULL,-3}", [1.0, None, -3.0]),
    ("int8[]", NUMBERS, "{9007199254740992}", [2.0**53]),
    ("numeric[]", NUMBERS, "{0.1,1.10}", [0.1, 1.1]),
    ("float8[]", NUMBERS, "{0.1,1e300}", [0.1, 1e300]),
    ("numeric[]", STRINGS, "{0.10}", ["0.10"]),
    ("bool[]", v.array(v.boolean()), "{t,f}", [True, False]),
    ("text[]", STRINGS, "[-1:0]={a,b}", ["a", "b"]),
    ("int4[]", NUMBERS, "[5:6]={1,2}", [1.0, 2.0]),
    ("bool[]", v.array(v.boolean()), "[-1:0]={t,f}", [True, False]),
    ("jsonb[]", A, '[5:5]={"1"}', [1.0]),
    ("oid[]", NUMBERS, "{1,4294967295}", [1.0, 4294967295.0]),
    ("float4[]", NUMBERS, "{0.1,NULL}", [0.1, None]),
    ("float8[]", NUMBERS, "{-0,1}", [-0.0, 1.0]),
    ("money[]", NUMBERS, "{12.34,NULL}", [12.34, None]),
    ("int8[]", INT64S, "{9223372036854775807,NULL}", [2**63 - 1, None]),
    ("int8[]", INT64S, "{}", []),
    ("numeric[]", INT64S, "{7.00,NULL}", [7, None]),
    ("timestamptz[]", NUMBERS, "{2024-02-29 12:34:56.789123+00,NULL}", [1709210096789.123, None]),
    ("timestamptz[]", STRINGS, "{2024-02-29 12:34:56+02,NULL}", ["2024-02-29T10:34:56+00:00", None]),
    ("timestamp[]", A, "{1969-12-31 23:59:59.9995}", [-0.5]),
    ("date[]", NUMBERS, "{2024-02-29,NULL}", [1709164800000.0, None]),
    ("bytea[]", BYTES, '{"\\\\x00ff","\\\\x",NULL}', [b"\x00\xff", b"", None]),
    ("bytea[]", STRINGS, '{"\\\\x00ff",NULL}', ["AP8=", None]),
    ("jsonb[]", A, '{"{\\"a\\": 1}",NULL,"null","[2]"}', [{"a": 1.0}, None, None, [2.0]]),
    ("jsonb[]", v.array(v.object({"a": v.number()})), '{"{\\"a\\": 1}"}', [{"a": 1.0}]),
    ("json[]", A, '{" {\\"a\\" : 1e2} "}', [{"a": 100.0}]),
    ("text[]", v.array(STRINGS), "{{a,b},{NULL,NULL}}", [["a", "b"], [None, None]]),
    ("text[]", v.array(STRINGS), "{}", []),
    ("text[]", A, "{{{a},{b}}}", [[["a"], ["b"]]]),
    ("text[]", A, "[5:6][0:0]={{a},{b}}", [["a"], ["b"]]),
    ("int4[]", v.array(NUMBERS), "{{1,2},{3,NULL}}", [[1.0, 2.0], [3.0, None]]),
    ("int4[]", v.array(INT64S), "{{1,2},{3,NULL}}", [[1, 2], [3, None]]),
    ("numeric[]", A, "{{0.1,1.10}}", [[0.1, 1.1]]),
    ("bool[]", v.array(v.array(v.boolean())), "{{t,f}}", [[True, False]]),
    ("bool[]", A, "{{t},{NULL}}", [[True], [None]]),
    ("bytea[]", v.array(BYTES), '{{"\\\\x00ff"},{NULL}}', [[b"\x00\xff"], [None]]),
    ("date[]", A, "{{2024-02-29,NULL}}", [["2024-02-29", None]]),
    ("jsonb[]", A, '{{"{\\"a\\": 1}"},{NULL}}', [[{"a": 1.0}], [None]]),
]
#: Type, field, what supavex.toml says of the column, a value, and the document's value.
CHOSEN: list[tuple[str, Validator, ColumnRule, str, object]] = [
    ("int8", N, LOSSY, "9007199254740993", 2.0**53),
    ("int8", N, LOSSY, "-9223372036854775808", -(2.0**63)),
    ("int8", I64, LOSSY, "9007199254740993", 2**53 + 1),
    ("numeric", N, LOSSY, "0.12345678901234567890", 0.12345678901234568),
    ("numeric", N, LOSSY, "9007199254740993", 2.0**53),
    ("numeric", N, LOSSY, "-1e-400", 0.0),
    ("numeric(3, 400)", N, LOSSY, "1e-399", 0.0),
    ("numeric", S, LOSSY, "0.12345678901234567890", "0.12345678901234567890"),
    ("money", N, LOSSY, "92233720368547758.07", 92233720368547758.07),
    ("timestamptz", N, LOSSY, "2300-01-01 00:00:00.1239+00", 10413792000123.0),
    ("timestamptz", N, LOSSY, "2024-02-29 12:34:56.789123+00", 1709210096789.123),
    ("timestamp", N, LOSSY, "1500-01-01 00:00:00.1239", -14831769599877.0),
    ("time", S, CUT, "08:30:59.9", "08:30"),
    ("time", S, ColumnRule(format="HH:MM:SS", lossy=True), "08:30:59.9", "08:30:59"),
    ("time", S, CUT, "24:00", "24:00"),
    ("int8[]", NUMBERS, LOSSY, "{9007199254740993,NULL}", [2.0**53, None]),
    ("int8[]", A, LOSSY, "{{9007199254740993}}", [[2.0**53]]),
    ("numeric[]", NUMBERS, LOSSY, "{-1e-400,1e-305,0.12345678901234567890}", [0.0, 0.0, 0.12345678901234568]),
    ("numeric[]", A, LOSSY, "{-1e-400,1e-305,0.12345678901234567890}", [0.0, 0.0, 0.12345678901234568]),
    ("timestamptz[]", NUMBERS, LOSSY, "{2300-01-01 00:00:00.1239+00}", [10413792000123.0]),
    ("time[]", STRINGS, MINUTES, "{08:30,NULL}", ["08:30", None]),
    ("time[]", A, CUT, "{{08:30:59}}", [["08:30"]]),
    ("float8", N, KEEP, "NaN", NAN),
    ("float8", N, KEEP, "-Infinity", -INFINITY),
    ("float8", N, KEEP, "-0", -0.0),
    ("float4", N, KEEP, "Infinity", INFINITY),
    ("float4", N, KEEP, "0.1", 0.1),
    ("numeric", N, KEEP, "NaN", NAN),
    ("numeric", N, KEEP, "-Infinity", -INFINITY),
    ("numeric", N, KEEP, "1.10", 1.1),
    ("numeric(12, 2)", N, KEEP, "NaN", NAN),
    ("numeric", N, ColumnRule(lossy=True, nonfinite="keep"), "Infinity", INFINITY),
    ("timestamptz", N, KEEP, "infinity", INFINITY),
    ("timestamptz", N, KEEP, "-infinity", -INFINITY),
    ("timestamptz", N, KEEP, "2024-02-29 12:34:56.789123+00", 1709210096789.123),
    ("timestamptz", N, KEEP, "1969-12-31 23:59:59.9995+00", -0.5),
    ("timestamptz", N, ColumnRule(lossy=True, nonfinite="keep"), "infinity", INFINITY),
    ("timestamp", N, KEEP, "infinity", INFINITY),
    ("date", N, KEEP, "-infinity", -INFINITY),
    ("date", N, KEEP, "2024-02-29", 1709164800000.0),
    ("float8[]", NUMBERS, KEEP, "{NaN,-0,NULL,1}", [NAN, -0.0, None, 1.0]),
    ("float8[]", A, KEEP, "{{NaN,-Infinity}}", [[NAN, -INFINITY]]),
    ("numeric[]", NUMBERS, KEEP, "{NaN,0.1}", [NAN, 0.1]),
    ("timestamptz[]", NUMBERS, KEEP, "{infinity,NULL,1970-01-01 00:00+00}", [INFINITY, None, 0.0]),
    ("float8", N, NULL, "NaN", None),
    ("float8", N, NULL, "0.1", 0.1),
    ("float4", N, NULL, "-Infinity", None),
    ("numeric", N, NULL, "Infinity", None),
    ("numeric", N, ColumnRule(lossy=True, nonfinite="null"), "NaN", None),
    ("timestamptz", N, NULL, "infinity", None),
    ("timestamptz", N, NULL, "1970-01-01 00:00+00", 0.0),
    ("timestamp", N, NULL, "-infinity", None),
    ("date", N, NULL, "infinity", None),
    (
        "jsonb",
        A,
        ESCAPE,
        '{"$a": {"%": 1, "é": [{"$x%24": null}]}}',
        {"%24a": {"%25": 1.0, "%C3%A9": [{"%24x%2524": None}]}},
    ),
    ("jsonb", A, ESCAPE, '{"a$": "$b é"}', {"a$": "$b é"}),
    ("json", A, ESCAPE, '{"\\ud800": 1, "\\ud83d\\ude00": 2, "": 3}', {"%ED%A0%80": 1.0, "%F0%9F%98%80": 2.0, "": 3.0}),
    ("jsonb", v.record(v.string(), v.number()), ESCAPE, '{"$a": 1}', {"%24a": 1.0}),
    ("jsonb", S, ESCAPE, '{"$a": 1}', '{"$a": 1}'),
    ("jsonb[]", v.array(v.any()), ESCAPE, '{"{\\"$a\\": 1}",NULL}', [{"%24a": 1.0}, None]),
    ("jsonb", A, TEXT, '{"$a": 1}', '{"$a": 1}'),
    ("jsonb", A, TEXT, '{"a": 1}', {"a": 1.0}),
    ("jsonb", A, TEXT, "[" * 16 + "]" * 16, "[" * 16 + "]" * 16),
    ("json", A, TEXT, ' {"é":1} ', ' {"é":1} '),
    ("json", A, TEXT, '{"a": 1e400}', '{"a": 1e400}'),
    ("jsonb", v.union(v.string(), v.object({"a": v.number()})), TEXT, '{"$a": 1}', '{"$a": 1}'),
]
#: Type, field, a value that would not arrive as it is, and the code it is refused with.
REFUSED: list[tuple[str, Validator, str, str]] = [
    ("int8", N, "9007199254740993", "InexactNumber"),
    ("int8", N, "-9007199254740993", "InexactNumber"),
    ("int8", N, "-9223372036854775808", "InexactNumber"),
    ("numeric", N, "0.12345678901234567890", "InexactNumber"),
    ("numeric", N, "123456789012345678901234567890", "InexactNumber"),
    ("numeric", N, "1e400", "InexactNumber"),
    ("numeric", N, "-1e400", "InexactNumber"),
    ("numeric", N, "1e-400", "InexactNumber"),
    ("numeric", N, "NaN", "NonFiniteNumber"),
    ("numeric", N, "Infinity", "NonFiniteNumber"),
    ("numeric(12, 2)", N, "NaN", "NonFiniteNumber"),
    ("numeric(16, 0)", N, "9007199254740993", "InexactNumber"),
    ("numeric(3, 400)", N, "1e-399", "InexactNumber"),
    ("numeric(3, -400)", N, "1e402", "InexactNumber"),
    ("numeric", I64, "9223372036854775808", "InexactNumber"),
    ("numeric", I64, "7.5", "InexactNumber"),
    ("numeric", I64, "NaN", "InexactNumber"),
    ("numeric", I64, "-Infinity", "InexactNumber"),
    ("money", I64, "7.50", "InexactNumber"),
    ("money", N, "92233720368547758.07", "InexactNumber"),
    ("float8", N, "NaN", "NonFiniteNumber"),
    ("float8", N, "-Infinity", "NonFiniteNumber"),
    ("float4", N, "Infinity", "NonFiniteNumber"),
    ("timestamptz", N, "infinity", "InfiniteTime"),
    ("timestamptz", N, "-infinity", "InfiniteTime"),
    ("timestamptz", N, "1500-01-01 00:00:00.000001+00", "InexactTime"),
    ("timestamptz", N, "2300-01-01 00:00:00.1234+00", "InexactTime"),
    ("timestamptz", N, "294276-12-31 23:59:59+00", "InexactTime"),
    ("timestamp", N, "infinity", "InfiniteTime"),
    ("timestamp", N, "294276-12-31 23:59:59", "InexactTime"),
    ("date", N, "infinity", "InfiniteTime"),
    ("date", N, "5874897-12-31", "InexactTime"),
    ("text[]", STRINGS, "{{a,b},{c,d}}", "NestedArray"),
    ("int4[]", NUMBERS, "{{1,2}}", "NestedArray"),
    ("int8[]", NUMBERS, "{1,9007199254740993}", "InexactNumber"),
    ("numeric[]", NUMBERS, "{0.12345678901234567890}", "InexactNumber"),
    ("numeric[]", NUMBERS, "{NaN}", "NonFiniteNumber"),
    ("numeric[]", NUMBERS, "{1e400}", "InexactNumber"),
    ("numeric[]", NUMBERS, "{1e-400}", "InexactNumber"),
    ("float8[]", NUMBERS, "{1,NaN}", "NonFiniteNumber"),
    ("float8[]", NUMBERS, "{Infinity}", "NonFiniteNumber"),
    ("numeric[]", A, "{{NaN}}", "NonFiniteNumber"),
    ("int8[]", v.array(NUMBERS), "{{1},{9007199254740993}}", "InexactNumber"),
    ("numeric[]", INT64S, "{7.5}", "InexactNumber"),
    ("timestamptz[]", NUMBERS, "{infinity}", "InfiniteTime"),
    ("timestamptz[]", NUMBERS, "{2300-01-01 00:00:00.1234+00}", "InexactTime"),
    ("text[]", v.array(v.array(S)), "{a,b}", "DoesNotFitValidator"),
    ("text[]", v.array(v.array(S)), "{{a,NULL}}", "DoesNotFitValidator"),
    ("bool[]", v.array(v.array(v.boolean())), "{{t,NULL}}", "DoesNotFitValidator"),
    ("int4[]", v.array(v.array(N)), "{{1,NULL}}", "DoesNotFitValidator"),
    ("bytea[]", v.array(B), "{NULL}", "NullElement"),
    ("jsonb[]", v.array(v.object({"a": v.number()})), '{"{}"}', "DoesNotFitValidator"),
    ("jsonb[]", A, '{"{\\"$a\\": 1}"}', "InvalidValue"),
    ("jsonb", A, '{"$a": 1}', "InvalidValue"),
    ("jsonb", A, '{"a": 1e400}', "InexactNumber"),
    ("jsonb", v.object({}), '{"é": 1}', "InvalidValue"),
    ("json", A, '{"a": "\\ud800"}', "InvalidValue"),
]
#: Type, field, what supavex.toml says of the column, a value that it does not help, and the code.
REFUSED_STILL: list[tuple[str, Validator, ColumnRule, str, str]] = [
    ("numeric", N, LOSSY, "1e400", "InexactNumber"),
    ("numeric", I64, LOSSY, "7.5", "InexactNumber"),
    ("numeric", N, KEEP, "1e400", "InexactNumber"),
    ("numeric", N, NULL, "1e400", "InexactNumber"),
    ("numeric", I64, NULL, "NaN", "InexactNumber"),
    ("float8", N, LOSSY, "NaN", "NonFiniteNumber"),
    ("float8[]", NUMBERS, NULL, "{NaN}", "NonFiniteNumber"),
    ("timestamptz", N, LOSSY, "infinity", "InfiniteTime"),
    ("timestamptz", N, LOSSY, "294276-12-31 23:59:59+00", "InexactTime"),
    ("timestamptz", N, KEEP, "2300-01-01 00:00:00.1234+00", "InexactTime"),
    ("date", N, ColumnRule(lossy=True, nonfinite="keep"), "5874897-12-31", "InexactTime"),
    ("time[]", STRINGS, MINUTES, "{08:30:15}", "InexactTime"),
    ("jsonb", A, ESCAPE, "[" * 16 + "]" * 16, "TooNestedError"),
    ("jsonb", A, ESCAPE, '{"a": 1e400}', "InexactNumber"),
    ("jsonb", A, ESCAPE, '{"' + "é" * 171 + '": 1}', "InvalidValue"),
    ("jsonb", v.union(v.string(), v.object({"a": v.number()})), TEXT, '{"b": 1}', "DoesNotFitValidator"),
]


class Drivers:
    """Both ways to read a database, at one snapshot; opened when they are needed, and anew after a query failed."""

    def __init__(self, database: Database) -> None:
        self.database, self._stack = database, ExitStack()
        self._open: tuple[psycopg.Connection, ColumnReader] | None = None

    @contextmanager
    def both(self) -> Iterator[tuple[psycopg.Connection, ColumnReader]]:
        if self._open is None:
            snapshot, holder = self._stack.enter_context(exported(self.database.url()))
            self._open = holder, self._stack.enter_context(ColumnReader(snapshot))
        try:
            yield self._open
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        self._open = None
        self._stack.close()


@dataclass(frozen=True)
class Way:
    """A column's type, the field and the conversion into it, and the drivers to try values with."""

    drivers: Drivers
    type: str
    field: Validator
    how: Conversion
    kind: Type

    def move(self, value: str | None) -> tuple[Any, list[str]]:
        """The document's value for this text of a value, or the first code that it is refused with."""
        given = "NULL" if value is None else literal(value)
        # OFFSET keeps PostgreSQL from computing with the constant while it plans, as it can not with a column.
        source = f"FROM (SELECT {given}::{self.type} AS c OFFSET 0) AS t"

        def query(*expressions: str) -> str:
            return f"SELECT {', '.join(expressions)} {source}".replace("{c}", "t.c")

        with self.drivers.both() as (connection, columns):
            guards = connection.execute(query("true", *(guard.sql for guard in self.how.guards)).encode()).fetchone()
            assert guards is not None
            (batch,) = columns.read(query(f"{self.how.select} AS v"))
            refused = [guard.code for guard, held in zip(self.how.guards, guards[1:], strict=True) if held is False]
            if refused:
                return None, refused[:1]
            row = connection.execute(query(seen_text(self.kind, self.how)).encode()).fetchone()
            assert row is not None
        column, text = batch.column("v"), row[0]
        if self.how.kind == "json" and self.how.load is not None:
            column, problems = json_limits.checked_rows(column, self.field, self.how.load, special=self.how.special)
        else:
            problems = list(json_limits.problems(column)) if self.how.kind == "json" else []
        if problems:
            return None, [problems[0].code]
        written = to_json(column, self.how.kind)[0].as_py()
        if written is None or text is None:
            assert (written, text) == (None, None), "the copy and the proof disagree about NULL"
            return None, []
        document = parse_export_json(written, uniform=self.how.special)
        assert self.field.check(document, lambda number: None) is None, "the field takes what arrives"
        assert agree(self.how.parse(text), self.how.decode(document)), "the copy and the proof disagree"
        return document, []


Through = Callable[..., Way]


@pytest.fixture(scope="module")
def through(server: servers.Server) -> Iterator[Through]:
    """``through(type, field, rule)``: the way of a column of that type into that field."""
    names = {*TABLE, *(case[0] for case in ARRIVE), *(case[0] for case in REFUSED)}
    names |= {*(case[0] for case in CHOSEN), *(case[0] for case in REFUSED_STILL)}
    with database_with_types(server, sorted(names)) as (database, types):
        database.run(f"ALTER DATABASE {quoted(database.name)} SET lc_monetary = 'C'", role=servers.SUPERUSER)
        drivers = Drivers(database)

        def through(type_: str, field: Validator, rule: ColumnRule = ColumnRule()) -> Way:  # noqa: B008
            how = choose(types[type_], Target(field), rule)
            assert isinstance(how, Conversion), how
            return Way(drivers, type_, field, how, types[type_])

        yield through
        drivers.close()


@pytest.mark.parametrize(("type_", "field", "value", "expected"), ARRIVE)
def test_a_value_arrives(through: Through, type_: str, field: Validator, value: str, expected: object) -> None:
    document, refused = through(type_, field).move(value)
    assert refused == []
    assert same(document, expected), document


@pytest.mark.parametrize(("type_", "field", "rule", "value", "expected"), CHOSEN)
def test_a_value_arrives_as_the_project_chose(
    through: Through, type_: str, field: Validator, rule: ColumnRule, value: str, expected: object
) -> None:
    way = through(type_, field, rule)
    document, refused = way.move(value)
    assert refused == []
    assert same(document, expected), document
    if document is None:
        assert way.how.makes_null, "who plans has to know that NULL can come of it"


@pytest.mark.parametrize(("type_", "field", "value", "code"), REFUSED)
def test_a_value_that_would_change_is_refused(
    through: Through, type_: str, field: Validator, value: str, code: str
) -> None:
    assert through(type_, field).move(value) == (None, [code])


@pytest.mark.parametrize(("type_", "field", "rule", "value", "code"), REFUSED_STILL)
def test_a_choice_does_not_let_in_what_it_is_not_about(
    through: Through, type_: str, field: Validator, rule: ColumnRule, value: str, code: str
) -> None:
    assert through(type_, field, rule).move(value) == (None, [code])


@pytest.mark.parametrize(
    ("format_", "value", "expected"),
    [
        ("HH:MM", "08:30", "08:30"),
        ("HH:MM", "00:00", "00:00"),
        ("HH:MM", "23:59", "23:59"),
        ("HH:MM:SS", "08:30:15", "08:30:15"),
        ("HH:MM:SS", "08:30", "08:30:00"),
        ("HH:MM", "08:30:15", None),
        ("HH:MM", "08:30:00.5", None),
        ("HH:MM", "24:00", None),
        ("HH:MM:SS", "08:30:15.000001", None),
        ("HH:MM:SS", "24:00:00", None),
    ],
)
def test_a_time_is_cut_only_where_that_loses_nothing(
    through: Through, format_: str, value: str, expected: str | None
) -> None:
    way = through("time", S, ColumnRule(format=format_))
    assert way.move(value) == ((expected, []) if expected else (None, ["InexactTime"]))


@pytest.mark.parametrize("type_", TABLE)
def test_null_is_no_value_and_no_guard_refuses_it(through: Through, type_: str) -> None:
    ways = {way.how.name: way for way in (through(type_, FIELDS[name]) for name in TABLE[type_])}
    assert {name: way.move(None) for name, way in ways.items()} == dict.fromkeys(ways, (None, []))


@pytest.mark.parametrize(
    ("type_", "field", "text", "wrong"),
    [
        ("text", S, "7", ["8", "", 7.0, None, "7 "]),
        ("bool", v.boolean(), "true", [False, 1.0, "true", None]),
        ("int4", N, "7", [7.5, 8.0, "7", True, None]),
        ("int4", N, "1", [True, 1.0000000000000002]),
        ("int8", I64, "7", [7.0, 8, "7", None]),
        ("numeric", N, "1.10", [1.1000000000000003, "1.10", None]),
        ("numeric", N, "0", [5e-324, False, None]),
        ("numeric", I64, "7.00", [8, 7.5, "7", "x", None, [], True]),
        ("float8", N, "0.1", [0.10000000000000002, "0.1", None]),
        ("money", N, "1234.56", [1234.57]),
        ("bytea", B, "\\x00ff", [b"\x00", "AP8=", None]),
        ("timestamptz", N, "1709210096789123", [1709210096789.0, 1709210096789.124, "1709210096789123", None]),
        ("date", S, "2024-02-29", ["2024-03-01", 1709164800000.0]),
        ("jsonb", A, '{"a": [1]}', [{"a": [2.0]}, {"a": []}, {"a": [1.0], "b": None}, '{"a": [1]}', None]),
        ("text[]", STRINGS, '["a", null]', [["a"], ["a", ""], [None, "a"], "a"]),
        ("int4[]", NUMBERS, '["1", null]', [[1.0], [1.5, None], ["1", None], None]),
        ("bool[]", v.array(v.boolean()), "[true]", [[False], [], [1.0]]),
        ("extensions.vector(3)", v.array(v.number()), "[1,2.5,-3]", [[1.0, 2.5], [1.0, 2.5, 3.0]]),
    ],
)
def test_a_document_that_was_changed_is_not_taken_for_the_row(
    through: Through, type_: str, field: Validator, text: str, wrong: list[object]
) -> None:
    """The proof compares what both sides come to: a wrong value must not come to the right one."""
    how = through(type_, field).how
    assert [document for document in wrong if agree(how.parse(text), how.decode(document))] == []


def agree(expected: Any, found: Any) -> bool:
    """Equality as the proof has it (migrate/comparison.py)."""
    equal = same(expected, found) if isinstance(expected, float | list | dict) else expected == found
    return bool(equal) and type(expected) is type(found)
