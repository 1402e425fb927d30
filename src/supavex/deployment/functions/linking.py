"""Pushed modules as scripts: V8 is embedded without its module loader, so imports and exports are taken out.

What comes is what the official CLI's bundler prints: every import at the head, relative to other pushed modules or to
Node's own, and one ``export { … }`` at the end. Imports become getters in a scope around the module, so that bindings
stay live.
"""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Collection
from dataclasses import dataclass, field

from supavex.errors import SupavexError

_BLANK = re.compile(r"(?:\s+|//[^\n]*|/\*.*?\*/|\"use (?:node|strict)\"\s*;|'use (?:node|strict)'\s*;)+", re.DOTALL)
_IMPORT = re.compile(
    r"import\b\s*+(?:(?P<names>(?:[\w$*{},\s]|\"[^\"\n]*\"\s+as\b)*[\w$*}])\s*from\s*)?"
    r"(?P<quote>[\"'])(?P<path>[^\"'\n]+)(?P=quote)\s*;?"
)
_EXPORT = re.compile(r"export\s*\{(?P<names>[^{}]*)\}\s*;?\s*(?://[^\n]*\s*)*\Z")
_NAMED = re.compile(r"(?P<name>[\w$]+|\"[^\"]*\")(?:\s+as\s+(?P<other>[\w$]+|\"[^\"]*\"))?\Z")


@dataclass(frozen=True, slots=True)
class Linked:
    """A module's body, what it imports (local name to module and export; ``*`` is all), and its exports by name."""

    path: str
    body: str
    requires: tuple[str, ...]
    imports: dict[str, tuple[str, str]]
    exports: dict[str, str]
    #: What it imports while it runs: the module by what its source calls it.
    loads: dict[str, str] = field(default_factory=dict)

    def script(self) -> str:
        """The module as a call of ``__define``; see ``modules.js``. Its lines are one further down than in the source.

        The body is strict, as modules are; only the scope around it is not, so that imports can be getters there.
        """
        imports = json.dumps(self.imports)
        getters = ", ".join(f"{json.dumps(name)}: () => {local}" for name, local in self.exports.items())
        scope, end = ("with (__scope) { ", " }") if self.imports else ("", "")
        return (
            f"__define({json.dumps(self.path)}, {json.dumps(list(self.requires))}, {imports}, "
            f'function (__scope, __export, Convex, __load) {{ {scope}return (async function () {{ "use strict"; '
            f"__export({{ {getters} }});\n{self.body}\n}})();{end} }}, {json.dumps(self.loads)});\n"
            f"//# sourceURL={self.path}\n"
        )


#: As the bundler prints it. ``__load`` is as long as ``import``, so that columns stay what they are. A text
#: that holds such a call of a module that is there would be changed, too: nothing here reads JavaScript that far.
_LOAD = re.compile(r"(?<![\w$.])import(?=\((?P<quote>[\"'])(?P<path>\.{1,2}/[^\"'\n\\]+)(?P=quote)\))")

#: In a file for Node, imports of Node's own modules stand wherever the source that needs them was put in.
_NODE_IMPORT = re.compile(r"^import\b[^;'\"]*?(?:from\s*)?[\"'](?!\.)[^\"'\n]+[\"'];?[ \t]*$", re.MULTILINE)


def link(path: str, source: str, *, node: bool = False, modules: Collection[str] = ()) -> Linked:
    """Takes a module apart; ``modules`` are those that it may import while it runs.

    Raises where it is not what the bundler prints.
    """
    if node:
        found = list(_NODE_IMPORT.finditer(source))
        source = "\n".join(match[0] for match in found) + "\n" + _NODE_IMPORT.sub("", source)
    position = 0
    requires: list[str] = []
    imports: dict[str, tuple[str, str]] = {}
    while True:
        blank = _BLANK.match(source, position)
        after = blank.end() if blank else position
        statement = _IMPORT.match(source, after)
        if statement is None:
            break
        target = _resolved(path, statement["path"])
        requires.append(target)
        imports |= {local: (target, name) for local, name in _imported(path, statement["names"] or "")}
        position = statement.end()
    # Lines keep their numbers, for stack traces.
    body = "\n" * source.count("\n", 0, position) + source[position:]
    exports: dict[str, str] = {}
    end = _EXPORT.search(body)
    if end is not None:
        body = body[: end.start()]
        for part in filter(None, map(str.strip, end["names"].split(","))):
            name = _NAMED.match(part)
            if name is None:
                raise _odd(path, part)
            exports[(name["other"] or name["name"]).strip('"')] = name["name"]
    loads: dict[str, str] = {}

    def load(found: re.Match[str]) -> str:
        target = _resolved(path, found["path"])
        if target not in modules:
            return found[0]
        loads[found["path"]] = target
        return "__load"

    return Linked(path, _LOAD.sub(load, body), tuple(dict.fromkeys(requires)), imports, exports, loads)


def _resolved(path: str, target: str) -> str:
    """Relative to the module; anything else is a module of Node's own."""
    if not target.startswith("."):
        return f"node:{target.removeprefix('node:')}"
    return posixpath.normpath(posixpath.join(posixpath.dirname(path), target))


def _imported(path: str, names: str) -> list[tuple[str, str]]:
    """Local name and export of each import of one statement."""
    found = []
    braces = re.search(r"\{([^}]*)\}", names)
    for part in filter(None, map(str.strip, braces[1].split(",") if braces else ())):
        match = _NAMED.match(part)
        if match is None:
            raise _odd(path, part)
        found.append((match["other"] or match["name"], match["name"].strip('"')))
    for part in filter(None, map(str.strip, re.sub(r"\{[^}]*\}", "", names).split(","))):
        star = re.match(r"\*\s*as\s+([\w$]+)\Z", part)
        if star is None and not re.match(r"[\w$]+\Z", part):
            raise _odd(path, part)
        found.append((star[1], "*") if star else (part, "default"))
    return found


def _odd(path: str, part: str) -> SupavexError:
    return SupavexError("InvalidModules", f"the import or export {part!r} is not understood.", where=path)
