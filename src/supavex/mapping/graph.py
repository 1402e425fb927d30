"""References between the moving tables of a plan: children, ancestors, cycles, and an order with parents first."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass

from supavex.mapping.plan import FieldPlan, Plan, TablePlan


@dataclass(frozen=True, slots=True)
class ReferenceGraph:
    """The moving tables by name (``schema.table``), and the fields by which they refer to each other.

    References into tables that are in Convex already are no part of the graph: their ids do not depend on the copy.
    """

    tables: Mapping[str, TablePlan]
    #: By the name of a referenced table: each field that refers to the table, with the field's own table.
    children: Mapping[str, tuple[tuple[TablePlan, FieldPlan], ...]]
    #: By name: the tables that a table refers to, in the order of its fields.
    parents: Mapping[str, tuple[str, ...]]

    @classmethod
    def of(cls, plan: Plan) -> ReferenceGraph:
        """The graph of ``plan``."""
        tables = {table.name: table for table in plan.moving}
        children: dict[str, list[tuple[TablePlan, FieldPlan]]] = {name: [] for name in tables}
        parents: dict[str, list[str]] = {name: [] for name in tables}
        for table in plan.moving:
            for field in table.fields:
                if field.reference is None or field.reference.existing:
                    continue
                parent = f"{field.reference.schema}.{field.reference.table}"
                if parent in tables:
                    children[parent].append((table, field))
                    parents[table.name].append(parent)
        return cls(
            tables,
            {name: tuple(found) for name, found in children.items()},
            {name: tuple(dict.fromkeys(found)) for name, found in parents.items()},
        )

    def ancestors(self, names: Iterable[str], without: Set[str] = frozenset()) -> set[str]:
        """The tables that rows of ``names`` refer to, and those that these refer to.

        ``names`` themselves and ``without`` are left out, and so is what only ``without`` refers to.
        """
        start = set(names)
        return self._reached(start, without) - start

    def parents_first(self) -> list[TablePlan]:
        """The tables, each after those that it refers to, as far as cycles allow; else in the plan's order."""
        order: list[TablePlan] = []
        seen: set[str] = set()
        # A stack and no recursion: a chain of tables may be longer than Python's recursion is deep. A table stands on
        # the stack twice, before and after its parents.
        stack = [(name, False) for name in reversed(list(self.tables))]
        while stack:
            name, done = stack.pop()
            if done:
                order.append(self.tables[name])
            elif name not in seen:
                seen.add(name)
                stack.append((name, True))
                stack += [(parent, False) for parent in reversed(self.parents[name])]
        return order

    def cycle(self, name: str) -> frozenset[str]:
        """The tables that a table refers to and that refer to it, over any number of tables; itself among them."""
        above = self._reached({name}, frozenset())
        return frozenset(other for other in above if name in self._reached({other}, frozenset()))

    def _reached(self, names: Set[str], without: Set[str]) -> set[str]:
        found, waiting = set(names), list(names)
        while waiting:
            for parent in self.parents[waiting.pop()]:
                if parent not in found and parent not in without:
                    found.add(parent)
                    waiting.append(parent)
        return found


def uses_existing(plan: Plan) -> bool:
    """Whether documents hold ids of tables that are in Convex already."""
    return any(
        planned.reference is not None and planned.reference.existing
        for table in plan.moving
        for planned in table.fields
    )
