"""What of a file's syntax matters here: its chains of calls, its imports, the names it declares.

Every language comes to the same few facts, so that what Supabase is stands in one place (:mod:`.calls`). The parsers
are tree-sitter's: they go on after a syntax error, and never run or import anything.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Literal

import tree_sitter
import tree_sitter_python
import tree_sitter_typescript
from tree_sitter import Node

from supavex.mapping.usage.sources import Language, SourceFile

Kind = Literal["text", "template", "number", "boolean", "null", "list", "object", "code"]
#: Seconds of computing that one file may cost: some texts take a parser time that grows with their square.
PARSE_SECONDS = 5.0
_CHUNK = 4096
_SHOWN = 60
_DEPTH = 6

_CALLS = frozenset({"call_expression", "call"})
_MEMBERS = frozenset({"member_expression", "attribute"})
_SUBSCRIPTS = frozenset({"subscript_expression", "subscript"})
_WRAPPERS = frozenset(
    {
        "await_expression", "await", "parenthesized_expression", "non_null_expression", "as_expression",
        "satisfies_expression", "type_assertion",
    }
)  # fmt: skip
_NAMES = frozenset({"identifier", "this", "super", "import", "shorthand_property_identifier"})
_FUNCTIONS = frozenset(
    {
        "function_declaration", "function_expression", "arrow_function", "method_definition", "generator_function",
        "generator_function_declaration", "function_definition", "lambda", "class_static_block",
    }
)  # fmt: skip
_BRANCHES = frozenset(
    {
        "if_statement", "switch_case", "switch_default", "ternary_expression", "for_statement", "for_in_statement",
        "while_statement", "do_statement", "catch_clause", "else_clause", "elif_clause", "conditional_expression",
        "except_clause", "match_statement", "case_clause",
    }
)  # fmt: skip
_PARAMETERS = frozenset(
    {
        "required_parameter", "optional_parameter", "typed_parameter", "typed_default_parameter", "default_parameter",
        "public_field_definition", "property_signature",
    }
)  # fmt: skip
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "\n": ""}


@dataclass(frozen=True, slots=True)
class Value:
    """An argument. ``source`` is its text, on one line and cut short.

    ``text``: of a text its value, of a template too, with ``${…}`` where it has holes. ``items`` of a list, ``fields``
    of an object; ``whole`` is False where spread or computed ones are not among them.
    """

    kind: Kind
    source: str
    text: str = ""
    items: tuple[Value, ...] = ()
    fields: tuple[tuple[str, Value], ...] = ()
    whole: bool = True

    def field(self, *names: str) -> Value | None:
        """The value of the first of ``names`` that the object has."""
        return next((value for name, value in self.fields if name in names), None)


@dataclass(frozen=True, slots=True)
class Step:
    """One link of a chain: a name, and the arguments where it is called. A Python call's keywords are a last object."""

    name: str
    arguments: tuple[Value, ...] | None
    line: int

    @property
    def called(self) -> bool:
        """Whether it is a call."""
        return self.arguments is not None


@dataclass(frozen=True, slots=True)
class Chain:
    """``await db.from("t").select()`` as its steps: db, from("t"), select().

    ``names`` are what it is assigned to, ``returned_by`` the function that returns it. ``scope`` and ``branch`` tell
    functions, and branches in them, apart.
    """

    steps: tuple[Step, ...]
    scope: int
    branch: int
    names: tuple[str, ...] = ()
    returned_by: str = ""

    @property
    def line(self) -> int:
        """The line on which it begins."""
        return self.steps[0].line


@dataclass(frozen=True, slots=True)
class Import:
    """An import: the module, and local name by imported name.

    The name is ``default``, or ``*`` for the module as one; ``*`` as ``*`` passes all of its names on.
    """

    module: str
    names: dict[str, str]
    line: int


@dataclass(slots=True)
class Syntax:
    """What one file holds. ``typed`` are names with a type, and the type's text; ``exports`` names of declarations."""

    file: SourceFile
    chains: list[Chain] = field(default_factory=list)
    imports: list[Import] = field(default_factory=list)
    constants: dict[str, str] = field(default_factory=dict)
    declared: Counter[str] = field(default_factory=Counter)
    typed: dict[str, str] = field(default_factory=dict)

    def resolved(self, value: Value) -> Value:
        """``value``, or the text of the constant that it names, where the file declares that name but once."""
        if value.kind == "code" and value.source in self.constants and self.declared[value.source] == 1:
            return Value("text", value.source, self.constants[value.source])
        return value


@cache
def _parser(language: Language) -> tree_sitter.Parser:
    grammar = {
        "typescript": tree_sitter_typescript.language_typescript,
        "tsx": tree_sitter_typescript.language_tsx,
        "python": tree_sitter_python.language,
    }[language]
    return tree_sitter.Parser(tree_sitter.Language(grammar()))


def parse(source: SourceFile) -> Syntax | None:
    """What ``source`` holds; None where reading it takes too long."""
    late = False
    end: float | None = time.thread_time() + PARSE_SECONDS

    def chunk(offset: int, _: object) -> bytes:
        nonlocal late
        late = late or (end is not None and time.thread_time() > end)
        # An early end stops the parser; an exception here would leave it in the middle.
        return b"" if late else source.text[offset : offset + _CHUNK]

    tree = _parser(source.language).parse(chunk)
    if late or tree is None:
        return None
    end = None  # the tree asks for the text of its nodes in the same way
    syntax = Syntax(source)
    _walk(tree.root_node, syntax)
    return syntax


@dataclass(frozen=True, slots=True)
class _Place:
    """Where in the program a node is."""

    scope: int = 0
    branch: int = 0
    function: str = ""
    names: tuple[str, ...] = ()
    returned: bool = False
    constant: bool = False


def _walk(root: Node, syntax: Syntax) -> None:
    # A stack, not recursion: files are as deep as whoever wrote them likes.
    stack = [(root, _Place())]
    while stack:
        node, place = stack.pop()
        kind = node.type
        if kind in _CALLS or kind in _MEMBERS or kind in _SUBSCRIPTS or kind in _WRAPPERS or kind == "new_expression":
            steps, inside = _chain(node)
            if steps:
                returned = place.function if place.returned else ""
                syntax.chains.append(Chain(tuple(steps), place.scope, place.branch, place.names, returned))
                place = replace(place, names=(), returned=False)
            stack += [(child, place) for child in reversed(inside)]
            continue
        if kind == "identifier" and (place.names or place.returned):
            returned = place.function if place.returned else ""
            step = Step(_text(node), None, node.start_point.row + 1)
            syntax.chains.append(Chain((step,), place.scope, place.branch, place.names, returned))
            continue
        if kind in ("import_statement", "import_from_statement", "export_statement") and _import(node, syntax):
            continue
        place, inner = _entered(node, place, syntax)
        stack += [(child, inner.get(child.id, place)) for child in reversed(node.named_children)]


def _entered(node: Node, place: _Place, syntax: Syntax) -> tuple[_Place, dict[int, _Place]]:
    """The place of a node's children; and, by id, of those that are somewhere else."""
    kind = node.type
    plain = replace(place, names=(), returned=False) if place.names or place.returned else place
    inner: dict[int, _Place] = {}
    if kind in ("variable_declarator", "assignment_expression", "assignment"):
        left = node.child_by_field_name("name") or node.child_by_field_name("left")
        right = node.child_by_field_name("value") or node.child_by_field_name("right")
        names = tuple(_pattern_names(left)) if left is not None else ()
        if kind != "assignment_expression":
            syntax.declared.update(names)
            _typed(node, names, syntax)
        if right is not None:
            whole = left is not None and not left.type.endswith("pattern") and left.type != "pattern_list"
            inner[right.id] = replace(plain, names=names if whole else ())
            if (
                whole
                and len(names) == 1
                and right.type in ("string", "template_string")
                and (place.constant or kind == "assignment")
            ):
                value = _value(right)
                if value.kind == "text":
                    syntax.constants[names[0]] = value.text
    elif kind in ("lexical_declaration", "variable_declaration"):
        plain = replace(plain, constant=_text(node.children[0]) == "const")
    elif kind in _PARAMETERS:
        target = next((node.child_by_field_name(f) for f in ("pattern", "name") if node.child_by_field_name(f)), None)
        target = target or (node.named_children[0] if node.named_children else None)
        names = tuple(_pattern_names(target)) if target is not None else ()
        if kind not in ("public_field_definition", "property_signature"):
            syntax.declared.update(names)
        _typed(node, names, syntax)
        value_node = node.child_by_field_name("value")
        if value_node is not None:
            inner[value_node.id] = replace(plain, names=names)
    elif kind in _FUNCTIONS:
        own = node.child_by_field_name("name")
        name = _text(own) if own is not None else (place.names[0] if place.names else "")
        parameter = node.child_by_field_name("parameter")
        if parameter is not None:
            syntax.declared.update(_pattern_names(parameter))
        parameters = node.child_by_field_name("parameters")
        if node.type in ("function_definition", "lambda") and parameters is not None:
            syntax.declared.update(_text(child) for child in parameters.named_children if child.type == "identifier")
        plain = _Place(node.id, 0, name)
        body = node.child_by_field_name("body")
        if body is not None and body.type not in ("statement_block", "block"):
            inner[body.id] = replace(plain, returned=True)
    elif kind in ("return_statement", "export_statement"):
        plain = replace(plain, returned=kind == "return_statement")
    elif kind in _BRANCHES or (
        kind == "binary_expression" and node.child_count == 3 and _text(node.children[1]) in _LAZY
    ):
        plain = replace(plain, branch=node.id)
    return plain, inner


_LAZY = ("&&", "||", "??")


def _typed(node: Node, names: tuple[str, ...], syntax: Syntax) -> None:
    type_ = node.child_by_field_name("type")
    if type_ is not None and type_.end_byte - type_.start_byte < 500:
        syntax.typed.update(dict.fromkeys(names, _text(type_)))


def _pattern_names(node: Node) -> Iterator[str]:
    """The local names that a pattern declares; of one that takes things apart, those of its first level."""
    if node.type in ("identifier", "property_identifier", "private_property_identifier"):
        yield _text(node)
    elif node.type in ("object_pattern", "array_pattern", "pattern_list", "tuple_pattern"):
        for child in node.named_children:
            if child.type in ("shorthand_property_identifier_pattern", "identifier"):
                yield _text(child)
            elif child.type == "pair_pattern":
                value = child.child_by_field_name("value")
                if value is not None and value.type == "identifier":
                    yield _text(value)
    elif node.type in _MEMBERS:
        name = node.child_by_field_name("property") or node.child_by_field_name("attribute")
        if name is not None:
            yield _text(name)


def _chain(node: Node) -> tuple[list[Step], list[Node]]:
    """The steps of a chain, first to last, and the nodes inside its arguments; no steps where there is no chain."""
    steps: list[Step] = []
    inside: list[Node] = []
    called: Node | None = None

    def step(name: str, at: Node) -> None:
        nonlocal called
        arguments = None
        if called is not None:
            arguments = _arguments(called)
            # Collected last to first, as the chain is read.
            inside[:0] = called.named_children if called.type != "template_string" else [called]
        steps.append(Step(name, arguments, at.start_point.row + 1))
        called = None

    current: Node | None = node
    while current is not None:
        kind = current.type
        if kind in _WRAPPERS:
            # A type stands after the expression, or, in an old-style assertion, before it.
            parts = [child for child in current.named_children if child.type != "comment"]
            current = (parts[-1] if kind == "type_assertion" else parts[0]) if parts else None
        elif kind in _CALLS:
            if called is not None:
                step("", current)
            called = current.child_by_field_name("arguments")
            current = current.child_by_field_name("function")
        elif kind in _MEMBERS:
            name = current.child_by_field_name("property") or current.child_by_field_name("attribute")
            if name is not None:
                step(_text(name), name)
            current = current.child_by_field_name("object")
        elif kind in _SUBSCRIPTS:
            index = current.child_by_field_name("index") or current.child_by_field_name("subscript")
            value = _value(index) if index is not None else None
            if index is not None:
                inside.insert(0, index)
            step(value.text if value is not None and value.kind == "text" else "", current)
            current = current.child_by_field_name("object") or current.child_by_field_name("value")
        elif kind == "new_expression":
            called = current.child_by_field_name("arguments") if called is None else called
            current = current.child_by_field_name("constructor")
        elif kind in _NAMES:
            step(_text(current), current)
            break
        else:
            if steps or called is not None:
                step("", current)
            inside.insert(0, current)
            break
    return steps[::-1], inside


def _arguments(node: Node) -> tuple[Value, ...]:
    if node.type == "template_string":
        return (_value(node),)
    values, keywords = [], []
    for child in node.named_children:
        if child.type == "keyword_argument":
            name, value = child.child_by_field_name("name"), child.child_by_field_name("value")
            if name is not None and value is not None:
                keywords.append((_text(name), _value(value)))
        elif child.type != "comment":
            values.append(_value(child))
    if keywords:
        values.append(Value("object", "", fields=tuple(keywords)))
    return tuple(values)


def _value(node: Node, depth: int = 0) -> Value:
    source = _shown(node)
    kind = node.type
    if depth > _DEPTH:
        return Value("code", source)
    if kind in ("as_expression", "satisfies_expression", "parenthesized_expression", "non_null_expression"):
        return _value(node.named_children[0], depth + 1) if node.named_children else Value("code", source)
    if kind in ("string", "template_string", "concatenated_string", "binary_expression", "binary_operator"):
        text = _joined(node)
        if text is not None:
            return Value("template" if "${…}" in text else "text", source, text)
        return Value("code", source)
    if kind in ("number", "integer", "float", "unary_expression", "unary_operator"):
        return Value("number" if source.lstrip("-+")[:1].isdigit() else "code", source, source)
    if kind in ("true", "false"):
        return Value("boolean", source, kind)
    if kind in ("null", "undefined", "none"):
        return Value("null", source)
    if kind in ("array", "list", "tuple"):
        children = [child for child in node.named_children if child.type != "comment"]
        items = tuple(_value(child, depth + 1) for child in children[:1000])
        return Value(
            "list", source, items=items, whole=not any("spread" in c.type or "splat" in c.type for c in children)
        )
    if kind in ("object", "dictionary"):
        return _object(node, source, depth)
    return Value("code", source)


def _object(node: Node, source: str, depth: int) -> Value:
    fields, whole = [], True
    for child in node.named_children:
        key = child.child_by_field_name("key")
        value = child.child_by_field_name("value")
        if child.type == "shorthand_property_identifier":
            fields.append((_text(child), Value("code", _text(child))))
        elif child.type == "pair" and key is not None and value is not None:
            name = _value(key)
            if key.type in ("property_identifier", "number"):
                fields.append((_text(key), _value(value, depth + 1)))
            elif name.kind == "text":
                fields.append((name.text, _value(value, depth + 1)))
            else:
                whole = False
        elif child.type != "comment":
            whole = False
    return Value("object", source, fields=tuple(fields), whole=whole)


def _joined(node: Node) -> str | None:
    """The text of strings, one or several joined with ``+``; ``${…}`` stands for what is not known. None: no string."""
    parts: list[str] = []
    stack, known = [node], False
    while stack and len(parts) < 10_000:
        current = stack.pop()
        kind = current.type
        if kind in ("string", "template_string"):
            known = True
            parts += map(_piece, current.named_children)
        elif kind == "concatenated_string":
            stack += reversed(current.named_children)
        elif kind in ("binary_expression", "binary_operator") and _text(current.children[1]) == "+":
            stack += reversed([current.children[0], current.children[-1]])
        elif current is node:
            return None
        elif kind != "comment":
            parts.append("${…}")
    return "".join(parts) if known else None


def _piece(node: Node) -> str:
    if node.type in ("string_start", "string_end", "comment"):
        return ""
    if node.type in ("template_substitution", "interpolation"):
        return "${…}"
    text = _text(node)
    if node.type == "escape_sequence" and len(text) == 2:
        return _ESCAPES.get(text[1], text[1])
    return text


def _import(node: Node, syntax: Syntax) -> bool:
    """Notes an import, or an export that names a module; whether ``node`` is one."""
    line = node.start_point.row + 1
    if syntax.file.language == "python":
        _python_import(node, syntax, line)
        return True
    source = node.child_by_field_name("source")
    if source is None:
        return node.type == "import_statement"
    names: dict[str, str] = {}
    stack = [child for child in node.named_children if child.id != source.id]
    while stack:
        child = stack.pop()
        if child.type in ("import_specifier", "export_specifier"):
            name, alias = child.child_by_field_name("name"), child.child_by_field_name("alias")
            if name is not None:
                names[_text(name)] = _text(alias or name)
        elif child.type == "namespace_import":
            names["*"] = _text(child).rpartition(" ")[2]
        elif child.type == "identifier" and node.type == "import_statement":
            names["default"] = _text(child)
        else:
            stack += child.named_children
    if node.type == "export_statement" and not names:
        names["*"] = "*"
    syntax.imports.append(Import(_value(source).text, names, line))
    return True


def _python_import(node: Node, syntax: Syntax, line: int) -> None:
    module = node.child_by_field_name("module_name")
    names: dict[str, str] = {}
    for child in node.children_by_field_name("name"):
        name, alias = child.child_by_field_name("name") or child, child.child_by_field_name("alias")
        names[_text(name)] = _text(alias or name)
    if module is not None:
        syntax.imports.append(Import(_text(module), names, line))
        return
    for name_, local in names.items():
        syntax.imports.append(Import(name_, {"*": local}, line))


def _text(node: Node) -> str:
    return (node.text or b"").decode("utf-8", "replace")


def _shown(node: Node) -> str:
    start = (node.text or b"")[: 4 * _SHOWN].decode("utf-8", "replace")
    flat = " ".join(start.split())
    return flat if len(flat) <= _SHOWN and node.end_byte - node.start_byte <= 4 * _SHOWN else flat[: _SHOWN - 1] + "…"
