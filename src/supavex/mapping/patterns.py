r"""Translates PostgreSQL's regular expressions and LIKE patterns to patterns that Python and JavaScript read alike.

Only syntax with the same meaning in all three is translated: literals, ``.``, character classes, groups, alternatives,
quantifiers, ``^`` and ``$``, ``\d`` and ``\s``. Other patterns give None. A translation may accept a text that
PostgreSQL refuses (Python's ``$`` matches before a last newline). It never refuses a text that PostgreSQL accepts.

Sources: PostgreSQL's manual, section 9.7.3; Python's ``re``; JavaScript's RegExp with the flag ``u``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_SYNTAX = frozenset("\\^$.*+?()[]{}|")
_CONTROLS = {"t": "\t", "n": "\n", "r": "\r", "f": "\f", "v": "\v"}
_NAMED = {"digit": r"\d", "space": r"\s", "xdigit": "0-9A-Fa-f"}
_QUANTIFIER = re.compile(r"(?:[*+?]|\{(\d{1,3})(?:(,)(\d{1,3})?)?\})\??")
_MAX_LENGTH = 500
#: Python reserves these for set operations in a later version, and warns of them.
_SET_OPERATORS = ("&&", "||", "~~")


class _NotPortable(Exception):
    """The pattern can't be translated."""


@dataclass(slots=True)
class _Piece:
    """A piece of a branch: its text, and the text of its atom.

    ``literal``: the character, if the piece is one. ``group``: the piece is a group. ``repeats``: the piece, or a part
    of it, repeats without a bound.
    """

    text: str
    atom: str
    literal: str = ""
    group: bool = False
    repeats: bool = False


def portable(pattern: str, *, ignore_case: bool = False) -> str | None:
    """``pattern`` (PostgreSQL's advanced regular expression) for ``re.search`` and RegExp's ``u``, or None."""
    if pattern.startswith("(?i)"):
        pattern, ignore_case = pattern[4:], True
    if len(pattern) > _MAX_LENGTH or pattern.startswith("***") or (ignore_case and not pattern.isascii()):
        return None
    try:
        reader = _Reader(pattern, ignore_case)
        text, _ = reader.expression()
        reader.end()
        re.compile(text)
    except (_NotPortable, re.error):
        return None
    return text


def of_like(pattern: str, *, ignore_case: bool = False) -> str | None:
    """A LIKE pattern as a regular expression; None if it allows every text or can't be translated."""
    if len(pattern) > _MAX_LENGTH or (ignore_case and not pattern.isascii()):
        return None
    parts, escaped = [], False
    for character in pattern:
        if escaped or character not in "\\%_":
            parts.append(_literal(character, ignore_case))
            escaped = False
        elif character == "\\":
            escaped = True
        else:
            parts.append(r"[\s\S]*" if character == "%" else r"[\s\S]")
    if escaped or not parts:
        return None
    start = "" if parts[0] == r"[\s\S]*" else "^"
    end = "" if parts[-1] == r"[\s\S]*" else "$"
    while parts and parts[0] == r"[\s\S]*":
        parts.pop(0)
    while parts and parts[-1] == r"[\s\S]*":
        parts.pop()
    # Without a fixed part, LIKE only limits the length.
    return start + "".join(parts) + end if any(not part.startswith("[\\s") for part in parts) else None


def _literal(character: str, ignore_case: bool) -> str:
    if ignore_case and character.isalpha():
        return f"[{character.lower()}{character.upper()}]"
    return f"\\{character}" if character in _SYNTAX else character


class _Reader:
    """Reads a pattern piece by piece. ``position`` is the next character."""

    def __init__(self, pattern: str, ignore_case: bool) -> None:
        self.pattern, self.ignore_case, self.position = pattern, ignore_case, 0

    def end(self) -> None:
        if self.position < len(self.pattern):
            raise _NotPortable

    def _peek(self) -> str:
        return self.pattern[self.position : self.position + 1]

    def _next(self) -> str:
        if self.position >= len(self.pattern):
            raise _NotPortable
        self.position += 1
        return self.pattern[self.position - 1]

    def expression(self) -> tuple[str, list[list[_Piece]]]:
        """The branches up to a closing parenthesis or the end."""
        branches: list[list[_Piece]] = [[]]
        while (character := self._peek()) not in ("", ")"):
            if character == "|":
                self.position += 1
                branches.append([])
            else:
                branches[-1].append(self._piece())
        return "|".join("".join(piece.text for piece in branch) for branch in branches), branches

    def _piece(self) -> _Piece:
        character = self._next()
        if character in "^$":
            if _QUANTIFIER.match(self.pattern, self.position):
                raise _NotPortable
            return _Piece(character, character)
        inner: list[list[_Piece]] = []
        if character == "(":
            piece, inner = self._group()
        elif character == "[":
            text = self._class()
            piece = _Piece(text, text)
        elif character == ".":
            piece = _Piece(r"[\s\S]", r"[\s\S]")
        elif character == "\\":
            piece = self._escape()
        elif character in "*+?" or (character == "{" and self._peek().isdigit()):
            raise _NotPortable
        else:
            text = _literal(character, self.ignore_case)
            piece = _Piece(text, text, character)
        return self._quantified(piece, inner)

    def _quantified(self, piece: _Piece, inner: list[list[_Piece]]) -> _Piece:
        match = _QUANTIFIER.match(self.pattern, self.position)
        if match is None:
            return piece
        self.position = match.end()
        unbounded = match[0][0] in "*+" or (match[2] is not None and match[3] is None)
        many = unbounded or int(match[3] or match[1] or 1) > 1
        if piece.group and piece.repeats and many and not _separated(inner):
            raise _NotPortable  # Matching could take exponential time on a text that does not match.
        if _QUANTIFIER.match(self.pattern, self.position):
            raise _NotPortable
        return _Piece(piece.text + match[0], piece.atom, "", piece.group, piece.repeats or unbounded)

    def _group(self) -> tuple[_Piece, list[list[_Piece]]]:
        if self._peek() == "?":
            if self.pattern[self.position : self.position + 2] != "?:":
                raise _NotPortable
            self.position += 2
        text, branches = self.expression()
        if self._next() != ")":
            raise _NotPortable
        text = f"(?:{text})"
        repeats = any(piece.repeats for branch in branches for piece in branch)
        return _Piece(text, text, group=True, repeats=repeats), branches

    def _escape(self) -> _Piece:
        character = self._next()
        if character in "ds":
            return _Piece(f"\\{character}", f"\\{character}")
        if character in "AZ":
            text = "^" if character == "A" else "$"
            return _Piece(text, text)
        if character in _CONTROLS:
            return _Piece(f"\\{character}", f"\\{character}", _CONTROLS[character])
        if character.isalnum() or character == "_" or not character.isascii():
            raise _NotPortable
        text = _literal(character, self.ignore_case)
        return _Piece(text, text, character)

    def _class(self) -> str:
        negated = self._peek() == "^"
        self.position += negated
        items: list[str] = []
        while True:
            character = self._next()
            if character == "]" and items:
                break
            if character == "[" and self._peek() in (":", ".", "="):
                items.append(self._named(negated))
                continue
            low, shorthand = self._class_character(character, negated)
            if shorthand:
                items.append(shorthand)
            elif self._peek() == "-" and self.pattern[self.position + 1 : self.position + 2] not in ("]", ""):
                self.position += 1
                high, shorthand = self._class_character(self._next(), negated)
                if shorthand or high == "[" or high < low:
                    raise _NotPortable
                items.append(self._range(low, high))
            else:
                both = {low.lower(), low.upper()} if self.ignore_case and low.isalpha() else {low}
                items += [_in_class(one) for one in sorted(both)]
        text = "".join(items)
        if any(operator in text for operator in _SET_OPERATORS):
            raise _NotPortable
        return f"[{'^' if negated else ''}{text}]"

    def _named(self, negated: bool) -> str:
        end = self.pattern.find(":]", self.position)
        name = self.pattern[self.position + 1 : end] if self._peek() == ":" and end > 0 else ""
        if name not in _NAMED or (negated and name != "xdigit"):
            raise _NotPortable
        self.position = end + 2
        return _NAMED[name]

    def _class_character(self, character: str, negated: bool) -> tuple[str, str]:
        """A character of a class, or a shorthand for several characters."""
        if character != "\\":
            return character, ""
        escaped = self._next()
        if escaped in "ds" and not negated:
            return "", f"\\{escaped}"
        if escaped in _CONTROLS:
            return _CONTROLS[escaped], ""
        if escaped.isalnum() or escaped == "_" or not escaped.isascii():
            raise _NotPortable
        return escaped, ""

    def _range(self, low: str, high: str) -> str:
        text = f"{_in_class(low)}-{_in_class(high)}"
        if not self.ignore_case:
            return text
        if low.islower() and high.islower():
            return f"{text}{low.upper()}-{high.upper()}"
        if low.isupper() and high.isupper():
            return f"{text}{low.lower()}-{high.lower()}"
        if low.isdigit() and high.isdigit():
            return text
        raise _NotPortable


def _in_class(character: str) -> str:
    if character in "\\[]^-":
        return f"\\{character}"
    control = next((name for name, value in _CONTROLS.items() if value == character), None)
    return f"\\{control}" if control else character


def _separated(branches: list[list[_Piece]]) -> bool:
    """Whether each repetition of a group begins with a character that occurs nowhere else in the group:
    ``(-[a-z]+)*``.
    """
    if len(branches) != 1 or not branches[0]:
        return False
    first, *rest = branches[0]
    if not first.literal or any(piece.group for piece in rest):
        return False
    return not any(re.fullmatch(piece.atom, first.literal) for piece in rest)
