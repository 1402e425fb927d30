"""JSON between clients and the server: strict for received texts, plain ASCII for sent ones."""

from __future__ import annotations

import json
from typing import Any

from supavex.convex.json_bounds import parse_strict


def parse_json(text: str | bytes) -> Any:
    """The data of a JSON text. Raises :class:`ValueError` for all that Convex's own reader refuses.

    That includes NaN, numbers beyond float64, and texts with half a surrogate pair. Raises
    :class:`~supavex.convex.json_bounds.JsonTooLarge`, before parsing, for more values or levels than arguments may
    have.
    """
    try:
        data = parse_strict(text)
        # Half a pair can only come from an escape, so other texts are not searched.
        if (b"\\ud" in text or b"\\uD" in text) if isinstance(text, bytes) else ("\\ud" in text or "\\uD" in text):
            json.dumps(data, ensure_ascii=False).encode()
    except RecursionError:
        raise ValueError("nested too deeply") from None
    return data


def ascii_json(text: str) -> str:
    """A JSON text in ASCII characters. A text that is already ASCII is unchanged."""
    return text if text.isascii() else json_text(json.loads(text))


def json_text(data: Any) -> str:
    """``data`` as JSON in ASCII characters, so that no text can break the answer."""
    return json.dumps(data, separators=(",", ":"), allow_nan=False)
