"""Convex's own CLI, run in the app's folder: supavex drives the CLI and does none of its work.

A target is ``cloud`` (the deployment of the app's folder) or the URL of a deployment. The CLI reads the URL's key from
the environment or the app's ``.env.local``.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from supavex.callbacks import Log
from supavex.convex_cli.targets import (
    CLOUD,
    ENV_FILES,
    KEY_VARIABLE,
    OTHER_VARIABLES,
    URL_VARIABLE,
    checked_url,
    deployment_of,
    env_files,
)
from supavex.errors import SupavexError, UsageError
from supavex.steps import step

#: The newest CLI for a Node version, by Node's major version.
_CLI_OF_NODE = {20: "1.48"}
_KEPT_LINES = 12
#: The CLI's messages if a deployment refuses its key.
_WRONG_KEY = ("BadDeployKey", "BadAdminKey", "InvalidDeployKey", "The provided deploy key", "401 Unauthorized")
_CONNECT_SECONDS = 5.0
#: The function of Convex's dashboard that returns schemas, and the most seconds for the CLI to call it.
_SCHEMAS, _SCHEMA_SECONDS = "_system/frontend/getSchemas", 120.0


@dataclass(frozen=True, slots=True)
class OfficialCli:
    """The CLI in an app's folder, for one deployment. Make it by :func:`official_cli`."""

    #: The app's folder.
    app: Path
    #: ``cloud`` or the URL.
    target: str
    #: The path of Node.
    node: str
    #: The CLI's JavaScript file.
    program: Path
    #: The environment variables of the process.
    environment: Mapping[str, str] = field(repr=False)
    #: The deployment's address; empty for ``cloud``.
    url: str = ""
    #: The deployment's admin key; empty if unknown.
    key: str = field(default="", repr=False)
    #: The deployment's name by :func:`deployment_of`, because `cloud` may mean different deployments over time.
    deployment: str = ""

    def run(self, *arguments: str, log: Log | None = None, seconds: float | None = None) -> str:
        """Runs ``convex ARGUMENTS`` and returns the output. Each line goes to ``log`` when it arrives.

        Raises :class:`~supavex.errors.SupavexError` with the last lines if it fails, or takes more than ``seconds``. It
        has no terminal, so it asks no questions.
        """
        command = [self.node, str(self.program), *arguments]
        process = subprocess.Popen(
            command,
            cwd=self.app,
            env=dict(self.environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            errors="replace",
            # An export contains people's data and password hashes, so only its owner may read it from the first byte
            # on.
            umask=0o077 if arguments[0] == "export" else -1,
        )
        lines = []
        assert process.stdout is not None
        late = threading.Event()

        def stop() -> None:
            late.set()
            process.kill()

        clock = None if seconds is None else threading.Timer(seconds, stop)
        with step(f"running convex {arguments[0]}"), process:
            try:
                if clock is not None:
                    clock.start()
                for raw in process.stdout:
                    line = self._scrubbed(raw.rstrip("\n"))
                    lines.append(line)
                    if log is not None:
                        log(line)
            except BaseException:
                process.terminate()
                raise
            finally:
                if clock is not None:
                    clock.cancel()
        code = process.returncode
        if late.is_set():
            lines.append(f"It was stopped after {seconds:g} seconds.")
        if code:
            if any(sign in line for line in lines for sign in _WRONG_KEY):
                raise UsageError(
                    "WrongAdminKey",
                    "the deployment does not take this key.",
                    where=self.url or str(self.app),
                    hint=f"Set {KEY_VARIABLE} (in the cloud, CONVEX_DEPLOY_KEY) to the key of this very "
                    "deployment: `supavex serve` prints its own, and Convex's dashboard has those of the cloud.",
                )
            said = "\n".join(line for line in lines[-_KEPT_LINES:] if line.strip()) or "it says nothing."
            raise SupavexError(
                "OfficialCliFailed",
                f"`npx convex {' '.join(arguments[:2])}` ended with exit code {code}:\n{said}",
                where=str(self.app),
                hint="Fix what it says, and run the command again.",
            )
        return "\n".join(lines)

    def _scrubbed(self, line: str) -> str:
        return line.replace(self.key, "***") if self.key else line

    def schema_text(self) -> str | None:
        """The deployment's active schema as JSON: over HTTP, or by the CLI if the key is unknown here.

        None if the deployment has none, or can't be asked.
        """
        if not self.key:
            return self._schema_by_cli()
        body = json.dumps({"path": _SCHEMAS, "args": {}, "format": "json"}).encode()
        headers = {"Content-Type": "application/json", "Authorization": f"Convex {self.key}"}
        request = urllib.request.Request(f"{self.url}/api/query", body, headers)
        try:
            with urllib.request.urlopen(request, timeout=30) as response:
                answer = json.load(response)
        except (urllib.error.URLError, ValueError, OSError):
            return None
        return _active(answer.get("value") if isinstance(answer, dict) else None)

    def _schema_by_cli(self) -> str | None:
        try:
            printed = self.run("run", _SCHEMAS, "{}", seconds=_SCHEMA_SECONDS)
            return _active(json.loads(printed[printed.index("{") :]))
        except (SupavexError, ValueError):
            return None


def _active(schemas: object) -> str | None:
    """The active schema among a deployment's own."""
    active = schemas.get("active") if isinstance(schemas, dict) else None
    return active if isinstance(active, str) else None


def official_cli(convex_folder: Path, target: str) -> OfficialCli:
    """The CLI of the app with the folder ``convex_folder``, for ``target``. Raises :class:`~supavex.errors.UsageError`
    with the missing part.
    """
    url = "" if target == CLOUD else checked_url(target)
    app = convex_folder.parent
    node, program = official_program(app)
    environment = dict(os.environ)
    known = {**env_files(app), **environment}
    environment.setdefault("CI", "1")  # No questions, no colors.
    environment["npm_config_loglevel"] = "error"
    if target == CLOUD:
        if not any(known.get(name) for name in (*OTHER_VARIABLES, URL_VARIABLE)):
            raise UsageError(
                "NoDeployment",
                "the app is not connected with a Convex deployment.",
                where=str(app),
                hint="Run `npx convex dev` there once, or set CONVEX_DEPLOY_KEY.",
            )
        return OfficialCli(app, target, node, program, environment, deployment=deployment_of(convex_folder, target))
    key = known.get(KEY_VARIABLE, "")
    if not key:
        raise UsageError(
            "NoAdminKey",
            f"{KEY_VARIABLE} is set neither in the environment nor in the app's .env.local.",
            where=url,
            hint=f"export {KEY_VARIABLE}='…'  (`supavex serve` prints it for its own deployment)",
        )
    _check_listening(url)
    # Empty instead of unset: the CLI would read an unset variable from the app's .env files.
    environment.update(dict.fromkeys(OTHER_VARIABLES, ""))
    return OfficialCli(app, target, node, program, {**environment, URL_VARIABLE: url, KEY_VARIABLE: key}, url, key, url)


def _check_listening(url: str) -> None:
    """Raises NoDeployment if nothing listens at ``url``, because Convex's CLI would try for half a minute."""
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        socket.create_connection((parts.hostname or "", port), timeout=_CONNECT_SECONDS).close()
    except OSError as error:
        raise UsageError(
            "NoDeployment",
            f"nothing answers at the deployment's address: {error.strerror or error}.",
            where=url,
            hint="Is it the right address, and does the deployment run? `supavex serve` serves the local one.",
        ) from None


def official_program(app: Path) -> tuple[str, Path]:
    """Node, and the CLI in the convex package of the app in ``app``. Raises :class:`~supavex.errors.UsageError` with
    the missing part.
    """
    if not (app / "package.json").is_file():
        raise UsageError(
            "NoApp",
            "there is no package.json beside the convex folder.",
            where=str(app),
            hint="Set `convex` in supavex.toml to the convex folder of your app.",
        )
    node = shutil.which("node")
    if node is None:
        hint = "Install Node 22 or later: Convex's CLI runs on it (on Node 20, that of the package convex@1.48)."
        raise UsageError("NoNode", "the program node is missing.", where=str(app), hint=hint)
    package = convex_package(app)
    # bin/main.js imports the bundle, for which Node reads its whole text twice: half a second of each call.
    programs = [] if package is None else [package / "dist/cli.bundle.cjs", package / "bin/main.js"]
    program = next((path for path in programs if path.is_file()), None)
    if package is None or program is None:
        raise UsageError(
            "NoConvexPackage",
            "the app's convex package is not installed.",
            where=str(app),
            hint="npm install convex (on Node 20: npm install convex@1.48; later ones need Node 22)",
        )
    _check_node(app, node, package)
    return node, program


def _check_node(app: Path, node: str, package: Path) -> None:
    """Raises NodeTooOld if the convex package declares that its CLI does not run on this Node."""
    try:
        about = json.loads((package / "package.json").read_text(encoding="utf-8"))
        wanted = re.fullmatch(r">=\s*(\d+)(?:\.\d+)*", str(about["engines"]["node"]).strip())
        ran = subprocess.run([node, "--version"], capture_output=True, text=True, timeout=30, check=False)
    except (OSError, ValueError, KeyError, TypeError, subprocess.TimeoutExpired):
        return  # The CLI itself reports the problem.
    present = re.fullmatch(r"v(\d+)[.\d]*", ran.stdout.strip())
    if wanted is None or present is None or int(present[1]) >= int(wanted[1]):
        return
    known = next((version for major, version in _CLI_OF_NODE.items() if int(present[1]) >= major), None)
    raise UsageError(
        "NodeTooOld",
        f"the app's convex {about.get('version', 'package')} needs Node {wanted[1]} or later, and this is Node "
        f"{present[0].removeprefix('v')}.",
        where=str(app),
        hint=f"Install Node {wanted[1]}"
        + (f", or a CLI that runs on this one: npm install convex@{known}" if known else "."),
    )


def convex_package(app: Path) -> Path | None:
    """The folder of the convex package that Node would find from ``app``; None if it is not installed."""
    return next((p for p in (f / "node_modules/convex" for f in (app, *app.parents)) if p.is_dir()), None)


@contextmanager
def env_files_kept(cli: OfficialCli) -> Iterator[None]:
    """Restores the app's .env files after the block, if ``cli`` is set to a URL.

    ``convex dev`` makes such a URL the app's deployment: it writes the URL into .env.local, and removes
    CONVEX_DEPLOYMENT. A rehearsal must not cut an app off from its deployment.
    """
    if not cli.url:
        yield
        return
    files = [cli.app / name for name in ENV_FILES]
    before = {file: file.read_bytes() if file.is_file() else None for file in files}
    try:
        yield
    finally:
        for file, content in before.items():
            if content is None:
                file.unlink(missing_ok=True)
            elif not file.is_file() or file.read_bytes() != content:
                file.write_bytes(content)
