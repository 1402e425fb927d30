"""The limits of a transaction, and how much of them it has used."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from supavex.convex.values import size
from supavex.deployment.database.store import read_body
from supavex.errors import SupavexError

#: Convex's limits on one transaction (its defaults).
MAX_READ_ROWS, MAX_READ_BYTES, MAX_READ_INTERVALS = 32_000, 16 << 20, 4096
MAX_WRITTEN_ROWS, MAX_WRITTEN_BYTES = 16_000, 16 << 20
MAX_SCHEDULED, MAX_SCHEDULED_BYTES = 1000, 16 << 20
#: Files that a mutation stores or reads. Convex counts them too, but does not document the limits.
MAX_FILES, MAX_FILE_BYTES = 1000, 16 << 20
_CAPITAL = re.compile("_([a-z])")
#: The advice that Convex appends to the error of a limit.
OVER = "Consider using smaller limits in your queries, paginating your queries, or using indexed queries with a "
OVER += "selective index range expressions."
#: The size of a document divided by this is a lower bound of its JSON's length: a one-digit number weighs 9 bytes and
#: takes 2.
DENSEST = 4.5


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of a transaction. The names are those of Convex's ``transactionLimits``, in Python's spelling."""

    #: The most bytes that are read.
    bytes_read: int = MAX_READ_BYTES
    #: The most documents that are read.
    documents_read: int = MAX_READ_ROWS
    #: The most ranges of indexes that are read.
    database_queries: int = MAX_READ_INTERVALS
    #: The most documents that are written.
    documents_written: int = MAX_WRITTEN_ROWS
    #: The most bytes of documents that are written.
    bytes_written: int = MAX_WRITTEN_BYTES
    #: The most functions that are scheduled.
    functions_scheduled: int = MAX_SCHEDULED
    #: The most bytes of the arguments of scheduled functions, in all.
    scheduled_function_args_bytes: int = MAX_SCHEDULED_BYTES
    #: The most stored files that are written.
    files_written: int = MAX_FILES
    #: The most bytes of those files.
    file_write_bytes: int = MAX_FILE_BYTES
    #: The most stored files that are read.
    files_read: int = MAX_FILES
    #: The most bytes of those files.
    file_read_bytes: int = MAX_FILE_BYTES


def spelled(name: str) -> str:
    """A limit's name in Convex's spelling."""
    return _CAPITAL.sub(lambda found: found[1].upper(), name)


LIMITS = Limits()


@dataclass(slots=True)
class Usage:
    """A transaction's use of its limits."""

    #: The limits that the use is compared with.
    limits: Limits = field(default_factory=lambda: LIMITS)
    #: Documents that were read.
    read_rows: int = 0
    #: Bytes that were read, without :attr:`_unweighed`.
    read_bytes: int = 0
    #: The documents that were written.
    written_rows: int = 0
    #: The bytes of those documents.
    written_bytes: int = 0
    #: Functions that were scheduled.
    scheduled: int = 0
    #: The size of their arguments.
    scheduled_bytes: int = 0
    #: Files that were stored.
    files_written: int = 0
    #: The bytes of the stored files that were written.
    file_write_bytes: int = 0
    #: Files that were read.
    files_read: int = 0
    #: The bytes of the stored files that were read.
    file_read_bytes: int = 0
    #: Texts that have not been weighed yet, because the limit is not near.
    _unweighed: list[str] = field(default_factory=list)
    #: The characters of these texts.
    _length: int = 0

    def read(self, bodies: list[str]) -> None:
        """Counts documents that were read. Raises over the limits."""
        self.read_rows += len(bodies)
        self._unweighed += bodies
        self._length += sum(map(len, bodies))
        rows, weight = self.limits.documents_read, self.limits.bytes_read
        if self.read_rows > rows:
            message = f"Too many documents read in a single function execution (limit: {rows}). {OVER}"
            raise SupavexError("TooManyDocumentsRead", message)
        if self.read_bytes + self._length * DENSEST > weight and self.weigh() > weight:
            message = f"Too many bytes read in a single function execution (limit: {weight} bytes). {OVER}"
            raise SupavexError("TooManyBytesRead", message)

    def weigh(self) -> int:
        """The bytes that were read, by Convex's measure."""
        self.read_bytes += sum(size(read_body(body)) for body in self._unweighed)
        self._unweighed, self._length = [], 0
        return self.read_bytes

    def used(self, queries: int) -> Limits:
        """The use of each limit. ``queries``: the number of intervals of keys that were read."""
        read, written, scheduled = (
            (self.weigh(), self.read_rows),
            (self.written_rows, self.written_bytes),
            (self.scheduled, self.scheduled_bytes),
        )
        files = self.files_written, self.file_write_bytes, self.files_read, self.file_read_bytes
        return Limits(*read, queries, *written, *scheduled, *files)

    def stored(self, weight: int) -> None:
        """Counts a stored file of ``weight`` bytes. Raises over the limits."""
        self.files_written += 1
        self.file_write_bytes += weight
        self._check_files("written", self.files_written, self.limits.files_written)
        self._check_files("written", self.file_write_bytes, self.limits.file_write_bytes, " bytes")

    def loaded(self, weight: int) -> None:
        """Counts a file of ``weight`` bytes that was read. Raises over the limits."""
        self.files_read += 1
        self.file_read_bytes += weight
        self._check_files("read", self.files_read, self.limits.files_read)
        self._check_files("read", self.file_read_bytes, self.limits.file_read_bytes, " bytes")

    @staticmethod
    def _check_files(verb: str, used: int, limit: int, unit: str = "") -> None:
        if used > limit:
            what = "bytes of files" if unit else "files"
            message = f"Too many {what} {verb} in a single function execution (limit: {limit}{unit})"
            raise SupavexError(f"TooManyFiles{verb.capitalize()}", message)

    def wrote(self, weight: int) -> None:
        """Counts a document that was written. Raises over the limits."""
        self.written_rows += 1
        self.written_bytes += weight
        if self.written_rows > self.limits.documents_written:
            message = f"Too many writes in a single function execution (limit: {self.limits.documents_written})"
            raise SupavexError("TooManyWrites", message)
        if self.written_bytes > self.limits.bytes_written:
            limit = self.limits.bytes_written
            shown = "16 MiB" if limit == MAX_WRITTEN_BYTES else f"{limit} bytes"
            message = f"Too many bytes written in a single function execution (limit: {shown})"
            raise SupavexError("TooManyBytesWritten", message)

    def schedules(self, weight: int) -> None:
        """Counts a scheduled function with arguments of ``weight`` bytes. Raises over the limits."""
        if self.scheduled >= self.limits.functions_scheduled:
            message = f"Too many functions scheduled by this mutation (limit: {self.limits.functions_scheduled})"
            raise SupavexError("TooManyFunctionsScheduled", message)
        if self.scheduled_bytes + weight > self.limits.scheduled_function_args_bytes:
            message = "Too large total size of the arguments of scheduled functions from this mutation "
            message += f"(limit: {self.limits.scheduled_function_args_bytes} bytes)"
            raise SupavexError("ScheduledFunctionsArgumentsTooLarge", message)
        self.scheduled += 1
        self.scheduled_bytes += weight
