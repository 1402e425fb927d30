"""Sets sequences past the values of the columns whose defaults they give, so that the next default is new."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import psycopg

from supavex.postgres.connection import literal, quoted

#: The sequences of a table's columns: those that a column owns, and those that its default reads.
_SEQUENCES = """
SELECT DISTINCT d.sequence::regclass::text, q.seqincrement > 0, a.attname, a.atttypid IN (20, 21, 23),
       pg_catalog.format_type(a.atttypid, a.atttypmod),
       CASE WHEN a.attgenerated = '' THEN pg_catalog.pg_get_expr(e.adbin, e.adrelid) END
FROM (SELECT objid AS sequence, refobjid AS relation, refobjsubid AS number FROM pg_catalog.pg_depend
      WHERE classid = 'pg_catalog.pg_class'::regclass AND refclassid = 'pg_catalog.pg_class'::regclass
        AND deptype IN ('a', 'i')
      UNION
      SELECT p.refobjid, e.adrelid, e.adnum
      FROM pg_catalog.pg_depend p JOIN pg_catalog.pg_attrdef e ON e.oid = p.objid
      WHERE p.classid = 'pg_catalog.pg_attrdef'::regclass AND p.refclassid = 'pg_catalog.pg_class'::regclass) AS d
JOIN pg_catalog.pg_sequence q ON q.seqrelid = d.sequence
JOIN pg_catalog.pg_attribute a ON a.attrelid = d.relation AND a.attnum = d.number
LEFT JOIN pg_catalog.pg_attrdef e ON e.adrelid = d.relation AND e.adnum = d.number
WHERE d.relation = %(oid)s
ORDER BY 1, 3
"""

#: A call of nextval as PostgreSQL prints it.
_NEXTVAL = re.compile(r"nextval\(\(?'(?:[^']|'')*'::(?:regclass|text)(?:\)::regclass)?\)")
#: Numbers that replace the call of nextval: two that differ in one digit only, and a longer one.
_TRIED = ("3", "5", "1234")


@dataclass(frozen=True, slots=True)
class UnreadSequence:
    """A sequence that was not set: its numbers can't be read from the column's values."""

    table: str
    column: str
    sequence: str


def set_forward(connection: psycopg.Connection, tables: Mapping[str, int]) -> list[UnreadSequence]:
    """Sets the sequences of ``tables`` (SQL name to oid) to the last number in their columns, never back.

    The values of other than integer columns, such as a text with the default ``'c' || nextval('s')``, hold the number
    where the default puts it. Returns the sequences whose numbers can't be read.
    """
    unread = []
    for table, oid in tables.items():
        rows = connection.execute(_SEQUENCES.encode(), {"oid": oid}).fetchall()
        for sequence, rising, column, is_integer, kind, default in rows:
            number = quoted(column) if is_integer else _number_in(connection, column, kind, default)
            if number is None:
                unread.append(UnreadSequence(table, column, sequence))
            else:
                connection.execute(_set_forward_sql(table, sequence, number, rising=rising).encode())
    return unread


def _set_forward_sql(table: str, sequence: str, number: str, *, rising: bool) -> str:
    last, beyond = ("max", ">") if rising else ("min", "<")
    return (
        f"SELECT pg_catalog.setval(q.seqrelid, m.last::int8) FROM pg_catalog.pg_sequence q, {sequence} AS s, "
        f"(SELECT pg_catalog.{last}({number}) AS last FROM {table}) AS m "
        f"WHERE q.seqrelid = {literal(sequence)}::regclass AND m.last BETWEEN q.seqmin AND q.seqmax "
        f"AND (m.last {beyond} s.last_value OR (m.last = s.last_value AND NOT s.is_called))"
    )


def _number_in(connection: psycopg.Connection, column: str, kind: str, default: str | None) -> str | None:
    """SQL for the number that a default with ``nextval`` put into a column's value; None if it can't be found.

    The default is evaluated with other numbers in place of nextval's, which shows the text before and after the number.
    """
    if default is None or len(_NEXTVAL.findall(default)) != 1:
        return None
    tried = ", ".join(f"(({_NEXTVAL.sub(f'({number}::int8)', default)})::{kind})::text" for number in _TRIED)
    try:
        with connection.transaction():
            row: tuple[Any, ...] | None = connection.execute(f"SELECT {tried}".encode()).fetchone()
    except psycopg.Error:
        return None
    if row is None or None in row:
        return None
    first, second, longer = row
    start = next((at for at, (one, other) in enumerate(zip(first, second, strict=False)) if one != other), None)
    if start is None or first[:start] + "5" + first[start + 1 :] != second or first[start] != "3":
        return None
    before, after = first[:start].rstrip("0"), first[start + 1 :]  # Leading zeros belong to the number.
    pattern = rf"\A{re.escape(before)}0*(-?[0-9]+){re.escape(after)}\Z"
    found = re.match(pattern, longer)
    if found is None or found[1] != "1234":
        return None
    escaped = [re.sub(r"([^\w\s])", r"\\\1", text) for text in (before, after)]
    return f"pg_catalog.substring({quoted(column)}::text, {literal(f'^{escaped[0]}(-?[0-9]+){escaped[1]}$')})::numeric"
