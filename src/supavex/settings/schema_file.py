"""Runs a project's ``schema.py``."""

from __future__ import annotations

from typing import Any

from supavex.convex.schema import Schema
from supavex.diagnostics import Place
from supavex.errors import SupavexError, UsageError
from supavex.settings.settings import Settings


def load_schema(settings: Settings) -> Schema:
    """The ``schema`` that the project's ``schema.py`` defines. Raises with file and line where it can't be had."""
    path = settings.schema_file
    shown = settings.shown(path)
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise UsageError(
            "NoSchema",
            "there is no schema file.",
            where=shown,
            hint="It defines schema = define_schema({…}); supavex.toml's `schema` names another file.",
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError("NoSchema", f"the schema file can't be read: {error}.", where=shown) from None
    namespace: dict[str, Any] = {"__name__": "supavex_project_schema", "__file__": str(path)}
    try:
        exec(compile(text, shown, "exec"), namespace)
    except SyntaxError as error:
        # Of this file, or of one that it imports.
        file = shown if error.filename in (None, shown) else str(error.filename)
        raise SupavexError("SchemaSyntaxError", f"{error.msg}.", where=f"{file}:{error.lineno}") from None
    except (Exception, SystemExit) as error:
        line = _line_of(error, shown)
        raise SupavexError(
            "SchemaRaises",
            f"the schema file raises {type(error).__name__}: {error}",
            where=str(Place(shown, line)) if line else shown,
            hint="It is plain Python: run it to see the whole story.",
        ) from None
    schema = namespace.get("schema")
    if not isinstance(schema, Schema):
        found = "does not define schema" if schema is None else f"defines schema as {type(schema).__name__}"
        raise SupavexError(
            "MissingSchemaExportError", f"the file {found}.", where=shown, hint="schema = define_schema({…})"
        )
    return schema


def _line_of(error: BaseException, file: str) -> int | None:
    line, trace = None, error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == file:
            line = trace.tb_lineno
        trace = trace.tb_next
    return line
