"""What pushed modules say of themselves; and what they can't do to whoever asks."""

import json
import time
from collections.abc import Mapping
from typing import Any

import pytest

from supavex.deployment.runtime.definitions import Config
from supavex.deployment.runtime.evaluation import Evaluation, Module, evaluate
from supavex.errors import SupavexError

QUERY = (
    "var %(name)s = Object.assign(() => {}, { isQuery: true, isPublic: true, "
    "exportArgs: () => '{\"type\":\"any\"}', exportReturns: () => 'null' });\nexport { %(name)s };\n"
)
SCHEMA = 'var s = { export: () => \'{"tables":[],"schemaValidation":true}\' }; export { s as default };'


def module(path: str, source: str, environment: str = "isolate") -> Module:
    return Module(path, source, None, environment)


def evaluated(environment: Mapping[str, str] = {}, **sources: str) -> Evaluation:
    """Modules by name; ``schema`` and ``config`` are the schema and the app's definition."""
    schema, config = sources.pop("schema", None), sources.pop("config", None)
    return evaluate(
        [
            module(f"{name.replace('__', '/').replace('auth_config', 'auth.config')}.js", text)
            for name, text in sources.items()
        ],
        None if schema is None else module("schema.js", schema),
        () if config is None else [Config("", config, ())],
        environment,
        seconds=10,
    )


def refused(environment: Mapping[str, str] = {}, **sources: str) -> SupavexError:
    with pytest.raises(SupavexError) as caught:
        evaluated(environment, **sources)
    return caught.value


# What modules say


def test_functions_with_their_kind_visibility_and_validators():
    kinds = {"a": ("Query", "Public"), "b": ("Mutation", "Internal"), "c": ("Action", "Public")}
    lines = [
        f"var {name} = Object.assign(() => {{}}, {{ is{kind}: true, is{seen}: true }});"
        for name, (kind, seen) in kinds.items()
    ]
    odd = "var both = Object.assign(() => {}, { isQuery: true, isMutation: true, isPublic: true }), n = 5, z = null;"
    found = evaluated(posts="\n".join(lines) + odd + "export { a, b, c as default, both, n, z };").functions["posts.js"]
    assert [(f["name"], f["udfType"], f["visibility"]["kind"]) for f in found["functions"]] == [
        ("a", "Query", "public"),
        ("b", "Mutation", "internal"),
        ("default", "Action", "public"),
    ]
    (one,) = evaluated(posts=QUERY % {"name": "list"}).functions["posts.js"]["functions"]
    assert (one["args"], one["returns"]) == ('{"type":"any"}', "null")


def test_modules_see_each_other_and_chunks_are_no_modules_of_the_apps():
    found = evaluated(
        a='import { twice } from "./b.js"; import "./_deps/C.js"; var one = twice(1); '
        "if (globalThis.seen !== 2) throw new Error('no chunk'); export { one };",
        b='import * as a from "./a.js"; function twice(n) { return n * 2; } function later() { return a.one; } '
        "export { twice, later };",
        _deps__C="globalThis.seen = 2;",
    )
    assert set(found.functions) == {"a.js", "b.js"}


def test_the_schema_auth_http_and_crons():
    found = evaluated(
        schema=SCHEMA,
        auth_config="var a = { providers: [{ domain: process.env.D, applicationID: 'c' }] }; export { a as default };",
        http="var h = { isRouter: true, getRoutes: () => [['/a', 'GET', null], ['/b*', 'POST', null]] };"
        "export { h as default };",
        crons="var c = { isCrons: true, export: () => JSON.stringify({ daily: { name: 'x' } }) };"
        "export { c as default };",
        config="var c = { export: () => ({ definitionType: { type: 'app' }, childComponents: [], httpMounts: {}, "
        "exports: { type: 'branch', branch: [] } }) }; export { c as default };",
        environment={"D": "https://x"},
    )
    assert json.loads(found.schema or "")["tables"] == []
    assert found.definitions[""].children == ()
    assert found.auth == [{"domain": "https://x", "applicationID": "c"}]
    assert [route["route"] for route in found.functions["http.js"]["httpRoutes"]] == [
        {"path": "/a", "method": "GET"},
        {"path": "/b*", "method": "POST"},
    ]
    assert found.functions["crons.js"]["cronSpecs"] == [["daily", {"name": "x"}]]


ACTION = QUERY.replace("isQuery", "isAction")


def test_a_file_for_node_finds_node():
    source = 'import fs from "fs"; import { Hash } from "node:crypto"; class A extends Hash {} fs.existsSync.name; '
    found = evaluate([module("n.js", source + ACTION % {"name": "a"}, "node")], None, (), {})
    assert [function["name"] for function in found.functions["n.js"]["functions"]] == ["a"]


def test_files_for_node_hold_actions_alone():
    with pytest.raises(SupavexError) as caught:
        evaluate([module("n.js", QUERY % {"name": "a"}, "node")], None, (), {})
    assert "`a` defined in `n.js` is a Query function. Only actions can be defined in Node.js." in caught.value.message


def test_the_environment_is_there_and_nothing_else_of_it():
    own = "process.env.A !== 'b' || process.env.HOME !== undefined"
    own_ = f"{own} || process.env.toString !== undefined"
    source = f"if ({own_} || JSON.stringify(process.env) !== '{{}}' || process.version !== undefined) throw 1;"
    assert evaluated({"A": "b"}, m=source).functions
    source = f'if (JSON.stringify(process.env) !== \'{{"A":"b"}}\' || {own} || !process.platform) throw 1;'
    assert evaluate([module("n.js", source, "node")], None, (), {"A": "b"}).functions


def test_what_convex_offers_while_importing():
    evaluated(
        m="""
        const bytes = new TextEncoder().encode("é😀");
        if (bytes.length !== 6 || new TextDecoder().decode(bytes) !== "é😀") throw new Error("text");
        if (atob(btoa("abc")) !== "abc" || btoa("a") !== "YQ==") throw new Error("base64");
        if (new URL("https://a.b:1/c?d#e").hostname !== "a.b") throw new Error("url");
        if (structuredClone({ a: [1] }).a[0] !== 1) throw new Error("clone");
        console.log("quiet"); new Headers(); new AbortController(); performance.now(); setTimeout(() => {}, 0);
        fetch("https://example.com").catch(() => {});
        """
    )


# What is wrong with them


@pytest.mark.parametrize(
    ("sources", "code", "said"),
    [
        ({"m": "throw new Error('my words');"}, "InvalidModules", "Uncaught Error: my words"),
        ({"m": "throw new TypeError('odd');"}, "InvalidModules", "Uncaught TypeError: odd"),
        ({"m": "throw null;"}, "InvalidModules", "module m.js"),
        ({"m": "throw undefined;"}, "InvalidModules", "module m.js"),
        ({"m": "throw 'text';"}, "InvalidModules", "text"),
        ({"m": "throw { get message() { return 5; }, stack: 7 };"}, "InvalidModules", "module m.js"),
        ({"m": "throw Object.create(null);"}, "InvalidModules", "m.js"),
        ({"m": "throw Symbol('s');"}, "InvalidModules", "m.js"),
        ({"m": "throw { get message() { throw 1; } };"}, "InvalidModules", "m.js"),
        ({"m": "throw new Proxy({}, { get() { throw 1; } });"}, "InvalidModules", "m.js"),
        ({"m": "var a = ;"}, "InvalidModules", "m.js"),
        ({"m": "a b c"}, "InvalidModules", "SyntaxError"),
        ({"m": "}}); ({"}, "InvalidModules", "m.js"),
        ({"m": "missing();"}, "InvalidModules", "ReferenceError: missing is not defined"),
        ({"m": 'import "./n.js";'}, "InvalidModules", "Could not find the module n.js"),
        ({"m": "Convex.syscall('a', '{}');"}, "InvalidModules", "while importing"),
        ({"m": "await fetch('https://example.com');"}, "InvalidModules", "fetch"),
        ({"m": "crypto.randomUUID();"}, "InvalidModules", "crypto"),
        ({"m": "function f() { f(); } f();"}, "InvalidModules", "Maximum call stack"),
        ({"m": "await Promise.reject(new Error('later'));"}, "InvalidModules", "later"),
        ({"http": "var a = 1; export { a as default };"}, "InvalidModules", "not a Router"),
        ({"http": "var a = 1;"}, "InvalidModules", "not a Router"),
        ({"crons": "var a = {}; export { a as default };"}, "InvalidModules", "not a Crons"),
        ({"auth_config": "var a = {}; export { a as default };"}, "InvalidAuthConfig", "providers"),
        ({"auth_config": "var a = { providers: 'x' }; export { a as default };"}, "InvalidAuthConfig", "providers"),
        (
            {"auth_config": "var a = { providers: [{ domain: process.env.ISSUER }] }; export { a as default };"},
            "AuthConfigMissingEnvironmentVariable",
            "Environment variable ISSUER is used in auth config file but its value was not set",
        ),
        ({"schema": "var a = 1;"}, "MissingSchemaExportError", "missing default export"),
        ({"schema": "var a = 1; export { a as default };"}, "InvalidSchemaExport", "isn't a Convex schema"),
        ({"schema": "throw new Error('mine');"}, "InvalidModules", "your schema:\nUncaught Error: mine"),
    ],
    ids=str,
)
def test_what_is_wrong_is_said(sources: dict[str, str], code: str, said: str):
    error = refused(**sources)
    assert (error.code, said in error.message) == (code, True), (error.code, error.message)
    assert "/work" not in error.message and "runtime" not in error.message


@pytest.mark.parametrize("answer", ["{}", "5", "null", "'{'", "'[]'"])
def test_a_schema_that_exports_something_else(answer: str):
    error = refused(schema=f"var a = {{ export: () => {answer} }}; export {{ a as default }};")
    assert error.code == "InvalidSchemaExport"


# What takes too much


ENDLESS = {
    "a loop": "for (;;) {}",
    "microtasks": "const again = () => Promise.resolve().then(again); await again();",
    "awaits": "for (;;) await null;",
    "a promise that stays open": "await new Promise(() => {});",
    "a regular expression that goes back and forth": "/^(a+)+$/.test('a'.repeat(60) + 'b');",
    "a loop inside toString": "throw { toString() { for (;;) {} }, get message() { for (;;) {} } };",
}


@pytest.mark.parametrize("source", ENDLESS.values(), ids=ENDLESS)
def test_what_never_ends_is_ended(source: str):
    start = time.monotonic()
    with pytest.raises(SupavexError) as caught:
        evaluate([module("m.js", source)], None, (), {}, seconds=1)
    assert caught.value.code == "InvalidModules"
    assert "took too long" in caught.value.message
    assert time.monotonic() - start < 30


GREEDY = {
    "the heap": "const all = []; for (;;) all.push(new Array(1000).fill({}));",
    "typed arrays": "const all = []; for (;;) all.push(new Uint8Array(1 << 24).fill(1));",
    "one long text": "let text = 'ab'; for (;;) text = (text + text).split('').join('');",
    "one huge array": "const all = new Float64Array(1 << 28).fill(1); for (;;) all.fill(2);",
}


@pytest.mark.parametrize("source", GREEDY.values(), ids=GREEDY)
def test_what_takes_memory_is_ended(source: str):
    start = time.monotonic()
    with pytest.raises(SupavexError) as caught:
        evaluate([module("m.js", source)], None, (), {}, seconds=60, memory=300 << 20)
    assert caught.value.code == "InvalidModules"
    assert time.monotonic() - start < 30


# What modules can't reach


@pytest.mark.parametrize(
    "source",
    [
        "require('fs');",
        "process.binding('fs');",
        "process.exit(1);",
        "Deno.readTextFileSync('/etc/passwd');",
        "new XMLHttpRequest();",
        "const s = new WebSocket('ws://127.0.0.1:1'); s.send('a');",
        "await import('fs');",
        "await import('/etc/passwd');",
        "importScripts('/etc/passwd');",
        "load('/etc/passwd');",
        "read('/etc/passwd');",
        "new Worker('data:text/javascript,');",
        "const c = this.constructor.constructor('return process')(); c.mainModule.require('fs');",
        "WebAssembly.instantiateStreaming(fetch('https://example.com')).then(x => x); await fetch('https://a.b');",
    ],
)
def test_no_files_no_network_no_processes(source: str):
    assert refused(m=source).code == "InvalidModules"


def test_globals_are_those_of_the_language_and_convex():
    names: dict[str, Any] = json.loads(
        refused(m="throw new Error(JSON.stringify(Object.getOwnPropertyNames(globalThis)));")
        .message.partition("Uncaught Error: ")[2]
        .partition("\n")[0]
    )
    assert not {"Python", "require", "Deno", "__environment", "quit", "readline", "load", "print"} & set(names)


def test_one_push_leaves_nothing_for_the_next():
    evaluated(m="globalThis.left = 1; Object.prototype.left = 1; JSON.parse = null;")
    assert evaluated(m="if (globalThis.left !== undefined || ({}).left) throw new Error('left');").functions


FORGED = [
    "null", "1", "[]", "{}", '"x"', '{"functions": {}}', '{"failure": 1}', '{"failure": {"module": 1, "message": "m"}}',
    '{"functions": [], "schema": null, "auth": [], "failure": null}',
    '{"functions": {"a.js": 1}, "schema": null, "auth": [], "failure": null}',
    '{"functions": {"a.js": {"functions": [{}]}}, "schema": null, "auth": [], "failure": null}',
    '{"functions": {"a.js": {"functions": [], "httpRoutes": [1], "cronSpecs": null}}, "schema": null, "auth": []}',
    '{"functions": {"a.js": {"functions": [], "httpRoutes": null, "cronSpecs": [1]}}, "schema": null, "auth": []}',
    '{"functions": {}, "schema": 1, "auth": []}', '{"functions": {}, "schema": null, "auth": [1]}',
    '{"functions": {}, "schema": null, "auth": [{"domain": ["x"]}]}', "NaN", "1e400", "[" * 100_000,
]  # fmt: skip


@pytest.mark.parametrize("number", range(len(FORGED)))
def test_an_answer_of_another_form_is_refused(number: int):
    """A module can reach what JavaScript is made of, and so what speaks for it."""
    text = FORGED[number]
    found = refused(a=f"Object.prototype.toJSON = () => JSON.parse({json.dumps(text)}); export {{}};")
    assert found.code == "InvalidModules"


def test_an_answer_is_bounded_before_it_is_read():
    once = "Object.prototype.toJSON = () => (delete Object.prototype.toJSON, {made}); export {{}};"
    many = refused(a=once.format(made="Array(5e6).fill(0)"))
    assert "values" in many.message
    long = refused(a=once.format(made="'x'.repeat(70 << 20)"))
    assert "more than 64 MiB" in long.message
