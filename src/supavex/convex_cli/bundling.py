"""Bundles an app's functions with Convex's own CLI, which pushes them to a temporary local deployment.

It runs ``convex deploy --env-file`` without code generation. Unlike ``convex dev``, this writes nothing into the app's
folder, and does not read the deployment in the app's ``.env.local``.
"""

from __future__ import annotations

import hashlib
import json
import os
import queue
import re
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from supavex.callbacks import Log
from supavex.convex_cli.cli import OfficialCli, convex_package, official_program
from supavex.deployment.deployment import Deployment
from supavex.deployment.functions.bundle import Bundle, bundle_of
from supavex.errors import SupavexError, UsageError
from supavex.temporary import temporary_folder

#: The name of an app's bundle, beside the convex folder.
BUNDLE_NAME = "convex.bundle.json"
#: The most seconds for starting the server, and for the CLI's push.
_START_SECONDS, _PUSH_SECONDS = 60.0, 300.0
_SOURCES = (".ts", ".tsx", ".mts", ".cts", ".js", ".jsx", ".mjs", ".cjs", ".json")
_SETTINGS = ("package.json", "convex.json", "tsconfig.json")
_LOCKS = ("package-lock.json", "npm-shrinkwrap.json", "yarn.lock", "pnpm-lock.yaml", "bun.lock", "bun.lockb")
#: Imports by a relative path.
_IMPORTED = re.compile(r"""(?:\bfrom|\bimport|\brequire)\s*\(?\s*["'](\.[^"'\n]*)["']""")


def convex_folder_of(app: Path) -> Path:
    """The folder of the app's functions: ``convex``, or the setting of its ``convex.json``."""
    try:
        settings = json.loads((app / "convex.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        settings = {}
    name = settings.get("functions") if isinstance(settings, dict) else None
    return app / (name if isinstance(name, str) and name else "convex")


def inputs_of(app: Path) -> dict[str, str]:
    """The files from which the app's bundle is made, by path from ``app``, with the SHA-256 of each.

    They are the sources in the convex folder, what those import by relative paths from elsewhere, with the folders of
    components, and the settings and lock files around them. What is imported by the ``paths`` of a tsconfig.json is
    not found.
    """
    folder = convex_folder_of(app)
    if not folder.is_dir():
        hint = "Name the app's folder, the one that holds convex/."
        raise UsageError("NoConvexFolder", "there is no such folder.", where=str(folder), hint=hint)
    found: dict[str, str] = {}
    waiting = _sources(folder)
    while waiting:
        path = waiting.pop()
        name = os.path.relpath(path, app).replace(os.sep, "/")
        if name in found or "node_modules" in path.parts[len(app.parts) :]:
            continue
        content = path.read_bytes()
        found[name] = hashlib.sha256(content).hexdigest()
        for imported in _IMPORTED.findall(content.decode("utf-8", "replace")):
            target = _resolved(path.parent / imported)
            if target is not None:
                waiting.append(target)
        if path.name.startswith("convex.config."):
            # Its folder is a component's: the CLI takes all of its modules, imported or not.
            waiting += _sources(path.parent)
    for path in [app / name for name in _SETTINGS] + _lock_files(app):
        if path.is_file():
            name = os.path.relpath(path, app).replace(os.sep, "/")
            found[name] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found


def _sources(folder: Path) -> list[Path]:
    return [
        path
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.suffix in _SOURCES and not path.name.endswith(".d.ts")
    ]


def _lock_files(app: Path) -> list[Path]:
    """The lock files of the app's packages: the app's own, or those of its workspace."""
    for folder in (app, *app.parents):
        found = [folder / name for name in _LOCKS if (folder / name).is_file()]
        if found or (folder / ".git").exists():
            return found
    return []


def _resolved(path: Path) -> Path | None:
    """The file that an import of ``path`` means."""
    plain = Path(os.path.normpath(path))
    stem = plain.with_suffix("") if plain.suffix in (".js", ".mjs", ".cjs", ".jsx") else plain
    choices = [plain, *(Path(f"{base}{end}") for base in (plain, stem) for end in _SOURCES)]
    choices += [plain / f"index{end}" for end in _SOURCES]
    return next((choice for choice in choices if choice.is_file()), None)


def stale_because(bundle: Bundle, app: Path, inputs: Mapping[str, str]) -> str | None:
    """What has changed in the app since ``bundle`` was made; None if nothing has."""
    changed = sorted(name for name in {*bundle.inputs, *inputs} if bundle.inputs.get(name) != inputs.get(name))
    if changed:
        return f"{changed[0]} has changed" + (f", and {len(changed) - 1} more" if len(changed) > 1 else "")
    installed = _version(convex_package(app))
    if installed not in (None, bundle.version):
        return f"the convex package is {installed} now, and was {bundle.version}"
    return None


def _version(package: Path | None) -> str | None:
    if package is None:
        return None
    try:
        return str(json.loads((package / "package.json").read_text(encoding="utf-8"))["version"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def bundle_app(app: Path, environment: Mapping[str, str] | None = None, log: Log | None = None) -> Bundle:
    """Makes Convex's CLI bundle and push the app in ``app``. Returns the bundle. It takes seconds, and needs Node.

    ``environment``: the deployment's variables while modules are evaluated. Raises
    :class:`~supavex.errors.SupavexError` with the missing part, or with the CLI's message if the app does not compile.
    """
    app = app.resolve()
    inputs = inputs_of(app)
    node, program = official_program(app)
    generated = convex_folder_of(app) / "_generated"
    if not generated.is_dir():
        raise UsageError(
            "NotGenerated",
            "the app's generated code is missing.",
            where=str(generated),
            hint="Run `npx convex dev` once, and commit convex/_generated as Convex recommends.",
        )
    with temporary_folder("bundle") as folder:
        file = folder / "deployment.sqlite3"
        with Deployment(file) as deployment:
            deployment.set_environment(dict(environment or {}))
        with _served(folder) as (url, key):
            selection = folder / "selection.env"
            selection.write_text(f"CONVEX_SELF_HOSTED_URL={url}\nCONVEX_SELF_HOSTED_ADMIN_KEY='{key}'\n")
            variables = {name: text for name, text in os.environ.items() if not name.startswith("CONVEX_")}
            variables |= {"CI": "1", "NO_COLOR": "1", "npm_config_loglevel": "error"}
            cli = OfficialCli(app, url, node, program, variables, url, key)
            options = ["--codegen", "disable", "--typecheck", "disable", "--yes"]
            cli.run("deploy", "--env-file", str(selection), *options, log=log, seconds=_PUSH_SECONDS)
        with Deployment(file) as deployment:
            return bundle_of(deployment, _version(program.parents[1]) or "unknown", inputs)


@contextmanager
def _served(folder: Path) -> Iterator[tuple[str, str]]:
    """Runs ``supavex serve`` of ``folder`` in a separate process, on free ports. Gives its URL and admin key."""
    command = [sys.executable, "-P", "-m", "supavex", "serve", "--data", str(folder), "--port", "0", "--site-port", "0"]
    with (folder / "serve.log").open("w+", encoding="utf-8") as log:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, stdin=subprocess.DEVNULL, text=True)
        assert process.stdout is not None
        stream = process.stdout
        lines: queue.SimpleQueue[str] = queue.SimpleQueue()

        def read() -> None:
            for _ in range(2):
                lines.put(stream.readline())

        reader = threading.Thread(target=read, daemon=True)
        reader.start()
        try:
            try:
                said = [lines.get(timeout=_START_SECONDS).strip().partition("=")[2] for _ in range(2)]
            except queue.Empty:
                said = []
            if not all(said) or len(said) < 2:
                process.kill()
                process.wait()
                log.seek(0)
                raise SupavexError(
                    "ServerNotStarted", f"`supavex serve` did not start:\n{log.read().strip()[-2000:]}", retryable=True
                )
            yield said[0], said[1]
        finally:
            process.terminate()
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            reader.join(5)
            stream.close()
