"""JSON between clients and the server: what comes in is held to JSON's own rules, what goes out is plain ASCII."""

from __future__ import annotations

import json
from typing import Any

from supavex.convex.json_bounds import parse_strict


def parse_json(text: str | bytes) -> Any:
    """The data of a JSON text. Raises :class:`ValueError` for whatever Convex's own reader refuses.

    That is also NaN, numbers beyond float64, and texts with half a surrogate pair. Raises
    :class:`~supavex.convex.json_bounds.JsonTooLarge`, before it parses, for more values or levels than arguments have.
    """
    try:
        data = parse_strict(text)
        # Half a pair comes only from an escape: looked for only where there is one.
        if (b"\\ud" in text or b"\\uD" in text) if isinstance(text, bytes) else ("\\ud" in text or "\\uD" in text):
            json.dumps(data, ensure_ascii=False).encode()
    except RecursionError:
        raise ValueError("nested too deeply") from None
    return data


def ascii_json(text: str) -> str:
    """A JSON text in ASCII characters: as it is, where it has no others."""
    return text if text.isascii() else json_text(json.loads(text))


def json_text(data: Any) -> str:
    """``data`` as JSON of ASCII characters only: no text in it can break the answer."""
    return json.dumps(data, separators=(",", ":"), allow_nan=False)
