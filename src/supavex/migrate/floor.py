"""The floor: how long a table takes to be read by ``COPY … (FORMAT binary)`` and thrown away. No copy can be faster."""

from __future__ import annotations

import time
from collections.abc import Iterable

from supavex.mapping.plan import TablePlan
from supavex.postgres.connection import connect, quoted


def floor_seconds(url: str, tables: Iterable[TablePlan]) -> dict[str, float]:
    """The seconds of each source table, read once more."""
    found = {}
    with connect(url) as connection:
        for table in tables:
            started = time.monotonic()
            sql = f"COPY (SELECT * FROM {quoted(table.source.schema, table.source.name)}) TO STDOUT (FORMAT binary)"
            with connection.cursor() as cursor, cursor.copy(sql.encode()) as rows:
                for _ in rows:
                    pass
            found[table.name] = time.monotonic() - started
    return found
