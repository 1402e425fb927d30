"""Which index serves a query, and which one to add."""

import pytest

from supavex.convex.schema import TableDefinition, define_table, v
from supavex.usage.advice.indexes import Wanted, choose


def table() -> TableDefinition:
    fields = {name: v.string() for name in "abcde"}
    return (
        define_table(fields)
        .index("by_a", ["a"])
        .index("by_a_b", ["a", "b"])
        .index("by_b_c", ["b", "c"])
        .index("by_d", ["d"], staged=True)
    )


@pytest.mark.parametrize(
    ("wanted", "index", "equal", "ranged", "ordered", "rest", "add"),
    [
        (Wanted(), None, (), "", True, (), None),
        (Wanted(("a",)), "by_a", ("a",), "", True, (), None),
        (Wanted(("b", "a")), "by_a_b", ("a", "b"), "", True, (), None),
        (Wanted(("a",), ("b",)), "by_a_b", ("a",), "b", True, (), None),
        (Wanted(("a",), (), (("b", True),)), "by_a_b", ("a",), "", True, (), None),
        # The order of creation comes after the fields of every index.
        (Wanted(("a",), (), (("made", True),), "made"), "by_a", ("a",), "", True, (), None),
        (Wanted((), (), (("made", False),), "made"), "by_creation_time", (), "", True, (), None),
        (Wanted((), (), (("_creationTime", False),)), "by_creation_time", (), "", True, (), None),
        # The order by a field that is equal in all rows is no order.
        (Wanted(("a",), (), (("a", False),)), "by_a", ("a",), "", True, (), None),
        # Two ways at once are none of an index's.
        (Wanted(("a",), (), (("b", True), ("c", False))), "by_a", ("a",), "", False, (), None),
        (Wanted(("a", "c")), "by_a", ("a",), "", True, ("c",), ("by_a_c", ("a", "c"))),
        (Wanted(("c",)), None, (), "", True, ("c",), ("by_c", ("c",))),
        (Wanted(("a",), ("c",), (("c", False),)), "by_a", ("a",), "", False, ("c",), ("by_a_c", ("a", "c"))),
        # One range is all that an index has; the order after it can't be another field's.
        (Wanted((), ("b", "c")), "by_b_c", (), "b", True, ("c",), None),
        (Wanted(("e",), ("b",), (("c", False),)), "by_b_c", (), "b", False, ("e",), ("by_e_b", ("e", "b"))),
        # An equality tells more than a range.
        (Wanted(("a",), ("c",)), "by_a", ("a",), "", True, ("c",), ("by_a_c", ("a", "c"))),
        # A staged index can't be asked, and needs no second one.
        (Wanted(("d",)), None, (), "", True, ("d",), None),
    ],
)
def test_the_index_of_a_query(wanted, index, equal, ranged, ordered, rest, add) -> None:
    found = choose(table(), wanted)
    assert (found.index.name if found.index else None) == index
    assert (found.equal, found.ranged, found.ordered, found.rest, found.add) == (equal, ranged, ordered, rest, add)


def test_an_index_that_is_added_names_those_it_could_stand_for() -> None:
    assert choose(table(), Wanted(("a", "c"))).replaces == ("by_a",)


def test_an_added_index_has_a_name_that_is_free_and_short() -> None:
    taken = define_table({"a": v.string(), "b": v.string()}).index("by_a_b", ["b", "a"]).index("by_b", ["b"])
    assert choose(taken, Wanted(("a",), (), (("b", False),))).add == ("by_a_b_2", ("a", "b"))
    long = define_table({f"a_rather_long_name_of_a_field_{n}": v.string() for n in range(20)})
    added = choose(long, Wanted(tuple(long.fields))).add
    assert added is not None
    assert len(added[0]) <= 64 and len(added[1]) == 15
    assert choose(define_table({"workspace_id": v.string()}), Wanted(("workspace_id",))).add == (
        "by_workspace",
        ("workspace_id",),
    )
