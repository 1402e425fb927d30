"""Modules taken apart: the statements that the bundler prints, and text that only looks like them."""

import time
from contextlib import suppress

import pytest

from supavex.deployment.runtime.linking import Linked, link
from supavex.errors import SupavexError


@pytest.mark.parametrize(
    ("source", "imports"),
    [
        ('import { a } from "./x.js";', {"a": ("x.js", "a")}),
        ('import{a}from"./x.js";', {"a": ("x.js", "a")}),
        ("import { a as b, c } from './x.js'", {"b": ("x.js", "a"), "c": ("x.js", "c")}),
        ('import {\n  a,\n  b as $b\n} from "./x.js";\n', {"a": ("x.js", "a"), "$b": ("x.js", "b")}),
        ('import d from "./x.js";', {"d": ("x.js", "default")}),
        ('import d, { a } from "./x.js";', {"d": ("x.js", "default"), "a": ("x.js", "a")}),
        ('import * as all from "./x.js";', {"all": ("x.js", "*")}),
        ('import { "a-b" as c } from "./x.js";', {"c": ("x.js", "a-b")}),
        ('import { from } from "./x.js";', {"from": ("x.js", "from")}),
        ('import "./x.js";', {}),
        ('import { readFile } from "fs";', {"readFile": ("node:fs", "readFile")}),
        ('import { readFile } from "node:fs";', {"readFile": ("node:fs", "readFile")}),
        (
            'import { a } from "./x.js";import { b } from "./_deps/Y.js";',
            {"a": ("x.js", "a"), "b": ("_deps/Y.js", "b")},
        ),
        ('// a\n/* b\n */ "use strict";\nimport { a } from "./x.js";', {"a": ("x.js", "a")}),
    ],
)
def test_imports(source: str, imports: dict[str, tuple[str, str]]):
    linked = link("m.js", source)
    assert linked.imports == imports
    assert "import" not in linked.body and "x.js" not in linked.body
    assert [len(line) for line in linked.body.split("\n")] == [len(line) for line in source.split("\n")]
    assert linked.requires


def test_paths_are_relative_to_the_module():
    linked = link("a/b/m.js", 'import "./x.js"; import "../y.js"; import "../../_deps/z.js"; import "./x.js";')
    assert linked.requires == ("a/b/x.js", "a/y.js", "_deps/z.js")


@pytest.mark.parametrize(
    ("source", "exports"),
    [
        ("export { a };", {"a": "a"}),
        ("export { a as b, c as default };", {"b": "a", "default": "c"}),
        ('export{a as "b-c"}', {"b-c": "a"}),
        ("export {\n  a\n};\n//# sourceMappingURL=m.js.map\n", {"a": "a"}),
        ("export {};", {}),
        ("", {}),
    ],
)
def test_exports(source: str, exports: dict[str, str]):
    linked = link("m.js", f"var a = 1;\n{source}")
    assert linked.exports == exports
    assert linked.body.partition("//")[0].strip() == "var a = 1;"


@pytest.mark.parametrize(
    "body",
    [
        "const text = \"import { a } from './x.js'\";",
        "const text = `\nexport { a };\n`;",
        "important('./x.js');",
        "var importance = 1, exported = { a: 1 };",
    ],
)
def test_what_only_looks_like_it_stays(body: str):
    assert link("m.js", body) == Linked("m.js", body, (), {}, {})


def test_imports_of_node_stand_anywhere_in_a_file_for_node():
    source = 'var a = 1;\nimport fs from "fs";\nimport { b } from "./b.js";\nexport { a };\n'
    linked = link("m.js", source)
    assert linked.imports["fs"] == ("node:fs", "default")
    assert "fs" not in linked.body
    assert linked.exports == {"a": "a"}


@pytest.mark.parametrize("source", ["import { a b } from './x.js';", "export { a b };", "import * from './x.js';"])
def test_what_is_not_understood_is_said(source: str):
    with pytest.raises(SupavexError) as caught:
        link("m.js", source)
    assert (caught.value.code, caught.value.where) == ("InvalidModules", "m.js")


@pytest.mark.parametrize("piece", ["import " + " " * 200_000, "import " + "a" * 200_000, "import {" + "a, " * 60_000,
                                   "/*" * 100_000, "export {" * 30_000, " " * 300_000 + "x"])  # fmt: skip
def test_text_that_never_ends_takes_no_time(piece: str):
    start = time.monotonic()
    with suppress(SupavexError):
        link("m.js", piece)
    assert time.monotonic() - start < 30


@pytest.mark.parametrize(
    ("source", "body"),
    [
        ('await import("./x.js");', 'await __load("./x.js");'),
        ('import("../y.js").then(f)', '__load("../y.js").then(f)'),
        ('import(where); import("fs"); import.meta.url;', '__load(where); __load("fs"); __load.meta.url;'),
        ('o.import("./x.js"); $import("./x.js"); "import(\\"./x.js\\")";', None),
        ("a b import('x'); /* import('y') */", "a b __load('x'); /* import('y') */"),
    ],
)
def test_imports_of_code_that_runs(source: str, body: str | None):
    linked = link("a/m.js", source)
    assert linked.body == (body or source)
    assert len(linked.body) == len(source), "or the columns of source maps would be others"


NAMES = {"a": "a", "b": "b", "c": "c", "d": "d", "e": "e"}


@pytest.mark.parametrize(
    ("source", "exports", "body"),
    [
        ("export default f();", {"default": "__default"}, "var __default= f();"),
        ("export default (a) => a", {"default": "__default"}, "var __default= (a) => a;"),
        ("export default async (a) => {\n};", {"default": "__default"}, "var __default= async (a) => {\n};"),
        ("export default{a}", {"default": "__default"}, "var __default={a};"),
        ("export  default\n[1]", {"default": "__default"}, "var __default= \n[1];"),
        ("export default class extends B {}\nx()", {"default": "__default"}, "var __default= class extends B {};\nx()"),
        ("export default function () {}\nx()", {"default": "__default"}, "var __default= function () {};\nx()"),
        ("export default function* g() {}", {"default": "g"}, "               function* g() {}"),
        ("export default async function g() {}", {"default": "g"}, "               async function g() {}"),
        ("export default class K {}", {"default": "K"}, "               class K {}"),
        ("export default `export { a };`;", {"default": "__default"}, "var __default= `export { a };`;"),
        ("export const a = 1, { b, x: [c, ...d], ...e } = o", NAMES, None),
        ("export let { a = 1, [k]: { b } = {} } = o, c;export var d, e", NAMES, None),
        ("export function a() {}export class b {}\nexport async function* c() {} export { d, e };", NAMES, None),
        ("export { a }; export { b, c };\nexport {};export{d,e}", NAMES, None),
        ("export { a as default, b as 'x y' };", {"default": "a", "x y": "b"}, None),
        ("/*! export { a }; */ export { a };\n/*! @license\n export { b }; */\n// export { c }\n", {"a": "a"}, None),
        ("export { a };\n/*! Bundled license information:\n\nx.js:\n  (**\n   * @license\n   *)\n*/", {"a": "a"}, None),
        ("const t = `\n${`export { a };`}\nexport default 1;\n`, r = /export {x}/;\nexport { t };", {"t": "t"}, None),
        ("o.export = { import: 1 }; o?.import('./x.js'); ({ export: 1 }).export;", {}, None),
    ],
)  # fmt: skip
def test_every_form_of_exports(source: str, exports: dict[str, str], body: str | None):
    linked = link("m.js", source)
    assert linked.exports == exports
    assert body is None or linked.body == body
    assert linked.body.count("\n") == source.count("\n")


def test_exports_of_other_modules():
    linked = link(
        "a/m.js", 'export * from "./x.js"; export * as y from "../y.js"; export { a as b, default } from "./z.js";'
    )
    assert linked.stars == ("a/x.js",) and linked.requires == ("a/x.js", "y.js", "a/z.js")
    assert {name: linked.imports[local] for name, local in linked.exports.items()} == {
        "y": ("y.js", "*"), "b": ("a/z.js", "a"), "default": ("a/z.js", "default")
    }  # fmt: skip
    assert linked.body.strip() == ""


def test_letters_that_are_no_ascii_keep_their_places():
    linked = link("m.js", "const ä = '日本🎉'; export { ä };\nexport default 'ß🎉';")
    assert linked.exports == {"ä": "ä", "default": "__default"}
    assert linked.body == "const ä = '日本🎉';              \nvar __default= 'ß🎉';"


def test_a_bundlers_own_helper_is_none_of_the_modules_parameters():
    """esbuild calls its helper for namespaces ``__export``: the module has it hoisted, and undefined at first."""
    linked = link("m.js", "var __export = (target, all) => 1;\nexport { a };")
    assert "__export({" not in linked.script()
