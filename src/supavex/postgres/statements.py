"""Cuts a file of SQL into statements and psql commands where psql cuts it.

psql ends a statement at a semicolon outside quotes, comments, parentheses and BEGIN ATOMIC … END, even if the statement
is invalid. So a syntax error hides nothing that follows. The work is linear in the file's size.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from supavex.postgres.statement_kinds import parsed

_CHUNK = 1 << 20
_QUOTED = r"""--[^\n]*|/\*|(?<![\w$])[eE]'[^'\\]*+(?:\\.[^'\\]*+)*+'?|%s|"[^"]*+"?"""
_OUTSIDE = r"""|(?<![\w$])\$(?:[^\W\d]\w*)?\$|[();\\]"""
#: The tokens that matter outside quotes. A quoted text is one token.
_TOKEN = re.compile(_QUOTED % r"'[^']*+'?" + _OUTSIDE, re.DOTALL)
#: The same for ``standard_conforming_strings = off``, where a backslash escapes in every text.
_TOKEN_BACKSLASH = re.compile(_QUOTED % r"'[^'\\]*+(?:\\.[^'\\]*+)*+'?" + _OUTSIDE, re.DOTALL)
#: The same in CREATE FUNCTION and CREATE PROCEDURE, whose body may be BEGIN ATOMIC …; …; END.
_TOKEN_ROUTINE = re.compile(_TOKEN.pattern + r"|(?<![\w$])(?:begin|case|end)(?![\w$])", re.DOTALL | re.IGNORECASE)
_ROUTINE = re.compile(r"create\s+(?:or\s+replace\s+)?(?:function|procedure)\b", re.IGNORECASE)
_CONFORMING = re.compile(
    r"set\s+(?:session\s+|local\s+)?standard_conforming_strings\s*(?:=|to)\s*'?(on|off|true|false)", re.IGNORECASE
)
#: A whole INSERT of plain words, numbers and texts, with at most one level of nested parentheses: most of a dump.
#: INSERTs with quoted names, dollar quotes, comments or escapes go token by token.
_OUTER = r"[^;'\"$\\/()\-]++|(?<![eE])'[^']*+'|-(?!-)|/(?!\*)"
_INNER = rf"(?:{_OUTER}|\((?:{_OUTER})*+\))*+"
_PLAIN_INSERT = re.compile(rf"insert\s(?:{_OUTER}|\({_INNER}\))*+;", re.IGNORECASE)
_LEAD = re.compile(r"(?:[\s;\ufeff]|--[^\n]*)*+")
_COMMENT = re.compile(r"/\*|\*/")
_COMMAND = re.compile(r"\\([A-Za-z_]+\+?|[!?;\\])?[ \t]*([^\n\\]*(?:\\(?!\\)[^\n\\]*)*)")
#: psql commands that send the statement before them, as a semicolon does.
_SENDING = ("g", "gx", "gset", "gexec", "gdesc", "crosstabview", "watch", "bind", "parse")
_COPY = re.compile(r"copy\b", re.IGNORECASE)
_FROM_STDIN = re.compile(r"\bfrom\s+stdin\b", re.IGNORECASE)
_END_OF_DATA = re.compile(r"^\\\.[ \t]*\r?(?:\n|\Z)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class CopyData:
    """The rows of a COPY FROM stdin: ``text[start:stop]``, not copied out of the file's text."""

    text: str
    start: int
    stop: int

    def chunks(self) -> Iterator[str]:
        """The rows in pieces of at most a million characters."""
        for position in range(self.start, self.stop, _CHUNK):
            yield self.text[position : min(position + _CHUNK, self.stop)]


@dataclass(frozen=True, slots=True)
class Statement:
    """One SQL statement without its semicolon, and the line of its file (from 1) where it begins."""

    file: str
    line: int
    sql: str
    data: CopyData | None = None
    #: Whether the file is not UTF-8, so that each character of ``sql`` stands for one byte.
    raw: bool = False


@dataclass(frozen=True, slots=True)
class PsqlCommand:
    r"""A psql command: ``name`` without its backslash (``ir``), and the rest of its line."""

    file: str
    line: int
    name: str
    arguments: str


def read_text(content: bytes) -> tuple[str, bool]:
    """A file's text, and whether it is not UTF-8.

    UTF-16 is recognized by its byte order mark. Other bytes become one character each (Latin-1), so that none is lost.
    """
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return content.decode("utf-16", "replace"), False
    try:
        return content.decode("utf-8-sig"), False
    except UnicodeDecodeError:
        return content.decode("latin-1"), True


def split(text: str, file: str, raw: bool = False) -> Iterator[Statement | PsqlCommand]:
    """The statements and psql commands of ``text`` in their order."""
    return _Cutter(text, file, raw).items()


class _Cutter:
    """Reads a text once. ``_line`` is the line number of the position ``_counted``."""

    def __init__(self, text: str, file: str, raw: bool) -> None:
        self._text, self._file, self._raw = text, file, raw
        self._line, self._counted = 1, 0
        self._conforming = True

    def items(self) -> Iterator[Statement | PsqlCommand]:
        text, position = self._text, 0
        while True:
            start = self._after_lead(position)
            if start >= len(text):
                return
            line = self._line_of(start)
            if text[start] == "\\":
                command, position = self._command(start)
                yield command
                continue
            pieces, position, commands = self._statement(start)
            sql = "".join(pieces).strip()
            if not sql:
                yield from commands
                continue
            first = sql[0]
            if first in "sS" and (conforming := _CONFORMING.match(sql)):
                self._conforming = conforming[1].lower() in ("on", "true")
            if first in "cC" and _COPY.match(sql) and _takes_rows(sql):
                data, position = self._data(position)
                yield Statement(self._file, line, sql, data, self._raw)
            else:
                yield Statement(self._file, line, sql, None, self._raw)
            yield from commands

    def _line_of(self, position: int) -> int:
        self._line += self._text.count("\n", self._counted, position)
        self._counted = position
        return self._line

    def _after_lead(self, position: int) -> int:
        """The beginning of the next statement or command, after blanks, comments and semicolons."""
        while True:
            match = _LEAD.match(self._text, position)
            position = match.end() if match else position
            if not self._text.startswith("/*", position):
                return position
            position = self._after_comment(position)

    def _after_comment(self, position: int) -> int:
        """The end of the comment that begins at ``position``; comments nest."""
        depth = 0
        for match in _COMMENT.finditer(self._text, position):
            depth += 1 if match[0] == "/*" else -1
            if depth == 0:
                return match.end()
        return len(self._text)

    def _statement(self, start: int) -> tuple[list[str], int, list[PsqlCommand]]:
        """The pieces of the statement at ``start``, the position after it, and the psql commands inside it."""
        text = self._text
        if self._conforming and (plain := _PLAIN_INSERT.match(text, start)):
            return [text[start : plain.end() - 1]], plain.end(), []
        token = _TOKEN if self._conforming else _TOKEN_BACKSLASH
        if text[start] in "cC" and _ROUTINE.match(text, start):
            token = _TOKEN_ROUTINE
        pieces: list[str] = []
        commands: list[PsqlCommand] = []
        depth = atomic = 0
        position = begun = start
        while match := token.search(text, position):
            found, position = match[0], match.end()
            first = found[0]
            if first == "(":
                depth += 1
            elif first == ")":
                depth = max(0, depth - 1)
            elif first == ";":
                if depth == 0 and atomic == 0:
                    pieces.append(text[begun : match.start()])
                    return pieces, position, commands
            elif found == "/*":
                position = self._after_comment(match.start())
            elif first == "$":
                end = text.find(found, position)
                position = len(text) if end < 0 else end + len(found)
            elif first == "\\":
                pieces.append(text[begun : match.start()])
                command, position = self._command(match.start())
                begun = position
                if command.name == ";":
                    return pieces, position, commands
                commands.append(command)
                if command.name in _SENDING:
                    return pieces, position, commands
            elif token is _TOKEN_ROUTINE and depth == 0 and first in "bBcCeE" and found[-1] != "'":
                atomic = _nested(atomic, found.lower())
        pieces.append(text[begun:])
        return pieces, len(text), commands

    def _command(self, start: int) -> tuple[PsqlCommand, int]:
        """The psql command at ``start``, which ends with its line or before a double backslash."""
        line = self._line_of(start)
        match = _COMMAND.match(self._text, start)
        assert match is not None, "a command begins with a backslash"
        name = match[1] or ""
        if name in (";", "\\"):
            return PsqlCommand(self._file, line, name, ""), match.end(1)
        return PsqlCommand(self._file, line, name, match[2].rstrip()), match.end()

    def _data(self, position: int) -> tuple[CopyData, int]:
        """The rows after a COPY: from the next line to a line with a backslash and a point, or to the end."""
        newline = self._text.find("\n", position)
        start = len(self._text) if newline < 0 else newline + 1
        end = _END_OF_DATA.search(self._text, start)
        stop, after = (end.start(), end.end()) if end else (len(self._text), len(self._text))
        return CopyData(self._text, start, stop), after


def _nested(depth: int, word: str) -> int:
    """The depth of BEGIN ATOMIC … END in a routine's body after ``word``, as psql counts it."""
    if word == "begin" or (word == "case" and depth):
        return depth + 1
    return max(0, depth - 1) if word == "end" else depth


def _takes_rows(sql: str) -> bool:
    """Whether a COPY statement reads rows from the text that follows it."""
    tree = parsed(sql)
    if tree is None:
        return _FROM_STDIN.search(sql) is not None
    return type(tree).__name__ == "CopyStmt" and tree.is_from and tree.filename is None and not tree.is_program
