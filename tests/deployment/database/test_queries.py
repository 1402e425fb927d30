"""Reading by index: what a range holds, in which order, and which ranges there are."""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from supavex.convex.ids import encode_id
from supavex.convex.order_keys import UNDEFINED
from supavex.deployment import Deployment
from supavex.deployment.database.queries import IndexRange
from supavex.errors import SupavexError
from supavex.schema import define_schema, define_table, v
from tests.deployment.archives import document, documents, id_of, import_entries
from tests.deployment.order import at, compare, in_order
from tests.official.strategies import values

Build = Callable[[IndexRange], IndexRange]

#: Values of one field, in Convex's order. The document of the first has no such field.
LADDER = [
    UNDEFINED,
    None,
    -1,
    0,
    1,
    -1.0,
    -0.0,
    0.0,
    1.0,
    False,
    True,
    "",
    "a",
    "b",
    b"",
    b"a",
    [],
    [1.0],
    {},
    {"a": 1.0},
]


@pytest.fixture
def ladder(deployment: Deployment) -> Deployment:
    """A table ``t`` with one document for each value, and an index on it; put in backwards."""
    deployment.push(define_schema({"t": define_table(v.any()).index("by_f", ["f"])}).export())
    for rung in reversed(range(len(LADDER))):
        value = LADDER[rung]
        deployment.insert("t", {"rung": rung} if value is UNDEFINED else {"rung": rung, "f": value})
    return deployment


def rungs(deployment: Deployment, build: Build | None = None) -> list[int]:
    """Which values a range of the index gives, by their place in LADDER."""
    return [row["rung"] for row in deployment.query("t").with_index("by_f", build)]


def gives(deployment: Deployment, build: Build, *expected: Any) -> bool:
    """Whether a range gives these values; Python's own equality takes 0 for -0.0 and for False."""
    found = [LADDER[rung] for rung in rungs(deployment, build)]
    return len(found) == len(expected) and not any(map(compare, found, expected))


def test_an_index_sorts_as_convex_does(ladder: Deployment):
    assert rungs(ladder) == list(range(len(LADDER)))


def test_descending_is_the_reverse(ladder: Deployment):
    found = ladder.query("t").with_index("by_f").order("desc")
    assert [row["rung"] for row in found] == list(reversed(range(len(LADDER))))
    assert [row["rung"] for row in found.order("asc")] == list(range(len(LADDER)))


@pytest.mark.parametrize("rung", range(len(LADDER)), ids=map(repr, LADDER))
def test_every_bound_at_every_value(ladder: Deployment, rung: int):
    """int64 1 is not 1.0, -0.0 is not 0.0, a missing field comes before all."""
    value, every = LADDER[rung], list(range(len(LADDER)))
    assert rungs(ladder, lambda q: q.eq("f", value)) == [rung]
    assert rungs(ladder, lambda q: q.gt("f", value)) == every[rung + 1 :]
    assert rungs(ladder, lambda q: q.gte("f", value)) == every[rung:]
    assert rungs(ladder, lambda q: q.lt("f", value)) == every[:rung]
    assert rungs(ladder, lambda q: q.lte("f", value)) == every[: rung + 1]


def test_two_bounds(ladder: Deployment):
    assert gives(ladder, lambda q: q.gte("f", -0.0).lt("f", 1.0), -0.0, 0.0)
    assert gives(ladder, lambda q: q.gt("f", -0.0).lte("f", 1.0), 0.0, 1.0)
    assert gives(ladder, lambda q: q.lt("f", "b").gt("f", True), "", "a")
    assert gives(ladder, lambda q: q.gt("f", "b").lt("f", "a"))
    assert gives(ladder, lambda q: q.gt("f", "a").lt("f", "a"))


def test_lt_takes_documents_without_the_field(ladder: Deployment):
    assert gives(ladder, lambda q: q.lt("f", -1), UNDEFINED, None)
    assert gives(ladder, lambda q: q.gt("f", UNDEFINED).lt("f", -1), None)
    assert gives(ladder, lambda q: q.gte("f", None).lt("f", -1), None)


def test_minus_zero_is_not_zero(ladder: Deployment):
    assert gives(ladder, lambda q: q.eq("f", 0.0), 0.0)
    assert gives(ladder, lambda q: q.eq("f", -0.0), -0.0)


def test_an_int64_is_not_a_float(ladder: Deployment):
    assert gives(ladder, lambda q: q.eq("f", 1), 1)
    assert gives(ladder, lambda q: q.eq("f", 1.0), 1.0)
    assert gives(ladder, lambda q: q.gte("f", -1).lt("f", -1.0), -1, 0, 1)


def test_text_that_goes_on_with_nul_is_found_as_convex_finds_it(deployment: Deployment):
    """A range covers all keys that begin with its key, and those of "a" and "a\\0…" begin the same."""
    deployment.push(define_schema({"t": define_table(v.any()).index("by_f", ["f"])}).export())
    for text in ("a", "a\x00b", "ab"):
        deployment.insert("t", {"f": text})

    def found(build: Build) -> list[str]:
        return [row["f"] for row in deployment.query("t").with_index("by_f", build)]

    assert found(lambda q: q.eq("f", "a")) == ["a", "a\x00b"]
    assert found(lambda q: q.gt("f", "a")) == ["ab"]
    assert found(lambda q: q.gte("f", "a\x00b")) == ["a\x00b", "ab"]


def test_a_full_scan_is_in_the_order_of_creation(deployment: Deployment):
    ids = [deployment.insert("t", {"n": n}) for n in (3, 1, 2)]
    created = {id_: deployment.get(id_)["_creationTime"] for id_ in ids}
    expected = sorted(ids, key=lambda id_: (created[id_], id_))
    assert [row["_id"] for row in deployment.query("t")] == expected
    assert [row["_id"] for row in deployment.query("t").order("desc")] == expected[::-1]
    assert [row["_id"] for row in deployment.query("t").with_index("by_creation_time")] == expected


def test_a_range_of_creation(deployment: Deployment):
    ids = [deployment.insert("t", {}) for _ in range(5)]
    times = sorted(deployment.get(id_)["_creationTime"] for id_ in ids)
    by_time = deployment.query("t")
    found = by_time.with_index("by_creation_time", lambda q: q.gte("_creationTime", times[2]))
    assert [row["_creationTime"] for row in found] == [time for time in times if time >= times[2]]


def test_every_table_has_an_index_by_id(deployment: Deployment):
    """Convex's documentation lists it beside by_creation_time."""
    ids = sorted(deployment.insert("t", {}) for _ in range(5))
    by_id = deployment.query("t").with_index("by_id")
    assert [row["_id"] for row in by_id] == ids
    found = deployment.query("t").with_index("by_id", lambda q: q.gt("_id", ids[2]))
    assert [row["_id"] for row in found] == ids[3:]


def test_ids_are_compared_as_the_texts_they_are(deployment: Deployment):
    """With ids of other tables too, and with what is no id; and there is a last id of a table."""
    last = encode_id(10_001, b"\xff" * 16)
    mine = [*(id_of(10_001, which) for which in (1, 2)), last]
    rows = [{**document(10_001, 1), "_id": id_} for id_ in mine]
    import_entries(deployment, documents(t=rows, u=[document(10_002, 1)]))

    def found(build: Build) -> list[str]:
        return [row["_id"] for row in deployment.query("t").with_index("by_id", build)]

    others = [id_of(number, which) for number in (1, 10_000, 10_002) for which in (0, 1, 2)]
    for id_ in [*mine, *others, "", "j", "j57", "k", mine[0] + "0", "\U0010ffff"]:
        assert found(lambda q, id_=id_: q.eq("_id", id_)) == [other for other in mine if other == id_], id_
        assert found(lambda q, id_=id_: q.gt("_id", id_)) == [other for other in mine if other > id_], id_
        assert found(lambda q, id_=id_: q.gte("_id", id_)) == [other for other in mine if other >= id_], id_
        assert found(lambda q, id_=id_: q.lt("_id", id_)) == [other for other in mine if other < id_], id_
        assert found(lambda q, id_=id_: q.lte("_id", id_)) == [other for other in mine if other <= id_], id_
    for before_all_texts in (UNDEFINED, None, 5, 1.5, True):
        assert found(lambda q, value=before_all_texts: q.gt("_id", value)) == mine
        assert found(lambda q, value=before_all_texts: q.lte("_id", value)) == []
    for after_all_texts in (b"", [], {}):
        assert found(lambda q, value=after_all_texts: q.lt("_id", value)) == mine
        assert found(lambda q, value=after_all_texts: q.eq("_id", value)) == []


def test_the_id_ends_every_index(deployment: Deployment, monkeypatch: pytest.MonkeyPatch):
    """After the index's fields and the creation time, equal here for all."""
    monkeypatch.setattr("time.time_ns", lambda: 1_700_000_000_000_000_000)
    ids = sorted(deployment.insert("t", {"n": 1}) for _ in range(5))
    deployment.push(define_schema({"t": define_table(v.any()).index("by_n", ["n"])}).export())

    def found(build: Build) -> list[str]:
        query = deployment.query("t").with_index("by_n", build)
        return [row["_id"] for row in query]

    def moment(q: IndexRange) -> IndexRange:
        return q.eq("n", 1).eq("_creationTime", 1_700_000_000_000.0)

    assert found(moment) == ids
    assert found(lambda q: moment(q).eq("_id", ids[2])) == ids[2:3]
    assert found(lambda q: moment(q).gt("_id", ids[2])) == ids[3:]
    assert found(lambda q: moment(q).lte("_id", ids[2])) == ids[:3]


def test_first_and_take(deployment: Deployment):
    assert deployment.store.tables() == {}
    for n in range(5):
        deployment.insert("t", {"n": n})
    deployment.push(define_schema({"t": define_table(v.any()).index("by_n", ["n"])}).export())
    by_n = deployment.query("t").with_index("by_n")
    assert by_n.first()["n"] == 0
    assert by_n.order("desc").first()["n"] == 4
    assert [row["n"] for row in by_n.take(2)] == [0, 1]
    assert [row["n"] for row in by_n.take(99)] == [0, 1, 2, 3, 4]
    assert by_n.take(0) == []
    assert len(by_n.collect()) == 5
    nothing = deployment.query("t").with_index("by_n", lambda q: q.eq("n", 9))
    assert (nothing.first(), nothing.collect()) == (None, [])


def test_a_query_can_be_read_again_and_sees_what_is_there_then(deployment: Deployment):
    deployment.insert("t", {"n": 1})
    query = deployment.query("t")
    assert len(query.collect()) == 1
    deployment.insert("t", {"n": 2})
    assert [row["n"] for row in query] == [1, 2]


# Which ranges there are


@pytest.fixture
def indexed(deployment: Deployment) -> Deployment:
    table = define_table(v.any()).index("i", ["a", "b.c"]).index("later", ["a"], staged=True)
    deployment.push(define_schema({"t": table}).export())
    for a, c in ((1, 1), (1, 2), (2, 1)):
        deployment.insert("t", {"a": a, "b": {"c": c}})
    return deployment


def pairs(deployment: Deployment, build: Build) -> list[tuple[int, int]]:
    return [(row["a"], row["b"]["c"]) for row in deployment.query("t").with_index("i", build)]


def test_equalities_then_bounds_on_the_next_field(indexed: Deployment):
    assert pairs(indexed, lambda q: q) == [(1, 1), (1, 2), (2, 1)]
    assert pairs(indexed, lambda q: q.eq("a", 1)) == [(1, 1), (1, 2)]
    assert pairs(indexed, lambda q: q.gt("a", 1)) == [(2, 1)]
    assert pairs(indexed, lambda q: q.eq("a", 1).eq("b.c", 2)) == [(1, 2)]
    assert pairs(indexed, lambda q: q.eq("a", 1).gt("b.c", 1)) == [(1, 2)]
    assert pairs(indexed, lambda q: q.eq("a", 1).gte("b.c", 1).lt("b.c", 2)) == [(1, 1)]
    assert pairs(indexed, lambda q: q.eq("a", 1).eq("b.c", 2).gt("_creationTime", 0.0)) == [(1, 2)]
    assert pairs(indexed, lambda q: q.eq("a", 1).eq("b.c", 2).lt("_creationTime", 0.0)) == []


def test_the_order_of_words_is_free(indexed: Deployment):
    assert pairs(indexed, lambda q: q.eq("b.c", 2).eq("a", 1)) == [(1, 2)]
    assert pairs(indexed, lambda q: q.lt("b.c", 2).eq("a", 1)) == [(1, 1)]
    assert pairs(indexed, lambda q: q.lt("b.c", 9).gt("b.c", 1).eq("a", 1)) == [(1, 2)]


REFUSED: dict[str, tuple[Build, str]] = {
    "an unknown field": (lambda q: q.eq("x", 1), "FieldNotInIndex"),
    "an unknown field after a known one": (lambda q: q.eq("a", 1).gt("x", 1), "FieldNotInIndex"),
    "half a path": (lambda q: q.eq("a", 1).eq("b", {"c": 1}), "FieldNotInIndex"),
    "the second field alone": (lambda q: q.eq("b.c", 1), "InvalidIndexRange"),
    "a bound on the second field alone": (lambda q: q.gt("b.c", 1), "InvalidIndexRange"),
    "a gap": (lambda q: q.eq("a", 1).gt("_creationTime", 1.0), "InvalidIndexRange"),
    "the creation time alone": (lambda q: q.eq("_creationTime", 1.0), "InvalidIndexRange"),
    "the id alone": (lambda q: q.eq("_id", "a"), "InvalidIndexRange"),
    "a bound, then an equality": (lambda q: q.gt("a", 1).eq("b.c", 1), "InvalidIndexRange"),
    "bounds on two fields": (lambda q: q.gt("a", 1).lt("b.c", 1), "BoundsOnMultipleFields"),
    "bounds on two fields of no index": (lambda q: q.gt("x", 1).lt("y", 1), "BoundsOnMultipleFields"),
    "two lower bounds": (lambda q: q.gt("a", 1).gte("a", 2), "AlreadyDefinedBound"),
    "two upper bounds": (lambda q: q.lt("a", 1).lte("a", 2), "AlreadyDefinedBound"),
    "two lower bounds on two fields": (lambda q: q.gt("a", 1).gt("b.c", 2), "AlreadyDefinedBound"),
    "two equalities": (lambda q: q.eq("a", 1).eq("a", 1), "AlreadyDefinedBound"),
    "an equality and a bound": (lambda q: q.eq("a", 1).gt("a", 0), "AlreadyDefinedBound"),
    "an upper bound and an equality": (lambda q: q.lt("a", 1).eq("a", 0), "AlreadyDefinedBound"),
}


@pytest.mark.parametrize(("build", "code"), REFUSED.values(), ids=REFUSED)
def test_ranges_that_an_index_does_not_have(indexed: Deployment, build: Build, code: str):
    with pytest.raises(SupavexError) as caught:
        pairs(indexed, build)
    assert caught.value.code == code


@pytest.mark.parametrize(("name", "code"), [("nothing", "IndexNotFoundError"), ("later", "IndexStagedError")])
def test_indexes_that_can_t_be_read(indexed: Deployment, name: str, code: str):
    with pytest.raises(SupavexError, match=name) as caught:
        indexed.query("t").with_index(name)
    assert caught.value.code == code


# Any documents, any ranges


@contextmanager
def fresh() -> Iterator[Deployment]:
    """An empty deployment, and the end of it."""
    with tempfile.TemporaryDirectory() as folder, Deployment(Path(folder) / "deployment.sqlite3") as deployment:
        yield deployment


INDEXES = {"i": ["a"], "j": ["a", "b"], "k": ["b.c", "a", "d"]}
#: What each index compares, in turn.
KEYS = {name: [*fields, "_creationTime", "_id"] for name, fields in INDEXES.items()}
KEYS |= {"by_creation_time": ["_creationTime", "_id"], "by_id": ["_id"]}
SCHEMA = define_schema({"t": define_table(v.any())})
for _name, _fields in INDEXES.items():
    SCHEMA.tables["t"].index(_name, _fields)

#: Few values, so that documents agree in some; no NUL, whose way with ranges has a test of its own.
common = st.sampled_from(
    [None, 0, 1, -1, 300, 0.0, -0.0, 1.0, False, "", "a", "ab", b"", b"a", [], ["a"], {}, {"c": 0}]
)


def without_nul(value: Any) -> bool:
    if isinstance(value, str | bytes):
        return (b"\x00" if isinstance(value, bytes) else "\x00") not in value
    if isinstance(value, dict):
        return "" not in value and all(map(without_nul, value.values()))
    return all(map(without_nul, value)) if isinstance(value, list) else True


field_values = common | common | common | values().filter(without_nul)
rows = st.dictionaries(st.sampled_from(["a", "b", "d"]), field_values | st.fixed_dictionaries({"c": field_values}))


@dataclass(frozen=True)
class Drawn:
    """A range: its index, its words, each with a field and a value, and the number of one document.

    Where a value is None, it is the one that the document has in that field.
    """

    index: str
    words: list[tuple[str, str, Any]]
    number: int

    def given(self, rows: list[dict[str, Any]]) -> list[tuple[str, str, Any]]:
        """The words, with the document's values in them."""
        row = rows[self.number % len(rows)] if rows else {}
        return [(word, path, at(row, path) if value is None else value) for word, path, value in self.words]


@st.composite
def ranges(draw: st.DrawFn) -> Drawn:
    """An index and a range that it has."""
    index = draw(st.sampled_from(sorted(KEYS)))
    keys = KEYS[index]
    some = st.none() | st.none() | field_values | st.just(UNDEFINED)
    count = draw(st.integers(0, len(keys)))
    words = [("eq", path, draw(some)) for path in keys[:count]]
    if count < len(keys):
        lower = draw(st.sampled_from([None, "gt", "gte"]))
        upper = draw(st.sampled_from([None, "lt", "lte"]))
        words += [(word, keys[count], draw(some)) for word in (lower, upper) if word]
    return Drawn(index, draw(st.permutations(words)), draw(st.integers(0, 11)))


HOLDS = {
    "eq": lambda order: order == 0,
    "gt": lambda order: order > 0,
    "gte": lambda order: order >= 0,
    "lt": lambda order: order < 0,
    "lte": lambda order: order <= 0,
}


@settings(max_examples=150)
@given(found=st.lists(rows, max_size=12), asked=st.lists(ranges(), min_size=1, max_size=12), late=st.booleans())
def test_a_range_is_what_filtering_and_sorting_gives(found: list[dict[str, Any]], asked: list[Drawn], late: bool):
    """Whether the index was there before the documents or was built later."""
    with fresh() as deployment, deployment.store.transaction():
        deployment.push(define_schema({"t": define_table(v.any())}).export() if late else SCHEMA.export())
        for fields in found:
            deployment.insert("t", fields)
        if late:
            deployment.push(SCHEMA.export())
        every = list(deployment.documents("t"))
        assert len(every) == len(found)
        for drawn in asked:
            words = drawn.given(every)
            held = [x for x in every if all(HOLDS[word](compare(at(x, path), value)) for word, path, value in words)]
            ids = [row["_id"] for row in in_order(held, KEYS[drawn.index])]

            def build(q: IndexRange, words: list[tuple[str, str, Any]] = words) -> IndexRange:
                for word, path, value in words:
                    getattr(q, word)(path, value)
                return q

            query = deployment.query("t").with_index(drawn.index, build)
            assert [row["_id"] for row in query] == ids
            assert [row["_id"] for row in query.order("desc")] == ids[::-1]
