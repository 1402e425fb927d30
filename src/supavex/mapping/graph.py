"""References between the moving tables of a plan: children, ancestors, cycles, and an order with parents first."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass

from supavex.mapping.plan import FieldPlan, Plan, TablePlan


@dataclass(frozen=True, slots=True)
class ReferenceGraph:
    """The moving tables by name (``schema.table``), and their references to each other.

    References into tables that exist in Convex are not in the graph: their ids do not depend on the copy.
    """

    tables: Mapping[str, TablePlan]
    #: By the name of the referenced table: the fields that refer to it, each with its own table.
    children: Mapping[str, tuple[tuple[TablePlan, FieldPlan], ...]]
    #: By name: the tables to which a table refers, in the order of its fields.
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
        """The tables to which rows of ``names`` refer, directly or through others.

        ``names`` and ``without`` are left out, and so are tables to which only ``without`` refers.
        """
        start = set(names)
        return self._reached(start, without) - start

    def parents_first(self) -> list[TablePlan]:
        """The tables, each after the tables to which it refers, as far as cycles allow; otherwise in the
        plan's order.
        """
        order: list[TablePlan] = []
        seen: set[str] = set()
        # A stack instead of recursion, because a chain of tables may be longer than Python's limit. A table is pushed
        # twice, before and after its parents.
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
        """The tables that refer to a table and to which it refers, directly or through others, and the table itself."""
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
    """Whether documents hold ids of tables that exist in Convex."""
    return any(
        planned.reference is not None and planned.reference.existing
        for table in plan.moving
        for planned in table.fields
    )
