"""Evaluates the schema in a project's schema.py, in a separate process.

The file is the user's own Python and has the user's rights, so the process is not a security boundary. It protects the
command from accidents in the file: prints, ``os._exit``, a crash, an endless loop, changed settings.
"""

from __future__ import annotations

import builtins
import difflib
import hashlib
import io
import json
import os
import pickle
import signal
import subprocess
import sys
import traceback
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from supavex.convex.schema import Schema, v
from supavex.diagnostics import Place
from supavex.errors import SupavexError
from supavex.steps import step

#: Seconds that a schema file may take.
SECONDS = 30
#: Further seconds after which a file that still runs is killed.
_GRACE = 2
_CHILD = "import json, sys; sys.path[:] = json.loads(sys.argv[1]); from supavex.definitions import child; child()"
_PLAIN = ("builtins", "datetime", "decimal", "enum", "pathlib", "re", "uuid")


@dataclass(frozen=True, slots=True)
class _Evaluated:
    """An answer of the child: the pickled schema, and a hash of each file of the user that was read for it."""

    schema: bytes
    files: Mapping[str, str]


#: Answers by file, text and environment, because a command may ask several times.
_known: dict[tuple[object, ...], _Evaluated] = {}


def evaluate_schema(path: Path, text: str, shown: str) -> Schema:
    """The ``schema`` of ``text``, the content of the file ``path``. ``shown`` is the file's name in messages.

    The file's prints go to standard error. Raises :class:`~supavex.errors.SupavexError` with file and line if the file
    raises, ends the process, takes more than :data:`SECONDS`, or defines no schema.
    """
    key = (path, text, tuple(sorted(os.environ.items())), tuple(sys.path))
    found = _known.get(key)
    if found is None or any(_hash(file) != digest for file, digest in found.files.items()):
        _known.clear()
        found = _known[key] = _ask(path, text, shown)
    schema = pickle.loads(found.schema)
    assert isinstance(schema, Schema)
    return schema


@step("running schema.py")
def _ask(path: Path, text: str, shown: str) -> _Evaluated:
    asked = pickle.dumps((str(path), text, shown, SECONDS))
    # -P: until the path is set, modules of the folder can't replace Python's.
    command = [sys.executable, "-P", "-c", _CHILD, json.dumps(sys.path)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=path.parent, start_new_session=True
    ) as process:
        try:
            answer, _ = process.communicate(asked, SECONDS + _GRACE)
        except subprocess.TimeoutExpired:
            raise _too_slow(shown, SECONDS) from None
        finally:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
    try:
        ended, found = pickle.loads(answer)
    except Exception:
        how = f"exit code {process.returncode}" if process.returncode >= 0 else f"signal {-process.returncode}"
        raise SupavexError(
            "SchemaRaises",
            f"the schema file ended its process ({how}) before it was read.",
            where=shown,
            hint="It may not call os._exit or a library that crashes: it only has to define schema.",
        ) from None
    if ended == "error":
        raise SupavexError(*found[:2], where=found[2], hint=found[3])
    return _Evaluated(*found)


def _too_slow(where: str, seconds: int) -> SupavexError:
    return SupavexError(
        "SchemaTooSlow",
        f"the schema file did not end within {seconds} seconds.",
        where=where,
        hint="It only has to define schema: is there a loop that does not end, or a wait for something?",
    )


def _hash(file: str) -> str:
    try:
        return hashlib.sha256(Path(file).read_bytes()).hexdigest()
    except OSError:
        return ""


# Functions that run in the child


def child() -> None:
    """Evaluates the file that standard input names, and writes the answer to the original standard output."""
    path, text, shown, seconds = pickle.load(sys.stdin.buffer)
    # Prints of the file must not mix with the answer, and the file must not read the request.
    answer = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    sys.stdin = io.StringIO()
    sys.path.insert(0, str(Path(path).parent))
    # Python validates cached bytecode by the file's second and size, which an edited module may share.
    sys.dont_write_bytecode, sys.pycache_prefix = True, os.devnull
    before = set(sys.modules)
    try:
        schema = _evaluate(path, text, shown, seconds)
        files = {
            file: _hash(file)
            for name, module in list(sys.modules.items())
            if name not in before and (file := getattr(module, "__file__", None)) and _is_users(file)
        }
        made = pickle.dumps(("schema", (_pickled(schema), files)))
    except SupavexError as error:
        made = pickle.dumps(("error", (error.code, error.message, error.where, error.hint)))
    answer.write(made)
    answer.close()
    with suppress(OSError, ValueError):
        sys.stdout.flush()
    os._exit(0)  # Does not wait for threads of the file.


def _is_users(file: str) -> bool:
    return not any(part in ("site-packages", "dist-packages") for part in Path(file).parts) and not file.startswith(
        str(Path(os.__file__).parent)
    )


class _TooSlow(BaseException):
    """Raised when the time is over."""


def _stop(signum: int, frame: object) -> NoReturn:
    raise _TooSlow


def _evaluate(path: str, text: str, shown: str, seconds: int) -> Schema:
    namespace: dict[str, Any] = {"__name__": "supavex_project_schema", "__file__": path}
    signal.signal(signal.SIGALRM, _stop)
    signal.alarm(seconds)
    try:
        exec(compile(text, shown, "exec"), namespace)
    except SyntaxError as error:
        # The syntax error may be in a file that this one imports.
        file = shown if error.filename in (None, shown) else str(error.filename)
        raise SupavexError("SchemaSyntaxError", f"{error.msg}.", where=f"{file}:{error.lineno}", hint=_SYNTAX) from None
    except _TooSlow as error:
        raise _too_slow(_where(error, shown), seconds) from None
    except BaseException as error:  # SystemExit, KeyboardInterrupt and such, too: it is the file that raises
        raise SupavexError(
            "SchemaRaises",
            f"the schema file raises {_named(error)}{_suggestion(error)}",
            where=_where(error, shown),
            hint="It is plain Python: run it to see the whole story.",
        ) from None
    finally:
        signal.alarm(0)
    schema = namespace.get("schema")
    if not isinstance(schema, Schema):
        found = "does not define schema" if schema is None else f"defines schema as {type(schema).__name__}"
        raise SupavexError(
            "MissingSchemaExportError", f"the file {found}.", where=shown, hint="schema = define_schema({…})"
        )
    return schema


_SYNTAX = "The line is not Python: is a bracket, a comma or a quote missing in it, or in the line before?"


def _where(error: BaseException, file: str) -> str:
    lines = [line for frame, line in traceback.walk_tb(error.__traceback__) if frame.f_code.co_filename == file]
    return str(Place(file, lines[-1])) if lines else file


def _named(error: BaseException) -> str:
    """The error's kind, and what it says if it says something: a MemoryError says nothing."""
    said = str(error)
    return f"{type(error).__name__}: {said}" if said else f"{type(error).__name__}"


def _suggestion(error: BaseException) -> str:
    """The nearest names, if the file uses an unknown name."""
    name, known = getattr(error, "name", None), list[str]()
    if isinstance(error, AttributeError) and name:
        known = [each for each in dir(error.obj) if not each.startswith("_")]
    elif isinstance(error, NameError) and name:
        frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
        known = [*frames[-1].f_locals, *frames[-1].f_globals, *dir(builtins), "define_schema", "define_table", "v"]
    elif isinstance(error, ImportError) and str(error).startswith("cannot import name '"):
        name, known = str(error).split("'")[1], dir(sys.modules.get(error.name or "", v))
    elif isinstance(error, TypeError) and "unexpected keyword argument '" in str(error):
        name = str(error).rpartition("unexpected keyword argument '")[2].partition("'")[0]
        known = ["default", "one_of", "ge", "le", "gt", "lt", "pattern", "unique", "comment", "staged"]
        known += ["search_field", "vector_field", "filter_fields", "dimensions", "schema_validation"]
    near = difflib.get_close_matches(str(name), known, n=2) if name and "Did you mean" not in str(error) else []
    return f". Did you mean {' or '.join(near)}?" if near else ""


class _Foreign:
    """An object in a schema that only the child has. Its text is kept for the finding about it."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return self._text


class _Pickler(pickle.Pickler):
    """Pickles supavex's own classes and plain values. Other objects are replaced by their text."""

    def reducer_override(self, obj: object) -> Any:
        if isinstance(obj, type):
            known = _is_plain(obj.__module__)
        elif type(obj).__module__ == "builtins" and callable(obj):
            known = False
        else:
            known = _is_plain(type(obj).__module__)
        return NotImplemented if known else (_Foreign, (repr(obj),))


def _is_plain(module: str) -> bool:
    return module in _PLAIN or module.partition(".")[0] == "supavex"


def _pickled(schema: Schema) -> bytes:
    file = io.BytesIO()
    _Pickler(file, pickle.HIGHEST_PROTOCOL).dump(schema)
    return file.getvalue()
