"""What names of a file are given: by declarations, assignments, parameters, imports, returns and exports."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

from tree_sitter import Node

from supavex.usage.finding.values import Value, text_of

#: The longest type that is read.
_TYPE_BYTES = 500
_MEMBERS = frozenset({"member_expression", "attribute"})


@dataclass(frozen=True, slots=True)
class Step:
    """One link of a chain: a name, and the arguments where it is called. A Python call's keywords are a last object.

    ``types`` are its type arguments as text, ``first`` the chain that is its first argument, ``callback`` the scope of
    the function that is.
    """

    name: str
    arguments: tuple[Value, ...] | None
    line: int
    types: str = ""
    first: tuple[Step, ...] = ()
    callback: int = 0

    @property
    def called(self) -> bool:
        """Whether it is a call."""
        return self.arguments is not None


@dataclass(frozen=True, slots=True)
class Binding:
    """One thing that a name is given: the members ``path`` of what the chain ``steps`` gives in ``scope``.

    Or of what ``type`` says, of the module ``module``, of the function whose scope is ``function`` (``getter``: of what
    it returns). ``own``: it is made right there, as an object or a text. None of them: it is not known.
    """

    steps: tuple[Step, ...] = ()
    scope: int = 0
    path: tuple[str, ...] = ()
    type: str = ""
    module: str = ""
    function: int = 0
    getter: bool = False
    own: bool = False


@dataclass(slots=True)
class Bindings:
    """The names of a file by the function in which they are, and what else tells where an object comes from.

    ``members`` are fields of its classes, objects and types, by name alone; ``exports`` hold ``default``, and ``=`` for
    what is assigned to ``module.exports``. ``types`` are its type aliases, as text.
    """

    names: dict[tuple[int, str], list[Binding]] = field(default_factory=lambda: defaultdict(list))
    members: dict[str, list[Binding]] = field(default_factory=lambda: defaultdict(list))
    exports: dict[str, list[Binding]] = field(default_factory=lambda: defaultdict(list))
    returns: dict[int, list[Binding]] = field(default_factory=lambda: defaultdict(list))
    types: dict[str, str] = field(default_factory=dict)
    parents: dict[int, int] = field(default_factory=dict)

    def scope_of(self, scope: int, name: str) -> int | None:
        """The function around ``scope`` that declares ``name``; None where none does."""
        at: int | None = scope
        while at is not None and (at, name) not in self.names:
            at = self.parents.get(at)
        return at

    def assign(self, scope: int, name: str, bindings: list[Binding]) -> None:
        """Notes that ``name``, declared somewhere around, is given something."""
        declared = self.scope_of(scope, name)
        self.names[0 if declared is None else declared, name] += bindings


def type_text(node: Node, name: str = "type") -> str:
    """The text of a declaration's type, without its colon; empty where it has none."""
    type_ = node.child_by_field_name(name)
    if type_ is None or type_.end_byte - type_.start_byte > _TYPE_BYTES:
        return ""
    return text_of(type_).lstrip(": ")


def pattern_names(node: Node) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The local names that a pattern declares, and the members that they are of what is taken apart."""
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
