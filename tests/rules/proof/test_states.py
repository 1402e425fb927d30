"""Documents after a write are compared by their values, and not by the order of keys in JSON."""

from __future__ import annotations

from supavex.rules.proof.states import form_text, unlike


def test_equal_documents_have_equal_texts() -> None:
    row, document = {"a": {"bb": 1, "c": [{"x": None, "a": 2}]}}, {"a": {"c": [{"a": 2.0, "x": None}], "bb": 1.0}}
    assert form_text(row, {"a"}, set()) == form_text(document, {"a"}, set())
    assert form_text({"a": True}, {"a"}, set()) != form_text({"a": 1}, {"a"}, set())
    assert (
        form_text({"a": 1}, set(), {"a"}) == form_text({"a": 2}, set(), {"a"}) != form_text({"a": None}, set(), {"a"})
    )


def test_what_is_unlike_is_named() -> None:
    before = {"1": {"a": 1, "at": 1}, "2": {"a": 1, "at": 1}, "3": {"a": 1}}
    rows = {"1": {"a": 2, "at": 5}, "2": {"a": 1, "at": 5}}
    documents = {"1": {"a": 1, "at": 6}, "2": {"a": 1, "at": 1}, "3": {"a": 1}}
    assert unlike(before, rows, documents, {"a"}, {"at"}) == {"1": ["a"], "2": ["at"], "3": ["gone on one side"]}
