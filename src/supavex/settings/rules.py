"""What ``supavex.toml`` says of tables, columns, fields, users and stored files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Fill = Literal["defaults", "none"]
NonFinite = Literal["refuse", "keep", "null"]
InvalidJson = Literal["refuse", "escape", "text"]
UnknownTypes = Literal["text", "refuse"]
UsersKind = Literal["clerk", "convex-auth"]
#: Bytes above which a value becomes a stored file, where its column names a field for that: ten values of that size fit
#: into a document.
FILE_OVER = 100_000


@dataclass(frozen=True, slots=True)
class ColumnRule:
    """What supavex.toml says of a column.

    ``to``: the field's name. ``skip``: leave it behind, and why. ``sql``: an SQL expression over the row's columns,
    evaluated by PostgreSQL instead of the plain column. ``ids``: a CSV or JSON file of old ids and new ones.
    ``fill``: what replaces NULL, see :class:`~supavex.settings.settings.Settings`; a column that a constraint reads
    is filled only where its own rule says so. ``format``: of a time, ``HH:MM`` or ``HH:MM:SS``. ``lossy``: a value that
    does not fit exactly becomes the nearest that does, instead of rejecting its row; numbers inside JSON do so anyway,
    unless it is false.
    ``storage``: the value names a file of Supabase storage, which the field refers to: the bucket
    that its paths are in, or True where it holds addresses, which say the bucket. ``nonfinite``: how NaN
    and infinity (of times too) go: ``refuse``, ``keep`` as such a number, or ``null``. ``invalid_json``: how to treat
    JSON that Convex refuses: ``refuse``, ``escape`` its keys (percent-encoding), or keep the value as its ``text``.
    ``truncate``: the characters that a longer text is cut to. ``file``: the field that gets the id of the stored file
    which a value of more than ``file_over`` bytes becomes (0: every value that is not NULL).
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
    """What supavex.toml says of a field that no column gives: an ``sql`` expression, or the columns that it
    ``references`` a row of another table by.
    """

    sql: str | None = None
    references: tuple[str, ...] = ()


#: The kinds of constraints that rules.ts holds to.
ENFORCED = ("unique", "check", "reference", "default", "updated_at", "not_null")


@dataclass(frozen=True, slots=True)
class TableRule:
    """What supavex.toml says of a source table.

    ``to``: the Convex table. ``skip``: leave it behind, and why. ``existing``: it is in Convex already, with ids of
    its own; ``match`` pairs a Convex field with a source column. ``created``: the column that ``_creationTime`` comes
    from. ``key``: the columns that tell rows apart, where there is no primary key (``["*"]``: the whole row, and of
    equal rows their number). ``fields``: fields that come from no single column. ``fill``: of its columns, see
    :class:`~supavex.settings.settings.Settings`. ``enforce``: which of its constraints ``rules.ts`` holds to (of
    :data:`ENFORCED`); None: all.
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
    """Where the users of ``auth.users`` go. ``password_hashes``: a migration takes their hashes too (Convex Auth's).

    ``field``: ``table.field`` of the Convex table that has a document for each user, and the field that holds the
    subject of the user's identity: ``auth.uid()`` is that document then.
    """

    kind: UsersKind | None = None
    password_hashes: bool = False
    field: str = ""


@dataclass(frozen=True, slots=True)
class StorageRule:
    """The files of storage buckets. ``files``: the folder that holds them, or an address (``s3://…``); None: none move.

    ``buckets``: which of them; all by default. ``endpoint`` and ``region``: of a service that speaks S3.
    """

    files: str | None = None
    buckets: tuple[str, ...] = ()
    endpoint: str | None = None
    region: str | None = None
