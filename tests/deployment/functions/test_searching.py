"""Text search and vector search: words, order, filters, limits, pages, own writes, subscriptions, imports."""

from __future__ import annotations

import json
import math
import random
from pathlib import Path
from typing import Any

import pytest

from supavex.convex.snapshot import SnapshotArchive
from supavex.convex.values import to_internal_json
from supavex.deployment import Deployment
from supavex.deployment.database.search_indexes import searches_of
from supavex.deployment.database.tokens import norm, words
from supavex.deployment.functions.call import Call
from supavex.deployment.functions.live import LiveQueries
from supavex.deployment.transfer.exporting import export_snapshot
from supavex.deployment.transfer.importing import import_snapshot

from .app import App, value_of


def text(told: str) -> list[Any]:
    return ["search", "text", told]


def notes(app: App, *told: Any) -> list[str]:
    """New notes, in order: texts, or whole documents. Their ids."""
    steps = [["insert", note if isinstance(note, dict) else {"text": note}] for note in told]
    ids: list[str] = app.run("searching:change", steps=steps)
    return ids


def found(app: App, told: str, *eq: list[Any], **more: Any) -> Any:
    return app.run("searching:find", parts=[text(told), *(["eq", *one] for one in eq)], **more)


# Words


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ("The quick, brown fox!", ["the", "quick", "brown", "fox"]),
        ("don't a_b x-1 3.5", ["don", "t", "a", "b", "x", "1", "3", "5"]),
        ("CAFÉ Straße ΣΊΣΥΦΟΣ", ["café", "straße", "σίσυφοσ"]),
        ("日本語 한국어", ["日本語", "한국어"]),
        ("x" * 31 + " " + "y" * 32 + " " + "é" * 16, ["x" * 31]),
        ("", []),
        ("?! …", []),
    ],
)
def test_words_are_those_of_convex(told: str, expected: list[str]):
    assert words(told) == expected


def test_lengths_count_in_steps():
    assert [norm(length) for length in (0, 1, 40, 41, 42, 57, 60, 95, 96, 300)] == [
        0,
        1,
        40,
        40,
        42,
        56,
        60,
        88,
        96,
        280,
    ]


# Order


def test_the_more_a_word_is_a_documents_own_the_earlier_it_comes(app: App):
    told = ["apple and pear and plum", "apple", "apple apple apple pear", "plum", "pear apple"]
    notes(app, *told)
    assert found(app, "apple") == ranked(told, "apple")
    assert found(app, "apple")[-1] == "apple and pear and plum"


def test_equals_come_newest_first(app: App):
    notes(app, {"text": "same", "rank": 1.0})
    notes(app, {"text": "SAME", "rank": 2.0})
    notes(app, {"text": "same!", "rank": 3.0})
    assert found(app, "same") == ["same!", "SAME", "same"]


def test_the_last_word_is_the_beginning_of_one_and_no_other_is(app: App):
    notes(app, "quickly done", "quick", "done quickest", "slow")
    assert sorted(found(app, "quick")) == ["done quickest", "quick", "quickly done"]
    assert found(app, "quick")[0] == "quick"
    assert found(app, "qui slow") == ["slow"]
    assert found(app, "done slo")[-1] != "quick" and "slow" in found(app, "done slo")
    assert found(app, "") == [] and found(app, "?!") == []


def test_the_order_is_that_of_bm25(app: App):
    """Held against the formula, for random texts: with stored documents, and with those of the transaction."""
    random_ = random.Random(5)
    told = [" ".join(random_.choices(["a", "b", "c", "d", "e"], k=random_.randint(1, 9))) + f" n{n}" for n in range(60)]
    notes(app, *told[:40])
    steps = [["insert", {"text": one}] for one in told[40:]]
    for asked in ("a", "a b", "c d e", "e a"):
        own = app.run("searching:change", steps=[], parts=[text(asked)])
        assert own == ranked(told[:40], asked)
    first = app.run("searching:change", steps=steps, parts=[text("b d")])
    assert first == ranked(told, "b d") == found(app, "b d")


def ranked(told: list[str], asked: str) -> list[str]:
    """What BM25 makes of texts, oldest first; no word of the query begins another one."""
    split = [one.split() for one in told]
    average = sum(map(len, split)) / len(split)

    def score(one: list[str]) -> float:
        total = 0.0
        for word in set(asked.split()):
            having = sum(word in other for other in split)
            idf = math.log(1 + (len(split) - having + 0.5) / (having + 0.5))
            count = one.count(word)
            total += idf * 2.2 * count / (count + 1.2 * (0.25 + 0.75 * len(one) / average))
        return total

    scored = [(round(score(one), 6), at) for at, one in enumerate(split)]
    return [told[at] for value, at in sorted(scored, reverse=True) if value > 0]


# Filters


def test_filter_fields_have_to_be_equal(app: App):
    rows = [("one apple", "x", 1.0), ("two apple", "y", 1.0), ("three apple", "x", 2.0)]
    notes(
        app, *({"text": t, "folder": f, "rank": r} for t, f, r in rows), "apple four", {"text": "apple", "folder": None}
    )
    assert sorted(found(app, "apple", ["folder", "x"])) == ["one apple", "three apple"]
    assert found(app, "apple", ["folder", "x"], ["rank", 2.0]) == ["three apple"]
    assert found(app, "apple", ["folder", "z"]) == []
    assert found(app, "apple", ["folder", None]) == ["apple"]
    assert app.run("searching:without", text="apple") == ["apple four"]
    long = "folder of many words " * 9
    notes(app, {"text": "apple five", "folder": long}, {"text": "apple six", "folder": long + "!"})
    assert found(app, "apple", ["folder", long]) == ["apple five"]


def test_filters_and_limits_come_behind_the_search(app: App):
    notes(app, *({"text": f"apple {n}", "rank": float(n)} for n in range(6)))
    assert sorted(found(app, "apple", filter=4.0)) == ["apple 4", "apple 5"]
    assert len(found(app, "apple", take=2.0)) == 2
    assert found(app, "apple", first=True) == "apple 5"
    assert found(app, "pear", first=True) is None


def test_what_is_no_text_is_not_found(app: App):
    notes(app, {"text": 5.0}, {"text": None}, {"rank": 1.0}, {"text": ["apple"]}, "apple")
    assert found(app, "apple") == ["apple"] and found(app, "5") == []


# Errors


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"index": "none", "parts": [text("a")]}, "Index notes.none not found."),
        ({"index": "by_folder", "parts": [text("a")]}, "Index notes.by_folder is not a search index"),
        ({"index": "by_vector", "parts": [text("a")]}, "Index notes.by_vector is not a search index"),
        (
            {"index": "later", "parts": [text("a")]},
            "Index notes.later is currently staged and not available to query until it is enabled.",
        ),
        (
            {"parts": [["search", "folder", "a"]]},
            'Search query against notes.by_text contains a search filter against "folder", which doesn\'t match the '
            'indexed `searchField` "text".',
        ),
        (
            {"parts": [text("a"), ["eq", "text", "a"]]},
            'Search query against notes.by_text contains an equality filter on "text" but that field isn\'t indexed '
            "for filtering in `filterFields`.",
        ),
        (
            {"parts": [text("a"), text("b")]},
            'Search query against notes.by_text contains multiple search filters against "text". Only one is allowed.',
        ),
        (
            {"parts": [text("a"), *([["eq", "rank", 1.0]] * 9)]},
            "Search query against notes.by_text has too many filter conditions. Max: 8 Actual: 9",
        ),
        (
            {"parts": [["eq", "rank", 1.0]]},
            "Search query against notes.by_text does not contain any search filters. You must include a search filter "
            'like `q.search("field", searchText)`.',
        ),
    ],
)
def test_a_search_that_can_not_be_is_refused_in_convex_words(app: App, asked: dict[str, Any], said: str):
    assert app.error("searching:find", **asked).endswith(said)


def test_a_search_index_is_no_database_index(app: App):
    said = app.error("searching:odd", index="by_text")
    assert said.endswith("Index notes.by_text is not a database index")


def test_no_more_than_1024_documents_are_found(app: App):
    for start in range(0, 1100, 220):
        notes(app, *(f"apple {n}" for n in range(start, start + 220)))
    assert len(found(app, "apple", take=1024.0)) == 1024
    assert "Search query scanned too many documents (fetched 1024)." in app.error(
        "searching:find", parts=[text("apple")]
    )
    assert len(found(app, " ".join(f"{n}" for n in range(20)), take=1000.0)) < 40, "sixteen words count, and no more"


# Pages


def test_pages_hold_everything_once_and_in_order(app: App):
    notes(app, *(f"apple {'pear ' * (n % 4)}{n}" for n in range(11)))
    whole, pages, cursor = found(app, "apple"), [], None
    for _ in range(9):
        page = app.run("searching:page", parts=[text("apple")], paginationOpts={"numItems": 3.0, "cursor": cursor})
        pages += page["page"]
        cursor = page["continueCursor"]
        assert page["splitCursor"] is None
        if page["isDone"]:
            break
    assert pages == whole and len(whole) == 11
    other = {"parts": [text("pear")], "paginationOpts": {"numItems": 3.0, "cursor": cursor}}
    assert "InvalidCursor" in app.error("searching:page", **other)


# Transactions


def test_a_mutation_finds_what_it_has_written(app: App):
    notes(app, "apple old", "apple gone", "pear")
    steps = [
        ["insert", {"text": "apple new", "folder": "x"}],
        ["delete", 1],
        ["patch", 1, {"text": "apple made of pear"}],
    ]
    own = app.run("searching:change", steps=steps, parts=[text("apple")])
    assert sorted(own) == ["apple made of pear", "apple new", "apple old"]
    assert own == found(app, "apple"), "as it is after the commit"
    assert found(app, "gone") == [] and found(app, "new", ["folder", "x"]) == ["apple new"]
    rolled = app.run("searching:change", steps=[["patch", 0, {"text": None}]], parts=[text("apple")])
    assert "apple old" not in rolled and "apple old" not in found(app, "apple")


def test_a_search_runs_again_when_what_it_looks_for_is_written(app: App):
    live, outcomes = LiveQueries(app.functions), []
    asked = {"parts": [text("red appl"), ["eq", "folder", "x"]]}

    def again() -> Any:
        with app.functions.engine.snapshot() as snapshot:
            outcome = live.outcome(Call("searching:find", to_internal_json(asked)), snapshot)
        outcomes.append(outcome)
        return value_of(outcome)

    def ran() -> bool:
        return outcomes[-1] is not outcomes[-2]

    assert again() == []
    for other in ({"text": "pear", "folder": "x"}, {"text": "apple", "folder": "y"}, {"text": "apple"}, {"rank": 1.0}):
        notes(app, other)
        assert again() == [] and not ran()
    notes(app, {"text": "red", "folder": "x"})
    assert again() == ["red"] and ran()
    notes(app, {"text": "applesauce", "folder": "x"})
    assert sorted(again()) == ["applesauce", "red"] and ran()
    app.run("searching:change", steps=[["patch", 0, {"text": "apple"}]])
    assert sorted(again()) == ["apple", "applesauce", "red"] and ran()
    app.run("searching:change", steps=[["delete", 5]])
    assert len(again()) == 2 and ran()


# Vectors

UNIT = {"east": [1.0, 0.0, 0.0], "north": [0.0, 2.0, 0.0], "up": [0.0, 0.0, 0.5], "northeast": [3.0, 3.0, 0.0]}


def near(app: App, vector: list[float], **more: Any) -> list[Any]:
    result: list[Any] = app.run("searching:near", vector=vector, **more)
    return result


def vectors(app: App) -> None:
    notes(app, *({"text": name, "vector": vector, "folder": name[:1]} for name, vector in UNIT.items()))


def test_the_nearest_come_first_with_their_cosine(app: App):
    vectors(app)
    result = near(app, [2.0, 0.0, 0.0])
    assert [name for name, _ in result][:2] == ["east", "northeast"]
    assert [score for _, score in result[:2]] == [1.0, pytest.approx(math.sqrt(0.5), abs=1e-6)]
    assert [score for _, score in result[2:]] == [0.0, 0.0]
    assert [name for name, _ in near(app, [0.0, 0.0, 1.0], limit=1.0)] == ["up"]
    assert near(app, [0.0, 0.0, 1.0], limit=0.0) == []


def test_vectors_of_another_length_or_of_no_numbers_are_not_found(app: App):
    vectors(app)
    notes(app, *({"text": "odd", "vector": odd} for odd in ([1.0], [1.0, 0.0, 0.0, 0.0], ["a", "b", "c"], None, "x")))
    assert sorted(name for name, _ in near(app, [1.0, 1.0, 1.0], limit=256.0)) == sorted(UNIT)


def test_a_filter_is_a_choice_of_equals(app: App):
    vectors(app)
    assert [name for name, _ in near(app, [1.0, 0.0, 0.0], either=[["folder", "n"]])] == ["northeast", "north"]
    both = near(app, [0.0, 1.0, 0.1], either=[["folder", "u"], ["folder", "e"]])
    assert [name for name, _ in both] == ["up", "east"]
    notes(app, {"text": "ranked", "vector": [1.0, 0.0, 0.0], "rank": 5.0})
    assert sorted(name for name, _ in near(app, [1.0, 0.0, 0.0], either=[["folder", "u"], ["rank", 5.0]])) == [
        "ranked",
        "up",
    ]


def test_the_nearest_of_many_are_the_nearest(app: App):
    random_ = random.Random(7)
    made = [[random_.uniform(-1, 1) for _ in range(3)] for _ in range(400)]
    for start in range(0, 400, 100):
        rows = [{"text": str(at), "vector": made[at]} for at in range(start, start + 100)]
        notes(app, *rows)
    wanted = [0.3, -0.5, 0.8]

    def cosine(vector: list[float]) -> float:
        return sum(a * b for a, b in zip(vector, wanted, strict=True)) / (math.hypot(*vector) * math.hypot(*wanted))

    best = sorted(range(400), key=lambda at: -cosine(made[at]))[:20]
    assert [int(name) for name, _ in near(app, wanted, limit=20.0)] == best


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"vector": [1.0, 2.0]}, "Expected a vector with dimensions 3, received 2."),
        ({"vector": [0.5] * 4097}, "Expected a vector with dimensions 4096, received 4097."),
        ({"limit": 257.0}, "Vector queries can fetch at most 256 results, requested 257."),
        ({"index": "none"}, "Index notes.none not found."),
        ({"index": "by_text"}, "Index notes.by_text is not a vector index"),
        ({"index": "by_folder"}, "Index notes.by_folder is not a vector index"),
        (
            {"index": "later_too", "vector": [1.0, 2.0]},
            "Index notes.later_too is currently staged and not available to query until it is enabled.",
        ),
        (
            {"either": [["text", "a"]]},
            'Vector query against notes.by_vector contains a filter on "text" but that field isn\'t indexed for '
            "filtering in `filterFields`.",
        ),
        (
            {"either": [["folder", float(n)] for n in range(65)]},
            "Vector query against notes.by_vector has too many conditions. Max: 64 Actual: 65",
        ),
    ],
)
def test_a_vector_search_that_can_not_be_is_refused_in_convex_words(app: App, asked: dict[str, Any], said: str):
    assert app.error("searching:near", **{"vector": [1.0, 0.0, 0.0], **asked}).endswith(said)


# The file


def test_an_import_and_a_bulk_load_keep_the_indexes(app: App, tmp_path: Path):
    vectors(app)
    notes(app, "apple one", "pear two")
    expected = found(app, "apple"), near(app, [1.0, 0.0, 0.0])
    archive = tmp_path / "all.zip"
    export_snapshot(app.deployment, archive)
    app.run("searching:change", steps=[["delete", 0]] * 6)
    assert found(app, "apple") == [] == near(app, [1.0, 0.0, 0.0])
    with SnapshotArchive(archive) as opened:
        import_snapshot(app.deployment, opened, "replace")
    assert (found(app, "apple"), near(app, [1.0, 0.0, 0.0])) == expected
    assert "later" not in app.deployment.store.searches(app.deployment.store.tables()["notes"]), "as Convex does"


def test_a_file_of_before_gets_its_indexes_when_it_is_opened(app: App):
    vectors(app)
    notes(app, "apple")
    store = app.deployment.store
    with store.transaction():
        for index in store.searches(store.tables()["notes"]).values():
            for table in ("places", "words", "text"):
                store.connection.execute(f"DROP TABLE IF EXISTS {table}_{index.entries}")
            store.connection.execute(f"DROP TABLE found_{index.entries}")
        store.connection.execute("DROP TABLE search_indexes")
        store.connection.execute("DELETE FROM meta WHERE key = 'search_indexes'")
    with Deployment(app.deployment.path) as opened:
        assert len(searches_of(opened.store.connection, opened.store.tables()["notes"].storage)) == 4
        again = App(opened)
        assert found(again, "apple") == ["apple"] and len(near(again, [1.0, 0.0, 0.0])) == 4


def test_dropped_tables_leave_nothing_in_the_file(app: App):
    notes(app, "apple")
    store = app.deployment.store
    numbers = [search.entries for search in store.searches(store.tables()["notes"]).values()]
    parts = [f"{kind}_{number}" for number in numbers for kind in ("text", "found")]
    sql = "SELECT name FROM sqlite_schema WHERE name LIKE 'text\\_%' ESCAPE '\\' OR name LIKE 'found\\_%' ESCAPE '\\'"

    def left() -> set[str]:
        """The tables of the text and vector indexes of ``notes`` that the file holds."""
        names = {name for (name,) in store.connection.execute(sql)}
        return {name for name in names for part in parts if name == part or name.startswith(f"{part}_")}

    assert len(left()) > len(parts) / 2
    schema = json.loads(app.deployment.schema_text or "{}")
    schema["tables"] = [table for table in schema["tables"] if table["tableName"] != "notes"]
    app.deployment.push(json.dumps(schema))
    assert left() == set()
    kept = {number for (number,) in store.connection.execute("SELECT entries FROM search_indexes")}
    assert not kept & set(numbers)
