"""Convex's limits in bytes, counts and depths, as its backend enforces them by default.

Source: the ``value``, ``common`` and ``database`` crates of get-convex/convex-backend, and the page "Limits" of
Convex's documentation. If the two differ, this module has the backend's figure.
"""

MAX_IDENTIFIER_BYTES = 64
MAX_DOCUMENT_BYTES = 1 << 20
MAX_DOCUMENT_NESTING = 16
MAX_VALUE_NESTING = 64
MAX_ARRAY_LENGTH = 8192
MAX_OBJECT_FIELDS = 1024
MAX_KEY_BYTES = 1024
MAX_TABLES = 10_000
MAX_INDEXES_PER_TABLE = 64
MAX_INDEXES_PER_TABLE_DOCUMENTED = 32
#: User fields of a database index. The backend allows 16 counting the ``_creationTime`` it appends.
MAX_INDEX_FIELDS = 15
MAX_FILTER_FIELDS = 16
MIN_VECTOR_DIMENSIONS = 2
MAX_VECTOR_DIMENSIONS = 4096
INT64_MIN = -(1 << 63)
INT64_MAX = (1 << 63) - 1
#: ``_creationTime`` is float64 milliseconds, above zero and below this.
MAX_CREATION_TIME = float(1 << 53)
#: The lowest table number that Convex gives to a user's table.
FIRST_USER_TABLE_NUMBER = 10_001
MAX_TABLE_NUMBER = (1 << 32) - 1
#: Convex's virtual table of stored files, and its number.
STORAGE_TABLE = "_storage"
STORAGE_NUMBER = 540
