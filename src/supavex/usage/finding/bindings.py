"""The values that a file's names are bound to: by declarations, assignments, parameters, imports, returns
and exports.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

from tree_sitter import Node

from supavex.usage.finding.values import Value, text_of

#: The longest type that is read, in bytes.
_TYPE_BYTES = 500
_MEMBERS = frozenset({"member_expression", "attribute"})


@dataclass(frozen=True, slots=True)
class Step:
    """A link of a chain: a name, with the arguments if it is called."""

    #: The name of the variable, member or method.
    name: str
    #: None if it is not called. The keywords of a Python call are a last object.
    arguments: tuple[Value, ...] | None
    #: The line on which the name stands.
    line: int
    #: The type arguments, as text.
    types: str = ""
    #: The chain that is the first argument.
    first: tuple[Step, ...] = ()
    #: The scope of the function that is the first argument.
    callback: int = 0

    @property
    def called(self) -> bool:
        """Whether the link is a call."""
        return self.arguments is not None


@dataclass(frozen=True, slots=True)
class Binding:
    """One value that a name is bound to. If no field is set, the value is unknown."""

    #: The chain whose result the value is a member of.
    steps: tuple[Step, ...] = ()
    #: The scope in which the chain is evaluated.
    scope: int = 0
    #: The members from the result to the value.
    path: tuple[str, ...] = ()
    #: The value's declared type.
    type: str = ""
    #: The module from which the value comes.
    module: str = ""
    #: The scope of the function that is the value.
    function: int = 0
    #: Whether the value is the function's result.
    getter: bool = False
    #: Whether the value is made here, as an object or a text.
    own: bool = False


@dataclass(slots=True)
class Bindings:
    """The names of a file, by the scope of their function."""

    #: The values of variables and parameters, by the scope that declares them and by name.
    names: dict[tuple[int, str], list[Binding]] = field(default_factory=lambda: defaultdict(list))
    #: The fields of the file's classes, objects and types, by name.
    members: dict[str, list[Binding]] = field(default_factory=lambda: defaultdict(list))
    #: The exports: ``default`` by that name, and ``=`` for the value of ``module.exports``.
    exports: dict[str, list[Binding]] = field(default_factory=lambda: defaultdict(list))
    #: The values that functions return, by scope.
    returns: dict[int, list[Binding]] = field(default_factory=lambda: defaultdict(list))
    #: The file's type aliases, as text.
    types: dict[str, str] = field(default_factory=dict)
    #: The enclosing scope of each scope.
    parents: dict[int, int] = field(default_factory=dict)

    def scope_of(self, scope: int, name: str) -> int | None:
        """The scope around ``scope`` that declares ``name``; None if none does."""
        at: int | None = scope
        while at is not None and (at, name) not in self.names:
            at = self.parents.get(at)
        return at

    def assign(self, scope: int, name: str, bindings: list[Binding]) -> None:
        """Adds values to ``name``, which is declared in ``scope`` or around it."""
        declared = self.scope_of(scope, name)
        self.names[0 if declared is None else declared, name] += bindings


def type_text(node: Node, name: str = "type") -> str:
    """The text of a declaration's type without its colon; empty if it has none."""
    type_ = node.child_by_field_name(name)
    if type_ is None or type_.end_byte - type_.start_byte > _TYPE_BYTES:
        return ""
    return text_of(type_).lstrip(": ")


def pattern_names(node: Node) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The local names of a destructuring pattern, each with its path of members."""
    stack: list[tuple[Node, tuple[str, ...]]] = [(node, ())]
    while stack:
        one, path = stack.pop()
        kind = one.type
        if kind in ("identifier", "property_identifier", "private_property_identifier"):
            yield text_of(one), path
        elif kind == "shorthand_property_identifier_pattern":
            yield text_of(one), (*path, text_of(one))
        elif kind in ("array_pattern", "pattern_list", "tuple_pattern"):
            stack += [(child, (*path, str(at))) for at, child in enumerate(one.named_children)][::-1]
        elif kind == "object_pattern":
            stack += [(child, path) for child in reversed(one.named_children)]
        elif kind == "pair_pattern":
            key, value = one.child_by_field_name("key"), one.child_by_field_name("value")
            if key is not None and value is not None:
                stack.append((value, (*path, text_of(key).strip("'\""))))
        elif kind in ("assignment_pattern", "object_assignment_pattern"):
            left = one.child_by_field_name("left")
            if left is not None:
                stack.append((left, path))
        elif kind == "rest_pattern" and one.named_children:
            yield text_of(one.named_children[0]), path
        elif kind in _MEMBERS:
            name = one.child_by_field_name("property") or one.child_by_field_name("attribute")
            if name is not None:
                yield text_of(name), path
