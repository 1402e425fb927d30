"""Which index of a Convex table serves a query: fields that are equal, then one range, then the order.

Source: docs.convex.dev, "Indexes": an index range is equalities on the first fields, then bounds on the next; the
rows come in the order of the fields that are left, and ``_creationTime`` is the last field of every index.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from supavex.convex.limits import MAX_IDENTIFIER_BYTES, MAX_INDEX_FIELDS
from supavex.convex.names import index_name_problem
from supavex.convex.schema import Index, TableDefinition

#: The index that each table has by itself.
BY_CREATION = Index("by_creation_time", ())


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a query needs from an index: equal fields, fields with bounds, and the order (field, descending).

    ``created`` is a field whose order is also that of ``_creationTime``.
    """

    equal: tuple[str, ...] = ()
    ranged: tuple[str, ...] = ()
    order: tuple[tuple[str, bool], ...] = ()
    created: str = ""

    @property
    def sorted_by(self) -> tuple[tuple[str, bool], ...]:
        """The remaining order. A field that is equal in all rows has no effect on it."""
        return tuple(one for one in self.order if one[0] not in self.equal)


@dataclass(frozen=True, slots=True)
class Choice:
    """The best existing index, and what it serves."""

    #: None if the query reads the whole table.
    index: Index | None
    #: Fields that the index finds by equality.
    equal: tuple[str, ...] = ()
    #: The field with the index's range.
    ranged: str = ""
    #: Whether the index serves the order.
    ordered: bool = False
    #: Fields that the index does not serve.
    rest: tuple[str, ...] = ()
    #: The name and fields of an index that would serve more.
    add: tuple[str, tuple[str, ...]] | None = None
    #: Existing indexes that the added one could replace, except for the order of creation.
    replaces: tuple[str, ...] = ()


def choose(definition: TableDefinition, wanted: Wanted) -> Choice:
    """The index for ``wanted``, and the index to add if one would serve more."""
    best = Choice(None, ordered=not wanted.sorted_by, rest=(*wanted.equal, *wanted.ranged))
    candidates = [index for index in definition.indexes if not index.staged]
    for index in [BY_CREATION, *candidates]:
        found = _served(index, wanted)
        if found is not None and _rank(found) > _rank(best):
            best = found
    if not best.rest and best.ordered:
        return best
    fields = _fields_to_add(best, wanted)
    if not fields or (best.index is not None and fields == best.index.fields):
        return best
    known = {index.name: index.fields for index in definition.indexes}
    name = _name(fields, known)
    added = _served(Index(name, fields), wanted)
    if fields in known.values() or added is None or _rank(added)[:3] <= _rank(best)[:3]:
        return best
    replaces = tuple(name for name, own in known.items() if own == fields[: len(own)])
    return Choice(best.index, best.equal, best.ranged, best.ordered, best.rest, (name, fields), replaces)


def _served(index: Index, wanted: Wanted) -> Choice | None:
    equal: list[str] = []
    for name in index.fields:
        if name not in wanted.equal:
            break
        equal.append(name)
    left = (*index.fields[len(equal) :], "_creationTime")
    ranged = left[0] if left[0] in wanted.ranged else ""
    order = wanted.sorted_by
    directions = {desc for _, desc in order}
    ordered = len(directions) <= 1 and len(order) <= len(left)
    ordered = ordered and all(
        have == name or (have == "_creationTime" and name == wanted.created)
        for have, (name, _) in zip(left, order, strict=False)
    )
    if not equal and not ranged and not (order and ordered):
        return None
    rest = tuple(name for name in (*wanted.equal, *wanted.ranged) if name not in equal and name != ranged)
    return Choice(index, tuple(equal), ranged, ordered, rest)


def _rank(choice: Choice) -> tuple[int, int, bool, int]:
    served = len(choice.equal) + bool(choice.ranged)
    # If two serve the same, the one with fewer fields.
    return (
        served,
        len(choice.equal),
        choice.ordered,
        -len(choice.index.fields) if choice.index is not None else -MAX_INDEX_FIELDS - 1,
    )


def _fields_to_add(best: Choice, wanted: Wanted) -> tuple[str, ...]:
    """The fields of an index that serves as much as one index can: the equal fields, a range, the order."""
    fields = [*best.equal, *(name for name in wanted.equal if name not in best.equal)]
    order = wanted.sorted_by
    same_way = len({desc for _, desc in order}) <= 1
    sorted_names = [name for name, _ in order] if same_way else []
    if sorted_names == [wanted.created]:
        sorted_names = []  # The index has this order anyway.
    first_range = next((name for name in wanted.ranged if name not in fields), "")
    if first_range and (not sorted_names or sorted_names[0] != first_range):
        fields.append(first_range)
    else:
        fields += [name for name in dict.fromkeys(sorted_names) if name not in fields and name != "_creationTime"]
    return tuple(fields[:MAX_INDEX_FIELDS])


def _name(fields: Sequence[str], known: dict[str, tuple[str, ...]]) -> str:
    words = [name.replace(".", "_").strip("_").removesuffix("_id") or name for name in fields]
    name = "by_" + "_".join(words)
    if len(name) > MAX_IDENTIFIER_BYTES:
        name = f"by_{words[0]}_and_more"[:MAX_IDENTIFIER_BYTES]
    elif index_name_problem(name):
        name += "_field"
    number, base = 2, name
    while name in known:
        name = f"{base}_{number}"
        number += 1
    return name
