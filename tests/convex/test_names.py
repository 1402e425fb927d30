"""Which names Convex takes, and what is said about those that it does not."""

import pytest

from supavex.convex.names import (
    field_name_problem,
    field_path_problem,
    identifier_problem,
    index_name_problem,
    key_problem,
    table_name_problem,
)


@pytest.mark.parametrize("name", ["a", "A", "_a", "a_", "_1", "by_status", "__proto__", "class", "x" * 64])
def test_identifiers(name: str):
    assert identifier_problem(name) is None
    assert field_name_problem(name) is None


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("", "a name can't be empty"),
        ("x" * 65, "a name has at most 64 bytes"),
        ("é" * 33, "a name has at most 64 bytes"),
        ("\ud800", "starts with an ASCII letter"),
        ("1a", "starts with an ASCII letter"),
        ("a-b", "holds only ASCII letters, digits and underscores"),
        ("a b", "holds only ASCII letters"),
        ("a.b", "holds only ASCII letters"),
        ("a\n", "holds only ASCII letters"),
        ("naïve", "holds only ASCII letters"),
        ("a٣", "holds only ASCII letters"),
        ("_", "at least one letter or digit"),
        ("___", "at least one letter or digit"),
    ],
)
def test_what_is_no_identifier(name: str, problem: str):
    assert problem in identifier_problem(name)
    assert problem in field_name_problem(name)


def test_a_table_name_leaves_the_leading_underscore_to_convex():
    assert table_name_problem("users") is None
    assert table_name_problem("Users_2") is None
    assert "system tables" in table_name_problem("_users")
    assert "system tables" in table_name_problem("_")
    assert "can't be empty" in table_name_problem("")


def test_an_index_name_is_none_of_those_that_convex_has():
    assert index_name_problem("by_ID") is None
    assert index_name_problem("by_id") == "Convex keeps by_id for itself"
    assert index_name_problem("by_creation_time") == "Convex keeps by_creation_time for itself"
    assert "reserved" in index_name_problem("_by_name")
    assert "starts with an ASCII letter" in index_name_problem("by name")


@pytest.mark.parametrize("path", ["a", "a.b", "a.b.c", "_id", ".a", "a.", "..a.b.."])
def test_paths_of_fields(path: str):
    """Convex trims dots at both ends."""
    assert field_path_problem(path) is None


@pytest.mark.parametrize("path", ["", ".", "a..b", "a. b", "a.b-c", "a.1", "a._"])
def test_what_is_no_path(path: str):
    assert field_path_problem(path) is not None


@pytest.mark.parametrize("key", ["", " ", "a b", "1", "_", "a$", "~!@#%", "k" * 1024])
def test_keys_inside_data_are_freer_than_names(key: str):
    assert key_problem(key) is None


@pytest.mark.parametrize(
    ("key", "problem"),
    [
        ("$", "can't start with $"),
        ("$a", "can't start with $"),
        ("é", "only printable ASCII"),
        ("\x7f", "only printable ASCII"),
        ("\x1f", "only printable ASCII"),
        ("a\n", "only printable ASCII"),
        ("k" * 1025, "at most 1024 bytes"),
    ],
)
def test_what_is_no_key(key: str, problem: str):
    assert problem in key_problem(key)
