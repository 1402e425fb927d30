"""The web's globals do what the standards say: judged by Node, whose own globals do."""

from __future__ import annotations

import json
import subprocess

from tests.official.node import NODE_MODULES

from .app import APPS, App, value_of

SAMPLES = APPS / "behaviours" / "convex" / "library" / "web.ts"
JUDGE = """
const esbuild = require("esbuild");
const { readFileSync } = require("node:fs");
const { code } = esbuild.transformSync(readFileSync(process.argv[1], "utf8"), { format: "cjs", loader: "ts" });
Object.assign(globalThis, require("node:async_hooks"));
const module_ = { exports: {} };
new Function("module", "exports", code)(module_, module_.exports);
(async () => {
  const found = {};
  for (const [name, make] of Object.entries(module_.exports.WEB)) found[name] = JSON.stringify(await make());
  process.stdout.write(JSON.stringify(found));
})();
"""


def test_every_sample_gives_what_it_gives_in_node(app: App):
    done = subprocess.run(
        ["node", "-e", JUDGE, str(SAMPLES)], cwd=NODE_MODULES, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    expected: dict[str, str] = json.loads(done.stdout)
    assert list(expected) == app.run("web:names")
    different = []
    for name, wanted in expected.items():
        outcome = app.outcome("web:sample", {"name": name})
        found = json.loads(outcome.value or "null") if outcome.failure is None else outcome.failure.message
        if found != wanted:
            different.append(f"{name}:\n  {found}\n  is not\n  {wanted}")
    assert not different, "\n".join(different)


def test_latin1_is_what_the_web_takes_it_for(app: App):
    undefined = {0x81, 0x8D, 0x8F, 0x90, 0x9D}
    every = bytes(range(256))
    expected = "".join(chr(byte) if byte in undefined else bytes([byte]).decode("cp1252") for byte in every)
    assert app.run("web:latin", bytes=every) == expected


def test_a_store_that_is_lost_at_an_await_is_said_once(app: App):
    outcome = app.outcome("web:stores")
    assert value_of(outcome) == ["now", None, "sync", "entered", None]
    (line, entered) = outcome.log_texts
    assert line.startswith("[WARN] 'AsyncLocalStorage: run() was given a function that is async. ")
    assert "enterWith() was called" in entered
