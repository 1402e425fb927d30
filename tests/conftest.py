"""How every test runs, and what ``--quick`` leaves out: a test's folder, and what it and its fixtures call, decide."""

from __future__ import annotations

import inspect
import os
from collections import Counter
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from types import CodeType
from typing import Any

import pytest
from hypothesis import settings

from tests.projects import TEMPORARY

# Runs pytest in pytest, for the tests of the plugin; and one PostgreSQL server for whoever asks for it.
pytest_plugins = ["pytester", "tests.databases"]

settings.register_profile("repeatable", deadline=None, derandomize=True, print_blob=False)
#: ``pytest --hypothesis-profile explore`` looks at new examples each time, and at many more of them.
settings.register_profile("explore", deadline=None, print_blob=True)
settings.load_profile("repeatable")

# pytest's own folders lie there too.
os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(TEMPORARY))

#: What a test may need, by the marker that says so: of several, the first.
NEEDS = {
    "node": "Node",
    "browser": "a browser",
    "served": "a served deployment",
    "command": "whole commands, with a server and processes of their own",
    "server": "a PostgreSQL server of their own",
    "slow": "seconds each",
}
#: How many tests without needs take as long as one with this need, about.
COSTS = {"node": 30, "browser": 30, "served": 20, "command": 10, "server": 10, "slow": 60}
#: The folders whose tests need something, and what a test or a fixture of its calls if it does: modules, and functions.
FOLDERS = {"tests/official": "node", "tests/browser": "browser"}
CALLED = {
    "tests.official.node": "node",
    "tests.official.served": "served",
    "tests.browser.chromium": "browser",
    "tests.projects.supavex": "command",
    "tests.cli.terminal": "command",
    "supavex.library": "command",
    "supavex.postgres.server.running": "server",
    "supavex.postgres.server.temporary": "server",
}
#: The examples that a property is tried with where ``--quick`` is asked for.
QUICK_EXAMPLES = 10
#: How many times more examples the profile ``explore`` tries than every run does.
EXPLORE_FACTOR = 100
#: How often a server under load is killed in every run, and in the profile ``explore``.
KILLS, EXPLORE_KILLS = 3, 20
LEFT_OUT = pytest.StashKey[Counter[tuple[str, str]]]()


@pytest.fixture(scope="session", autouse=True)
def patience() -> Iterator[None]:
    """Commands in the tests' process say nothing of a step that takes long: on a busy machine any might."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("supavex.cli.steps.SECONDS", 3600.0)
        patch.setattr("supavex.cli.progress.SECONDS", 3600.0)
        yield


def pytest_addoption(parser: pytest.Parser) -> None:
    words = f"leave out what needs {'; '.join(NEEDS.values())}. {QUICK_EXAMPLES} examples of each property."
    parser.addoption("--quick", action="store_true", help=words)
    words = f"how often the server that is killed under load is killed: {KILLS}; {EXPLORE_KILLS} in the profile explore"
    parser.addoption("--kills", type=int, help=words)


def pytest_configure(config: pytest.Config) -> None:
    for name, what in NEEDS.items():
        config.addinivalue_line("markers", f"{name}: needs {what}")
    config.stash[LEFT_OUT] = Counter()
    # Databases that are made once lie with what pytest keeps from run to run, for all its processes.
    if cache := getattr(config, "cache", None):
        os.environ.setdefault("SUPAVEX_CACHE_DIR", str(cache.mkdir("supavex")))


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    left, kept = config.stash[LEFT_OUT], list[pytest.Item]()
    if config.option.kills is None:
        config.option.kills = EXPLORE_KILLS if settings.get_current_profile_name() == "explore" else KILLS
    for item in items:
        for need in needs_of(item):
            item.add_marker(need)
        needs = [name for name in NEEDS if item.get_closest_marker(name)]
        if config.getoption("--quick") and needs:
            left[needs[0], folder_of(item)] += 1
            continue
        kept.append(item)
        if config.getoption("--quick"):
            with_examples(item, quick_examples)
        elif settings.get_current_profile_name() == "explore":
            with_examples(item, lambda own: EXPLORE_FACTOR * own)
    if len(kept) < len(items):
        them = set(kept)
        config.hook.pytest_deselected(items=[item for item in items if item not in them])
    # What takes long goes first, so that nobody waits for the last of it. A file's tests stay together.
    costs = Counter[Path]()
    for item in kept:
        costs[item.path] += max((cost for name, cost in COSTS.items() if item.get_closest_marker(name)), default=1)
    items[:] = sorted(kept, key=lambda item: (-costs[item.path], item.path))
    if (output := getattr(config, "workeroutput", None)) is not None:
        output["left_out"] = [[*place, count] for place, count in left.items()]


def needs_of(item: pytest.Item) -> set[str]:
    """The markers of a test: of its folder, and of what it and its fixtures call."""
    path = item.path.relative_to(item.config.rootpath).as_posix()
    found = {need for folder, need in FOLDERS.items() if path.startswith(f"{folder}/")}
    if isinstance(item, pytest.Function):
        defined = (each for made in item._fixtureinfo.name2fixturedefs.values() for each in made)
        # The server that most tests share costs none of them much.
        fixtures = (each.func for each in defined if each.func.__module__ != "tests.databases")
        for function in (inner(item.function), *fixtures):
            found |= needs_of_call(function)
    return found


def inner(function: Any) -> Callable[..., Any]:
    """A test's own function, where Hypothesis or a decorator is around it."""
    function = getattr(getattr(function, "hypothesis", None), "inner_test", function)
    return inspect.unwrap(function)


@cache
def needs_of_call(function: Any) -> frozenset[str]:
    """What the functions and classes of tests need that ``function`` reaches by their names."""
    found, seen, left = set[str](), set[int](), [function]
    while left:
        called = left.pop()
        if id(called) in seen:
            continue
        seen.add(id(called))
        module = str(getattr(called, "__module__", ""))
        if need := CALLED.get(module) or CALLED.get(f"{module}.{getattr(called, '__qualname__', '')}"):
            found.add(need)
        elif module.startswith("tests."):
            left += named_in(called)
    return frozenset(found)


def named_in(called: Any) -> Iterator[Any]:
    """The functions and classes that the code of a function, or of a class's methods, names."""
    if inspect.isclass(called):
        yield from (each for each in vars(called).values() if inspect.isfunction(each))
        return
    function = inner(called)
    codes = [function.__code__] if inspect.isfunction(function) else list[CodeType]()
    for code in codes:
        codes += [each for each in code.co_consts if isinstance(each, CodeType)]
        named = [function.__globals__[name] for name in code.co_names if name in function.__globals__]
        # `projects.supavex` is a module's name and one of its own. A module may warn of names that it does not have.
        named += [vars(each).get(name) for each in named if inspect.ismodule(each) for name in code.co_names]
        yield from (each for each in named if inspect.isfunction(each) or inspect.isclass(each))


def folder_of(item: pytest.Item) -> str:
    """The room of tests that an item lies in: ``tests/deployment/functions``."""
    return item.path.relative_to(item.config.rootpath).parent.as_posix()


def quick_examples(own: int) -> int:
    """The examples that ``--quick`` tries of a property with ``own`` ones."""
    return min(QUICK_EXAMPLES, own)


def with_examples(item: pytest.Item, count: Callable[[int], int]) -> None:
    """Gives a test of a property as many examples as ``count`` makes of its own number."""
    test = getattr(item, "obj", None)
    if hasattr(test, "is_hypothesis_test"):
        own = getattr(test, "_hypothesis_internal_use_settings", None) or settings.default
        holder = getattr(test, "__func__", test)
        holder._hypothesis_internal_use_settings = settings(own, max_examples=count(own.max_examples))


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: object, error: object) -> None:
    """Every worker of xdist finds the same tests."""
    output = getattr(node, "workeroutput", {})
    config: pytest.Config = node.config  # type: ignore[attr-defined]
    config.stash[LEFT_OUT] |= Counter({(need, folder): count for need, folder, count in output.get("left_out", ())})


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if not config.getoption("--quick"):
        return
    left = config.stash[LEFT_OUT]
    terminalreporter.section("left out by --quick (`make test` runs all)")
    for name, what in NEEDS.items():
        places = {folder: count for (need, folder), count in sorted(left.items()) if need == name}
        listed = ", ".join(f"{folder} {count:,}" for folder, count in places.items())
        terminalreporter.line(f"{sum(places.values()):,} tests need {what}: {listed or 'none'}")
    terminalreporter.line(f"Properties were tried with {QUICK_EXAMPLES} examples each.")
