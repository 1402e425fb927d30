r"""LIKE patterns as TypeScript: ``%`` is any text, ``_`` one character, and ``\`` escapes the next character.

Sources: PostgreSQL's manual, "LIKE"; PostgREST, "Operators", where ``*`` also means ``%``. ILIKE compares the lower
case of both whole texts.
"""

from __future__ import annotations

import json
from typing import Literal

Wild = Literal["any", "one"]
#: The TypeScript function for patterns that are known only at run time. A trailing backslash is an error, as in
#: PostgreSQL.
LIKE = r"""const like = (text: string, pattern: string) => {
  const wild: Record<string, string> = { "%": ".*", _: ".", "\\": "(" };
  const source = pattern.replace(/\*/g, "%").replace(/\\(.)|./gsu, (one, plain) =>
    wild[one] ?? (plain ?? one).replace(/[\\^$.*+?()[\]{}|\/]/, "\\$&"));
  return new RegExp(`^${source}$`, "su").test(text);
};"""
_SYNTAX = frozenset("\\^$.*+?()[]{}|/")


def parts_of(pattern: str) -> list[tuple[Wild | None, str]] | None:
    """The texts of ``pattern`` (None, text) and its wildcards; None if it ends with a backslash."""
    parts: list[tuple[Wild | None, str]] = []
    characters = iter(pattern.replace("*", "%"))
    for character in characters:
        if character in "%_":
            wild: Wild = "any" if character == "%" else "one"
            if wild == "one" or not parts or parts[-1][0] != "any":
                parts.append((wild, ""))
            continue
        if character == "\\":
            character = next(characters, "")
            if not character:
                return None
        if parts and parts[-1][0] is None:
            parts[-1] = (None, parts[-1][1] + character)
        else:
            parts.append((None, character))
    return parts


def exact_text(pattern: str) -> str | None:
    """The only text that ``pattern`` matches; None if it has wildcards or is invalid."""
    parts = parts_of(pattern)
    if parts is None or any(wild for wild, _ in parts):
        return None
    return parts[0][1] if parts else ""


def matches(text: str, pattern: str, *, fold: bool) -> str | None:
    """TypeScript that tests whether the string expression ``text`` matches; None if no text can match.

    ``fold``: without regard to case, as ILIKE.
    """
    parts = parts_of(pattern.lower() if fold else pattern)
    if parts is None:
        return None
    text = f"{text}.toLowerCase()" if fold else text
    texts = [json.dumps(plain, ensure_ascii=False) for wild, plain in parts if wild is None]
    match [wild for wild, _ in parts]:
        case []:
            return f'{text} === ""'
        case [None]:
            return f"{text} === {texts[0]}"
        case ["any"]:
            return "true"
        case [None, "any"]:
            return f"{text}.startsWith({texts[0]})"
        case ["any", None]:
            return f"{text}.endsWith({texts[0]})"
        case ["any", None, "any"]:
            return f"{text}.includes({texts[0]})"
    source = "".join(
        {"any": ".*", "one": "."}.get(wild or "", "") or "".join(map(_plain, plain)) for wild, plain in parts
    )
    return f"/^{source}$/su.test({text})"


def _plain(character: str) -> str:
    """The character as a regular expression."""
    if character in _SYNTAX:
        return f"\\{character}"
    return character if character.isprintable() else f"\\u{{{ord(character):x}}}"
