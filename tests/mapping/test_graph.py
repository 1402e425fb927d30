"""References between moving tables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from supavex.mapping.graph import ReferenceGraph
from supavex.mapping.plan import Plan


@dataclass
class Reference:
    schema: str
    table: str
    existing: bool = False


@dataclass
class Field:
    reference: Reference | None


@dataclass
class Table:
    name: str
    fields: list[Field]


@dataclass
class Tables:
    moving: list[Table]


def graph(**parents: list[str]) -> ReferenceGraph:
    """The graph of tables that refer to others; a name with a ``!`` is a table that is in Convex already."""

    def field(parent: str) -> Field:
        return Field(Reference("public", parent.rstrip("!"), parent.endswith("!")))

    tables = [Table(f"public.{name}", [Field(None), *map(field, found)]) for name, found in parents.items()]
    return ReferenceGraph.of(cast(Plan, Tables(tables)))


def order(found: ReferenceGraph) -> list[str]:
    return [table.name.removeprefix("public.") for table in found.parents_first()]


def test_parents_come_first() -> None:
    found = graph(c=["b", "a"], b=["a"], a=[], d=["c"])
    assert order(found) == ["a", "b", "c", "d"]


def test_a_cycle_has_some_order_with_every_table_once() -> None:
    found = graph(a=["b"], b=["c"], c=["a"], d=["d"])
    assert sorted(order(found)) == ["a", "b", "c", "d"]
    assert found.cycle("public.a") == {"public.a", "public.b", "public.c"}
    assert found.cycle("public.d") == {"public.d"}


def test_a_chain_longer_than_recursion_is_deep() -> None:
    names = [f"t{number}" for number in range(3000)]
    found = graph(**{name: [names[number + 1]] if number < 2999 else [] for number, name in enumerate(names)})
    assert order(found) == names[::-1]


def test_ancestors_leave_out_what_only_others_need() -> None:
    found = graph(a=[], b=["a"], c=["b"], d=["a"])
    assert found.ancestors({"public.c"}) == {"public.a", "public.b"}
    assert found.ancestors({"public.c"}, {"public.b"}) == set()
    assert found.ancestors({"public.c", "public.d"}, {"public.b"}) == {"public.a"}


def test_children_are_the_fields_that_refer_to_a_table() -> None:
    found = graph(a=[], b=["a", "a"], c=["a", "elsewhere"])
    assert [child.name for child, _ in found.children["public.a"]] == ["public.b", "public.b", "public.c"]
    assert found.parents["public.b"] == ("public.a",)


def test_tables_that_are_in_convex_already_are_no_part() -> None:
    found = graph(a=[], b=["a!"])
    assert found.children["public.a"] == ()
    assert order(found) == ["a", "b"]
