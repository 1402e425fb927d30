"""Parses PostgREST's texts in supabase-js' arguments: select lists, and the conditions of ``or``.

Source: postgrest.org, "Resource embedding" and "Horizontal filtering".
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_DEPTH = 8
#: The most characters that are read of a text, and of one part. No person writes a longer list.
_LONGEST = 20_000
_LONGEST_PART = 500
_EMBED = re.compile(r"\s*(?:(?P<alias>[\w$]+)\s*:\s*)?(?P<spread>\.\.\.)?(?P<name>[\w$.]+)(?P<hints>(?:![\w$]+)*)\s*\Z")
_COLUMN = re.compile(r"\s*(?:(?P<alias>[^:()]+?)\s*:(?!:)\s*)?(?P<name>[^:()]+?)(?:::(?P<cast>[\w \[\]]+))?\s*\Z")
#: A sum over rows: ``amount.sum()``, ``count()``.
_AGGREGATE = re.compile(r"(?:[^:()]+:\s*)?(?:[^:()]+(?:::\w+)?\.)?(?:avg|count|max|min|sum)\(\)(?:::\w+)?\s*\Z")
_CONDITION = re.compile(
    r"\s*(?P<column>[\w$.>\-]+?)\.(?P<negated>not\.)?(?P<operator>[a-z]+)(?:\((?P<how>[\w$]+)\))?\.(?P<value>.*)\Z",
    re.S,
)
_GROUP = re.compile(r"\s*(?:not\.)?(?:and|or)\s*\(", re.I)


@dataclass(frozen=True, slots=True)
class SelectItem:
    """An item of a select list: ``alias:name->path::cast``."""

    #: The column, or the source text if the item is unknown.
    name: str
    #: The name of the value in the result; empty if it is the column's.
    alias: str = ""
    #: The type that the value is cast to.
    cast: str = ""
    #: The path inside JSON, with its arrows.
    path: str = ""
    #: False for an item that the code makes at run time.
    known: bool = True
    #: True for a value of many rows: ``amount.sum()``.
    aggregate: bool = False

    def __str__(self) -> str:
        alias, cast = f"{self.alias}:" if self.alias else "", f"::{self.cast}" if self.cast else ""
        return f"{alias}{self.name}{self.path}{cast}"


@dataclass(frozen=True, slots=True)
class Embed:
    """Embedded rows of another table: ``alias:relation!hint(columns)``."""

    #: The other table, or the foreign key's column or name.
    relation: str
    #: The name of the rows in the result; empty if it is the relation's.
    alias: str = ""
    #: The words after ``!``: which foreign key is meant, or ``inner``.
    hints: tuple[str, ...] = ()
    #: The selected columns of the other table; empty for all.
    columns: tuple[SelectItem, ...] = ()
    #: The rows that are embedded in these rows.
    embeds: tuple[Embed, ...] = ()
    #: Whether the columns become fields of the row itself (``...relation``).
    spread: bool = False

    @property
    def name(self) -> str:
        """The name of the row's field for them."""
        return self.alias or self.relation


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition of an ``or``: ``title.ilike.%x%``."""

    column: str
    operator: str
    value: str
    negated: bool = False


def parse_select(text: str, depth: int = 0) -> tuple[tuple[SelectItem, ...], tuple[Embed, ...]]:
    """The columns and embedded tables of a select list. A part that can't be read is an unknown column."""
    columns, embeds = [], []
    for part in _split(text[:_LONGEST]):
        head, bracket, rest = part.partition("(")
        found = _EMBED.match(head) if bracket and len(head) < _LONGEST_PART else None
        if len(part) < _LONGEST_PART and _AGGREGATE.match(part):
            columns.append(SelectItem(part, aggregate=True))
        elif found and rest.rstrip().endswith(")") and depth < _DEPTH:
            names, deeper = parse_select(rest.rstrip()[:-1], depth + 1)
            hints = tuple(hint for hint in found["hints"].split("!") if hint)
            spread = bool(found["spread"])
            embeds.append(Embed(found["name"], found["alias"] or "", hints, names, deeper, spread))
        else:
            columns.append(_column(part[:_LONGEST_PART]))
    return tuple(columns), tuple(embeds)


def _column(part: str) -> SelectItem:
    found = _COLUMN.match(part)
    if found is None or "${" in part:
        return SelectItem(part, known=False)
    # What a quoted name holds is the name.
    whole = found["name"]
    if whole.startswith('"') and whole.endswith('"') and len(whole) > 2:
        return SelectItem(whole.strip('"'), (found["alias"] or "").strip('"'), found["cast"] or "")
    name, arrow, path = whole.partition("->")
    return SelectItem(name.strip(' "'), (found["alias"] or "").strip('"'), (found["cast"] or "").strip(), arrow + path)


def parse_conditions(text: str) -> tuple[Condition, ...] | None:
    """The conditions of an ``or``; None if they are nested, have several values, or are invalid."""
    conditions = []
    for part in _split(text) if len(text) <= _LONGEST else ():
        found = None if _GROUP.match(part) else _CONDITION.match(part[:_LONGEST_PART])
        if found is None or found["how"] in ("any", "all"):
            return None
        value = found["value"].strip()
        conditions.append(Condition(found["column"], found["operator"], value, bool(found["negated"])))
    return tuple(conditions) or None


def _split(text: str) -> Iterator[str]:
    """The parts between commas outside brackets and quotes."""
    depth, start, quoted = 0, 0, False
    for at, character in enumerate(text):
        if character == '"':
            quoted = not quoted
        elif quoted:
            continue
        elif character in "({":
            depth += 1
        elif character in ")}":
            depth -= 1
        elif character == "," and depth <= 0:
            if text[start:at].strip():
                yield text[start:at].strip()
            start = at + 1
    if text[start:].strip():
        yield text[start:].strip()
