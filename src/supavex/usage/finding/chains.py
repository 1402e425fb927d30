"""Expressions as chains of calls, and the origin of an object by its expression."""

from __future__ import annotations

from tree_sitter import Node

from supavex.usage.finding.bindings import Binding, Step
from supavex.usage.finding.values import Value, arguments_of, text_of, value_of_node

#: Calls that return their argument, a box with it, or the result of a function argument.
PASSING = frozenset(
    {
        "useMemo", "useState", "useRef", "useContext", "useCallback", "use", "cache", "memoize", "memo", "once", "lazy",
        "ref", "shallowRef", "computed", "readonly", "markRaw", "toRaw", "unref", "inject", "getContext", "resolve",
        "createSharedComposable", "Proxy", "Depends", "signal", "createMemo", "createSignal", "createContext",
    }
)  # fmt: skip
_PASSED = 3
_ALTERNATIVES = 20

CALLS = frozenset({"call_expression", "call"})
MEMBERS = frozenset({"member_expression", "attribute"})
SUBSCRIPTS = frozenset({"subscript_expression", "subscript"})
WRAPPERS = frozenset(
    {
        "await_expression", "await", "parenthesized_expression", "non_null_expression", "as_expression",
        "satisfies_expression", "type_assertion",
    }
)  # fmt: skip
NAMES = frozenset({"identifier", "this", "super", "import", "shorthand_property_identifier"})
LINKS = CALLS | MEMBERS | SUBSCRIPTS | WRAPPERS | {"new_expression"}
#: Expressions that create their value.
_OWN = frozenset(
    {"object", "array", "string", "template_string", "number", "regex", "true", "false", "class", "dictionary", "list",
     "set", "tuple", "integer", "float", "concatenated_string", "list_comprehension", "dictionary_comprehension"}
)  # fmt: skip
FUNCTIONS = frozenset(
    {
        "function_declaration", "function_expression", "arrow_function", "method_definition", "generator_function",
        "generator_function_declaration", "function_definition", "lambda", "class_static_block",
    }
)  # fmt: skip


def chain_of(node: Node, depth: int = 0) -> tuple[list[Step], list[Node]]:
    """The steps of a chain in order, and the nodes inside its arguments. Without a chain, there are no steps."""
    if node.type not in LINKS and not (depth and node.type in NAMES):
        return [], []
    steps: list[Step] = []
    # Collected from last to first, in the order of the syntax tree.
    groups: list[list[Node]] = []
    called: Node | None = None
    types = ""

    def step(name: str, at: Node) -> None:
        nonlocal called, types
        arguments: tuple[Value, ...] | None = None
        first: tuple[Step, ...] = ()
        callback = 0
        if called is not None:
            arguments = arguments_of(called)
            groups.append(called.named_children if called.type != "template_string" else [called])
            if name in PASSING and called.named_children and depth < _PASSED:
                node = called.named_children[0]
                callback = node.id if node.type in FUNCTIONS else 0
                first = tuple(chain_of(node, depth + 1)[0])
        steps.append(Step(name, arguments, at.start_point.row + 1, types, first, callback))
        called, types = None, ""

    current: Node | None = node
    while current is not None:
        kind = current.type
        if kind in WRAPPERS:
            # The type follows the expression, or precedes it in an old-style assertion.
            parts = [child for child in current.named_children if child.type != "comment"]
            current = (parts[-1] if kind == "type_assertion" else parts[0]) if parts else None
        elif kind in CALLS:
            if called is not None:
                step("", current)
            called = current.child_by_field_name("arguments")
            typed = current.child_by_field_name("type_arguments")
            types = text_of(typed)[:500] if typed is not None else ""
            current = current.child_by_field_name("function")
        elif kind in MEMBERS:
            name = current.child_by_field_name("property") or current.child_by_field_name("attribute")
            if name is not None:
                step(text_of(name), name)
            current = current.child_by_field_name("object")
        elif kind in SUBSCRIPTS:
            index = current.child_by_field_name("index") or current.child_by_field_name("subscript")
            value = value_of_node(index) if index is not None else None
            if index is not None:
                groups.append([index])
            step(value.text if value is not None and value.kind == "text" else "", current)
            current = current.child_by_field_name("object") or current.child_by_field_name("value")
        elif kind == "new_expression":
            called = current.child_by_field_name("arguments") if called is None else called
            current = current.child_by_field_name("constructor")
        elif kind in NAMES:
            step(text_of(current), current)
            break
        else:
            if steps or called is not None:
                step("", current)
            groups.append([current])
            break
    return steps[::-1], [inner for group in reversed(groups) for inner in group]


def given_by(node: Node, scope: int) -> list[Binding]:
    """The possible values of an expression, for its origin; two for a conditional expression."""
    found: list[Binding] = []
    stack = [node]
    while stack and len(found) < _ALTERNATIVES:
        one = stack.pop()
        kind = one.type
        if kind in WRAPPERS and one.named_children:
            stack.append(one.named_children[-1 if kind == "type_assertion" else 0])
            if kind == "as_expression" and "any" != text_of(one.named_children[-1]) != "unknown":
                found.append(Binding(type=text_of(one.named_children[-1])[:500]))
        elif kind in FUNCTIONS:
            found.append(Binding(function=one.id))
        elif kind in _OWN:
            found.append(Binding(own=True))
        elif kind in ("null", "undefined", "none"):
            continue
        elif kind in ("ternary_expression", "conditional_expression"):
            stack += one.named_children[-1:0:-1] if kind == "ternary_expression" else one.named_children[::2]
        elif kind in (
            "binary_expression",
            "boolean_operator",
            "assignment_expression",
            "augmented_assignment_expression",
        ):
            stack += [child for child in one.named_children if child.type != "comment"][::-1]
        else:
            named = kind in ("identifier", "shorthand_property_identifier")
            steps = [Step(text_of(one), None, one.start_point.row + 1)] if named else chain_of(one)[0]
            found.append(Binding(tuple(steps), scope))
    return found
