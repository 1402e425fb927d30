"""The relevant parts of a file's syntax: chains of calls, imports, declared names.

All languages are reduced to the same few facts, so that only one module (:mod:`.calls`) knows Supabase. The parsers are
tree-sitter's: they continue after a syntax error, and never run or import anything.
"""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cache

import tree_sitter
import tree_sitter_python
import tree_sitter_typescript
from tree_sitter import Node

from supavex.usage.finding.bindings import Binding, Bindings, Step, pattern_names, type_text
from supavex.usage.finding.chains import FUNCTIONS, LINKS, MEMBERS, chain_of, given_by
from supavex.usage.finding.sources import Language, SourceFile
from supavex.usage.finding.values import Value, text_of, value_of_node

#: The most seconds of computing for one file. For some texts, parsing time grows quadratically.
PARSE_SECONDS = 5.0
_CHUNK = 4096
#: The address of a Supabase service or project, in a text.
ADDRESS = re.compile(
    rb"/(?:rest|auth|storage|functions|graphql|realtime)/v1\b|\b[a-z0-9-]+\.(?:functions\.)?supabase\.(?:co|in|red|net)\b"
)
_ADDRESS = 1000
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
class Chain:
    """``await db.from("t").select()`` as its steps: db, from("t"), select().

    ``names`` are the variables that it is assigned to. ``scope`` identifies the function, and ``branch`` the branch in
    it.
    """

    steps: tuple[Step, ...]
    scope: int
    branch: int
    names: tuple[str, ...] = ()

    @property
    def line(self) -> int:
        """The line on which it begins."""
        return self.steps[0].line


@dataclass(frozen=True, slots=True)
class Import:
    """An import: the module, and local name by imported name.

    The imported name is ``default``, or ``*`` for the whole module. ``*`` as ``*`` exports all of its names again.
    """

    module: str
    names: dict[str, str]
    line: int


@dataclass(slots=True)
class Syntax:
    """The relevant syntax of one file."""

    #: The file.
    file: SourceFile
    #: The chains of calls, in the order of the file.
    chains: list[Chain] = field(default_factory=list)
    #: The imports.
    imports: list[Import] = field(default_factory=list)
    #: Constants with a text, by name.
    constants: dict[str, str] = field(default_factory=dict)
    #: The number of declarations of each name.
    declared: Counter[str] = field(default_factory=Counter)
    #: The values of the names in the file.
    bindings: Bindings = field(default_factory=Bindings)
    #: Texts with the address of a Supabase service, with their lines.
    addresses: list[tuple[int, str]] = field(default_factory=list)
    #: Names that are arguments of calls, with the scope of the call.
    passed: set[tuple[int, str]] = field(default_factory=set)

    def resolved(self, value: Value) -> Value:
        """``value``, or the text of its constant if the file declares the name only once."""
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
    """The syntax of ``source``; None if parsing takes too long."""
    late = False
    end: float | None = time.thread_time() + PARSE_SECONDS

    def chunk(offset: int, _: object) -> bytes:
        nonlocal late
        late = late or (end is not None and time.thread_time() > end)
        # Returning nothing ends the parser. An exception here would leave it in an undefined state.
        return b"" if late else source.text[offset : offset + _CHUNK]

    tree = _parser(source.language).parse(chunk)
    if late or tree is None:
        return None
    end = None  # The tree reads the text of its nodes through the same function.
    syntax = Syntax(source)
    _walk(tree.root_node, syntax)
    return syntax


@dataclass(frozen=True, slots=True)
class _Place:
    """The place of a node in the program."""

    scope: int = 0
    branch: int = 0
    names: tuple[str, ...] = ()
    constant: bool = False
    #: The first parameter of a function argument, if the call determines it.
    given: tuple[Step, ...] = ()


def _walk(root: Node, syntax: Syntax) -> None:
    # A stack instead of recursion, because a file may be nested arbitrarily deep.
    stack = [(root, _Place())]
    while stack:
        node, place = stack.pop()
        kind = node.type
        if kind in LINKS:
            steps, inside = chain_of(node)
            if steps:
                syntax.chains.append(Chain(tuple(steps), place.scope, place.branch, place.names))
                place = replace(place, names=())
            syntax.passed |= {(place.scope, text_of(child)) for child in inside if child.type == "identifier"}
            given = _promised(steps)
            stack += [(child, replace(place, given=given) if given else place) for child in reversed(inside)]
            continue
        if kind == "identifier" and place.names:
            step = Step(text_of(node), None, node.start_point.row + 1)
            syntax.chains.append(Chain((step,), place.scope, place.branch, place.names))
            continue
        if kind in ("string", "template_string") and ADDRESS.search(node.text or b""):
            syntax.addresses.append((node.start_point.row + 1, text_of(node)[:_ADDRESS]))
        if kind in ("import_statement", "import_from_statement", "export_statement") and _import(node, syntax):
            continue
        place, inner = _entered(node, place, syntax)
        stack += [(child, inner.get(child.id, place)) for child in reversed(node.named_children)]


def _promised(steps: Sequence[Step]) -> tuple[Step, ...]:
    """The argument of a chain's callback, if the chain before it gives that: a promise's value."""
    at = next((at for at, step in enumerate(steps) if step.name == "then" and step.called), 0)
    return tuple(steps[:at])


def _entered(node: Node, place: _Place, syntax: Syntax) -> tuple[_Place, dict[int, _Place]]:
    """The place of a node's children; and, by id, the places of children elsewhere."""
    kind, known = node.type, syntax.bindings
    plain = replace(place, names=(), given=()) if place.names or place.given else place
    inner: dict[int, _Place] = {}
    if kind in ("variable_declarator", "assignment_expression", "assignment"):
        _assigned(node, place, plain, inner, syntax)
    elif kind in ("lexical_declaration", "variable_declaration"):
        plain = replace(plain, constant=text_of(node.children[0]) == "const")
    elif kind in _PARAMETERS:
        target = next((node.child_by_field_name(f) for f in ("pattern", "name") if node.child_by_field_name(f)), None)
        target = target or (node.named_children[0] if node.named_children else None)
        names = list(pattern_names(target)) if target is not None else []
        value_node = node.child_by_field_name("value")
        values = given_by(value_node, place.scope) if value_node is not None else []
        fields = kind in ("public_field_definition", "property_signature")
        for name, path in names:
            bindings = [Binding(path=path, type=type_text(node)), *_parts(values, path)]
            if fields or any(child.type == "accessibility_modifier" for child in node.children):
                known.members[name] += bindings
            if not fields:
                syntax.declared[name] += 1
                known.names[place.scope, name] += bindings
        if value_node is not None:
            inner[value_node.id] = replace(plain, names=tuple(name for name, _ in names))
    elif kind in FUNCTIONS:
        plain = _function(node, place, syntax)
    elif kind == "return_statement" and node.named_children:
        known.returns[place.scope] += given_by(node.named_children[0], place.scope)
    elif kind == "export_statement":
        _exported(node, place, syntax)
    elif kind in ("pair", "shorthand_property_identifier"):
        key, value = node.child_by_field_name("key") or node, node.child_by_field_name("value") or node
        known.members[text_of(key).strip("'\"")] += given_by(value, place.scope)
    elif kind in ("type_alias_declaration", "interface_declaration"):
        name_node = node.child_by_field_name("name")
        what = node.child_by_field_name("value")
        what = what or next((child for child in node.named_children if child.type == "extends_type_clause"), None)
        if name_node is not None and what is not None:
            known.types[text_of(name_node)] = text_of(what)[:500]
    elif kind == "as_pattern" and len(node.named_children) > 1:  # Python's with … as name
        for name in map(text_of, node.named_children[1].named_children[:1]):
            known.names[place.scope, name] += given_by(node.named_children[0], place.scope)
    elif kind in ("for_in_statement", "catch_clause"):
        target = node.child_by_field_name("left") or node.child_by_field_name("parameter")
        for name, _ in pattern_names(target) if target is not None else ():
            known.names[place.scope, name].append(Binding())
    if kind in _BRANCHES or (
        kind == "binary_expression" and node.child_count == 3 and text_of(node.children[1]) in _LAZY
    ):
        plain = replace(plain, branch=node.id)
    return plain, inner


def _assigned(node: Node, place: _Place, plain: _Place, inner: dict[int, _Place], syntax: Syntax) -> None:
    known = syntax.bindings
    left = node.child_by_field_name("name") or node.child_by_field_name("left")
    right = node.child_by_field_name("value") or node.child_by_field_name("right")
    names = list(pattern_names(left)) if left is not None else []
    values = given_by(right, place.scope) if right is not None else []
    type_ = type_text(node)
    for name, path in names:
        bindings = [*([Binding(path=path, type=type_)] if type_ else []), *_parts(values, path)]
        if left is not None and left.type in MEMBERS:
            known.members[name] += bindings
            if name == "exports":
                _module_exports(right, values, place, syntax)
            elif re.match(r"(module\.)?exports\.", text_of(left)):
                known.exports[name] += bindings
        elif node.type == "assignment_expression":
            known.assign(place.scope, name, bindings)
        else:
            syntax.declared[name] += 1
            known.names[place.scope, name] += bindings or [Binding()]
    if right is None or left is None:
        return
    whole = not left.type.endswith("pattern") and left.type != "pattern_list"
    inner[right.id] = replace(plain, names=tuple(name for name, _ in names) if whole else ())
    if whole and len(names) == 1 and right.type in ("string", "template_string"):
        value = value_of_node(right)
        if value.kind == "text" and (place.constant or node.type == "assignment"):
            syntax.constants[names[0][0]] = value.text


def _module_exports(right: Node | None, values: list[Binding], place: _Place, syntax: Syntax) -> None:
    syntax.bindings.exports["="] += values
    for child in right.named_children if right is not None and right.type == "object" else ():
        key, value = child.child_by_field_name("key") or child, child.child_by_field_name("value") or child
        syntax.bindings.exports[text_of(key)] += given_by(value, place.scope)


def _function(node: Node, place: _Place, syntax: Syntax) -> _Place:
    known = syntax.bindings
    known.parents[node.id] = place.scope
    plain = _Place(node.id)
    own = node.child_by_field_name("name")
    if own is not None:
        getter = any(child.type == "get" for child in node.children)
        binding = Binding(function=node.id, getter=getter)
        if node.type == "method_definition" or syntax.file.language == "python":
            known.members[text_of(own)].append(binding)
        if node.type != "method_definition":
            known.names[place.scope, text_of(own)].append(binding)
    parameter = node.child_by_field_name("parameter")
    parameters = node.child_by_field_name("parameters")
    bare = [parameter] if parameter is not None else []
    if node.type in ("function_definition", "lambda") and parameters is not None:
        bare += [child for child in parameters.named_children if child.type == "identifier"]
    for child in bare:
        syntax.declared[text_of(child)] += 1
        known.names[node.id, text_of(child)].append(Binding())
    if place.given:
        first = parameters.named_children[0] if parameters is not None and parameters.named_children else parameter
        first = (first.child_by_field_name("pattern") or first) if first is not None else None
        for name, path in pattern_names(first) if first is not None else ():
            known.names[node.id, name].append(Binding(place.given, place.scope, path))
    if returned := type_text(node, "return_type"):
        known.returns[node.id].append(Binding(type=returned))
    body = node.child_by_field_name("body")
    if body is not None and body.type not in ("statement_block", "block"):
        known.returns[node.id] += given_by(body, node.id)
    return plain


def _exported(node: Node, place: _Place, syntax: Syntax) -> None:
    known = syntax.bindings
    value, declared = node.child_by_field_name("value"), node.child_by_field_name("declaration")
    default = any(child.type == "default" for child in node.children)
    if value is not None:
        known.exports["default"] += given_by(value, place.scope)
    elif default and declared is not None:
        known.exports["default"] += given_by(declared, place.scope)
    for clause in node.named_children if value is None and declared is None else ():
        for one in clause.named_children if clause.type == "export_clause" else ():
            name, alias = one.child_by_field_name("name"), one.child_by_field_name("alias")
            if name is not None:
                step = Step(text_of(name), None, one.start_point.row + 1)
                known.exports[text_of(alias or name)].append(Binding((step,), place.scope))


def _parts(values: list[Binding], path: tuple[str, ...]) -> list[Binding]:
    return [replace(one, path=path) for one in values] if path else values


_LAZY = ("&&", "||", "??")


def _import(node: Node, syntax: Syntax) -> bool:
    """Records an import, or an export from a module. Returns whether ``node`` is one."""
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
    module = value_of_node(source).text
    syntax.imports.append(Import(module, names, line))
    for imported, local in names.items():
        binding = Binding(module=module, path=(imported,) if imported != "*" else ())
        if node.type == "import_statement":
            syntax.bindings.names[0, local].append(binding)
        else:
            syntax.bindings.exports[local].append(binding)
    return True


def _python_import(node: Node, syntax: Syntax, line: int) -> None:
    module = node.child_by_field_name("module_name")
    names: dict[str, str] = {}
    for child in node.children_by_field_name("name"):
        name, alias = child.child_by_field_name("name") or child, child.child_by_field_name("alias")
        names[text_of(name)] = text_of(alias or name)
    if module is not None:
        syntax.imports.append(Import(text_of(module), names, line))
        for imported, local in names.items():
            syntax.bindings.names[0, local].append(Binding(module=text_of(module), path=(imported,)))
        return
    for name_, local in names.items():
        syntax.imports.append(Import(name_, {"*": local}, line))
        syntax.bindings.names[0, local].append(Binding(module=name_))
