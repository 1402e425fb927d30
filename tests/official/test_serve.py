"""The official CLI, unmodified, against `supavex serve`: every command a person or a CI job uses."""

from __future__ import annotations

import json
import os
import pty
import shutil
import signal
import sqlite3
import stat
import subprocess
import time
import zipfile
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests import projects
from tests.deployment.archives import document, documents, id_of, tables, write_archive
from tests.projects import supavex

from .node import NODE_MODULES, missing
from .served import App, Lines, Ran, Served, end, launch, served_app

SERVER = 'import { mutation, query, internalAction } from "./_generated/server";\nimport { v } from "convex/values";\n'
LIST = SERVER + (
    "export const list = query({ args: { n: v.optional(v.number()) }, returns: v.array(v.any()), "
    "handler: async (ctx) => ctx.db.query({table}).collect() });\n"
)
READY = "Convex functions ready!"


@pytest.fixture(scope="module")
def shared() -> Iterator[App]:
    """One deployment and one app for the tests of this module; each has tables of its own names."""
    problem = missing()
    if problem:
        pytest.fail(problem, pytrace=False)
    with served_app() as app:
        yield app


@pytest.fixture
def app(shared: App) -> App:
    """The app, with nothing in convex/."""
    shutil.rmtree(shared.path / "convex")
    (shared.path / "convex").mkdir()
    return shared


def functions(app: App) -> dict[str, dict[str, Any]]:
    """What ``convex function-spec`` says, by identifier."""
    ran = app.convex("function-spec")
    assert ran.code == 0, ran.text
    spec = json.loads(ran.out)
    assert spec["url"] == app.served.url
    return {one.get("identifier") or f"{one['method']} {one['path']}": one for one in spec["functions"]}


def listing(table: str) -> str:
    return LIST.replace("{table}", json.dumps(table))


# Pushing


def test_legacy_validators_of_a_map_and_a_set_take_any_value(app: App):
    """The npm package makes none any more. Convex reads those of old clients as any value."""
    app.write(
        "convex/schema.ts",
        """
import { defineSchema, defineTable } from "convex/server";
import { v } from "convex/values";
const legacy = (type: string): any =>
  Object.create(v.any(), { json: { get: () => ({ type }) } });
export default defineSchema({ legacies: defineTable({ map: legacy("map"), set: legacy("set") }) });
""",
    )
    app.push()
    app.write("rows.jsonl", '{"map": {"a": 1}, "set": ["b"]}\n')
    ran = app.convex("import", "--table", "legacies", "--replace", "-y", "rows.jsonl")
    assert ran.code == 0, ran.text
    assert [row["set"] for row in app.documents("legacies")] == [["b"]]


def test_a_push_and_what_it_writes_into_the_app(app: App):
    app.schema('posts: defineTable({ title: v.string(), author: v.id("users") }).index("by_author", ["author"]), '
               "users: defineTable({ name: v.string(), at: v.int64() })")  # fmt: skip
    app.write("convex/posts.ts", listing("posts"))
    ran = app.push()
    assert "Added table indexes:\n  [+] posts.by_author   author" in ran.text
    assert {"posts", "users"} <= set(app.tables())
    assert app.served.url in (app.path / ".env.local").read_text()
    app.write(
        "client.ts",
        'import { api } from "./convex/_generated/api";\n'
        'import type { Doc, Id } from "./convex/_generated/dataModel";\n'
        "export const path: typeof api.posts.list._args = { n: 1 };\n"
        "export const post = (id: Id<'posts'>, author: Id<'users'>): Doc<'posts'> =>\n"
        "  ({ _id: id, _creationTime: 1, title: 'a', author });\n"
        "// @ts-expect-error int64 is a bigint\nexport const user: Pick<Doc<'users'>, 'at'> = { at: 1 };\n",
    )
    options = ["--noEmit", "--strict", "--skipLibCheck", "--target", "es2022"]
    options += ["--module", "esnext", "--moduleResolution", "bundler"]
    command = [str(NODE_MODULES / ".bin/tsc"), *options, "client.ts", "convex/posts.ts", "convex/schema.ts"]
    found = subprocess.run(command, cwd=app.path, capture_output=True, text=True, timeout=180, check=False)
    assert found.returncode == 0, found.stdout


def test_a_push_of_ten_megabytes(app: App):
    words = [f"{number * number:x}" for number in range(40_000)]
    for number in range(5):
        text = " ".join((words[number * 1000 :] + words) * 6)[: 2 << 20]
        app.write(f"convex/big{number}.ts", f"export const text = {json.dumps(text)};\n")
    app.write("convex/sizes.ts", SERVER + "".join(f'import {{ text as t{n} }} from "./big{n}";\n' for n in range(5)) +
              "export const sizes = query({ handler: async () => [t0, t1, t2, t3, t4].map((x) => x.length) });"
              )  # fmt: skip
    app.push()
    assert json.loads(app.convex("run", "sizes:sizes").out) == [2 << 20] * 5


def test_modules_with_legal_comments_and_the_word_export_in_texts(app: App):
    app.write("convex/licensed.js", "/*! @license MIT\n export { no }; */\nexport const licensed = `export { a };\n`;\n"
              "export default class Kept {}\n//! export default 1;\n")  # fmt: skip
    app.write("convex/default.ts", SERVER + 'import Kept, { licensed } from "./licensed";\n/** @preserve */\n'
              'import * as preact from "preact";\nimport * as jose from "jose";\nimport bcrypt from "bcryptjs";\n'
              'const told = "export { told };";\n'
              "export default query(async () => [Kept.name, licensed.length, told, typeof jose.jwtVerify,"
              " typeof preact.h, typeof bcrypt.hashSync]);\n/*! export default query; */\n")  # fmt: skip
    app.push()
    found = json.loads(app.convex("run", "default").out)
    assert found[1:] == [14, "export { told };", "function", "function", "function"]
    with sqlite3.connect(app.served.data / "deployment.sqlite3") as database:
        sources = [source for (source,) in database.execute("SELECT source FROM modules")]
    assert any("/*!" in source.partition("export {")[2] for source in sources), "the bundler puts them at the end"


def test_an_issuer_of_its_own_without_an_application(app: App):
    app.write("convex/auth.config.ts", 'export default { providers: [{ type: "customJwt", issuer: "https://a.example", '
              'jwks: "https://a.example/jwks", algorithm: "RS256" }] };\n')  # fmt: skip
    try:
        app.push()
    finally:
        (app.path / "convex/auth.config.ts").unlink()
        app.push()


def test_pushes_that_change_nothing_indexes_or_modules(app: App):
    app.schema('t2: defineTable({ a: v.string(), b: v.number() }).index("by_a", ["a"])')
    app.write("convex/one.ts", listing("t2"))
    app.write("convex/two/deep.ts", listing("t2").replace("./_generated", "../_generated"))
    app.push()
    assert {"one.js:list", "two/deep.js:list"} <= functions(app).keys()
    again = app.push()
    assert "indexes:" not in again.text
    app.schema(
        't2: defineTable({ a: v.string(), b: v.number() }).index("by_b", ["b", "a"])'
        '.searchIndex("search", { searchField: "a", filterFields: ["b"] })'
    )
    (app.path / "convex/one.ts").unlink()
    changed = app.convex("dev", "--once", "--typecheck", "disable")
    assert changed.code == 0, changed.text
    for line in ("[-] t2.by_a   a", "[+] t2.by_b   b, a", "[+] t2.search"):
        assert line in changed.text
    found = functions(app)
    assert "two/deep.js:list" in found and "one.js:list" not in found


def test_documents_that_do_not_fit_refuse_the_push_in_convexs_own_words(app: App):
    app.schema("t3: defineTable({ a: v.array(v.object({ b: v.string() })) })")
    app.push()
    app.write("t3.jsonl", '{"a":[{"b":"x"},{"b":"y"}]}\n')
    assert app.convex("import", "--table", "t3", "t3.jsonl").code == 0
    (there,) = app.documents("t3")
    app.schema('t3: defineTable({ a: v.array(v.object({ b: v.union(v.literal("x"), v.number()) })) })'
               '.index("by_a", ["a"])')  # fmt: skip
    app.write("convex/t3.ts", listing("t3"))
    ran = app.convex("dev", "--once", "--typecheck", "disable")
    assert ran.code == 1
    assert "Schema validation failed." in ran.text
    assert f'Document with ID "{there["_id"]}" in table "t3" does not match the schema: ' in ran.text
    assert (
        'Value does not match validator.\nPath: .a[1].b\nValue: "y"\nValidator: v.union(v.literal("x"), v.float64())\n'
    ) in ran.text
    assert "t3.js:list" not in functions(app)
    assert app.documents("t3") == [there]
    app.schema("t3: defineTable({ a: v.array(v.object({ b: v.string() })) })")
    assert "indexes:" not in app.push().text


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        ("export default 5;", "isn't a Convex schema"),
        ("export const a = 5;", "missing default export"),
        ("throw new Error('my own words');", "Uncaught Error: my own words"),
        (
            'import { defineSchema, defineTable } from "convex/server"; import { v } from "convex/values";'
            'export default defineSchema({ t: defineTable({ a: v.string() }).index("by_b", ["b"]) });',
            "t.by_b: the field b does not exist",
        ),
    ],
)
def test_a_schema_that_is_none(app: App, schema: str, said: str):
    app.write("convex/schema.ts", schema)
    ran = app.convex("dev", "--once", "--typecheck", "disable")
    assert (ran.code, said in ran.text) == (1, True), ran.text


WHOLE = {
    "http.ts": 'import { httpRouter } from "convex/server"; import { httpAction } from "./_generated/server";\n'
    'const http = httpRouter(); http.route({ path: "/hook", method: "POST", '
    "handler: httpAction(async () => new Response(null)) });"
    ' http.route({ pathPrefix: "/files/", method: "GET", handler: httpAction(async () => new Response("a")) });\n'
    "export default http;\n",
    "crons.ts": 'import { cronJobs } from "convex/server"; import { internal } from "./_generated/api";\n'
    'const crons = cronJobs(); crons.daily("tidy", { hourUTC: 3, minuteUTC: 0 }, internal.node.tidy, {});\n'
    "export default crons;\n",
    "auth.config.ts": "export default { providers: [{ domain: process.env.ISSUER!, applicationID: 'convex' }, "
    "{ domain: process.env.CONVEX_SITE_URL!, applicationID: 'own' }] };\n",
    "node.ts": '"use node";\nimport { createHash } from "node:crypto"; import { v } from "convex/values";\n'
    'import { internalAction } from "./_generated/server";\n'
    "export const tidy = internalAction({ args: {}, returns: v.string(), "
    'handler: async () => createHash("sha256").update("a").digest("hex") });\n',
    "convex.config.ts": 'import { defineApp } from "convex/server";\nexport default defineApp();\n',
    "lib/shared.ts": "export const twice = (n: number) => n * 2;\n",
    "uses.ts": SERVER + 'import { twice } from "./lib/shared";\n'
    "export const four = query({ args: {}, handler: async () => twice(2) });\n"
    "export const put = mutation({ args: { n: v.int64() }, handler: async () => null });\n"
    "export const hidden = internalAction({ args: { n: v.array(v.bytes()) }, handler: async () => null });\n",
}


def test_every_kind_of_module(app: App):
    for name, text in WHOLE.items():
        app.write(f"convex/{name}", text)
    ran = app.convex("dev", "--once", "--typecheck", "disable")
    assert ran.code == 1
    assert "Environment variable ISSUER is used in auth config file but its value was not set." in ran.text
    assert app.convex("env", "set", "ISSUER", "https://example.clerk.accounts.dev").code == 0
    app.push()
    found = functions(app)
    kinds = {name: (one["functionType"], one.get("visibility", {}).get("kind")) for name, one in found.items()}
    assert kinds == {
        "POST /hook": ("HttpAction", None),
        "GET /files/*": ("HttpAction", None),
        "node.js:tidy": ("Action", "internal"),
        "uses.js:four": ("Query", "public"),
        "uses.js:put": ("Mutation", "public"),
        "uses.js:hidden": ("Action", "internal"),
    }
    assert found["node.js:tidy"]["returns"] == {"type": "string"}
    assert found["uses.js:put"]["args"]["value"]["n"]["fieldType"] == {"type": "bigint"}
    for name in ("http.ts", "crons.ts", "auth.config.ts"):
        (app.path / "convex" / name).unlink()
    app.push()
    assert "POST /hook" not in functions(app)
    assert app.convex("env", "remove", "ISSUER").code == 0


def test_a_module_that_throws_or_has_no_end(app: App):
    app.write("convex/broken.ts", "export const a = 1;\nthrow new TypeError('while importing');\n")
    ran = app.convex("dev", "--once", "--typecheck", "disable")
    assert ran.code == 1
    assert "broken.js" in ran.text and "Uncaught TypeError: while importing" in ran.text


def test_watching_pushes_again_when_a_file_or_the_data_changes(app: App):
    app.schema("t6: defineTable({ a: v.union(v.string(), v.number()) })")
    with app.running("dev", "--typecheck", "disable") as process:
        lines = Lines(process.stderr)
        lines.until(READY)
        app.write("convex/later.ts", listing("t6"))
        lines.until(READY)
        assert "later.js:list" in functions(app)
        app.write("t6.jsonl", '{"a":"x"}\n')
        assert app.convex("import", "--table", "t6", "t6.jsonl").code == 0
        app.schema("t6: defineTable({ a: v.number() })")  # the document does not fit: it waits for the data to change
        lines.until("Validator: v.float64()")
        app.write("t6.jsonl", '{"a":1}\n')
        assert app.convex("import", "--replace", "-y", "--table", "t6", "t6.jsonl").code == 0
        lines.until(READY)
        os.killpg(process.pid, signal.SIGINT)
        process.wait(20)
    assert app.documents("t6")[0]["a"] == 1


def test_deploy_and_codegen(app: App):
    app.schema('t7: defineTable({ a: v.string() }).index("by_a", ["a"])')
    app.write("convex/t7.ts", listing("t7"))
    generated = app.convex("codegen", "--typecheck", "disable")
    assert generated.code == 0, generated.text
    assert "t7" in (app.path / "convex/_generated/api.d.ts").read_text()
    assert "t7.js:list" not in functions(app), "codegen changes nothing there"
    dry = app.convex("deploy", "-y", "--dry-run", "--typecheck", "disable")
    assert dry.code == 0, dry.text
    assert "t7.js:list" not in functions(app)
    ran = app.convex("deploy", "-y", "--typecheck", "disable")
    assert ran.code == 0, ran.text
    assert "Deployed Convex functions to" in ran.text and "[+] t7.by_a" in ran.text
    assert "t7.js:list" in functions(app)


# Data


def test_data_with_its_options(app: App):
    rows = [document(10_801, number, n=number, text="é" * number) for number in range(1, 4)]
    write_archive(app.path / "t8.zip", documents(t8=rows))
    assert app.convex("import", "t8.zip").code == 0
    assert [row["n"] for row in app.documents("t8")] == [1, 2, 3]
    newest = app.convex("data", "t8", "--limit", "2", "--format", "jsonArray")
    assert [row["n"] for row in json.loads(newest.out)] == [3, 2]
    pretty = app.convex("data", "t8", "--order", "asc", "--limit", "1", "--format", "pretty")
    assert '"é"' in pretty.out and rows[0]["_id"] in pretty.out
    none = app.convex("data", "nothing")
    assert none.code == 0 and "no documents" in none.text
    assert app.convex("data", "_storage").code == 0


FILES = {
    "rows.csv": "name,n\na,1\nb,2.5\n",
    "rows.jsonl": '{"name":"a","n":1}\n{"name":"b","n":2.5}\n',
    "rows.json": '[{"name":"a","n":1},{"name":"b","n":2.5}]',
}


@pytest.mark.parametrize("name", FILES)
def test_a_file_of_one_table(app: App, name: str):
    table = f"t9_{name.partition('.')[2]}"
    app.write(name, FILES[name])
    ran = app.convex("import", "--table", table, name)
    assert ran.code == 0, ran.text
    assert f'Added 2 documents to table "{table}".' in ran.text
    assert [(row["name"], row["n"]) for row in app.documents(table)] == [("a", 1), ("b", 2.5)]


def test_a_file_of_one_table_in_every_mode(app: App):
    app.write("rows.jsonl", FILES["rows.jsonl"])

    def imported(*options: str) -> Ran:
        return app.convex("import", "--table", "t9", *options, "rows.jsonl")

    assert imported().code == 0
    again = imported()
    assert again.code == 1 and "TableExists" in again.text
    appended = imported("--append")
    assert appended.code == 0, appended.text
    assert [(row["name"], row["n"]) for row in app.documents("t9")] == [("a", 1), ("b", 2.5)] * 2
    replaced = imported("--replace", "-y")
    assert replaced.code == 0, replaced.text
    assert "4 of 4" in replaced.text
    assert len(app.documents("t9")) == 2


WRONG_FILES = {
    "short.csv": ("a,b\n1\n", "CsvRowMissingFields"),
    "quoted.csv": ('a\n"x"y\n', "CsvInvalidRow"),
    "broken.jsonl": ('{"a":1}\n{"a":\n', "JsonInvalidRow"),
    "object.json": ('{"a":1}', "NotJsonArray"),
}


@pytest.mark.parametrize("name", WRONG_FILES)
def test_a_file_that_is_wrong(app: App, name: str):
    text, code = WRONG_FILES[name]
    app.write(name, text)
    ran = app.convex("import", "--table", "t10", name)
    assert (ran.code, code in ran.text) == (1, True), ran.text
    assert "t10" not in app.tables()


def test_replacing_asks_and_no_is_no(app: App):
    app.write("t11.jsonl", '{"a":1}\n')
    assert app.convex("import", "--table", "t11", "t11.jsonl").code == 0
    there = app.documents("t11")
    piped = app.convex("import", "--table", "t11", "--replace", "t11.jsonl", text="n\n")
    assert piped.code == 1
    assert "1 of 1" in piped.text and "Perform import?" in piped.text
    assert app.documents("t11") == there
    asked = on_a_terminal(app, "n\r", "import", "--table", "t11", "--replace", "t11.jsonl")
    assert "Perform import?" in asked
    assert app.documents("t11") == there
    on_a_terminal(app, "y\r", "import", "--table", "t11", "--replace", "t11.jsonl")
    assert app.documents("t11") != there


def on_a_terminal(app: App, answer: str, *arguments: str) -> str:
    """What the CLI prints where its standard input is a terminal, and ``answer`` is typed when it asks."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        ["npx", "--no-install", "convex", *arguments],
        cwd=app.path, env=dict(app.environment), stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True,
    )  # fmt: skip
    os.close(theirs)
    text, deadline = "", time.monotonic() + 60
    os.set_blocking(ours, False)
    try:
        while process.poll() is None:
            assert time.monotonic() < deadline, text
            try:
                text += os.read(ours, 4096).decode(errors="replace")
            except BlockingIOError:
                time.sleep(0.02)
            except OSError:
                break
            if answer and "Perform import?" in text:
                os.write(ours, answer.encode())
                answer = ""
        process.wait(20)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        os.close(ours)
    return text


def test_archives_in_every_mode(app: App):
    app.schema('z1: defineTable({ n: v.number() }), z2: defineTable({ ref: v.id("z1") })')
    app.push()
    numbers = tables(z1=10_901, z2=10_902, z3=10_903)
    one, two = [document(10_901, 1, n=1)], [document(10_902, 1, ref=id_of(10_901, 1))]
    write_archive(app.path / "z.zip", numbers | documents(z1=one, z2=two, z3=[document(10_903, 1)]))
    default = app.convex("import", "z.zip")
    assert default.code == 0, default.text
    assert app.documents("z2")[0]["ref"] == id_of(10_901, 1)
    assert "TableExists" in app.convex("import", "z.zip").text
    write_archive(app.path / "more.zip", documents(z1=[document(10_901, 2, n=2)]))
    assert app.convex("import", "--append", "more.zip").code == 0
    assert [row["n"] for row in app.documents("z1")] == [1, 2]
    assert app.convex("import", "--replace", "-y", "more.zip").code == 0
    assert [row["n"] for row in app.documents("z1")] == [2]
    assert len(app.documents("z2")) == 1
    every = app.convex("import", "--replace-all", "-y", "more.zip")
    assert every.code == 0, every.text
    left = app.tables()
    assert "z3" not in left and {"z1", "z2"} <= set(left), "tables of the schema are emptied, others go"
    assert app.documents("z2") == []


ONE, OTHER = [document(11_001, 1, n=1)], [document(11_009, 1, n=1)]
#: What is in the archive, the mode, and the code of the error that it is. There are e1 (11001) and e2 (11002), which
#: refers to e1.
WRONG: dict[str, tuple[Callable[[], dict[str, str]], str, str]] = {
    "a name twice": (
        lambda: {"_tables/documents.jsonl": '{"name":"e1","id":11001}\n{"name":"e1","id":11003}\n'},
        "--replace", "DuplicateTableName",
    ),
    "a number twice": (lambda: {"_tables/documents.jsonl": '{"name":"a","id":11005}\n{"name":"b","id":11005}\n'},
                       "--replace", "InvalidId"),
    "an id of another table": (
        lambda: tables(e1=11_001) | documents(e1=[document(11_002, 1, n=1)]), "--replace", "ImportConflict",
    ),
    "an id twice": (lambda: documents(e1=ONE + ONE), "--replace", "DuplicateId"),
    "the number of a table that stays": (lambda: documents(other=[document(11_002, 5)]), "--replace", "TableConflict"),
    "another number to append to": (lambda: documents(e1=OTHER), "--append", "TableNumberConflict"),
    "a number that others refer to": (lambda: documents(e1=OTHER), "--replace", "ImportForeignKey"),
    "a time that is an int64": (
        lambda: {"e1/documents.jsonl": f'{{"_id":"{id_of(11_001, 9)}","_creationTime":1700000000000,"n":1.0}}\n',
                 "e1/generated_schema.jsonl": '"uniform"\n'},
        "--replace", "InvalidCreationTimeError",
    ),
    "documents that don't fit": (
        lambda: documents(e1=[document(11_001, 1, n="x")]), "--replace", "SchemaEnforcementError",
    ),
    "a table that holds some": (lambda: documents(e1=ONE), "", "TableExists"),
}  # fmt: skip


@pytest.fixture(scope="module")
def errors(shared: App) -> App:
    """The app with e1 and e2, which refers to it."""
    shared.schema('e1: defineTable({ n: v.number() }), e2: defineTable({ ref: v.id("e1") })')
    shared.push()
    rows = documents(e1=ONE, e2=[document(11_002, 1, ref=ONE[0]["_id"])])
    write_archive(shared.path / "e.zip", tables(e1=11_001, e2=11_002) | rows)
    assert shared.convex("import", "--replace", "-y", "e.zip").code == 0
    return shared


@pytest.mark.parametrize("what", WRONG)
def test_archives_that_convex_refuses(errors: App, what: str):
    entries, mode, code = WRONG[what]
    write_archive(errors.path / "wrong.zip", entries())
    ran = errors.convex("import", *filter(None, [mode]), "-y", "wrong.zip")
    assert (ran.code, code in ran.text) == (1, True), ran.text


def test_what_was_refused_changed_nothing(errors: App):
    assert errors.documents("e1") == [{**ONE[0]}]
    assert errors.documents("e2") == [document(11_002, 1, ref=ONE[0]["_id"])]


def test_an_export_imported_elsewhere_exports_equal_bytes():
    rows = [document(10_001, 1, big={"$integer": "AQAAAAAAAAA="}), document(10_001, 2, nan={"$float": "AAAAAAAA+H8="})]
    uniform = {"every/generated_schema.jsonl": '"uniform"\n', "plain/documents.jsonl": '{"a":[1,{"b":"é"}]}\n'}
    stored = id_of(540, 1)
    files = {"_storage/documents.jsonl": json.dumps({"_id": stored, "contentType": "image/png"}) + "\n"}
    with served_app() as one, served_app() as two:
        write_archive(one.path / "in.zip", documents(every=rows) | uniform | files | {f"_storage/{stored}.png": "PNG"})
        assert one.convex("import", "in.zip").code == 0
        first = one.export("first.zip", "--include-file-storage")
        second = two.path / "second.zip"
        shutil.copy(first, two.path / "first.zip")
        assert two.convex("import", "--replace-all", "-y", "first.zip").code == 0
        assert two.export("second.zip", "--include-file-storage") == second
        with zipfile.ZipFile(first) as left, zipfile.ZipFile(second) as right:
            assert left.namelist() == right.namelist()
            assert [left.read(name) for name in left.namelist()] == [right.read(name) for name in right.namelist()]
        assert first.read_bytes() == second.read_bytes()
        assert json.loads(one.convex("data", "_storage", "--format", "jsonArray").out)[0]["_id"] == stored


# Environment, logs, running


def test_environment_variables(app: App):
    assert app.convex("env", "set", "FIRST", "a b=c").code == 0
    app.write("more.env", "FIRST=é\nSECOND=2\nTHIRD='three'\n")
    assert app.convex("env", "set", "--from-file", "more.env").code == 1, "FIRST has another value"
    assert app.convex("env", "set", "--force", "--from-file", "more.env").code == 0
    listed = app.convex("env", "list")
    assert {"FIRST=é", "SECOND=2", "THIRD=three"} <= set(listed.out.splitlines())
    assert app.convex("env", "get", "SECOND").out.strip() == "2"
    assert app.convex("env", "remove", "SECOND").code == 0
    gone = app.convex("env", "get", "SECOND")
    assert "not found" in gone.text
    bad = app.convex("env", "set", "1BAD", "x")
    assert bad.code == 1


def test_logs_are_watched(app: App):
    with app.running("logs") as process:
        Lines(process.stderr).until("Watching logs")
        assert process.poll() is None


def test_what_was_called_in_vain_is_in_the_logs(app: App):
    with app.running("logs", "--history", "5") as process:
        Lines(process.stderr).until("Watching logs")
        assert app.convex("run", "a:b", "{}").code != 0
        assert "Could not find function" in Lines(process.stdout).until("Could not")


# The server itself


def test_what_was_acknowledged_survives_a_kill():
    with served_app() as app:
        served = app.served
        app.schema("t: defineTable({ a: v.string() })")
        app.write("convex/t.ts", listing("t"))
        app.write("t.jsonl", '{"a":"x"}\n')
        app.push()
        assert app.convex("import", "--table", "t", "t.jsonl").code == 0
        assert app.convex("env", "set", "KEPT", "1").code == 0
        before = app.documents("t"), functions(app).keys(), served.key
        served.kill()
        served.start()
        assert (app.documents("t"), functions(app).keys(), served.key) == before
        assert app.convex("env", "get", "KEPT").out.strip() == "1"
        assert "indexes:" not in app.push().text
        file = served.data / "admin_key"
        assert file.read_text().strip() == served.key
        for path in (file, served.data / "deployment.sqlite3"):
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
        second = launch(served.data)
        try:
            out, err = second.communicate(timeout=60)
        finally:
            end(second)
        assert (second.returncode, out) == (2, "")
        assert "DeploymentServed" in err and str(served.pid) in err
        with app.running("logs") as process:
            Lines(process.stderr).until("Watching logs")
            assert served.stop() == 0
        served.start()
        assert served.stop(signal.SIGINT) == 0


def test_the_users_whole_case():
    """Built, pushed, migrated into an archive, imported and exported by the official CLI, and proven."""
    with projects.folder() as folder:
        project = projects.copy_of_my21staff(folder / "project")
        built = supavex("build", "-C", project)
        assert built.code == 0, built.err
        with Served(folder / "data") as served:
            app = App(project, served)
            app.push()
            migrated = supavex("migrate", "-C", project, "--out", project / "a.zip")
            assert migrated.code == 0, migrated.err
            imported = app.convex("import", "--replace", "-y", "a.zip")
            assert imported.code == 0, imported.text
            exported = app.export("export.zip")
            assert len(app.tables()) == 15
            proven = supavex("verify", "-C", project, exported)
            assert proven.code == 0, proven.out + proven.err
            again = app.push()
            assert "indexes:" not in again.text
            (project / "convex/schema.ts").unlink()
            assert supavex("build", "-C", project).code == 0
            assert "indexes:" not in app.push().text, "the schema is the same, written anew"
