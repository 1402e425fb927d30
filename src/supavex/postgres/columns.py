"""Rows as Arrow columns: ADBC's binary COPY under an imported snapshot."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from psycopg.conninfo import conninfo_to_dict, make_conninfo

from supavex.errors import SupavexError, missing_extra
from supavex.postgres.connection import READING, literal, server_words, settings_sql, without_password
from supavex.postgres.snapshot import Snapshot

if TYPE_CHECKING:
    import pyarrow as pa

#: The bytes of column data for which one batch is planned.
BATCH_BYTES = 4 << 20


class ColumnReader:
    """A connection that reads query results as Arrow record batches, all at one snapshot. A context manager.

    ``settings``: PostgreSQL settings in addition to those of every reader.
    """

    def __init__(self, snapshot: Snapshot, settings: Mapping[str, str] | None = None) -> None:
        try:
            from adbc_driver_postgresql import dbapi
        except ImportError:
            raise missing_extra("adbc-driver-postgresql", "copy", "Reading rows") from None
        self._url = snapshot.url
        self._dbapi = dbapi
        set_up = settings_sql({**READING, **(settings or {})}, local=True)
        if self._begin(snapshot.url, snapshot.name, set_up) != "off":
            # ADBC asks for the names of types when it connects, and can't read quoted names.
            self._connection.close()
            given = conninfo_to_dict(snapshot.url).get("options") or ""
            plain = make_conninfo(snapshot.url, options=f"{given} -c quote_all_identifiers=off".strip())
            self._begin(plain, snapshot.name, set_up)

    def _begin(self, url: str, snapshot: str, set_up: str) -> object:
        """Connects, begins the transaction, and returns the first value of ``set_up``."""
        try:
            self._connection: Any = self._dbapi.connect(url)
        except self._dbapi.Error as error:
            reason = server_words(error, self._url)
            raise self._failure(Exception(reason)) from None
        try:
            self._execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            self._execute(f"SET TRANSACTION SNAPSHOT {literal(snapshot)}")
            (batch,) = self.read(set_up)
            return batch.column(0)[0].as_py()
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
        """The result of ``sql`` as record batches of about :data:`BATCH_BYTES`. Extension types are not converted."""
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
            where=without_password(self._url),
            hint="Connect as the role postgres, which may read every row." if denied else "Run the command again.",
            exit_code=2 if denied else 1,
            retryable=not denied,
        )
