"""Runs a project's ``schema.py``."""

from __future__ import annotations

from supavex.convex.schema import Schema
from supavex.definitions import evaluate_schema
from supavex.errors import UsageError, unreadable
from supavex.settings.settings import Settings


def load_schema(settings: Settings) -> Schema:
    """The ``schema`` of the project's ``schema.py``. Raises :class:`~supavex.errors.SupavexError` with file and line if
    it can't be loaded.
    """
    path = settings.schema_file
    shown = settings.shown(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise UsageError(
            "NoSchema",
            "there is no schema file.",
            where=shown,
            hint="`supavex scaffold` writes it from the source (`supavex init --force`: with a new supavex.toml); "
            "supavex.toml's `schema` names another file.",
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise unreadable("NoSchema", "the schema file", shown, error) from None
    return evaluate_schema(path, text, shown)
