"""Values, their JSON and their sizes, against Convex's npm package."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from supavex.convex.names import key_problem
from supavex.convex.values import InvalidValue, from_internal_json, same, size, to_internal_json, value_problem

from .node import Node, Refused
from .strategies import keys_of_data, texts, values

batches = st.lists(values(), min_size=1, max_size=10)


@settings(max_examples=300)
@given(batch=batches)
def test_internal_json_is_the_official_one(node: Node, batch: list[Any]):
    """It goes through the official value and back unchanged; and read again it is the value that it was."""
    written = [to_internal_json(value) for value in batch]
    official = node.values(written)
    assert official == written
    assert all(map(same, map(from_internal_json, official), batch))


@settings(max_examples=300)
@given(batch=batches)
def test_sizes_are_the_official_ones(node: Node, batch: list[Any]):
    assert [size(value) for value in batch] == node.sizes([to_internal_json(value) for value in batch])


keys = st.text(max_size=4) | st.sampled_from(["$", "a$", "", "\x7f", " ~", "k" * 1024, "k" * 1025, "é"])


@given(names=st.lists(keys, min_size=1, max_size=20))
def test_python_and_the_package_accept_the_same_keys(node: Node, names: list[str]):
    # A second key keeps {"$bytes": …} and the like from being read as a value of another kind.
    for name, official in zip(names, node.values([{name: None, "other": None} for name in names]), strict=True):
        assert (key_problem(name) is not None) == isinstance(official, Refused), name


REFUSED = {
    "an unknown kind": {"$set": []},
    "an integer of 7 bytes": {"$integer": "AAAAAAAAAA=="},
    "an integer that is no text": {"$integer": 5},
    "bytes that are no text": {"$bytes": None},
    "a float of 4 bytes": {"$float": "AAAAAA=="},
    "a plain number as $float": {"$float": "AAAAAAAA8D8="},
    "a patch's undefined": {"$undefined": None},
    "a key with $ beside another": {"$integer": "AQAAAAAAAAA=", "other": 1.0},
    "a key that is not ASCII": {"é": 1.0},
    "a key that is too long": {"k" * 1025: 1.0},
    "an object deep inside": [{"a": {"$nothing": 1.0}}],
}


@pytest.mark.parametrize("data", REFUSED.values(), ids=REFUSED)
def test_what_the_package_refuses_python_refuses(node: Node, data: Any):
    """When it is read, or when the value is looked over."""
    assert isinstance(node.values([data])[0], Refused)
    try:
        problem = value_problem(from_internal_json(data))
    except InvalidValue as refused:
        problem = refused.message
    assert problem


_json = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys_of_data(), inner, max_size=3),
    max_leaves=8,
)
_marked = st.sampled_from(["$integer", "$float", "$bytes", "$set", "$undefined"])
_payloads = st.binary(max_size=9).map(lambda raw: to_internal_json(raw)["$bytes"]) | st.none() | st.just(1.0)


@given(batch=st.lists(st.builds(lambda k, p, j: [{k: p}, j], _marked, _payloads, _json), min_size=1, max_size=10))
def test_any_json_is_read_as_the_package_reads_it(node: Node, batch: list[Any]):
    for data, official in zip(batch, node.values(batch), strict=True):
        if isinstance(official, Refused):
            with pytest.raises(InvalidValue):
                from_internal_json(data)
        else:
            assert to_internal_json(from_internal_json(data)) == official
