"""JSON between clients and the server: what comes in is held to JSON's own rules, what goes out is plain ASCII."""

from __future__ import annotations

import json
import math
from typing import Any, NoReturn


def parse_json(text: str | bytes) -> Any:
    """The data of a JSON text. Raises :class:`ValueError` for whatever Convex's own reader refuses.

    That is also NaN, numbers beyond float64, texts with half a surrogate pair, and nesting without end.
    """
    try:
        data = json.loads(text, parse_float=_finite, parse_constant=_no_constant)
        # Half a pair comes only from an escape: looked for only where there is one.
        if ("\\ud" if isinstance(text, str) else b"\\ud") in text.lower():  # type: ignore[operator]
            json.dumps(data, ensure_ascii=False).encode()
    except RecursionError:
        raise ValueError("nested too deeply") from None
    return data


def json_text(data: Any) -> str:
    """``data`` as JSON of ASCII characters only: no text in it can break the answer."""
    return json.dumps(data, separators=(",", ":"), allow_nan=False)


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text[:40]} is beyond float64")
    return number


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
