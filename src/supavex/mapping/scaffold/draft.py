"""A table's definition in the making."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from supavex.convex.values import Value
from supavex.mapping.implied import ImpliedReference, Place
from supavex.mapping.keys import Key
from supavex.postgres.catalog import Table
from supavex.settings.settings import Settings


@dataclass(frozen=True, slots=True)
class Field:
    """One field: its validator's text (``v.string``), its arguments, and what is said of it.

    ``suggestion`` is a line that could stand in its place.
    """

    validator: str
    arguments: tuple[str, ...] = ()
    optional: bool = False
    comments: tuple[str, ...] = ()
    suggestion: str = ""

    @property
    def text(self) -> str:
        """The validator as Python."""
        text = f"{self.validator}({', '.join(self.arguments)})"
        return f"v.optional({text})" if self.optional else text

    @property
    def indexable(self) -> bool:
        """Whether an index by the field finds one value: not of arrays, objects and JSON."""
        return self.validator not in ("v.any", "v.array", "v.object", "v.record")

    @property
    def table(self) -> str | None:
        """The table that the field's id leads to, if it is one."""
        return json.loads(self.arguments[0]) if self.validator == "v.id" else None

    def lines(self, name: str) -> Iterator[str]:
        """The lines of the definition."""
        if self.comments:
            yield f"# {'; '.join(self.comments)}"
        if self.suggestion:
            yield f"#     {python_text(name)}: {self.suggestion},"
        yield f"{python_text(name)}: {self.text},"


@dataclass(slots=True)
class Draft:
    """One table: its fields in order, the field of each column, and lines for its part of supavex.toml."""

    table: Table
    target: str
    key: Key
    fields: dict[str, Field] = field(default_factory=dict)
    by_column: dict[str, str] = field(default_factory=dict)
    toml: list[str] = field(default_factory=list)
    #: The fields of references by several columns, by these.
    references: dict[tuple[str, ...], str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Context:
    """What the definitions of all tables share.

    ``targets`` are Convex's names of the tables that move, ``keys`` the keys of all tables. ``said`` are the remarks
    that were made once, and once is enough.
    """

    project: Settings
    targets: Mapping[Place, str]
    keys: Mapping[Place, Key | None]
    implied: Mapping[tuple[Place, str], ImpliedReference]
    said: set[str] = field(default_factory=set)
    #: The names of the lists of literals of enums that several fields have, by the enum's schema and name.
    unions: Mapping[Place, str] = field(default_factory=dict)

    def refers(self, schema: str, table: str) -> bool:
        """Whether a reference to a table can become an id: it moves, and its rows have keys."""
        key = self.keys.get((schema, table))
        return (schema, table) in self.targets and key is not None and key.refers

    def once(self, remark: str) -> str:
        """``remark`` at first, and nothing from then on."""
        if remark in self.said:
            return ""
        self.said.add(remark)
        return remark


def python_text(text: str) -> str:
    """A text as a literal of Python."""
    return json.dumps(text, ensure_ascii=False)


def python(value: Value) -> str:
    """A value as a literal of Python."""
    return python_text(value) if isinstance(value, str) else repr(value)
