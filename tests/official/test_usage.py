"""What `supavex usage` suggests is real: Convex's CLI pushes it, the compiler takes it, and it finds what SQL finds."""

from __future__ import annotations

import itertools
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from supavex.convex.schema import TableDefinition, define_schema, define_table, v
from supavex.convex.typescript import schema_module
from supavex.postgres.connection import connect
from supavex.postgres.server import Server
from supavex.usage.advice.code import Snippet
from supavex.usage.advice.snippets import write
from supavex.usage.advice.tables import Sides, TableSide
from supavex.usage.finding.patterns import LIKE, matches, parts_of
from supavex.usage.finding.queries import Filter, Query
from supavex.usage.finding.selects import Condition
from supavex.usage.finding.values import Value
from tests import projects
from tests.databases import Database, new_database
from tests.projects import MY21STAFF, supavex
from tests.usage.conftest import APP

from .node import NODE_MODULES, Node, missing
from .served import served_app

OPTIONS = ["--noEmit", "--strict", "--skipLibCheck", "--target", "es2022", "--module", "esnext"]
OPTIONS += ["--moduleResolution", "bundler"]
HEAD = 'import { v } from "convex/values";\nimport { query, mutation } from "./_generated/server";\n'


def compiled(folder: Path, *files: str) -> str:
    """What the compiler says of the modules in ``folder``; nothing where it takes them."""
    command = [
        str(NODE_MODULES / ".bin/tsc"),
        *OPTIONS,
        *(files or [str(p) for p in sorted(folder.glob("convex/*.ts"))]),
    ]
    ran = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300, check=False)
    assert (ran.returncode == 0) == (ran.stdout == ""), ran.stdout
    return ran.stdout


def test_convexs_own_cli_and_compiler_take_every_suggestion_for_the_app() -> None:
    problem = missing()
    if problem:
        pytest.fail(problem, pytrace=False)
    with projects.folder() as folder:
        projects.copy_of_my21staff(folder)
        found = supavex("usage", APP, "-C", folder, "--json").json
    suggested = [use["instead"] for table in found["tables"] for use in table["uses"] if use["instead"]]
    assert len(suggested) > 20
    assert {one["kind"] for one in suggested} == {"query", "mutation"}
    with served_app() as app:
        shutil.copy(MY21STAFF / "convex/schema.ts", app.path / "convex/schema.ts")
        for number, one in enumerate(suggested):
            imports = "".join(f"{line}\n" for line in one["imports"])
            text = f"{HEAD}{imports}export const it = {one['function']};\nexport const unused = [v, query, mutation];\n"
            app.write(f"convex/f{number}.ts", text.replace("export const unused", "const unused") + "void unused;\n")
        app.push()
        assert (app.path / "convex/_generated/server.d.ts").is_file()
        assert compiled(app.path) == ""
        spec = json.loads(app.convex("function-spec").out)["functions"]
        assert len(spec) == len(suggested)
        # A compiler that took anything would prove nothing.
        wrong = (app.path / "convex/f0.ts").read_text().replace("args.", "args.no_")
        app.write("convex/wrong.ts", wrong)
        assert "wrong.ts" in compiled(app.path, "convex/wrong.ts")


KINDS = {
    "text": v.string(),
    "maybe_text": v.optional(v.string()),
    "null_text": v.union(v.string(), v.null()),
    "number": v.number(),
    "maybe_number": v.optional(v.number()),
    "big": v.int64(),
    "flag": v.boolean(),
    "maybe_flag": v.optional(v.boolean()),
    "word": v.union(v.literal("a"), v.literal("b")),
    "parent": v.id("rows"),
    "maybe_parent": v.optional(v.id("rows")),
    "tags": v.array(v.string()),
    "maybe_tags": v.optional(v.array(v.string())),
    "anything": v.any(),
    "maybe_anything": v.optional(v.any()),
    "inside": v.object({"a": v.string()}),
    "maybe_null_text": v.optional(v.union(v.string(), v.null())),
    "bytes": v.bytes(),
}
OPERATORS = (
    "eq", "neq", "gt", "gte", "lt", "lte", "like", "ilike", "is", "in", "contains", "containedBy", "overlaps",
    "textSearch", "likeAll", "ilikeAny",
)  # fmt: skip
GIVEN = [
    Value("code", "x"),
    Value("text", '"a"', "a"),
    Value("text", '"a_/b%"', "a_/b%"),
    Value("text", '"%a%"', "%a%"),
    Value("number", "5", "5"),
    Value("boolean", "true", "true"),
    Value("null", "null"),
    Value("list", "[1]", items=(Value("text", '"a"', "a"), Value("text", '"b"', "b"))),
]


def every_kind(*, indexed: bool) -> TableDefinition:
    table = define_table(KINDS)
    for name in KINDS if indexed else ():
        table.index(f"by_{name}", [name])
    return table.search_index("search_text", search_field="text") if indexed else table


def every_query() -> list[Query]:
    found: list[Query] = []
    for name, operator, value in itertools.product([*KINDS, "id"], OPERATORS, GIVEN):
        # What is a literal in the code is no other in a filter that is turned round.
        others = [(True, False), (False, True)] if value.kind in ("code", "null", "list") else []
        ways = [Filter(operator, name, value, *how) for how in [(False, False), *others]]
        found += [Query("select", filters=[way]) for way in ways]
        found.append(Query("delete", filters=[Filter(operator, name, value)]))
    for name in [*KINDS, "id"]:
        by_name = [Filter("eq", name, GIVEN[0])]
        for value in GIVEN:
            payload = Value("object", "{}", fields=((name, value),))
            found += [
                Query(operation, filters=by_name, payload=payload, conflict=(name,), returning=True)
                for operation in ("insert", "update", "upsert")
            ]
        for limit, single, paged, head in itertools.product(
            (None, Value("number", "1", "1"), GIVEN[0]), ("", "single", "maybeSingle"), (False, True), (False, True)
        ):
            order = [(name, True), ("text", True)]
            query = Query("select", filters=by_name, order=order, limit=limit, single=single, paged=paged, head=head)
            found.append(query)
    for payload in (None, Value("code", "x"), Value("list", "[x]", items=(Value("code", "x"),))):
        found += [Query(operation, payload=payload) for operation in ("insert", "update", "upsert")]
    return found


@pytest.mark.parametrize("indexed", [True, False])
def test_the_compiler_takes_every_operator_on_every_kind_of_field(tmp_path: Path, indexed: bool) -> None:
    schema = define_schema({"rows": every_kind(indexed=indexed)})
    side = TableSide("rows", "mapped", "rows", definition=schema.tables["rows"])
    sides = Sides({"rows": side}, schema)
    written_ = [write(sides, side, query).snippet for query in every_query()]
    snippets = {snippet.function(): snippet for snippet in written_ if snippet is not None}
    assert len(snippets) > 500
    (tmp_path / "convex/_generated").mkdir(parents=True)
    (tmp_path / "node_modules").symlink_to(NODE_MODULES)
    (tmp_path / "convex/schema.ts").write_text(schema_module(schema))
    (tmp_path / "convex/_generated/server.ts").write_text(
        "import { queryGeneric, mutationGeneric } from 'convex/server';\n"
        "import type { QueryBuilder, MutationBuilder, DataModelFromSchemaDefinition } from 'convex/server';\n"
        "import schema from '../schema';\n"
        "type DataModel = DataModelFromSchemaDefinition<typeof schema>;\n"
        "export const query = queryGeneric as QueryBuilder<DataModel, 'public'>;\n"
        "export const mutation = mutationGeneric as MutationBuilder<DataModel, 'public'>;\n"
    )
    imports = dict.fromkeys(line for snippet in snippets.values() for line in snippet.imports)
    functions = [f"export const f{number} = {text};\n" for number, text in enumerate(snippets)]
    (tmp_path / "convex/all.ts").write_text(HEAD + "\n".join(imports) + "\n" + "".join(functions))
    said = compiled(tmp_path)
    lines = (tmp_path / "convex/all.ts").read_text().splitlines()
    at = [int(number) for number in re.findall(r"all.ts\((\d+),", said)]
    assert said == "", "\n".join(dict.fromkeys(lines[number - 1] for number in at)) + said


# What the functions find is what SQL finds.

ROWS = define_schema(
    {
        "rows": define_table(
            {
                "n": v.number(),
                "a": v.optional(v.number()),
                "b": v.optional(v.string()),
                "c": v.union(v.string(), v.null()),
                "d": v.boolean(),
                "e": v.string(),
                "f": v.optional(v.number()),
                "tags": v.array(v.string()),
            }
        )
        .index("by_a", ["a"])
        .index("by_d_a", ["d", "a"])
        .index("by_d_e", ["d", "e"])
        .index("by_c", ["c"])
        .index("by_b", ["b"])
    }
)
SIDE = TableSide("rows", "mapped", "rows", definition=ROWS.tables["rows"])
SQL = """
CREATE TABLE rows (
    n float8 NOT NULL, a float8, b text COLLATE "C", c text COLLATE "C", d bool NOT NULL, e text COLLATE "C" NOT NULL,
    f float8, tags text[] NOT NULL
)
"""
WORDS = ["", "a", "A", "ab", "b", "bab", "a%b", "A_\\b", "a.b\n/", "\U0001f600", "x(\u2028"]
#: Of these characters the patterns of LIKE are made: its own, those of regular expressions, and letters.
LETTERS = ["a", "A", "b", "%", "_", "\\", ".", "/", "(", "$", "\n", "\u2028", "\U0001f600"]
PATTERNS = st.text(alphabet=["%", "_", "%", "_", "*", *LETTERS], max_size=5)
words = st.sampled_from(WORDS)
numbers = st.sampled_from([-1.0, 0.0, 1.0, 2.5])
lists = st.lists(words, max_size=3)
VALUES = {"a": numbers, "b": words, "c": words, "d": st.booleans(), "e": words, "f": numbers, "tags": lists}
TEXTS = ("b", "c", "e")
SIGNS = {"eq": "=", "neq": "<>", "gt": ">", "gte": ">=", "lt": "<", "lte": "<="}
rows = st.lists(
    st.fixed_dictionaries(
        {"a": st.none() | numbers, "b": st.none() | words, "c": st.none() | words, "d": st.booleans(), "e": words}
        | {"f": st.none() | numbers, "tags": lists}
    ),
    max_size=7,
)


def written(value: Any) -> Value:
    """``value`` as it stands in code."""
    if isinstance(value, list):
        return Value("list", "[…]", items=tuple(map(written, value)))
    kind = "boolean" if isinstance(value, bool) else "number" if isinstance(value, float) else "text"
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return Value(kind, json.dumps(value), text)


@st.composite
def filters(draw: st.DrawFn) -> tuple[Filter, str, list[Any], list[Any]]:
    """A filter; its SQL with parameters; the arguments that the function needs for it."""
    column = draw(st.sampled_from(sorted(VALUES)))
    negated = draw(st.booleans())
    operators = ["contains", "containedBy", "overlaps"] if column == "tags" else [*SIGNS, "in", "is"]
    operator = draw(st.sampled_from([*operators, "like", "ilike"] if column in TEXTS else operators))
    no = "NOT " if negated else ""
    if operator == "is":
        null = Value("null", "null")
        if column == "d":
            value = draw(st.booleans())
            return Filter("is", "d", written(value), negated), f"d IS {no}{value}", [], []
        known = column in "abcf"
        column = column if known else "a"
        return Filter("is", column, null, negated), f"{column} IS {no}NULL", [], []
    literal = draw(st.booleans())
    if operator in ("like", "ilike"):
        several = draw(st.sampled_from(["", "All", "Any"]))
        # What ends with an escape is an error in SQL.
        whole = PATTERNS.filter(lambda text: parts_of(text) is not None)
        given = (
            draw(st.lists(whole, min_size=1, max_size=3)) if several else draw(whole | words.map(lambda w: f"%{w}%"))
        )
        if parts_of("".join(given)) is None:
            given = "%"
        made = Filter(operator + several, column, written(given) if literal else Value("code", "x"), negated)
        sql = [one.replace("*", "%") for one in given] if several else given.replace("*", "%")
        how = {"": "%s", "All": "ALL(%s)", "Any": "ANY(%s)"}[several]
        return made, f"{no}({column} {operator} {how})", [sql], [] if literal else [given]
    if operator == "in":
        many = draw(st.lists(VALUES[column], min_size=1, max_size=3))
        made = Filter("in", column, written(many) if literal else Value("code", "x"), negated)
        return made, f"{no}({column} = ANY(%s))", [many], [] if literal else [many]
    value = draw(VALUES[column])
    if column == "tags":
        sign = {"contains": "@>", "containedBy": "<@", "overlaps": "&&"}[operator]
        return Filter(operator, "tags", Value("code", "x"), negated), f"{no}(tags {sign} %s)", [value], [value]
    made = Filter(operator, column, written(value) if literal else Value("code", "x"), negated)
    return made, f"{no}({column} {SIGNS[operator]} %s)", [value], [] if literal else [value]


@st.composite
def or_filters(draw: st.DrawFn) -> tuple[Filter, str, list[Any], list[Any]]:
    """An ``or`` of conditions of known values."""
    parts = draw(st.lists(st.tuples(st.sampled_from(["a", "e", "d"]), st.sampled_from(["eq", "neq"])), min_size=1))
    conditions, sql, parameters = [], [], []
    for column, operator in parts:
        value = draw(VALUES[column])
        conditions.append(Condition(column, operator, written(value).text))
        sql.append(f"{column} {SIGNS[operator]} %s")
        parameters.append(value)
    return Filter("or", "", None, conditions=tuple(conditions)), f"({' OR '.join(sql)})", parameters, []


def call(snippet: Snippet, given: list[Any]) -> dict[str, Any]:
    """The function as a handler, with its arguments in the order of the filters that need them."""
    body = "\n".join(snippet.body)
    source = "".join(line for line in snippet.imports if "values" in line)
    source += f"\nexport const run = async (ctx: any, args: any) => {{\n{body}\n}};"
    return {"source": source, "args": dict(zip(snippet.args, given, strict=True))}


@pytest.fixture(scope="module")
def shared(server: Server) -> Iterator[Database]:
    """One database for all examples."""
    with new_database(server) as database:
        yield database


@settings(max_examples=40)
@given(
    pairs=st.lists(st.tuples(st.text(alphabet=LETTERS, max_size=4), PATTERNS), min_size=60, max_size=60),
    fold=st.booleans(),
)
def test_patterns_match_what_like_matches(
    node: Node, shared: Database, pairs: list[tuple[str, str]], fold: bool
) -> None:
    """Both ways: a pattern that stands in the code, as a test of its own, and one that is read at run time."""
    pairs = [(text, pattern) for text, pattern in pairs if parts_of(pattern) is not None]
    tests = [f"(text: string) => {matches('text', pattern, fold=fold)}," for _, pattern in pairs]
    lower = ".toLowerCase()" if fold else ""
    source = f"{LIKE}\nconst tests = [\n" + "\n".join(tests) + "\n];\nexport const run = (at: number, text: string, "
    source += f"pattern: string) => [tests[at](text), like(text{lower}, pattern{lower})];"
    answers = node.calls(source, "run", [[float(at), *pair] for at, pair in enumerate(pairs)])
    operator = "ILIKE" if fold else "LIKE"
    with connect(shared.url()) as connection:
        for (text, pattern), answer in zip(pairs, answers, strict=True):
            sql = f'SELECT %s COLLATE "C" {operator} %s'.encode()
            row = connection.execute(sql, [text, pattern.replace("*", "%")]).fetchone()
            assert row is not None
            assert answer == [row[0], row[0]], (text, pattern)


@settings(max_examples=200)
@given(
    held=rows,
    asked=st.lists(st.lists(filters() | or_filters(), max_size=3), min_size=8, max_size=8),
    order=st.sampled_from(
        [None, [("e", True), ("n", True)], [("d", False), ("n", False)], [("e", False), ("n", True)]]
    ),
    limit=st.none() | st.integers(1, 3),
    operation=st.sampled_from(["select", "select", "count", "delete", "update"]),
)
def test_a_function_finds_what_the_query_found(
    node: Node, shared: Database, held: list[dict[str, Any]], asked: Any, order: Any, limit: Any, operation: str
) -> None:
    """Against PostgreSQL itself, over NULLs too: what is absent is neither less than a value nor different from it.

    In ``.filter``, convex-test compares as JavaScript does, to which undefined is not less than a number; that Convex's
    own order is minded there, tests/usage/advice/test_snippets.py shows.
    """
    held = [{"n": float(number), **row} for number, row in enumerate(held)]
    documents = [{key: x for key, x in row.items() if x is not None or key == "c"} for row in held]
    shared.run(f"DROP TABLE IF EXISTS rows; {SQL}")
    calls, expected = [], []
    for found in asked:
        query = Query(
            "select" if operation == "count" else operation,
            filters=[one[0] for one in found],
            order=list(order or []) if operation == "select" else [],
            limit=Value("number", str(limit), str(limit)) if limit and order and operation == "select" else None,
            head=operation == "count",
            payload=Value("object", "{}", fields=(("e", Value("text", '"new"', "new")),)),
        )
        snippet = write(Sides({"rows": SIDE}, ROWS), SIDE, query).snippet
        if operation in ("delete", "update") and not found:
            assert snippet is None, "without a filter it would change every row"
            continue
        assert snippet is not None
        calls.append(call(snippet, [x for one in found for x in one[3]]))
        where = " AND ".join(f"coalesce({one[1]}, false)" for one in found) or "true"
        expected.append((where, [x for one in found for x in one[2]]))
    with_order = (
        " ORDER BY " + ", ".join(f"{name} {'DESC' if desc else 'ASC'}" for name, desc in order) if order else ""
    )
    answers = node.handlers(schema_module(ROWS), documents, calls)
    with connect(shared.url()) as connection:
        for row in held:
            connection.execute(
                "INSERT INTO public.rows VALUES (%(n)s, %(a)s, %(b)s, %(c)s, %(d)s, %(e)s, %(f)s, %(tags)s)", row
            )
        for asked_for, answer, (where, parameters) in zip(calls, answers, expected, strict=True):
            found = connection.execute(
                f"SELECT n FROM public.rows WHERE {where}{with_order}".encode(), parameters
            ).fetchall()
            numbers_ = [n for (n,) in found]
            assert isinstance(answer, dict), f"{answer}\n{asked_for}"
            left = {row["n"]: row["e"] for row in answer["rows"]}
            if operation == "count":
                assert answer["returned"] == len(numbers_), asked_for
            elif operation == "delete":
                assert sorted(left) == sorted({row["n"] for row in held} - set(numbers_)), asked_for
            elif operation == "update":
                assert left == {row["n"]: "new" if row["n"] in numbers_ else row["e"] for row in held}, asked_for
            elif order:
                assert answer["returned"] == (numbers_[:limit] if limit else numbers_), asked_for
            else:
                assert sorted(answer["returned"]) == sorted(numbers_), asked_for
