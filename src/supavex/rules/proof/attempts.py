"""Attempts to write, made from the existing documents and from the fields that the rules read."""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from supavex.convex.ids import encode_id
from supavex.convex.values import Value
from supavex.mapping.plan import FieldPlan, TablePlan
from supavex.rules.constraints import TableConstraints
from supavex.rules.form import Field, Function
from supavex.rules.policies import TableRules
from supavex.rules.proof.users import User

Document = Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class Attempt:
    """A write. ``fields``: those of a new document, or those that change; None: the field becomes NULL."""

    command: str
    table: str
    id: str
    fields: Mapping[str, Value]
    about: str


@dataclass(frozen=True, slots=True)
class Material:
    """The material for the attempts at one table."""

    table: TablePlan
    #: The fields that rules and constraints read.
    interesting: tuple[str, ...]
    #: The referenced Convex table by field.
    references: Mapping[str, str]
    #: The fields of unique keys.
    unique: tuple[str, ...]
    #: The fields of checks.
    checked: frozenset[str]
    #: Fields with a default. They can't become NULL by being left out.
    defaults: frozenset[str]
    #: The tables' numbers.
    numbers: Mapping[str, int]


def material(rules: TableRules, constraints: TableConstraints, numbers: Mapping[str, int]) -> Material:
    """The material for a table's attempts."""
    assert rules.source is not None
    read = dict.fromkeys(name for rule in rules.policies for side in (rule.using, rule.check) for name in _fields(side))
    checked = dict.fromkeys(name for _, check in constraints.checks for name in _fields(check))
    read |= checked
    unique = dict.fromkeys(name for rule in constraints.unique for name in rule.fields)
    references = {field: table for _, field, table in constraints.references}
    read |= unique | dict.fromkeys(references)
    read.pop("_id", None)
    held = frozenset(f.name for f in rules.source.fields if f.takes_null)
    defaults = frozenset(constraints.defaults) - held
    return Material(rules.source, tuple(read), references, tuple(unique), frozenset(checked), defaults, numbers)


def _fields(found: object) -> Iterator[str]:
    """The fields of the row in a form."""
    waiting: list[object] = [found]
    while waiting:
        one = waiting.pop()
        if isinstance(one, Field) and one.row == "row":
            yield one.name
        if isinstance(one, tuple | list):
            waiting += one
        elif hasattr(one, "__dataclass_fields__") and not isinstance(one, Function):
            waiting += [getattr(one, name) for name in one.__dataclass_fields__ if name != "kind"]


def attempts(made_of: Material, user: User, seen: Sequence[Document], hidden: Sequence[Document]) -> Iterator[Attempt]:
    """The attempts of one user at one table: with a document that the user sees, and with one that is hidden."""
    table = made_of.table.target
    seen, hidden = (_own_first(made_of, user, documents) for documents in (seen, hidden))
    for word, documents, others in (("own", seen, hidden), ("foreign", hidden, seen)):
        for document in documents[:2]:
            id_ = str(document["_id"])
            yield Attempt("delete", table, id_, {}, f"delete, {word}")
            yield Attempt("update", table, id_, {}, f"update nothing, {word}")
            for name, value, about in _changes(made_of, user, document, [*others, *documents]):
                yield Attempt("update", table, id_, {name: value}, f"{name} {about}, {word}")
        for document in documents[:1]:
            plain = {name: value for name, value in document.items() if not name.startswith("_")}
            planned = {f.name: f for f in made_of.table.fields if f.name in made_of.unique and f.reference is None}
            fresh = {**plain, **{n: _fresh(f, plain[n]) for n, f in planned.items() if plain.get(n) is not None}}
            yield Attempt("insert", table, "", plain, f"duplicate, {word}")
            yield Attempt("insert", table, "", fresh, f"insert, {word}")
            for name, value, about in _changes(made_of, user, document, [*others, *documents]):
                if value is not None or name not in made_of.defaults:
                    yield Attempt("insert", table, "", {**fresh, name: value}, f"insert with {name} {about}, {word}")


def _own_first(made_of: Material, user: User, documents: Sequence[Document]) -> list[Document]:
    """The documents, with those of the user's id first: most policies allow writing these."""
    own = {f.name: mine for f in made_of.table.fields if (mine := _mine(f, user, made_of)) is not None}
    return sorted(documents, key=lambda one: not any(one.get(name) == mine for name, mine in own.items()))


_WHOLE = {"int2": 30_000, "int4": 2_000_000_000, "int8": 2_000_000_000}


def _fresh(planned: FieldPlan, value: Value) -> Value:
    """A value that no other document has; the same value if the column's type has no known variation."""
    type_ = planned.column.type if planned.column is not None else None
    if type_ is None or planned.ids is not None or planned.expression:
        return value
    if isinstance(value, str) and type_.base in ("text", "varchar", "citext"):
        room = None if type_.length is None else max(type_.length - 8, 0)
        return f"{value[:room]}{secrets.token_hex(4)}"[: type_.length]
    if isinstance(value, str) and type_.base == "uuid":
        return str(uuid.uuid4())
    if isinstance(value, str) and type_.base == "date":
        return (date(1970, 1, 1) + timedelta(days=secrets.randbelow(40_000))).isoformat()
    if type_.base in _WHOLE and isinstance(value, int | float) and not isinstance(value, bool):
        return type(value)(secrets.randbelow(_WHOLE[type_.base]))
    if type_.base in ("timestamptz", "timestamp") and isinstance(value, float):
        return float(secrets.randbelow(2_000_000_000_000))
    return value


def _changes(
    made_of: Material, user: User, document: Document, others: Sequence[Document]
) -> Iterator[tuple[str, Value, str]]:
    """Values for an interesting field: another document's, the user's own, none, a missing parent."""
    fields = {planned.name: planned for planned in made_of.table.fields}
    for name in made_of.interesting:
        planned = fields.get(name)
        if planned is None:
            continue
        own = document.get(name)
        other = next((o[name] for o in others if o.get(name) not in (None, own)), None)
        if other is not None:
            yield name, other, "of another"
        mine = _mine(planned, user, made_of)
        if mine is not None and mine != own:
            yield name, mine, "of the user"
        if name in made_of.checked and planned.reference is None:  # A text that is not an id belongs to no document.
            yield from ((name, value, about) for value, about in _extremes(own))
        if own is not None and (planned.optional or planned.takes_null):
            yield name, None, "NULL"
        parent = made_of.references.get(name)
        if parent is not None:
            yield name, encode_id(made_of.numbers[parent], secrets.token_bytes(16)), "missing"


def _extremes(own: Value) -> Iterator[tuple[Value, str]]:
    """Values that checks often refuse."""
    if isinstance(own, str):
        yield from (("", "empty"), ("x" * 400, "long"))
    elif isinstance(own, float):
        yield from ((-1.0, "negative"), (1e6, "large"))


def _mine(planned: FieldPlan, user: User, made_of: Material) -> Value:
    """The field's value in a row of the user; None if it is unknown."""
    if user.id is None or planned.column is None or planned.column.type.base != "uuid":
        return None
    if planned.ids is not None:
        return planned.ids.get(user.id)
    if planned.reference is not None:
        number = made_of.numbers.get(planned.reference.target)
        uuid_keyed = planned.reference.key.form == "uuid"
        return encode_id(number, bytes.fromhex(user.id.replace("-", ""))) if number and uuid_keyed else None
    return user.id
