"""A table of a TOML file, whose values are checked as they are taken."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Mapping
from typing import Any

from supavex.errors import UsageError


class TomlTable:
    """Takes values out of a parsed TOML table and checks each for its type. Keys that are never taken are unknown."""

    def __init__(self, data: Mapping[str, Any], where: str) -> None:
        self.data, self.where, self.known = dict(data), where, set[str]()

    def take(self, key: str, kind: type | tuple[type, ...], default: Any = None) -> Any:
        """The value of ``key``, which must have the type ``kind``; ``default`` if the key is missing."""
        self.known.add(key)
        if key not in self.data:
            return default
        value = self.data.pop(key)
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is int):
            names = " or ".join(k.__name__ for k in (kind if isinstance(kind, tuple) else (kind,)))
            names = names.replace("dict", "a table").replace("list", "a list").replace("str", "a text")
            names = names.replace("bool", "true or false").replace("int", "a whole number").replace("float", "number")
            raise UsageError("InvalidConfig", f"{key} is {names}, not {_shown(key, value)}.", where=self.where)
        return value

    def positive(self, key: str, default: float) -> float:
        """A number above zero."""
        value = self.take(key, (int, float), default)
        if isinstance(value, bool) or not 0 < value < math.inf:
            raise UsageError("InvalidConfig", f"{key} is a number above 0, not {_shown(key, value)}.", where=self.where)
        return float(value)

    def choice(self, key: str, choices: tuple[str, ...]) -> Any:
        """One of ``choices``; the first if the key is missing."""
        value = self.take(key, str, choices[0])
        if value not in choices:
            raise UsageError("InvalidConfig", f"{key} is one of {', '.join(choices)}.", where=self.where)
        return value

    def texts(self, key: str, default: list[str]) -> tuple[str, ...]:
        """A list of texts."""
        items = self.take(key, list, default)
        if not all(isinstance(item, str) and item for item in items):
            raise UsageError("InvalidConfig", f"{key} is a list of texts, not {_shown(key, items)}.", where=self.where)
        return tuple(items)

    def done(self) -> None:
        """Raises for a key that was not read."""
        for key in self.data:
            close = difflib.get_close_matches(key, self.known, n=1)
            raise UsageError(
                "UnknownKey",
                f"{key} is not a setting here.",
                where=self.where,
                hint=f"Did you mean {close[0]}?" if close else f"Known here: {', '.join(sorted(self.known))}.",
            )


def _shown(key: str, value: object) -> str:
    """A wrong value for a message. If it may contain a password, only its type is shown."""
    text = repr(value)
    if not key.startswith("database_url") and re.fullmatch(r"[\w\s.,\-'\[\]]{0,80}", text):
        return text
    kinds = {str: "a text", list: "a list", dict: "a table", bool: "true or false"}
    return next((name for kind, name in kinds.items() if isinstance(value, kind)), "a number")
