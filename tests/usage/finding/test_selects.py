"""PostgREST's select lists and conditions of ``or``."""

import pytest

from supavex.usage.finding.selects import Condition, Embed, parse_conditions, parse_select


@pytest.mark.parametrize(
    ("text", "columns", "embeds"),
    [
        ("", (), ()),
        ("*", ("*",), ()),
        ("id, title:name, data->>x, price::text, amount.sum()", ("id", "name", "data->>x", "price", "amount"), ()),
        ("author:users(name)", (), (Embed("users", "author", (), ("name",)),)),
        ("*, users!inner(*)", ("*",), (Embed("users", "", ("inner",), ("*",)),)),
        ("...users!a_fkey!left(name)", (), (Embed("users", "", ("a_fkey", "left"), ("name",)),)),
        ("tags(count)", (), (Embed("tags", "", (), ("count",)),)),
        ("a(b(c),d)\n, e", ("e",), (Embed("a", "", (), ("d",), (Embed("b", "", (), ("c",)),)),)),
        ("a(b", (), ()),
        ("${…}, id", ("${…}", "id"), ()),
    ],
)
def test_select_lists(text: str, columns: tuple[str, ...], embeds: tuple[Embed, ...]) -> None:
    assert parse_select(text) == (columns, embeds)


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
