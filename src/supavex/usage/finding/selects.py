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
_COLUMN = re.compile(
    r"\s*(?:(?P<alias>[^:()]+?)\s*:(?!:)\s*)?(?P<name>[^:()]+?)(?:::\w+)?(?:\.\w+\(\))?(?:::\w+)?\s*\Z"
)
_CONDITION = re.compile(
    r"\s*(?P<column>[\w$.>\-]+?)\.(?P<negated>not\.)?(?P<operator>[a-z]+)(?:\((?P<how>[\w$]+)\))?\.(?P<value>.*)\Z",
    re.S,
)
_GROUP = re.compile(r"\s*(?:not\.)?(?:and|or)\s*\(", re.I)


@dataclass(frozen=True, slots=True)
class Embed:
    """Embedded rows of another table: ``alias:relation!hint(columns)``."""

    relation: str
    alias: str = ""
    hints: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    embeds: tuple[Embed, ...] = ()

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


def parse_select(text: str, depth: int = 0) -> tuple[tuple[str, ...], tuple[Embed, ...]]:
    """The columns and embedded tables of a select list. Of an invalid text: the parts that can be read."""
    columns, embeds = [], []
    for part in _split(text[:_LONGEST]):
        head, bracket, rest = part.partition("(")
        found = _EMBED.match(head) if bracket and len(head) < _LONGEST_PART else None
        if found and rest.rstrip().endswith(")") and depth < _DEPTH and not found["name"].endswith(")"):
            inside = rest.rstrip()[:-1]
            if "." in found["name"] and not inside:  # It is an aggregate: amount.sum().
                columns.append(found["name"].partition(".")[0])
                continue
            names, deeper = parse_select(inside, depth + 1)
            hints = tuple(hint for hint in found["hints"].split("!") if hint)
            embeds.append(Embed(found["name"], found["alias"] or "", hints, names, deeper))
        elif column := _COLUMN.match(part[:_LONGEST_PART]):
            columns.append(column["name"])
    return tuple(columns), tuple(embeds)


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
