"""The arguments of a call as plain values, independent of the language: texts, numbers, lists, objects, or code."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tree_sitter import Node

Kind = Literal["text", "template", "number", "boolean", "null", "list", "object", "code"]
_SHOWN = 60
_DEPTH = 6
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "\n": ""}


@dataclass(frozen=True, slots=True)
class Value:
    """An argument of a call."""

    #: What the argument is in the code. ``code``: an expression without a known value.
    kind: Kind
    #: The code, on one line and shortened.
    source: str
    #: The value of a text. In a template, ``${…}`` stands for each placeholder.
    text: str = ""
    #: The elements of a list.
    items: tuple[Value, ...] = ()
    #: The fields of an object.
    fields: tuple[tuple[str, Value], ...] = ()
    #: Whether all fields are known: none is spread or computed.
    whole: bool = True

    def field(self, *names: str) -> Value | None:
        """The value of the first of ``names`` that the object has."""
        return next((value for name, value in self.fields if name in names), None)


def arguments_of(node: Node) -> tuple[Value, ...]:
    """The arguments of a call. Python's keywords are one object, at the end."""
    if node.type == "template_string":
        return (value_of_node(node),)
    values, keywords = [], []
    for child in node.named_children:
        if child.type == "keyword_argument":
            name, value = child.child_by_field_name("name"), child.child_by_field_name("value")
            if name is not None and value is not None:
                keywords.append((text_of(name), value_of_node(value)))
        elif child.type != "comment":
            values.append(value_of_node(child))
    if keywords:
        values.append(Value("object", "", fields=tuple(keywords)))
    return tuple(values)


def value_of_node(node: Node, depth: int = 0) -> Value:
    """An expression as a value. Values that are nested more than a few levels deep are code."""
    source = _shown(node)
    kind = node.type
    if depth > _DEPTH:
        return Value("code", source)
    if kind in ("as_expression", "satisfies_expression", "parenthesized_expression", "non_null_expression"):
        return value_of_node(node.named_children[0], depth + 1) if node.named_children else Value("code", source)
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
        items = tuple(value_of_node(child, depth + 1) for child in children[:1000])
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
            fields.append((text_of(child), Value("code", text_of(child))))
        elif child.type == "pair" and key is not None and value is not None:
            name = value_of_node(key)
            if key.type in ("property_identifier", "number"):
                fields.append((text_of(key), value_of_node(value, depth + 1)))
            elif name.kind == "text":
                fields.append((name.text, value_of_node(value, depth + 1)))
            else:
                whole = False
        elif child.type != "comment":
            whole = False
    return Value("object", source, fields=tuple(fields), whole=whole)


def _joined(node: Node) -> str | None:
    """The text of one string, or of several joined with ``+``. ``${…}`` replaces unknown parts. None if it is not a
    string.
    """
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
        elif kind in ("binary_expression", "binary_operator") and text_of(current.children[1]) == "+":
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
    text = text_of(node)
    if node.type == "escape_sequence" and len(text) == 2:
        return _ESCAPES.get(text[1], text[1])
    return text


def text_of(node: Node) -> str:
    """The text of a node in the file."""
    return (node.text or b"").decode("utf-8", "replace")


def _shown(node: Node) -> str:
    start = (node.text or b"")[: 4 * _SHOWN].decode("utf-8", "replace")
    flat = " ".join(start.split())
    return flat if len(flat) <= _SHOWN and node.end_byte - node.start_byte <= 4 * _SHOWN else flat[: _SHOWN - 1] + "…"
