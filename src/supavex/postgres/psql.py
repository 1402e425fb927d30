r"""Runs psql's own commands in a file, as far as a replay does.

Commands that only affect psql or its output are passed over. ``\i`` and ``\ir`` are followed inside the project's
folder. Variables of ``\set`` and ``\if`` work as in psql. A command that reads or writes other files, runs programs, or
runs the results of a query is never run: the report lists it with file and line.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from supavex.postgres.report import NotRun
from supavex.postgres.statements import PsqlCommand, Statement, read_text, split

#: An item of a file: a statement to run, a command that is not run, or one that is passed over.
Item = Statement | NotRun | PsqlCommand
#: Commands that change nothing in the database.
_PASSED_OVER = frozenset({
    "?", "C", "H", "T", "a", "c", "cd", "conninfo", "connect", "copyright", "echo", "errverbose", "f", "getenv", "h",
    "l", "o", "p", "password", "prompt", "pset", "qecho", "r", "restrict", "s", "setenv", "sf", "sv", "t", "timing",
    "unrestrict", "w", "warn", "x", "z",
})  # fmt: skip
#: Commands of psql that a replay does not run, with their effect.
_NOT_DONE = {
    "!": "runs a program of the machine, which a replay never does",
    "copy": "copies a file of the client, which a replay does not read",
    "gexec": "runs the results of its query as SQL, which a replay does not do",
    "gset": "takes variables from the results of its query, which a replay does not do",
    "watch": "runs its query again and again, which a replay does not do",
    "lo_import": "reads a file of the client, which a replay does not do",
}
_INCLUDES = ("i", "include", "ir", "include_relative")
_CONDITIONS = ("if", "elif", "else", "endif")
_TRUE = ("true", "on", "yes", "1", "t", "y")
_ARGUMENT = re.compile(r"""'(?:[^'\\]|\\.|'')*'|"(?:[^"]|"")*"|[^\s'"]+|\s+""", re.DOTALL)
_COPY_FROM = re.compile(r"(.*?\bfrom\s+)(program\s+)?('(?:[^']|'')*'|\S+)(.*)", re.IGNORECASE | re.DOTALL)
_VARIABLE = re.compile(
    r"""--[^\n]*|/\*.*?\*/|(?<![\w$])[eE]'(?:[^'\\]|\\.)*'|'[^']*'|"[^"]*"|(?<![\w$])(?P<tag>\$(?:[^\W\d]\w*)?\$).*?(?P=tag)"""
    r"""|(?<!:):(?:(?P<plain>\w+)|'(?P<text>\w+)'|"(?P<name>\w+)"|\{\?(?P<known>\w+)\})""",
    re.DOTALL,
)
#: The greatest depth of includes. No real file comes near it.
_DEEPEST = 20


def statements_of(path: Path, shown: str, root: Path) -> Iterator[Item]:
    """The statements that psql would run from ``path``, including those of included files.

    ``shown`` is the file's name in reports. Nothing outside the folder ``root`` is read. Commands that are passed over
    are :class:`PsqlCommand`, commands that are not run are :class:`NotRun`.
    """
    return _Script(root.resolve()).run(path, shown, ())


def included_files(path: Path, root: Path) -> list[Path]:
    r"""The files that ``path`` includes with ``\\i`` or ``\\ir``, directly or through others."""
    script = _Script(root.resolve())
    if b"\\i" not in path.read_bytes():
        return []
    for _ in script.run(path, path.name, ()):
        pass
    return script.included


@dataclass(slots=True)
class _Script:
    """The state of psql: variables, conditions, and the files that are open."""

    root: Path
    variables: dict[str, str] = field(default_factory=dict)
    #: For each open \if: whether its current branch runs, and whether any branch has run.
    conditions: list[tuple[bool, bool]] = field(default_factory=list)
    included: list[Path] = field(default_factory=list)

    def run(self, path: Path, shown: str, above: tuple[Path, ...]) -> Iterator[Item]:
        text, raw = read_text(path.read_bytes())
        for item in split(text, shown, raw):
            if isinstance(item, Statement):
                if not self.conditions or self._active():
                    yield self._substituted(item) if self.variables else item
            elif item.name in _CONDITIONS:
                self._condition(item)
            elif self._active():
                if item.name == "q":
                    return
                yield from self._command(item, path, (*above, path.resolve()))

    def _active(self) -> bool:
        return all(running for running, _ in self.conditions)

    def _command(self, command: PsqlCommand, path: Path, above: tuple[Path, ...]) -> Iterator[Item]:
        where = f"{command.file}:{command.line}"
        if command.name in _INCLUDES:
            yield from self._include(command, path, above)
        elif command.name == "set":
            yield (
                command
                if self._set(command)
                else NotRun(where, "\\set takes the output of a program, which is not run")
            )
        elif command.name == "unset":
            self.variables.pop(command.arguments.strip(), None)
            yield command
        elif command.name == "encoding":
            yield Statement(command.file, command.line, f"SET client_encoding = {_literal(command.arguments.strip())}")
        elif command.name == "copy":
            yield self._copy(command)
        elif command.name in _NOT_DONE:
            yield NotRun(where, f"\\{command.name} {_NOT_DONE[command.name]}")
        elif command.name in ("g", "gx", "gdesc", "crosstabview", "\\", ""):
            return
        elif command.name in _PASSED_OVER or command.name.startswith("d"):
            yield command
        else:
            yield NotRun(where, f"\\{command.name} is a command of psql that a replay does not know")

    def _copy(self, command: PsqlCommand) -> Item:
        r"""A \copy as a COPY of a file, which is not run. The rows that it would load are missing."""
        match = _COPY_FROM.fullmatch(self._filled(command.arguments))
        if match is None or match[3].lower() in ("stdin", "pstdin"):
            why = f"\\copy {_NOT_DONE['copy']}: \\copy {command.arguments}"
            return NotRun(f"{command.file}:{command.line}", why)
        source = f"COPY {match[1]}{match[2] or ''}{_literal(_argument(match[3]))}{match[4]}"
        return Statement(command.file, command.line, source)

    def _include(self, command: PsqlCommand, path: Path, above: tuple[Path, ...]) -> Iterator[Item]:
        where, name = f"{command.file}:{command.line}", _argument(self._filled(command.arguments))
        # psql resolves \i from the folder where it was started, which may be any of these.
        bases = [path.parent] if command.name in ("ir", "include_relative") else [self.root, self.root / "supabase"]
        tried = [(base / name).resolve() for base in dict.fromkeys([*bases, path.parent])]
        found = next((file for file in tried if file.is_file() and file.is_relative_to(self.root)), None)
        if found is None:
            outside = any(not file.is_relative_to(self.root) for file in tried)
            why = "is outside of the project's folder, where nothing is read" if outside else "is not there"
            yield NotRun(where, f"\\{command.name}: the file {name} {why}")
        elif found in above or len(above) > _DEEPEST:
            yield NotRun(where, f"\\{command.name}: the file {name} includes itself")
        else:
            self.included.append(found)
            yield from self.run(found, str(found.relative_to(self.root)), above)

    def _set(self, command: PsqlCommand) -> bool:
        """Sets a variable. Returns whether its value is known."""
        if "`" in command.arguments:
            return False
        pieces = [piece for piece in _ARGUMENT.findall(self._filled(command.arguments)) if piece.strip()]
        if pieces:
            self.variables[pieces[0]] = "".join(map(_argument, pieces[1:]))
        return True

    def _condition(self, command: PsqlCommand) -> None:
        def holds() -> bool:
            return _argument(self._filled(command.arguments)).lower() in _TRUE

        if command.name == "if":
            running = self._active() and holds()
            self.conditions.append((running, running))
        elif not self.conditions:
            return
        elif command.name == "endif":
            self.conditions.pop()
        else:
            _, done = self.conditions.pop()
            running = not done and self._active() and (command.name == "else" or holds())
            self.conditions.append((running, done or running))

    def _substituted(self, statement: Statement) -> Statement:
        return replace(statement, sql=self._filled(statement.sql))

    def _filled(self, text: str) -> str:
        """``text`` with the values of set variables. Other references stay as they are."""

        def value(match: re.Match[str]) -> str:
            if match["known"]:
                return "TRUE" if match["known"] in self.variables else "FALSE"
            name = match["plain"] or match["text"] or match["name"]
            if not name or name not in self.variables:
                return match[0]
            found = self.variables[name]
            return (
                found if match["plain"] else _literal(found) if match["text"] else '"' + found.replace('"', '""') + '"'
            )

        return _VARIABLE.sub(value, text)


def _argument(text: str) -> str:
    """An argument of a psql command without its quotes."""
    text = text.strip()
    if text.startswith("'"):
        return re.sub(r"\\(.)|''", lambda match: {"n": "\n", "t": "\t"}.get(match[1], match[1] or "'"), text[1:-1])
    return text[1:-1].replace('""', '"') if text.startswith('"') else text


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
