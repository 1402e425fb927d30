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

import tree_sitter
import tree_sitter_python
import tree_sitter_typescript
from tree_sitter import Node

from supavex.mapping.usage.sources import Language, SourceFile
from supavex.mapping.usage.values import Value, arguments_of, text_of, value_of

#: Seconds of computing that one file may cost: some texts take a parser time that grows with their square.
PARSE_SECONDS = 5.0
_CHUNK = 4096

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
            step = Step(text_of(node), None, node.start_point.row + 1)
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
                value = value_of(right)
                if value.kind == "text":
                    syntax.constants[names[0]] = value.text
    elif kind in ("lexical_declaration", "variable_declaration"):
        plain = replace(plain, constant=text_of(node.children[0]) == "const")
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
        name = text_of(own) if own is not None else (place.names[0] if place.names else "")
        parameter = node.child_by_field_name("parameter")
        if parameter is not None:
            syntax.declared.update(_pattern_names(parameter))
        parameters = node.child_by_field_name("parameters")
        if node.type in ("function_definition", "lambda") and parameters is not None:
            syntax.declared.update(text_of(child) for child in parameters.named_children if child.type == "identifier")
        plain = _Place(node.id, 0, name)
        body = node.child_by_field_name("body")
        if body is not None and body.type not in ("statement_block", "block"):
            inner[body.id] = replace(plain, returned=True)
    elif kind in ("return_statement", "export_statement"):
        plain = replace(plain, returned=kind == "return_statement")
    elif kind in _BRANCHES or (
        kind == "binary_expression" and node.child_count == 3 and text_of(node.children[1]) in _LAZY
    ):
        plain = replace(plain, branch=node.id)
    return plain, inner


_LAZY = ("&&", "||", "??")


def _typed(node: Node, names: tuple[str, ...], syntax: Syntax) -> None:
    type_ = node.child_by_field_name("type")
    if type_ is not None and type_.end_byte - type_.start_byte < 500:
        syntax.typed.update(dict.fromkeys(names, text_of(type_)))


def _pattern_names(node: Node) -> Iterator[str]:
    """The local names that a pattern declares; of one that takes things apart, those of its first level."""
    if node.type in ("identifier", "property_identifier", "private_property_identifier"):
        yield text_of(node)
    elif node.type in ("object_pattern", "array_pattern", "pattern_list", "tuple_pattern"):
        for child in node.named_children:
            if child.type in ("shorthand_property_identifier_pattern", "identifier"):
                yield text_of(child)
            elif child.type == "pair_pattern":
                value = child.child_by_field_name("value")
                if value is not None and value.type == "identifier":
                    yield text_of(value)
    elif node.type in _MEMBERS:
        name = node.child_by_field_name("property") or node.child_by_field_name("attribute")
        if name is not None:
            yield text_of(name)


def _chain(node: Node) -> tuple[list[Step], list[Node]]:
    """The steps of a chain, first to last, and the nodes inside its arguments; no steps where there is no chain."""
    steps: list[Step] = []
    # Collected last to first, as the chain is read.
    groups: list[list[Node]] = []
    called: Node | None = None

    def step(name: str, at: Node) -> None:
        nonlocal called
        arguments = None
        if called is not None:
            arguments = arguments_of(called)
            groups.append(called.named_children if called.type != "template_string" else [called])
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
                step(text_of(name), name)
            current = current.child_by_field_name("object")
        elif kind in _SUBSCRIPTS:
            index = current.child_by_field_name("index") or current.child_by_field_name("subscript")
            value = value_of(index) if index is not None else None
            if index is not None:
                groups.append([index])
            step(value.text if value is not None and value.kind == "text" else "", current)
            current = current.child_by_field_name("object") or current.child_by_field_name("value")
        elif kind == "new_expression":
            called = current.child_by_field_name("arguments") if called is None else called
            current = current.child_by_field_name("constructor")
        elif kind in _NAMES:
            step(text_of(current), current)
            break
        else:
            if steps or called is not None:
                step("", current)
            groups.append([current])
            break
    return steps[::-1], [inner for group in reversed(groups) for inner in group]


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
                names[text_of(name)] = text_of(alias or name)
        elif child.type == "namespace_import":
            names["*"] = text_of(child).rpartition(" ")[2]
        elif child.type == "identifier" and node.type == "import_statement":
            names["default"] = text_of(child)
        else:
            stack += child.named_children
    if node.type == "export_statement" and not names:
        names["*"] = "*"
    syntax.imports.append(Import(value_of(source).text, names, line))
    return True


def _python_import(node: Node, syntax: Syntax, line: int) -> None:
    module = node.child_by_field_name("module_name")
    names: dict[str, str] = {}
    for child in node.children_by_field_name("name"):
        name, alias = child.child_by_field_name("name") or child, child.child_by_field_name("alias")
        names[text_of(name)] = text_of(alias or name)
    if module is not None:
        syntax.imports.append(Import(text_of(module), names, line))
        return
    for name_, local in names.items():
        syntax.imports.append(Import(name_, {"*": local}, line))
