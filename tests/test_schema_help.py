"""Hover help: everything that an editor shows of the schema language says what it is for, and all of its parameters."""

from __future__ import annotations

import inspect

import pytest

from supavex import schema
from supavex.convex.schema import Table, V

WORDS = [(name, member) for name, member in inspect.getmembers(V, inspect.isfunction) if not name.startswith("_")]
METHODS = [(name, member) for name, member in inspect.getmembers(Table, inspect.isfunction) if not name.startswith("_")]
DEFINE = [(name, getattr(schema, name)) for name in ("define_table", "define_schema")]
#: Parameters that the first sentence speaks of by another word.
SAID = {"inner": "inner", "value": "this", "members": "members", "keys": "keys", "values": "values", "fields": "fields"}


@pytest.mark.parametrize(("name", "member"), [*WORDS, *METHODS, *DEFINE])
def test_every_word_and_every_parameter_is_explained(name: str, member: object) -> None:
    text = inspect.getdoc(member) or ""
    assert len(text.split()) > 5, name
    for parameter in inspect.signature(member).parameters:  # type: ignore[arg-type]
        if parameter in ("self", "name"):
            continue
        word = SAID.get(parameter, f"``{parameter}``")
        assert word in text, f"{name}: {parameter} is not explained"


def test_a_table_shows_a_user_what_is_theirs() -> None:
    shown = {name for name in dir(Table) if not name.startswith("_")}
    assert shown == {"index", "search_index", "vector_index", "unique"}
    assert inspect.signature(schema.define_table).return_annotation == "Table"
    made = schema.define_table({"a": schema.v.string()})
    for name in shown:
        assert inspect.signature(getattr(Table, name)).parameters.keys() == {
            "self", *inspect.signature(getattr(made, name)).parameters
        }  # fmt: skip
