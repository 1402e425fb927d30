"""Large values that become stored files: which of a column's values they are, and the ids of their files.

A file's id is computed from its table, its column and the id of its row's document. So the field with the file's id can
be computed like any other field, and the file of a document is known without a lookup.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace

from supavex.convex.field_rules import Rules
from supavex.convex.ids import INTERNAL_ID_BYTES, encode_id
from supavex.convex.limits import STORAGE_NUMBER, STORAGE_TABLE
from supavex.convex.validators import Id, Null, Optional, Validator, unwrap
from supavex.mapping.conversions.conversion import Conversion, Misfit, Target
from supavex.mapping.key_sql import key_sql
from supavex.mapping.keys import Key
from supavex.postgres.catalog import Column, Table, Type
from supavex.postgres.connection import quoted
from supavex.settings.rules import FILE_OVER, ColumnRule

_TEXT, _JSON, _BYTES = "text/plain; charset=utf-8", "application/json", "application/octet-stream"
#: The media type of a file, by the type of its column (PostgreSQL's internal name). Other types can't become files.
MEDIA_TYPES = {"text": _TEXT, "varchar": _TEXT, "json": _JSON, "jsonb": _JSON, "bytea": _BYTES}
#: The suffix of a file's name in an archive.
ENDINGS = {_TEXT: ".txt", _JSON: ".json", _BYTES: ".bin"}


@dataclass(frozen=True, slots=True)
class LargeValues:
    """The values of a table's column that become stored files."""

    #: The table's schema.
    schema: str
    #: The table's name without its schema.
    table: str
    #: The column: text, varchar, json, jsonb or bytea.
    column: Column
    #: The table's key.
    key: Key
    #: Values of more bytes become files. 0: all values that are not NULL.
    over: int
    #: The field that keeps the other values; empty if there is none.
    own: str = ""

    @property
    def name(self) -> str:
        """``schema.table.column``, as reports name it."""
        return f"{self.schema}.{self.table}.{self.column.name}"

    @property
    def media_type(self) -> str:
        """The media type of the files."""
        return MEDIA_TYPES[self.column.type.base]

    @property
    def _prefix(self) -> bytes:
        """The first bytes of the hash for the files of this column, which no other column has."""
        return f"{quoted(self.schema, self.table, self.column.name)} ".encode()

    def text_sql(self, value: str) -> str:
        """SQL for the content of the file of ``value``: text, or bytes."""
        return value if self.column.type.base == "bytea" else f"{value}::text"

    def large_sql(self, value: str) -> str:
        """SQL that is true if ``value`` becomes a file; NULL or false for NULL. It does not read TOAST."""
        if not self.over:
            return f"{value} IS NOT NULL"
        return f"octet_length({self.text_sql(value)}) > {self.over}"

    def row_id_sql(self, alias: str) -> str:
        """SQL for the 16 bytes of the row's own id."""
        own = key_sql(self.key, self.key.own(alias))
        return f"uuid_send({own})" if self.key.form == "uuid" else own

    def id_sql(self, row_id: str) -> str:
        """SQL for the 16 bytes of the file's id. ``row_id``: SQL for the 16 bytes of the row's id."""
        return f"substr(sha256('\\x{self._prefix.hex()}'::bytea || {row_id}), 1, {INTERNAL_ID_BYTES})"

    def internal_id(self, row_id: bytes) -> bytes:
        """The 16 bytes of the file's id. ``row_id``: the 16 bytes of the row's id."""
        return hashlib.sha256(self._prefix + row_id).digest()[:INTERNAL_ID_BYTES]

    def file_id(self, key: str) -> str:
        """The id of the file of the row with the key ``key``, as text."""
        return encode_id(STORAGE_NUMBER, self.internal_id(self.key.internal_id(key)))

    def conversion(self, alias: str) -> Conversion:
        """The conversion of the field for the file's id. The copy computes the id in PostgreSQL, the proof from the
        key.
        """
        large = self.large_sql("{c}")
        return Conversion(
            f"the id of a stored file, where it has {self.described}",
            "id",
            f"CASE WHEN {large} THEN {self.id_sql(self.row_id_sql(alias))} END",
            makes_null=True,
        )

    def kept(self, conversion: Conversion) -> Conversion:
        """The conversion of the values that stay in their own field."""
        select = f"CASE WHEN {self.large_sql('{c}')} THEN NULL ELSE {conversion.select} END"
        name = f"{conversion.name}; a stored file instead, where it has {self.described}"
        return replace(conversion, name=name, select=select, makes_null=True)

    @property
    def described(self) -> str:
        """The words for the values that become files."""
        return f"more than {self.over:,} bytes" if self.over else "a value"


def file_problem(
    table: Table,
    key: Key,
    column: Column,
    rule: ColumnRule,
    fields: Mapping[str, Validator],
    own: str | None,
    referring: set[str],
) -> Misfit | None:
    """Why large values of ``column`` can't become files as ``rule`` says; None if they can.

    ``own``: the column's own field in ``fields``, if any. ``referring``: columns of references.
    """
    name = rule.file or ""
    if not can_be_file(column.type):
        types = ", ".join(MEDIA_TYPES)
        return _misfit(f"{column.type.name} can't become a file.", f"Only {types} can: take `file` away.")
    ids = own is not None and own != name and any(isinstance(member, Id) for member in Target(fields[own]).members)
    if ids or column.name in referring or any(column.name in found.columns for found in table.foreign_keys):
        return _misfit("the column refers to another row, and a file refers to none.", "Take `file` away.")
    if key.form != "row" and column.name in key.columns:
        return _misfit("the column is (part of) the table's key, which ids come from.", "Take `file` away.")
    found = fields.get(name)
    wanted = f'v.id("{STORAGE_TABLE}")' if not rule.file_over else f'v.optional(v.id("{STORAGE_TABLE}"))'
    if found is None:
        return _misfit(f"the field {name}, for the file's id, is not in schema.py.", f'Add "{name}": {wanted}.')
    if not _is_file_id(found):
        return _misfit(f"the field {name} is {found}, and a file's id goes there.", f"Make it {wanted}.")
    if rule.file_over and not isinstance(found, Optional) and not Target(found).null:
        message = f"values of up to {rule.file_over:,} bytes have no file, and the field {name} must have one."
        return _misfit(message, f"Make it {wanted}, or say file_over = 0: every value becomes a file.")
    if own is None or own == name:
        if not rule.file_over:
            return None
        message = f"values of up to {rule.file_over:,} bytes stay in a field of their own, and there is none."
        hint = f"Add {column.name}: v.optional(…)" if own is None else "Name another field"
        hint += ", or say file_over = 0: every value becomes a file."
        return _misfit(message, hint)
    if not isinstance(fields[own], Optional):
        message = f"the field {own} is required, and is left out where the value becomes a file."
        return _misfit(message, f"Make {own} v.optional({fields[own]}).")
    if unwrap(fields[own]).rules != Rules():
        message = f"the field {own} has a default or rules, which would not hold for values that become files."
        return _misfit(message, f"Take them away from {own} in schema.py.")
    return None


def suggestion(
    table: Table, toml: str, column: Column, fields: Mapping[str, Validator], own: str, *, shared: bool = False
) -> str | None:
    """The advice for a large value of ``column`` with the field ``own``; None if it can't become a file.

    ``toml``: the table's name in supavex.toml. ``shared``: the column's rule is in ``[columns.…]``.
    """
    refers = any(column.name in found.columns for found in table.foreign_keys)
    if refers or not can_be_file(column.type):
        return None
    ending = "File" if any(character.isupper() for character in own) else "_file"
    taken = {*fields, *(found.name for found in table.columns)}
    name = next(n for n in (f"{own}{ending}{number}" for number in ("", *range(2, len(taken) + 3))) if n not in taken)
    more = "" if isinstance(fields[own], Optional) else f", and make {own} v.optional({fields[own]})"
    more += "" if unwrap(fields[own]).rules == Rules() else f", and take the default and rules of {own} away"
    key = toml_key(column.name)
    beside = f" beside what [columns.{key}] says, which is to be repeated there," if shared else ""
    return (
        f"Move it to file storage: in supavex.toml, under [tables.{toml}.columns.{key}],{beside} "
        f'file = "{name}" (values of more than {FILE_OVER:,} bytes; file_over = … says another size); '
        f'in schema.py, add "{name}": v.optional(v.id("{STORAGE_TABLE}")){more}.'
    )


def toml_key(name: str) -> str:
    """A name as a key of TOML."""
    plain = name and all(c.isascii() and (c.isalnum() or c in "-_") for c in name)
    return name if plain else '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _is_file_id(validator: Validator) -> bool:
    """Whether a field takes the id of a stored file, and otherwise only null."""
    members = [member for member in Target(validator).members if not isinstance(member, Null)]
    return len(members) == 1 and isinstance(members[0], Id) and members[0].table == STORAGE_TABLE


def can_be_file(type_: Type) -> bool:
    """Whether values of that type can become files."""
    return type_.element is None and type_.base in MEDIA_TYPES


def _misfit(message: str, hint: str) -> Misfit:
    return Misfit(message, hint, "FileDoesNotFit")
