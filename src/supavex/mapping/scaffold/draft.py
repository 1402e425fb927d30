"""A draft of a table's definition."""

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
    """A field of the draft: the validator's text (``v.string``), its arguments, and its comments.

    ``suggestion`` is an alternative line.
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
        """Whether an index by the field finds single values. It does not for arrays, objects and JSON."""
        return self.validator not in ("v.any", "v.array", "v.object", "v.record")

    @property
    def table(self) -> str | None:
        """The table of the field's id, if the field is one."""
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
    """The draft of one table."""

    #: The source table.
    table: Table
    #: The Convex table's name.
    target: str
    #: The table's key, from which ``_id`` is computed.
    key: Key
    #: The fields in order, by name.
    fields: dict[str, Field] = field(default_factory=dict)
    #: The name of each column's field.
    by_column: dict[str, str] = field(default_factory=dict)
    #: Lines for the table's part of supavex.toml.
    toml: list[str] = field(default_factory=list)
    #: The fields of references by several columns, by these columns.
    references: dict[tuple[str, ...], str] = field(default_factory=dict)
    #: Remarks on the whole table, which become comments above its definition.
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Context:
    """The shared state of all definitions."""

    #: The settings of supavex.toml.
    project: Settings
    #: Convex's names of the moving tables.
    targets: Mapping[Place, str]
    #: The keys of all tables.
    keys: Mapping[Place, Key | None]
    #: The references without a foreign key, by table and column.
    implied: Mapping[tuple[Place, str], ImpliedReference]
    #: The remarks that have been made, so that each is made once.
    said: set[str] = field(default_factory=set)
    #: The names of shared lists of literals, by the enum's schema and name.
    unions: Mapping[Place, str] = field(default_factory=dict)

    def refers(self, schema: str, table: str) -> bool:
        """Whether a reference to a table can become an id: the table moves, and its rows have keys."""
        key = self.keys.get((schema, table))
        return (schema, table) in self.targets and key is not None and key.refers

    def once(self, remark: str) -> str:
        """Returns ``remark`` the first time, and an empty text after that."""
        if remark in self.said:
            return ""
        self.said.add(remark)
        return remark


def python_text(text: str) -> str:
    """A text as a Python literal."""
    return json.dumps(text, ensure_ascii=False)


def python(value: Value) -> str:
    """A value as a Python literal."""
    return python_text(value) if isinstance(value, str) else repr(value)
