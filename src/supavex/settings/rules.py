"""The settings of ``supavex.toml`` for tables, columns, fields, users and stored files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Fill = Literal["defaults", "none"]
NonFinite = Literal["refuse", "keep", "null"]
InvalidJson = Literal["refuse", "escape", "text"]
UnknownTypes = Literal["text", "refuse"]
UsersKind = Literal["clerk", "convex-auth"]
#: The default of ``file_over``, in bytes. Ten values of this size fit into one document.
FILE_OVER = 100_000


@dataclass(frozen=True, slots=True)
class ColumnRule:
    """The settings of a column in supavex.toml.

    - ``to``: the field's name.
    - ``skip``: the reason to leave the column behind.
    - ``sql``: an SQL expression over the row's columns. PostgreSQL evaluates it in place of the column.
    - ``ids``: a CSV or JSON file of old ids and new ids.
    - ``fill``: the replacement of NULL, see :class:`~supavex.settings.settings.Settings`. If a constraint reads the
      column, only this setting fills it, and no setting of its table or project.
    - ``format``: the form of a time, ``HH:MM`` or ``HH:MM:SS``.
    - ``lossy``: true converts a value that does not fit exactly to the nearest value, and does not reject its row.
      Numbers inside JSON are always converted to the nearest number, unless this is false.
    - ``storage``: the bucket whose paths the column holds, so that the field refers to stored files. True: the column
      holds addresses, which include the bucket.
    - ``nonfinite``: the treatment of NaN and infinity, also of timestamps: ``refuse``, ``keep`` as a number, or
      ``null``.
    - ``invalid_json``: the treatment of JSON that Convex refuses: ``refuse``, ``escape`` its keys (percent-encoding),
      or keep the value as ``text``.
    - ``truncate``: the number of characters to which a longer text is cut.
    - ``file``: the field for the id of a stored file. A value of more than ``file_over`` bytes becomes this file.
    - ``file_over``: the limit of ``file``. 0: every value that is not NULL becomes a file.
    """

    to: str | None = None
    skip: str | None = None
    sql: str | None = None
    ids: str | None = None
    fill: Fill | None = None
    format: str | None = None
    lossy: bool | None = None
    storage: str | bool = False
    nonfinite: NonFinite = "refuse"
    invalid_json: InvalidJson = "refuse"
    truncate: int | None = None
    file: str | None = None
    file_over: int = FILE_OVER


@dataclass(frozen=True, slots=True)
class FieldRule:
    """The settings of a field without a column in supavex.toml.

    - ``sql``: an SQL expression that gives the field's value.
    - ``references``: the columns that together refer to a row of another table.
    """

    sql: str | None = None
    references: tuple[str, ...] = ()


#: The kinds of constraints that rules.ts can enforce.
ENFORCED = ("unique", "check", "reference", "default", "updated_at", "not_null")


@dataclass(frozen=True, slots=True)
class TableRule:
    """The settings of a source table in supavex.toml.

    - ``to``: the Convex table.
    - ``skip``: the reason to leave the table behind.
    - ``existing``: the table is in Convex already, with its own ids. ``match`` pairs a Convex field with a source
      column.
    - ``created``: the column of ``_creationTime``.
    - ``key``: the columns that identify a row of a table without a primary key. ``["*"]``: the whole row, and equal
      rows are numbered.
    - ``fields``: the fields without a column.
    - ``fill``: the replacement of NULL in its columns, see :class:`~supavex.settings.settings.Settings`.
    - ``enforce``: the kinds of constraints that ``rules.ts`` enforces, of :data:`ENFORCED`. None: all.
    """

    to: str | None = None
    skip: str | None = None
    existing: Mapping[str, str] | None = None
    created: str | None = None
    key: tuple[str, ...] = ()
    columns: Mapping[str, ColumnRule] = field(default_factory=dict)
    fields: Mapping[str, FieldRule] = field(default_factory=dict)
    fill: Fill | None = None
    enforce: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class UsersRule:
    """The settings of the users of ``auth.users`` in supavex.toml.

    - ``for``: where the users go.
    - ``password_hashes``: whether a migration into Convex Auth copies password hashes.
    - ``field``: ``table.field`` of the Convex table that has a document for each user. The field holds the subject of
      the user's identity, and ``auth.uid()`` becomes this document.
    """

    kind: UsersKind | None = None
    password_hashes: bool = False
    field: str = ""


@dataclass(frozen=True, slots=True)
class StorageRule:
    """The settings of the files of storage buckets in supavex.toml.

    - ``files``: the folder that holds the files, or an address (``s3://…``). None: no files move.
    - ``buckets``: the buckets whose files move. Default: all.
    - ``endpoint`` and ``region``: those of a service that speaks S3.
    """

    files: str | None = None
    buckets: tuple[str, ...] = ()
    endpoint: str | None = None
    region: str | None = None
