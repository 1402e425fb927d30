"""Pushed modules as scripts: V8 is embedded without its module loader, so imports and exports are replaced.

Imports become getters in a scope around the module, and exports become getters on its instance, so that bindings stay
live. The rest of the source keeps its lines and columns, for stack traces. tree-sitter finds the statements, because
texts, templates and comments may contain the same words.
"""

from __future__ import annotations

import json
import posixpath
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, lru_cache

import tree_sitter_javascript  # It comes first: if neither is installed, its extra is named.
from tree_sitter import Language, Node, Parser, Query, QueryCursor

from supavex.errors import SupavexError

#: The most seconds of computing for one module. For some texts, parsing time grows quadratically.
PARSE_SECONDS = 30.0
_CHUNK = 1 << 16
#: The number of parsed modules that are kept, because a push evaluates its modules and then runs them.
_KEPT = 128
#: It has the length of the text that it replaces, so that columns stay the same.
_DEFAULT = b"var __default="
_LOAD, _IMPORT = b"__load", b"import"
_WORDS = "(call_expression function: (import)) @call (meta_property) @meta"


@dataclass(frozen=True, slots=True)
class Linked:
    """A module, split into its body, imports and exports."""

    #: The path of the module in the app's bundle, which stack traces show.
    path: str
    #: The source with imports and exports replaced. Lines and columns are those of the source.
    body: str
    #: The modules that it imports.
    requires: tuple[str, ...]
    #: Local name to module and export; ``*`` is the whole module.
    imports: dict[str, tuple[str, str]]
    #: Export to expression.
    exports: dict[str, str]
    #: The modules whose exports are exported again (``export * from``).
    stars: tuple[str, ...] = ()

    def script(self) -> str:
        """The module as an expression; see ``modules.js``. Its lines are one lower than in the source.

        The body is strict, as modules are. The scope around it is not, so that imports can be getters there.
        """
        imports = json.dumps(self.imports)
        getters = ", ".join(f"{json.dumps(name)}: () => {local}" for name, local in self.exports.items())
        scope, end = ("with (__scope) { ", " }") if self.imports else ("", "")
        return (
            f"({{ path: {json.dumps(self.path)}, requires: {json.dumps(list(self.requires))}, imports: {imports}, "
            f"stars: {json.dumps(list(self.stars))}, body: "
            f'function (__scope, __exported, Convex, __load) {{ {scope}return (async function () {{ "use strict"; '
            f"__exported({{ {getters} }});\n{self.body}\n}})();{end} }} }})\n//# sourceURL={self.path}\n"
        )


@lru_cache(maxsize=_KEPT)
def link(path: str, source: str) -> Linked:
    """Splits a module. Raises if an import or export is not understood."""
    return _Linker(path, source.encode("utf-8", "surrogatepass")).linked()


@cache
def _language() -> tuple[Language, Query]:
    language = Language(tree_sitter_javascript.language())
    return language, Query(language, _WORDS)


def _parsed(path: str, source: bytes) -> Node:
    end = time.thread_time() + PARSE_SECONDS
    late = False

    def chunk(offset: int, _: object) -> bytes:
        nonlocal late
        late = late or time.thread_time() > end
        # Returning nothing ends the parser. An exception here would leave it in an undefined state.
        return b"" if late else source[offset : offset + _CHUNK]

    tree = Parser(_language()[0]).parse(chunk)
    if late or tree is None:
        raise SupavexError("InvalidModules", "the module takes too long to read.", where=path)
    return tree.root_node


class _Linker:
    """Reads one module's statements. ``changes`` are the replacements of spans of its source."""

    def __init__(self, path: str, source: bytes) -> None:
        self.path, self.source = path, source
        self.requires: dict[str, None] = {}
        self.imports: dict[str, tuple[str, str]] = {}
        self.exports: dict[str, str] = {}
        self.stars: dict[str, None] = {}
        self.changes: list[tuple[int, int, bytes]] = []

    def linked(self) -> Linked:
        root = _parsed(self.path, self.source)
        for statement in _statements(root):
            if statement.type == "import_statement":
                self._import(statement)
            elif statement.type == "export_statement":
                self._export(statement)
            elif statement.children and statement.children[0].type in ("import", "export"):
                raise self._odd(statement)  # The statement is in a part that the parser did not understand.
        found = QueryCursor(_language()[1]).captures(root)
        for node in [*found.get("call", ()), *found.get("meta", ())]:
            # `import(…)` and `import.meta` would give Deno's modules, not the app's.
            if self._text(node).startswith("import"):
                self.changes.append((node.start_byte, node.start_byte + len(_IMPORT), _LOAD))
        return Linked(self.path, self._body(), tuple(self.requires), self.imports, self.exports, tuple(self.stars))

    def _body(self) -> str:
        pieces, position = [], 0
        for start, end, new in sorted(self.changes):
            pieces += [self.source[position:start], new]
            position = end
        return b"".join([*pieces, self.source[position:]]).decode("utf-8", "surrogatepass")

    def _text(self, node: Node) -> str:
        return self.source[node.start_byte : node.end_byte].decode("utf-8", "surrogatepass")

    def _name(self, node: Node | None) -> str:
        """A name, or a text in place of one (``export { a as "b-c" }``)."""
        text = "" if node is None else self._text(node)
        return text[1:-1] if text[:1] in ("'", '"') else text

    def _blank(self, start: int, end: int) -> None:
        self.changes.append((start, end, _blanks(self.source[start:end])))

    def _odd(self, node: Node) -> SupavexError:
        shown = " ".join(self._text(node)[:80].split())
        return SupavexError("InvalidModules", f"the import or export {shown!r} is not understood.", where=self.path)

    def _target(self, statement: Node) -> str | None:
        """The module of a statement, which has to be loaded first; None if it names none."""
        source = statement.child_by_field_name("source")
        if source is None:
            return None
        name = self._name(source)
        # Relative to the module. Other names are modules of Node.
        relative = posixpath.normpath(posixpath.join(posixpath.dirname(self.path), name))
        target = relative if name.startswith(".") else f"node:{name.removeprefix('node:')}"
        self.requires[target] = None
        return target

    def _import(self, statement: Node) -> None:
        target = self._target(statement)
        if target is None or statement.has_error:
            raise self._odd(statement)
        clause = next((child for child in statement.children if child.type == "import_clause"), None)
        for part in () if clause is None else clause.named_children:
            if part.type == "identifier":
                self.imports[self._text(part)] = target, "default"
            elif part.type == "namespace_import":
                self.imports[self._text(part.named_children[-1])] = target, "*"
            else:
                for specifier in _specifiers(part):
                    name, alias = specifier.child_by_field_name("name"), specifier.child_by_field_name("alias")
                    self.imports[self._name(alias or name)] = target, self._name(name)
        self._blank(statement.start_byte, statement.end_byte)

    def _export(self, statement: Node) -> None:
        declaration, value = (statement.child_by_field_name(name) for name in ("declaration", "value"))
        if any(child.type == "default" for child in statement.children):
            self._export_default(statement, declaration, value)
            return
        if declaration is not None:
            for declared in _declared(declaration):
                self.exports[self._text(declared)] = self._text(declared)
            self._blank(statement.start_byte, statement.start_byte + len(b"export"))
            return
        if statement.has_error:
            raise self._odd(statement)
        target = self._target(statement)
        clause = next((child for child in statement.named_children if child.type.startswith(("export", "name"))), None)
        if clause is None and target is not None:
            self.stars[target] = None
        elif clause is None:
            raise self._odd(statement)
        elif clause.type == "export_clause":
            for specifier in _specifiers(clause):
                name, alias = specifier.child_by_field_name("name"), specifier.child_by_field_name("alias")
                self._export_name(self._name(alias or name), self._name(name), target)
        else:
            self._export_name(self._name(clause.named_children[-1]), "*", target)
        self._blank(statement.start_byte, statement.end_byte)

    def _export_name(self, name: str, local: str, target: str | None) -> None:
        if target is not None:
            # It comes from another module, under a local name that the source can't contain.
            given, local = local, f"__from{len(self.imports)}"
            self.imports[local] = target, given
        self.exports[name] = local

    def _export_default(self, statement: Node, declaration: Node | None, value: Node | None) -> None:
        what: Node | None = declaration or value
        if what is None:
            raise self._odd(statement)
        start = statement.start_byte
        name = what.child_by_field_name("name")
        if name is not None and (declaration is not None or what.type in ("function_expression", "class")):
            self.exports["default"] = self._text(name)
            self._blank(start, what.start_byte)
            return
        self.exports["default"] = "__default"
        end = next(child.end_byte for child in statement.children if child.type == "default")
        self.changes.append((start, end, _DEFAULT + _blanks(self.source[start:end])[len(_DEFAULT) :]))
        if what.end_byte == statement.end_byte:
            # Without a semicolon, the next line would continue the statement.
            self.changes.append((what.end_byte, what.end_byte, b";"))


def _blanks(source: bytes) -> bytes:
    """A replacement with the same lines, and the same columns by V8's count."""
    text = source.decode("utf-8", "surrogatepass")
    return "".join(c if c in "\r\n" else "  " if c > "\uffff" else " " for c in text).encode()


def _statements(root: Node) -> Iterator[Node]:
    """The statements of a module, including those in parts that the parser did not understand."""
    for child in [root] if root.type == "ERROR" else root.children:
        if child.type == "ERROR":
            yield from (inner for inner in child.children if inner.type in ("import_statement", "export_statement"))
        yield child


def _specifiers(clause: Node) -> list[Node]:
    return [child for child in clause.named_children if child.type.endswith("_specifier")]


def _declared(declaration: Node) -> Iterator[Node]:
    """The names of a declaration, including those in patterns."""
    name = declaration.child_by_field_name("name")
    if declaration.type.endswith("_declaration") and name is not None:
        yield name
        return
    for declarator in declaration.named_children:
        pattern = declarator.child_by_field_name("name")
        if pattern is not None:
            yield from _bound(pattern)


def _bound(pattern: Node) -> Iterator[Node]:
    """The names that a pattern binds."""
    if pattern.type in ("identifier", "shorthand_property_identifier_pattern"):
        yield pattern
    elif pattern.type in ("assignment_pattern", "object_assignment_pattern"):
        if (left := pattern.child_by_field_name("left")) is not None:
            yield from _bound(left)
    elif pattern.type == "pair_pattern":
        if (value := pattern.child_by_field_name("value")) is not None:
            yield from _bound(value)
    else:
        for child in pattern.named_children:
            yield from _bound(child)
