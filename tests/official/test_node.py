"""The pipe to Node itself: it answers, it reports errors, it never waits for ever."""

from itertools import pairwise
from pathlib import Path

import pytest

from . import node as node_module
from .node import Node, OfficialError, Refused, missing


def test_errors_of_typescript_and_of_the_package_come_back(node: Node):
    with pytest.raises(OfficialError, match="Expected"):
        node.schema("export default defineSchema({;")
    with pytest.raises(OfficialError, match="must be validators"):
        node.schema('import { v } from "convex/values"; export default v.object({ a: 1 });')
    assert node.value('export const one = "fine";', "one") == "fine"


def test_one_refused_item_does_not_spoil_the_others(node: Node):
    first, second, third = node.values([1.5, {"$float": "AAAAAAAA8D8="}, "a"])
    assert (first, third) == (1.5, "a")
    assert isinstance(second, Refused) and "should be encoded as a number" in second.message


def test_the_package_compares_values_across_types(node: Node):
    ascending = [None, {"$integer": "/////////38="}, -1.5, False, True, "Z", "a", {"$bytes": ""}, [], {}]
    assert node.compare(list(pairwise(ascending))) == [-1] * (len(ascending) - 1)
    assert node.compare([(value, value) for value in ascending]) == [0] * len(ascending)


def test_a_silent_process_is_given_up(tmp_path: Path):
    script = tmp_path / "silent.mjs"
    script.write_text("process.stdin.resume();")
    with Node(script, wait=0.5) as silent, pytest.raises(AssertionError, match=r"no answer to values within 0\.5 s"):
        silent.values([1.0])


def test_a_process_that_dies_shows_its_last_words(tmp_path: Path):
    script = tmp_path / "dying.mjs"
    script.write_text('throw new Error("last words");')
    with Node(script) as dying, pytest.raises(AssertionError, match="last words"):
        dying.values([1.0])


def test_missing_packages_name_the_command_that_brings_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(node_module, "NODE_MODULES", tmp_path)
    assert ", ".join(node_module.PACKAGES) in missing() and "run `make test`" in missing()
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "the program node" in missing()
