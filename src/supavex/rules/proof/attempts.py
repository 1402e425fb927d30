"""Attempts to write, made from the existing documents and from the fields that the rules read."""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from supavex.convex.ids import encode_id
from supavex.convex.values import Value
from supavex.mapping.plan import FieldPlan, TablePlan
from supavex.rules.column_types import TypeCheck
from supavex.rules.constraints import TableConstraints
from supavex.rules.form import Field, parts_in
from supavex.rules.policies import TableRules
from supavex.rules.proof.constants import constants_of
from supavex.rules.proof.users import User

Document = Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class Attempt:
    """A write that both sides try."""

    #: ``insert``, ``update`` or ``delete``.
    command: str
    #: The Convex table.
    table: str
    #: The ``_id`` of the document to change or delete; empty for an insert.
    id: str
    #: The fields of a new document, or those that change. None: the field becomes NULL.
    fields: Mapping[str, Value]
    #: The words for the attempt in findings.
    about: str
    #: Whether it leaves out fields that have defaults.
    left_out: bool = False
    #: The field with a value that the type of its column does not take; empty if there is none.
    unfit: str = ""


@dataclass(frozen=True, slots=True)
class Material:
    """The material for the attempts at one table."""

    #: The plan of the table.
    table: TablePlan
    #: The fields that rules and constraints read.
    interesting: tuple[str, ...]
    #: The referenced Convex table by field.
    references: Mapping[str, str]
    #: The fields of each unique key.
    keys: tuple[tuple[str, ...], ...]
    #: The fields of checks.
    checked: frozenset[str]
    #: Fields with a default. They can't become NULL by being left out.
    defaults: frozenset[str]
    #: Fields that take null for NULL.
    nulls: frozenset[str]
    #: By field, the values that rules and constraints compare it with, and the values beside them.
    constants: Mapping[str, tuple[Value, ...]]
    #: The ids that documents of other tables refer to.
    parents: frozenset[str]
    #: The checks of fields by the types of their columns.
    types: Mapping[str, TypeCheck]
    #: The tables' numbers.
    numbers: Mapping[str, int]


def material(
    rules: TableRules, constraints: TableConstraints, numbers: Mapping[str, int], parents: Iterable[str] = ()
) -> Material:
    """The material for a table's attempts. ``parents``: ids of its documents that others refer to."""
    assert rules.source is not None
    sides = [side for rule in rules.policies for side in (rule.using, rule.check)]
    checks = [check for _, check in constraints.checks]
    predicates = [rule.where for rule in constraints.unique]
    keys = tuple(rule.fields for rule in constraints.unique if "_id" not in rule.fields)
    checked = dict.fromkeys(name for check in checks for name in _fields(check))
    references = {field: table for _, field, table in constraints.references}
    read = dict.fromkeys(name for one in (*sides, *predicates) for name in _fields(one)) | checked
    read |= dict.fromkeys(name for key in keys for name in key) | dict.fromkeys(references)
    read.pop("_id", None)
    nulls = frozenset(f.name for f in rules.source.fields if f.takes_null)
    return Material(
        rules.source, tuple(read), references, keys, frozenset(checked), frozenset(constraints.defaults), nulls,
        constants_of((sides, checks, predicates)), frozenset(parents), constraints.types, numbers,
    )  # fmt: skip


def _fields(found: object) -> Iterator[str]:
    """The fields of the row in a form."""
    return (one.name for one in parts_in(found) if isinstance(one, Field) and one.row == "row")


def attempts(made_of: Material, user: User, seen: Sequence[Document], hidden: Sequence[Document]) -> Iterator[Attempt]:
    """The attempts of one user at one table: with documents that they see, and with some that they don't."""
    seen, hidden = (_own_first(made_of, user, documents) for documents in (seen, hidden))
    if user.id is None:
        yield from _unfit(made_of, [*seen, *hidden])
    for word, documents, others in (("own", seen, hidden), ("foreign", hidden, seen)):
        parents = [one for one in documents[2:] if one["_id"] in made_of.parents][:2]
        for document in [*documents[:2], *parents]:
            yield Attempt("delete", made_of.table.target, str(document["_id"]), {}, f"delete, {word}")
        for number, document in enumerate(documents[:2]):
            yield from _updates(made_of, user, document, [*others, *documents], word, first=not number)
        for id_ in dict.fromkeys(str(d["_id"]) for d in [*documents[:2], *parents]):
            yield from _held_otherwise(made_of, next(d for d in documents if d["_id"] == id_), word)
            yield from _new_keys(made_of, next(d for d in documents if d["_id"] == id_), word)
        for document in documents[:1]:
            yield from _inserts(made_of, user, document, [*others, *documents], word)
        for key in made_of.keys:
            partly = (d for d in documents if len({d.get(name) is None for name in key}) > 1)
            for document in [one for one in partly if one not in documents[:1]][:1]:
                plain = _plain(made_of, document)
                yield Attempt("insert", made_of.table.target, "", plain, f"duplicate with NULL, {word}")


def _updates(
    made_of: Material, user: User, document: Document, others: Sequence[Document], word: str, *, first: bool
) -> Iterator[Attempt]:
    table, id_ = made_of.table.target, str(document["_id"])
    yield Attempt("update", table, id_, {}, f"update nothing, {word}")
    for name, value, about in _changes(made_of, user, document, others, constants=first):
        yield Attempt("update", table, id_, {name: value}, f"{name} {about}, {word}")
    for key in made_of.keys:
        other = next((o for o in others if o["_id"] != id_ and any(o.get(n) is not None for n in key)), None)
        if len(key) > 1 and other is not None:
            yield Attempt("update", table, id_, {n: other.get(n) for n in key}, f"{', '.join(key)} of another, {word}")


#: Values that the types do not take, and values that are stored in another way.
_UNFIT: Mapping[str, tuple[Value, ...]] = {
    "realType": (1e39,), "uuidType": ("no uuid",), "dateType": ("2019-02-29", "20th"),
    "timeType": ("25:00:00", "noon"), "timestampType": (1e16,), "midnightType": (1e16,), "numericTextType": ("much",),
}  # fmt: skip


def _unfit(made_of: Material, documents: Sequence[Document]) -> Iterator[Attempt]:
    """Updates with values that PostgreSQL's types do not take. It refuses them before it asks any policy."""
    for name, check in made_of.types.items() if documents else ():
        one, own = (check.made_with[0], True) if check.name == "arrayType" else (check, False)
        assert isinstance(one, TypeCheck)
        sizes = [size for size in one.made_with if isinstance(size, int)]
        values = _UNFIT.get(one.name, ())
        held = next((d[name] for d in documents if d.get(name) is not None), None)
        if one.name == "integerType":
            values = (2**33,) if isinstance(held, int) and not isinstance(held, bool) else (0.5, 2.0 ** (sizes[0] - 1))
            values = () if isinstance(held, int) and sizes[0] == 64 else ("1.5",) if isinstance(held, str) else values
        elif one.name == "numericType":
            values = (10.0 ** (sizes[0] - sizes[1]),)
        for value in values:
            given: Value = [value] if own else value
            yield Attempt(
                "update", made_of.table.target, str(documents[0]["_id"]), {name: given}, f"{name} {value!r}", unfit=name
            )


def _held_otherwise(made_of: Material, document: Document, word: str) -> Iterator[Attempt]:
    """Updates with values that a column holds in another way."""
    for name, check in made_of.types.items():
        value, table = document.get(name), made_of.table.target
        other: Value = None
        if check.name in ("numericType", "realType") and isinstance(value, float):
            other = 1.23456789
        elif check.name == "uuidType" and isinstance(value, str):
            other = value.upper()
        elif check.name == "charType" and isinstance(value, str):
            other = value.rstrip(" ")
        elif check.name == "numericTextType" and check.made_with[0] is not None and isinstance(value, str):
            other = "1.23456789"
        if other is not None and other != value:
            yield Attempt("update", table, str(document["_id"]), {name: other}, f"{name} {other!r}, {word}")


def _new_keys(made_of: Material, document: Document, word: str) -> Iterator[Attempt]:
    """Updates that give a document a key that no other has. Others may refer to the old one."""
    fields = {planned.name: planned for planned in made_of.table.fields if planned.reference is None}
    for name in dict.fromkeys(name for key in made_of.keys for name in key if name in fields):
        value = document.get(name)
        new = None if value is None else _fresh(fields[name], value)
        if new != value:
            yield Attempt(
                "update", made_of.table.target, str(document["_id"]), {name: new}, f"{name} a new one, {word}"
            )


def _inserts(
    made_of: Material, user: User, document: Document, others: Sequence[Document], word: str
) -> Iterator[Attempt]:
    table = made_of.table.target
    plain = _plain(made_of, document)
    planned = {f.name: f for f in made_of.table.fields if f.reference is None}
    unique = dict.fromkeys(name for key in made_of.keys for name in key)
    new = {n: _fresh(planned[n], plain[n]) for n in unique if n in planned and plain.get(n) is not None}
    fresh = {**plain, **new}
    yield Attempt("insert", table, "", plain, f"duplicate, {word}")
    yield Attempt("insert", table, "", fresh, f"insert, {word}")
    for name in unique:  # a key that is the same but for one field
        for value, about in ((new.get(name), "a new one"), (None, "NULL")):
            if plain.get(name) is not None and value != plain[name] and _may_be(made_of, name, value):
                yield Attempt("insert", table, "", {**plain, name: value}, f"duplicate but {name} {about}, {word}")
    for name, value, about in _changes(made_of, user, document, others, constants=True):
        if _may_be(made_of, name, value):
            yield Attempt("insert", table, "", {**fresh, name: value}, f"insert with {name} {about}, {word}")
    left_out = made_of.defaults & fresh.keys()
    if left_out:
        rest = {name: value for name, value in fresh.items() if name not in left_out}
        yield Attempt("insert", table, "", rest, f"insert without {', '.join(sorted(left_out))}, {word}", True)
    for name in sorted(left_out & {*made_of.interesting}):
        rest = {other: value for other, value in fresh.items() if other != name}
        yield Attempt("insert", table, "", rest, f"insert without {name}, {word}", True)


def _plain(made_of: Material, document: Document) -> dict[str, Value]:
    """The fields of a new document like ``document``, without JSON's null: None is NULL here."""
    return {
        name: value
        for name, value in document.items()
        if not name.startswith("_") and (value is not None or name in made_of.nulls)
    }


def _may_be(made_of: Material, name: str, value: Value) -> bool:
    """Whether a new document can say so: NULL can't be asked for where a default takes its place."""
    field = next((f for f in made_of.table.fields if f.name == name), None)
    if value is not None or field is None:
        return value is not None
    return name in made_of.nulls or (field.optional and name not in made_of.defaults)


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
    made_of: Material, user: User, document: Document, others: Sequence[Document], *, constants: bool
) -> Iterator[tuple[str, Value, str]]:
    """Values that an interesting field is set to: another document's, the user's own, none, a missing parent.

    With ``constants`` also those that the rules compare it with.
    """
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
        if constants and planned.reference is None:
            tried = [own, other, mine] if isinstance(own, str | float | bool) else []
            for value in _constants(made_of, name, own):
                if value not in tried:
                    yield name, value, f"{value!r}" if len(repr(value)) < 20 else "of a rule"
        if name in made_of.checked and planned.reference is None:  # A text that is not an id belongs to no document.
            yield from ((name, value, about) for value, about in _extremes(own))
        if own is not None and (planned.optional or planned.takes_null):
            yield name, None, "NULL"
        parent = made_of.references.get(name)
        if parent is not None and not planned.by_columns:  # Those columns have fields of their own.
            yield name, encode_id(made_of.numbers[parent], secrets.token_bytes(16)), "missing"


def _constants(made_of: Material, name: str, own: Value) -> Iterator[Value]:
    """Values of the kind of the field's own that rules compare it with."""
    if isinstance(own, bool):
        yield not own
    for value in made_of.constants.get(name, ()):
        if own is None or type(value) is type(own):
            yield value


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
