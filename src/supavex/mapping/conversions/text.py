"""Text of all kinds, enums, booleans, bytes, uuids that are not keys, and all types with only a text form."""

from __future__ import annotations

import base64

from supavex.convex import validators as kinds
from supavex.convex.values import Value
from supavex.mapping.conversions.conversion import Conversion, Misfit, Target, converts, misfit
from supavex.postgres.catalog import Type
from supavex.settings.rules import ColumnRule


@converts("text", "varchar", "uuid", "name", "citext", "char", "enum", "xml")
def texts(type_: Type, target: Target, rule: ColumnRule) -> Conversion | Misfit:
    """Text as a string. A uuid is its 36 characters in lower case, and an enum its label."""
    if target.takes(kinds.String):
        return Conversion("text", "string", "{c}::text")
    return misfit(type_, target, "v.string()")


@converts("bpchar")
def padded(type_: Type, target: Target, rule: ColumnRule) -> Conversion | Misfit:
    """``char(n)`` as a string with its blanks, which a cast to text would remove."""
    if target.takes(kinds.String):
        return Conversion("text", "string", "CASE WHEN {c} IS NOT NULL THEN concat({c}) END")
    return misfit(type_, target, "v.string()")


@converts("bool")
def booleans(type_: Type, target: Target, rule: ColumnRule) -> Conversion | Misfit:
    """A boolean."""
    if target.takes(kinds.Boolean):
        return Conversion("boolean", "boolean", parse=lambda text: text == "true")
    return misfit(type_, target, "v.boolean()")


@converts("bytea")
def binary(type_: Type, target: Target, rule: ColumnRule) -> Conversion | Misfit:
    """Bytes, or base64 text in a string."""
    if target.takes(kinds.Bytes):
        return Conversion("bytes", "bytes", parse=lambda text: bytes.fromhex(text[2:]), special=True)
    if target.takes(kinds.String):
        # encode() breaks base64 into lines of 76 characters.
        sql = "translate(encode({c}, 'base64'), E'\\n', '')"
        return Conversion("bytes as base64 text", "string", sql, parse=_to_base64, restore=_from_base64)
    return misfit(type_, target, "v.bytes()", "v.string()")


def _to_base64(text: str) -> str:
    return base64.b64encode(bytes.fromhex(text[2:])).decode()


def _from_base64(value: Value) -> str | None:
    return None if value is None else f"\\x{base64.b64decode(value, validate=True).hex()}"


@converts("inet")
def addresses(type_: Type, target: Target, rule: ColumnRule) -> Conversion | Misfit:
    """An address: its text without the mask of a single host, which a cast to text would add."""
    if target.takes(kinds.String):
        return Conversion("inet as text", "string", "abbrev({c})")
    return misfit(type_, target, "v.string()")


@converts(
    "interval", "timetz", "cidr", "macaddr", "macaddr8", "bit", "varbit", "tsvector", "tsquery", "jsonpath",
    "point", "line", "lseg", "box", "path", "polygon", "circle", "pg_lsn", "range", "other",
)  # fmt: skip
def described(type_: Type, target: Target, rule: ColumnRule) -> Conversion | Misfit:
    """Types without a counterpart in Convex, and types of extensions (``other``): PostgreSQL's text in a string, as in
    the app's JSON.
    """
    if target.takes(kinds.String):
        return Conversion(f"{type_.base} as text", "string", "{c}::text")
    return misfit(type_, target, "v.string()")
