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
    """The settings of a column in supavex.toml."""

    #: The field's name; None: the column's name, or the same in camelCase.
    to: str | None = None
    #: The reason to leave the column behind; None: the column moves.
    skip: str | None = None
    #: An SQL expression over the row's columns. PostgreSQL evaluates it in place of the column.
    sql: str | None = None
    #: A CSV or JSON file of old ids and new ids.
    ids: str | None = None
    #: The replacement of NULL, see :class:`~supavex.settings.settings.Settings`. If a constraint reads the column, only
    #: this setting fills it, and no setting of its table or project.
    fill: Fill | None = None
    #: The form of a time, ``HH:MM`` or ``HH:MM:SS``.
    format: str | None = None
    #: True converts a value that does not fit exactly to the nearest value, and does not reject its row. Numbers inside
    #: JSON are always converted to the nearest number, unless this is false.
    lossy: bool | None = None
    #: The bucket whose paths the column holds, so that the field refers to stored files. True: the column holds
    #: addresses, which include the bucket.
    storage: str | bool = False
    #: The treatment of NaN and infinity, also of timestamps: ``refuse``, ``keep`` as a number, or ``null``.
    nonfinite: NonFinite = "refuse"
    #: The treatment of JSON that Convex refuses: ``refuse``, ``escape`` its keys (percent-encoding), or keep the value
    #: as ``text``.
    invalid_json: InvalidJson = "refuse"
    #: The number of characters to which a longer text is cut.
    truncate: int | None = None
    #: The field for the id of a stored file. A value of more than ``file_over`` bytes becomes this file.
    file: str | None = None
    #: The limit of ``file`` in bytes. 0: every value that is not NULL becomes a file.
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
ENFORCED = ("type", "unique", "check", "reference", "default", "updated_at", "not_null")


@dataclass(frozen=True, slots=True)
class TableRule:
    """The settings of a source table in supavex.toml."""

    #: The Convex table; None: the table's name, or the same in camelCase.
    to: str | None = None
    #: The reason to leave the table behind; None: the table moves.
    skip: str | None = None
    #: The table is in Convex already, with its own ids. Pairs a Convex field with a source column that matches it.
    existing: Mapping[str, str] | None = None
    #: The column of ``_creationTime``.
    created: str | None = None
    #: The columns that identify a row of a table without a primary key. ``["*"]``: the whole row, and equal rows are
    #: numbered.
    key: tuple[str, ...] = ()
    #: The settings of columns, by the column's name.
    columns: Mapping[str, ColumnRule] = field(default_factory=dict)
    #: The fields without a column, by the field's name.
    fields: Mapping[str, FieldRule] = field(default_factory=dict)
    #: The replacement of NULL in its columns, see :class:`~supavex.settings.settings.Settings`.
    fill: Fill | None = None
    #: The kinds of constraints that ``rules.ts`` enforces, of :data:`ENFORCED`. None: all.
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
