"""Evaluates pushed modules in V8, in a separate process that is killed if it takes too much.

V8's own limits don't hold against typed arrays, endless microtasks and backtracking regular expressions. A process's
limits do.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import IO, Any

from supavex.convex.json_bounds import JsonTooLarge, parse_bounded, parse_strict
from supavex.convex.schema_json import validator_from_json
from supavex.deployment.runtime.definitions import ComponentDefinition, Config, evaluated, in_order, linked
from supavex.deployment.runtime.deno import LENGTH, framed, own_scripts, resident, script, start
from supavex.deployment.runtime.linking import link
from supavex.errors import SupavexError
from supavex.steps import step

#: The most wall-clock seconds and bytes of memory for evaluating one push.
SECONDS = 30.0
MEMORY_BYTES = 1 << 30
#: Processor seconds, and bytes of V8's heap.
CPU_SECONDS, HEAP_BYTES = 20, 512 << 20
#: The most bytes of an answer. The answer for the largest app is smaller.
MAX_ANSWER_BYTES = 64 << 20
_STACK_LINES = 6
#: Frames of the scripts of this folder, and of Deno's.
_OWN_FRAME = re.compile(r"(?:^at |^at async |\()(?:own:|ext:|node:|file:|/)|<anonymous>\)?$")
_UDF_TYPES = ("Query", "Mutation", "Action")


@dataclass(frozen=True, slots=True)
class Module:
    """A pushed module: path below ``convex/`` (``messages.js``), source, source map, and ``isolate`` or ``node``."""

    path: str
    source: str
    source_map: str | None
    environment: str

    @property
    def is_chunk(self) -> bool:
        """Whether it is code that several modules share, and not a module of the app."""
        return self.path.startswith("_deps/")


@dataclass(slots=True)
class Evaluation:
    """The analysis of modules: functions by module (in the CLI's form), schema JSON, authentication."""

    functions: dict[str, dict[str, Any]] = field(default_factory=dict)
    schema: str | None = None
    auth: list[dict[str, Any]] = field(default_factory=list)
    #: Definitions by path; the app's path is empty.
    definitions: dict[str, ComponentDefinition] = field(default_factory=dict)


def evaluate(
    modules: Sequence[Module],
    schema: Module | None,
    configs: Sequence[Config],
    environment: Mapping[str, str],
    *,
    seconds: float = SECONDS,
    memory: int = MEMORY_BYTES,
) -> Evaluation:
    """Imports every module, the schema, and definitions. Raises :class:`SupavexError` with Convex's codes."""
    every = [*modules, *([] if schema is None else [schema])]
    configs, answers = in_order(configs), []
    for node in (False, True):
        own = [module for module in every if (module.environment == "node") == node]
        if own or not node:
            definitions = {} if node else {config.key: config.path for config in configs}
            request = {
                "environment": dict(environment),
                "modules": [*(module.path for module in own if not module.is_chunk), *definitions],
                "schema": schema.path if schema else None,
                "definitions": definitions,
            }
            frames = [*(f"R{text}" for text in (*own_scripts(node=node), script("analysis.js")))]
            scripts = [] if node else list(linked(configs))
            scripts += [link(module.path, module.source) for module in own]
            frames += [f"L{one.path}\n{one.script()}" for one in scripts]
            frames.append(f"A{json.dumps(request)}")
            answers.append(_in_child(b"".join(map(framed, frames)), seconds, memory, node=node))
            _check(answers[-1])
    answer = answers[0]
    found = answer["schema"]
    if found is not None and found.get("missing"):
        message = "Schema file missing default export. Have you run `export default defineSchema(...)`?"
        raise _evaluating("MissingSchemaExportError", message)
    if found is not None and not _is_schema(found.get("text")):
        raise _evaluating("InvalidSchemaExport", "Default export from schema file isn't a Convex schema.")
    functions = {path: said for each in answers for path, said in each["functions"].items()}
    said = {config.path: evaluated(config, answer["definitions"].get(config.path)) for config in configs}
    return Evaluation(functions, None if found is None else found["text"], answer["auth"], said)


def _check(answer: Any) -> None:
    """Raises if an answer has the wrong form, or reports a failure."""
    # A module can change JavaScript's own objects, and so the code that answers.
    if not is_sound(answer):
        raise SupavexError("InvalidModules", "Evaluating the modules gave an answer of another form than it has.")
    failure = answer.get("failure")
    if failure is not None:
        raise _failure(failure)


def _is_schema(text: object) -> bool:
    try:
        data = parse_bounded(text) if isinstance(text, str) else None
    except (ValueError, RecursionError):
        return False
    return isinstance(data, dict) and "tables" in data


def _evaluating(code: str, message: str) -> SupavexError:
    return SupavexError(code, f"Hit an error while evaluating your schema:\n{message}")


def _failure(failure: Mapping[str, str]) -> SupavexError:
    """The error of a module that could not be imported, in Convex's form."""
    frames = [line.strip() for line in failure.get("stack", "").splitlines() if line.strip().startswith("at ")]
    frames = [line for line in frames if not _OWN_FRAME.search(line)][:_STACK_LINES]
    where = failure["module"]
    if where == "auth.config.js" and failure["message"].startswith("Environment variable "):
        return SupavexError("AuthConfigMissingEnvironmentVariable", failure["message"], where=where)
    name = failure.get("name", "Error")
    lines = [f"Uncaught {name}: {failure['message'].strip()}" if where else failure["message"]]
    lines += [f"    {frame}" for frame in frames]
    said = "your schema" if where == "schema.js" else f"module {where}" if where else "your modules"
    text = "\n".join(lines)
    code = "InvalidAuthConfig" if where == "auth.config.js" else "InvalidModules"
    return SupavexError(code, f"Hit an error while evaluating {said}:\n{text}", where=where or None)


@step("evaluating modules")
def _in_child(request: bytes, seconds: float, memory: int, *, node: bool) -> dict[str, Any]:
    process, lives = start(node=node, heap=HEAP_BYTES, cpu_seconds=CPU_SECONDS)
    watcher = _Watcher(process, seconds, memory)
    watcher.start()
    try:
        output = _exchanged(process, request)
    finally:
        watcher.stop()
        os.close(lives)
    if output is None:
        size = f"{MAX_ANSWER_BYTES >> 20} MiB"
        raise SupavexError("InvalidModules", f"Evaluating the modules was stopped: it says more than {size}.")
    if watcher.reason:
        raise SupavexError("InvalidModules", f"Evaluating the modules was stopped: {watcher.reason}.")
    try:
        answer: dict[str, Any] = parse_strict(output[LENGTH.size + 1 :])
    except JsonTooLarge as error:
        raise SupavexError("InvalidModules", f"Evaluating the modules gave {error}.") from None
    except ValueError:
        reason = "it used up its processor time" if process.returncode in (-24, -9) else "V8 gave up"
        message = f"Evaluating the modules failed: {reason} (exit code {process.returncode})."
        raise SupavexError("InvalidModules", message) from None
    return answer


def _exchanged(process: subprocess.Popen[bytes], request: bytes) -> bytes | None:
    """A process's answer to its request; None if that is too long. The process has then ended."""
    assert process.stdin is not None
    assert process.stdout is not None

    def write(pipe: IO[bytes]) -> None:
        with suppress(OSError), pipe:
            left = memoryview(request)
            while left:
                left = left[pipe.write(left) :]

    writing = threading.Thread(target=write, args=(process.stdin,), name="supavex-v8-request", daemon=True)
    writing.start()
    try:
        output = bytearray()
        with process.stdout as pipe:
            # The pipe has no buffer, so each read returns the available bytes.
            while len(output) <= MAX_ANSWER_BYTES and (piece := pipe.read(1 << 20)):
                output += piece
        return bytes(output) if len(output) <= MAX_ANSWER_BYTES else None
    finally:
        if process.poll() is None:
            with suppress(subprocess.TimeoutExpired):
                process.wait(1)
            process.kill()
        if process.stderr is not None:
            process.stderr.close()
        process.wait()
        writing.join()


def is_sound(answer: object) -> bool:
    """Whether an answer of ``analysis.js`` has the right form, so that later readers can rely on it."""
    if not isinstance(answer, dict):
        return False
    failure = answer.get("failure")
    if failure is not None:
        texts = isinstance(failure, dict) and all(isinstance(text, str) for text in failure.values())
        return texts and {"module", "message"} <= failure.keys()
    if not {"functions", "schema", "auth", "definitions"} <= answer.keys():
        return False
    if not isinstance(answer["definitions"], dict):
        return False
    schema = answer["schema"]
    if not (schema is None or isinstance(schema, dict)) or not isinstance(answer["auth"], list):
        return False
    kinds = str | int | float | bool | None
    if not all(isinstance(one, dict) and all(isinstance(v, kinds) for v in one.values()) for one in answer["auth"]):
        return False
    modules = answer["functions"]
    return isinstance(modules, dict) and all(map(_is_module, modules.values()))


def _is_module(found: Any) -> bool:
    """Whether the analysis of one module has the right form."""
    try:
        for function in found["functions"]:
            texts = [function["name"], *(function[name] for name in ("args", "returns") if function[name] is not None)]
            if not all(isinstance(text, str) for text in texts) or function["udfType"] not in _UDF_TYPES:
                return False
            if function["visibility"]["kind"] not in ("public", "internal"):
                return False
            for text in texts[1:]:
                data = parse_bounded(text)
                if data is not None:
                    validator_from_json(data)
        for route in found["httpRoutes"] or []:
            if not all(isinstance(route["route"][name], str) for name in ("path", "method")):
                return False
        return all(isinstance(name, str) for name, _ in found["cronSpecs"] or [])
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError, SupavexError):
        return False


class _Watcher(threading.Thread):
    """Kills a process that exceeds its time or memory."""

    def __init__(self, process: subprocess.Popen[bytes], seconds: float, memory: int) -> None:
        super().__init__(name="supavex-v8-watcher", daemon=True)
        self.process, self.deadline, self.memory = process, time.monotonic() + seconds, memory
        self.reason = ""
        self._done = threading.Event()

    def run(self) -> None:
        while not self._done.wait(0.05):
            if time.monotonic() > self.deadline:
                self.reason = "it took too long"
            elif resident(self.process.pid) > self.memory:
                self.reason = f"it took more than {self.memory >> 20} MB of memory"
            if self.reason:
                self.process.kill()
                return

    def stop(self) -> None:
        """Ends the watch."""
        self._done.set()
        self.join()
