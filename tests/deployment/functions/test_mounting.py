"""Trees of components that can't be are refused, whatever a pushed definition says."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest

from supavex.deployment.functions.mounting import mounted
from supavex.deployment.runtime.definitions import ComponentDefinition, Mount, bare_app
from supavex.errors import SupavexError


def definition(path: str, *children: str) -> ComponentDefinition:
    return replace(bare_app(), path=path, children=tuple(Mount(name, name, {}, {}) for name in children))


def tree(*definitions: ComponentDefinition) -> list[str]:
    return [component.path for component in mounted({one.path: one for one in definitions}, {})]


def test_a_definition_can_be_mounted_at_several_places() -> None:
    found = tree(definition("", "a", "b"), definition("a", "c"), definition("b", "c"), definition("c"))
    assert found == ["a", "a/c", "b", "b/c"]


@pytest.mark.parametrize("circle", [("a", "a"), ("a", "b", "a"), ("a", "b", "c", "b")])
def test_a_definition_that_mounts_itself_is_refused(circle: tuple[str, ...]) -> None:
    made = {path: definition(path, child) for path, child in itertools.pairwise(circle)}
    with pytest.raises(SupavexError, match="mounts itself"):
        tree(definition("", "a"), *made.values())


def test_levels_are_bounded() -> None:
    chain = [definition(f"c{number}", f"c{number + 1}") for number in range(2000)]
    with pytest.raises(SupavexError, match="64 levels"):
        tree(definition("", "c0"), *chain, definition("c2000"))
