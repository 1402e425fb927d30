"""PostgREST's little languages, as supabase-js takes them in strings: select lists, and conditions of ``or``.

Source: postgrest.org, "Resource embedding" and "Horizontal filtering".
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_DEPTH = 8
#: Characters of a text that is read; and of one part of it. What is longer is no list that a person wrote.
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
    """Rows of another table inside a row: ``alias:relation!hint(columns)``."""

    relation: str
    alias: str = ""
    hints: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    embeds: tuple[Embed, ...] = ()

    @property
    def name(self) -> str:
        """The field of the row in which it stands."""
        return self.alias or self.relation


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition of an ``or``: ``title.ilike.%x%``."""

    column: str
    operator: str
    value: str
    negated: bool = False


def parse_select(text: str, depth: int = 0) -> tuple[tuple[str, ...], tuple[Embed, ...]]:
    """The columns and the embedded tables of a select list. Of another text, the parts that can be read."""
    columns, embeds = [], []
    for part in _split(text[:_LONGEST]):
        head, bracket, rest = part.partition("(")
        found = _EMBED.match(head) if bracket and len(head) < _LONGEST_PART else None
        if found and rest.rstrip().endswith(")") and depth < _DEPTH and not found["name"].endswith(")"):
            inside = rest.rstrip()[:-1]
            if "." in found["name"] and not inside:  # an aggregate: amount.sum()
                columns.append(found["name"].partition(".")[0])
                continue
            names, deeper = parse_select(inside, depth + 1)
            hints = tuple(hint for hint in found["hints"].split("!") if hint)
            embeds.append(Embed(found["name"], found["alias"] or "", hints, names, deeper))
        elif column := _COLUMN.match(part[:_LONGEST_PART]):
            columns.append(column["name"])
    return tuple(columns), tuple(embeds)


def parse_conditions(text: str) -> tuple[Condition, ...] | None:
    """The conditions of an ``or``; None where they are nested, of several values each, or none."""
    conditions = []
    for part in _split(text) if len(text) <= _LONGEST else ():
        found = None if _GROUP.match(part) else _CONDITION.match(part[:_LONGEST_PART])
        if found is None or found["how"] in ("any", "all"):
            return None
        value = found["value"].strip()
        conditions.append(Condition(found["column"], found["operator"], value, bool(found["negated"])))
    return tuple(conditions) or None


def _split(text: str) -> Iterator[str]:
    """The parts between commas that stand in no brackets and no quotes."""
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
