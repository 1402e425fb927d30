"""PostgREST's select lists and conditions of ``or``."""

import pytest

from supavex.usage.finding.selects import Condition, Embed, SelectItem, parse_conditions, parse_select


def columns(*names: str) -> tuple[SelectItem, ...]:
    return tuple(map(SelectItem, names))


@pytest.mark.parametrize(
    ("text", "expected", "embeds"),
    [
        ("", (), ()),
        ("*", columns("*"), ()),
        ("id, t:name, price::text", (SelectItem("id"), SelectItem("name", "t"), SelectItem("price", cast="text")), ()),
        ("data->>x, n:data->a->0", (SelectItem("data", path="->>x"), SelectItem("data", "n", path="->a->0")), ()),
        ('"a->b", "x y"::text', (SelectItem("a->b"), SelectItem("x y", cast="text")), ()),
        (
            "total:amount.sum(), count()",
            (SelectItem("total:amount.sum()", aggregate=True), SelectItem("count()", aggregate=True)),
            (),
        ),
        ("author:users(name)", (), (Embed("users", "author", (), columns("name")),)),
        ("*, users!inner(*)", columns("*"), (Embed("users", "", ("inner",), columns("*")),)),
        ("...users!a_fkey!left(name)", (), (Embed("users", "", ("a_fkey", "left"), columns("name"), spread=True),)),
        ("tags(count)", (), (Embed("tags", "", (), columns("count")),)),
        ("a(b(c),d)\n, e", columns("e"), (Embed("a", "", (), columns("d"), (Embed("b", "", (), columns("c")),)),)),
        # What can't be read is not nothing: no list at all would be every column.
        ("a(b", (SelectItem("a(b", known=False),), ()),
        ("${…}, id", (SelectItem("${…}", known=False), SelectItem("id")), ()),
    ],
)
def test_select_lists(text: str, expected: tuple[SelectItem, ...], embeds: tuple[Embed, ...]) -> None:
    assert parse_select(text) == (expected, embeds)


def test_conditions() -> None:
    assert parse_conditions('a.eq.1,b.not.is.null,c.in.(1,2),d.ilike."%x,y%",e.fts(english).z') == (
        Condition("a", "eq", "1"),
        Condition("b", "is", "null", negated=True),
        Condition("c", "in", "(1,2)"),
        Condition("d", "ilike", '"%x,y%"'),
        Condition("e", "fts", "z"),
    )
    assert parse_conditions("a.eq.1,and(b.eq.2,c.eq.3)") is None
    assert parse_conditions("nonsense") is None
    assert parse_conditions("") is None


def test_a_deep_select_list_overflows_nothing() -> None:
    parse_select("a(" * 10_000)
    parse_select("a(" * 3_000 + "b" + ")" * 3_000)
