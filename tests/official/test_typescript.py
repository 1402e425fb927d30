"""TypeScript's own compiler accepts what supavex writes, and the defaults and rules work when they run."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from supavex.convex.field_rules import MISSING
from supavex.convex.schema import Schema, define_schema, define_table, v
from supavex.convex.typescript import defaults_module, schema_module, tables_module, value_text
from supavex.convex.validators import Validator, unwrap
from supavex.convex.values import to_internal_json

from .node import NODE_MODULES, Node, Refused, missing
from .strategies import schemas, values

RICH = define_schema(
    {
        "users": define_table(
            {
                "email": v.string(unique=True, pattern=r"^[^@]+@[^@]+$"),
                "role": v.union(v.literal("admin"), v.literal("member"), default="member"),
                "credits": v.int64(default=100, ge=0, le=2**40),
                "rating": v.number(default=4.5, ge=0, le=5, comment="stars"),
                "discount": v.number(default=-0.0, gt=-1, lt=1),
                "active": v.boolean(default=True),
                "nickname": v.optional(v.string(default='Zoë "Z" 😀\u2028 */ ${x}')),
                "plan": v.string(default="free", one_of=["free", "pro"]),
                "settings": v.any(default={"theme": "dark", "sizes": [1, 2.5], "nested": {"on": True, "off": None}}),
                "tags": v.array(v.string(), default=["new"]),
                "scores": v.array(v.number(), default=[]),
                "avatar": v.bytes(default=b"\x00\xff"),
                "address": v.object({"city": v.string(), "zip": v.optional(v.string())}, default={"city": "Oslo"}),
                "labels": v.record(v.string(), v.number(), default={"a b": 1}),
                "class": v.optional(v.object({"__proto__": v.string(), "default": v.null()})),
            },
            comment="People. */ `${still a comment}`",
        )
        .index("by_email", ["email"])
        .index("by_city", ["address.city", "role"])
        .index("by_plan", ["plan"], staged=True)
        .search_index("search_nickname", search_field="nickname", filter_fields=["role", "address.city"])
        .unique(["email", "plan"]),
        "articles": define_table(
            {
                "author": v.id("users"),
                "cover": v.union(v.id("_storage"), v.null()),
                "embedding": v.optional(v.array(v.float64())),
                "blocks": v.array(
                    v.union(
                        v.object({"kind": v.literal("text"), "text": v.string(comment="Markdown, see https://x.y")}),
                        v.object({"kind": v.literal("image"), "file": v.id("_storage"), "width": v.literal(1.5)}),
                        v.object({"kind": v.literal("count"), "count": v.literal_int64(-(2**63))}),
                    )
                ),
                "votes": v.record(v.id("users"), v.literal(True)),
            }
        )
        .vector_index("by_embedding", vector_field="embedding", dimensions=1536, filter_fields=["author"])
        .vector_index("staged", vector_field="embedding", dimensions=2, staged=True),
        "events": define_table(
            v.union(
                v.object({"kind": v.literal("login"), "user": v.id("users")}),
                v.object({"kind": v.literal("error"), "code": v.int64(), "detail": v.any()}),
            )
        ).index("by_kind", ["kind"]),
        "anything": define_table(v.any()).index("by_whatever", ["what.ever"]),
        "empty": define_table({}),
        "constructor": define_table({"constructor": v.optional(v.string())}),
    }
)

#: Defaults of types that "what JavaScript writes" alone does not tell: literals, null, bytes and arrays in unions.
AWKWARD = define_schema(
    {
        "nullable": define_table({"note": v.union(v.string(), v.null(), default=None)}),
        "listed": define_table({"tags": v.union(v.array(v.string()), v.null(), default=["a"])}),
        "raw": define_table({"data": v.union(v.bytes(), v.null(), default=b"\x01")}),
        "endless": define_table({"limit": v.union(v.number(), v.null(), default=float("inf"))}),
        "levels": define_table({"levels": v.array(v.union(v.literal("a"), v.literal("b")), default=["a"])}),
        "modes": define_table(
            {"mode": v.object({"kind": v.union(v.literal("a"), v.literal("b"))}, default={"kind": "a"})}
        ),
    }
)

HANDWRITTEN = """
import { defineSchema, defineTable } from "convex/server";
import { v } from "convex/values";
import { supavexTables } from "./supavexTables";
export default defineSchema({ ...supavexTables, mine: defineTable({ user: v.id("users") }) });
"""

TYPES = """
import type { DataModelFromSchemaDefinition, DocumentByName, WithoutSystemFields } from "convex/server";
import type { GenericId } from "convex/values";
import type schema from "./schema";
export type DataModel = DataModelFromSchemaDefinition<typeof schema>;
export type Insert<T extends keyof DataModel> = WithoutSystemFields<DocumentByName<DataModel, T>>;
"""

CONSUMER = """
import type { DataModelFromSchemaDefinition, DocumentByName, WithoutSystemFields } from "convex/server";
import { defaults, ruleProblems, withDefaults } from "./defaults";
import type handwritten from "./handwritten";
import type { Insert } from "./types";

// The defaults of each field fit the field.
const allDefaults: Partial<Insert<"users">> = defaults.users;

// What withDefaults gives can be inserted: defaults fill what is left out, given fields win.
const filled: Insert<"users"> = withDefaults("users", { email: "a@b.c" });
const given: Insert<"users"> = withDefaults("users", { email: "a@b.c", role: "admin" as const, tags: [], credits: 1n });
const problems: string[] = ruleProblems("users", given);

// A hand-written schema keeps the types of the tables it spreads, and of its own.
type Model = DataModelFromSchemaDefinition<typeof handwritten>;
type Mine = WithoutSystemFields<DocumentByName<Model, "mine">>;
const mine = (user: Mine["user"]): Mine => ({ user });
const cover: DocumentByName<Model, "articles">["cover"] = null;

// These must be errors, or nothing above has been checked at all.
// @ts-expect-error email has no default
const lacking: Insert<"users"> = withDefaults("users", {});
// @ts-expect-error no such table
withDefaults("nobody", {});
// @ts-expect-error articles have no defaults
withDefaults("articles", {});
// @ts-expect-error a wrong type
const wrong: Insert<"users"> = withDefaults("users", { email: 5 });
// @ts-expect-error no such role
const role: Insert<"users">["role"] = "king";

export { allDefaults, cover, filled, lacking, mine, problems, role, wrong };
"""


OPTIONS = {
    "strict": True,
    "noUncheckedIndexedAccess": True,
    "noEmit": True,
    "skipLibCheck": True,
    "target": "ES2022",
    "module": "ESNext",
    "moduleResolution": "Bundler",
    "types": [],
}


def compile_typescript(folder: Path, files: dict[str, str]) -> dict[str, list[str]]:
    """What the compiler complains of, by file. Anything else that it says (a wrong option, say) is a failure."""
    problem = missing()
    if problem:
        pytest.fail(problem, pytrace=False)
    (folder / "node_modules").symlink_to(NODE_MODULES, target_is_directory=True)
    (folder / "tsconfig.json").write_text(json.dumps({"compilerOptions": OPTIONS, "files": list(files)}))
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    command = ["node", str(NODE_MODULES / "typescript" / "bin" / "tsc"), "--project", ".", "--pretty", "false"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300, check=False)
    complaints: dict[str, list[str]] = {name: [] for name in files}
    for line in done.stdout.splitlines():
        if not line.startswith(" "):  # else it goes on about the complaint above
            name, is_file, rest = line.partition("(")
            assert is_file and name in files, done.stdout
            complaints[name].append(f"{name}({rest}")
    assert bool(done.returncode) == any(complaints.values()), done
    return complaints


@pytest.fixture(scope="module")
def complaints(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """One run of the compiler over every file of this module: starting it takes longer than all files do."""
    awkward = {"awkward.ts": schema_module(AWKWARD), "awkwardTypes.ts": TYPES.replace("./schema", "./awkward")}
    for name, table in AWKWARD.tables.items():
        awkward[f"{name}Defaults.ts"] = defaults_module(define_schema({name: table}))
        awkward[f"{name}Consumer.ts"] = (
            f'import {{ defaults }} from "./{name}Defaults";\nimport type {{ Insert }} from "./awkwardTypes";\n'
            f'export const fits: Partial<Insert<"{name}">> = defaults.{name};\n'
        )
    return compile_typescript(
        tmp_path_factory.mktemp("typescript"),
        {
            "schema.ts": schema_module(RICH),
            "supavexTables.ts": tables_module(RICH.tables),
            "handwritten.ts": HANDWRITTEN,
            "defaults.ts": defaults_module(RICH),
            "types.ts": TYPES,
            "consumer.ts": CONSUMER,
            "unchecked.ts": schema_module(define_schema(RICH.tables, schema_validation=False)),
            "noDefaults.ts": defaults_module(define_schema({"t": define_table({"a": v.string()})})),
            **awkward,
        },
    )


@pytest.mark.parametrize("name", ["schema.ts", "supavexTables.ts", "handwritten.ts", "unchecked.ts", "awkward.ts"])
def test_the_compiler_accepts_every_schema(complaints: dict[str, list[str]], name: str):
    assert not complaints[name], "\n".join(complaints[name])


@pytest.mark.parametrize("name", ["defaults.ts", "types.ts", "consumer.ts"])
def test_defaults_and_rules_fit_the_schema(complaints: dict[str, list[str]], name: str):
    assert not complaints[name], "\n".join(complaints[name])


def test_a_schema_without_defaults_compiles_too(complaints: dict[str, list[str]]):
    assert not complaints["noDefaults.ts"], "\n".join(complaints["noDefaults.ts"])


@pytest.mark.parametrize("table", AWKWARD.tables)
def test_defaults_of_unions_and_literals_fit_the_schema(complaints: dict[str, list[str]], table: str):
    assert not complaints[f"{table}Defaults.ts"], "\n".join(complaints[f"{table}Defaults.ts"])
    assert not complaints[f"{table}Consumer.ts"], "\n".join(complaints[f"{table}Consumer.ts"])


def defaults_of(schema: Schema) -> dict[str, dict[str, Any]]:
    """Table to field to default, as internal JSON."""
    found = {
        name: {
            field: to_internal_json(unwrap(validator).rules.default)
            for field, validator in table.fields.items()
            if unwrap(validator).rules.default is not MISSING
        }
        for name, table in schema.tables.items()
    }
    return {name: fields for name, fields in found.items() if fields}


@pytest.mark.parametrize("schema", [RICH, AWKWARD], ids=["rich", "awkward"])
def test_defaults_have_the_values_that_python_has(node: Node, schema: Schema):
    assert node.value(defaults_module(schema), "defaults") == defaults_of(schema)


@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow])
@given(schema=schemas())
def test_the_defaults_of_any_schema_have_the_values_that_python_has(node: Node, schema: Schema):
    assert node.value(defaults_module(schema), "defaults") == defaults_of(schema)


@settings(max_examples=500)
@given(value=values())
def test_any_value_written_as_typescript_is_that_value(node: Node, value: Any):
    assert node.value(f"export const value = {value_text(value)};", "value") == to_internal_json(value)


def test_a_key_named_proto_is_a_key(node: Node):
    """Where an object literal says ``"__proto__": x``, JavaScript sets the prototype and keeps no key."""
    text = value_text({"__proto__": "kept", "a": "b"})
    source = f"export const keys = Object.keys({text});"
    assert node.value(source, "keys") == ["__proto__", "a"]


def test_with_defaults_fills_what_is_left_out(node: Node):
    expected = {**defaults_of(RICH)["users"], "email": "a@b.c", "tags": []}
    calls = [["users", {"email": "a@b.c", "tags": []}]]
    assert node.calls(defaults_module(RICH), "withDefaults", calls) == [expected]


def rule_problems(node: Node, validator: Validator, values: list[Any]) -> list[Any]:
    """What ruleProblems says of each value in a field of this type."""
    source = defaults_module(define_schema({"t": define_table({"f": validator})}))
    return node.calls(source, "ruleProblems", [["t", {"f": to_internal_json(value)}] for value in values])


@pytest.mark.parametrize(
    ("validator", "value", "problem"),
    [
        (v.number(ge=0), -1.0, "t.f: -1 is not at least 0"),
        (v.number(gt=0), 0.0, "t.f: 0 is not above 0"),
        (v.number(le=5), 5.5, "t.f: 5.5 is not at most 5"),
        (v.number(lt=5), 5.0, "t.f: 5 is not below 5"),
        (v.int64(ge=1), 0, "t.f: 0 is not at least 1"),
        (v.string(one_of=["a", "b"]), "c", "t.f: c is not one of a, b"),
        (v.string(pattern="^a"), "ba", "t.f: ba does not match ^a"),
    ],
)
def test_rule_problems_names_the_broken_rule(node: Node, validator: Validator, value: Any, problem: str):
    assert rule_problems(node, validator, [value]) == [[problem]]


def test_rule_problems_of_absent_fields_and_unknown_tables(node: Node):
    source = defaults_module(RICH)
    calls = [["users", {}], ["nobody", {"email": 1.0}], ["constructor", {"name": "x"}]]
    assert node.calls(source, "ruleProblems", calls) == [[], [], []]


_number_rules = st.builds(
    lambda ge, gt, le, lt: v.number(ge=ge, gt=gt, le=le, lt=lt), *[st.none() | st.integers(-3, 3)] * 4
)
_choices = st.builds(lambda one_of: v.number(one_of=one_of), st.lists(st.integers(-3, 3), min_size=1, unique=True))


@given(validator=_number_rules | _choices, found=st.lists(st.integers(-8, 8).map(lambda n: n / 2), min_size=1))
def test_numbers_break_the_same_rules_in_both_languages(node: Node, validator: Validator, found: list[float]):
    problems = rule_problems(node, validator, found)
    assert [not said for said in problems] == [validator.rules.problem(value) is None for value in found]


@pytest.mark.parametrize("rule", ["ge", "gt", "le", "lt"])
def test_int64s_break_the_same_rules_in_both_languages(node: Node, rule: str):
    """Beyond 2**53 too, where float64 can't tell neighbours apart."""
    bounds = (-5, 0, 2**53, 2**53 + 1, -(2**53) - 1, 2**63 - 2)
    fields = {f"f{number}": v.int64(**{rule: bound}) for number, bound in enumerate(bounds)}
    source = defaults_module(define_schema({"t": define_table(fields)}))
    around = [[bound + off for bound in bounds] for off in (-1, 0, 1)]
    documents = [dict(zip(fields, map(to_internal_json, found), strict=True)) for found in around]
    said = node.calls(source, "ruleProblems", [["t", document] for document in documents])
    for found, problems in zip(around, said, strict=True):
        broken = [name for name, value in zip(fields, found, strict=True) if fields[name].rules.problem(value)]
        assert [problem.split(":")[0].removeprefix("t.") for problem in problems] == broken


@pytest.mark.parametrize(
    ("pattern", "fits", "breaks"),
    [
        (r"^[^@\s]+@[^@\s]+\.[a-z]{2,}$", "a@b.no", "a@b"),
        (r"^\w+[\-/]\d*$", "ab-1", "ab 1"),
        (r"^.$", "😀", "ab"),
        ("^a/b`\\\\\n$", "a/b`\\\n", "a/b`"),
    ],
)
def test_patterns_mean_in_typescript_what_they_mean_in_python(node: Node, pattern: str, fits: str, breaks: str):
    validator = v.string(pattern=pattern)
    fitting, broken = rule_problems(node, validator, [fits, breaks])
    assert [not fitting, not broken] == [validator.rules.problem(text) is None for text in (fits, breaks)]
    assert not isinstance(fitting, Refused) and not isinstance(broken, Refused)


@pytest.mark.parametrize(
    "pattern", [r"^\d{3}\-\d{4}$", r"(?i)^abc$", r"\Aa\Z", r"^(?P<year>\d{4})$", r"^\#\ $", "a{b}"]
)
def test_a_pattern_that_only_python_understands_does_not_break_inserts(node: Node, pattern: str):
    """An app calls ruleProblems before it inserts: it must not throw, whatever the pattern."""
    (said,) = rule_problems(node, v.string(pattern=pattern), ["555-1234"])
    assert not isinstance(said, Refused)
