"""Rows as Arrow columns: ADBC's binary COPY under an imported snapshot."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from supavex.errors import SupavexError, missing_extra
from supavex.postgres.connection import READING, literal, without_password
from supavex.postgres.snapshot import Snapshot

if TYPE_CHECKING:
    import pyarrow as pa

#: Bytes of column data that one batch aims at.
BATCH_BYTES = 4 << 20


class ColumnReader:
    """A connection that reads query results as Arrow record batches, all at one snapshot. A context manager.

    ``settings``: of PostgreSQL's, beside those of every reader.
    """

    def __init__(self, snapshot: Snapshot, settings: Mapping[str, str] | None = None) -> None:
        try:
            from adbc_driver_postgresql import dbapi
        except ImportError:
            raise missing_extra("adbc-driver-postgresql", "copy", "Reading rows") from None
        self._shown = without_password(snapshot.url)
        try:
            self._connection: Any = dbapi.connect(snapshot.url)
        except dbapi.Error as error:
            raise self._failure(error) from None
        try:
            self._execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            self._execute(f"SET TRANSACTION SNAPSHOT {literal(snapshot.name)}")
            for name, value in {**READING, **(settings or {})}.items():
                # ADBC sets the client encoding and date style itself, and relies on them.
                if name not in ("client_encoding", "DateStyle"):
                    self._execute(f"SET LOCAL {name} = {literal(value)}")
        except BaseException:
            self._connection.close()
            raise

    def __enter__(self) -> ColumnReader:
        return self

    def __exit__(self, *details: object) -> None:
        self._connection.close()

    def _execute(self, sql: str) -> None:
        with self._connection.cursor() as cursor:
            try:
                cursor.execute(sql)
            except self._connection.Error as error:
                raise self._failure(error) from None

    def read(self, sql: str) -> Iterator[pa.RecordBatch]:
        """The result of ``sql`` as record batches of about :data:`BATCH_BYTES`; extension types kept as they come."""
        import pyarrow as pa

        with self._connection.cursor() as cursor:
            cursor.adbc_statement.set_options(**{"adbc.postgresql.batch_size_hint_bytes": str(BATCH_BYTES)})
            try:
                cursor.execute(sql)
                reader = cursor.fetch_record_batch()
                while True:
                    try:
                        batch = reader.read_next_batch()
                    except StopIteration:
                        return
                    yield batch
            except (self._connection.Error, OSError, pa.ArrowException) as error:
                raise self._failure(error) from None

    def _failure(self, error: Exception) -> SupavexError:
        lines = [line for line in str(error).replace("[libpq] ", "").splitlines() if line.strip()]
        text = next((line for line in lines if "ERROR" in line or "FATAL" in line), lines[0] if lines else "no reason")
        denied = "permission denied" in text or "row-level security" in text
        return SupavexError(
            "PermissionDenied" if denied else "ReadFailed",
            f"PostgreSQL stopped the read: {text.strip()}",
            where=self._shown,
            hint="Connect as the role postgres, which may read every row." if denied else "Run the command again.",
            exit_code=2 if denied else 1,
            retryable=not denied,
        )
