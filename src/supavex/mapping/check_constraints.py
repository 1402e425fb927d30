"""Reads CHECK constraints on one column that a rule of the schema can express.

PostgreSQL prints each expression in one form: ``status IN ('a', 'b')`` becomes ``(status = ANY (ARRAY['a'::text,
'b'::text]))``. A domain's checks count as checks of its columns; they name the value ``VALUE``.

A constraint that is NOT VALID or NOT ENFORCED gives no rule, because existing rows may break it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal

from supavex.mapping import patterns
from supavex.postgres.catalog import CheckConstraint, Column, ForeignKey, Table, Type

#: The name of the checked value in a domain's check.
VALUE = "VALUE"
_NUMERIC = ("int2", "int4", "int8", "numeric", "float4", "float8")
_INTEGERS = ("int2", "int4", "int8")
_TEXTS = ("text", "varchar", "bpchar", "name")
_SUBJECT = r"\(*(?P<subject>\"(?:[^\"]|\"\")+\"|[A-Za-z_][A-Za-z0-9_$]*)\)*(?:::(?P<cast>[a-z ]+))?"
_ITEM = r"'(?:[^']|'')*'(?:::[a-z_ .\"]+)?"
_NUMBER = r"\(*'?(?P<number>-?[0-9]+(?:\.[0-9]+)?)'?\)*(?:::[a-z ]+)?\)*"
_ANY = re.compile(rf"{_SUBJECT} = ANY \(+ARRAY\[(?P<items>.+?)\]\)?(?:::[a-z \[\]]+)?\)*", re.DOTALL)
_EQUAL = re.compile(rf"{_SUBJECT} = (?P<items>{_ITEM})\)*", re.DOTALL)
_ITEMS = re.compile(rf"{_ITEM}(?:, {_ITEM})*", re.DOTALL)
_TEXT = re.compile(r"'((?:[^']|'')*)'")
_BOUND = re.compile(rf"{_SUBJECT} (?P<sign>>=|<=|>|<) {_NUMBER}")
_MATCH = re.compile(rf"{_SUBJECT} (?P<operator>~~?\*?) (?P<items>{_ITEM})\)*", re.DOTALL)
_SIGNS = {">=": "ge", "<=": "le", ">": "gt", "<": "lt"}


def allowed_values(table: Table, column: str) -> tuple[str, ...] | None:
    """The texts that an enum type or a CHECK constraint allows in ``column``; None if neither limits them."""
    found = table.column(column)
    return None if found is None else _allowed_texts(found.type, found, list(_checks(table, column, found.type)))


def allowed_elements(type_: Type) -> tuple[str, ...] | None:
    """The texts that an array's element type allows; None if it does not limit them."""
    return _allowed_texts(type_, None, [(check.expression, VALUE) for check in type_.checks if check.validated])


def allowed_numbers(table: Table, column: str) -> tuple[str, ...] | None:
    """The numbers (as text) that a CHECK constraint allows in ``column``; None if none lists them."""
    found = table.column(column)
    if found is None or found.type.base not in (*_INTEGERS, "numeric", "float8"):
        return None
    allowed: tuple[str, ...] | None = None
    for expression, subject in _checks(table, column, found.type):
        match = _ANY.fullmatch(_bare(expression))
        if match is None or not _is(match, subject) or not _widens(match["cast"], found.type.base):
            continue
        items = [re.fullmatch(_NUMBER, item) for item in match["items"].split(", ")]
        if all(items):
            numbers = [item["number"] for item in items if item is not None]
            allowed = tuple(dict.fromkeys(n for n in numbers if allowed is None or n in allowed))
    return allowed


def numeric_bounds(table: Table, column: str) -> dict[str, str]:
    """``ge``, ``le``, ``gt``, ``lt`` to numbers (as text), from simple CHECK constraints on ``column`` alone."""
    found = table.column(column)
    return {} if found is None else _bounds(found.type, list(_checks(table, column, found.type)))


def element_bounds(type_: Type) -> dict[str, str]:
    """The bounds of an array's element type, in the form of :func:`numeric_bounds`."""
    return _bounds(type_, [(check.expression, VALUE) for check in type_.checks if check.validated])


def pattern_of(table: Table, column: str) -> str | None:
    """The regular expression of a CHECK constraint on ``column`` alone, translated for a rule of the schema."""
    found = table.column(column)
    if found is None or found.type.base not in ("text", "varchar", "name") or not found.deterministic:
        return None
    for expression, subject in _checks(table, column, found.type):
        for term in _terms(expression, subject):
            match = _MATCH.fullmatch(_bare(term))
            if match is None or not _is(match, subject) or match["cast"] not in (None, "text"):
                continue
            (text,) = _TEXT.findall(match["items"])
            translate = patterns.of_like if match["operator"].startswith("~~") else patterns.portable
            pattern = translate(text.replace("''", "'"), ignore_case=match["operator"].endswith("*"))
            if pattern is not None:
                return pattern
    return None


def not_validated(table: Table, column: str) -> list[CheckConstraint | ForeignKey]:
    """The CHECK constraints and foreign keys over ``column`` that existing rows may break."""
    found = table.column(column)
    constraints: list[CheckConstraint | ForeignKey] = [*table.checks, *table.foreign_keys]
    named = [constraint for constraint in constraints if not constraint.validated and column in constraint.columns]
    return [*named, *(check for check in (found.type.checks if found else ()) if not check.validated)]


def _checks(table: Table, column: str, type_: Type) -> Iterator[tuple[str, str]]:
    """The check expressions over ``column`` alone that all rows fulfil, each with its name for the column."""
    for check in table.checks:
        if check.validated and check.columns == (column,):
            yield check.expression, column
    for check in type_.checks:
        if check.validated and type_.element is None:
            yield check.expression, VALUE


def _allowed_texts(type_: Type, column: Column | None, expressions: list[tuple[str, str]]) -> tuple[str, ...] | None:
    if type_.labels:
        return type_.labels
    # In columns of other types, different texts may be equal.
    if type_.base not in _TEXTS or (column is not None and not column.deterministic):
        return None
    allowed: tuple[str, ...] | None = None
    for expression, subject in expressions:
        texts = _texts(expression, subject)
        if texts is not None:
            # Values of char(n) are padded with blanks.
            padded = [text.ljust(type_.length or 1) if type_.base == "bpchar" else text for text in texts]
            allowed = tuple(dict.fromkeys(t for t in padded if allowed is None or t in allowed))
    return allowed


def _texts(expression: str, subject: str) -> list[str] | None:
    """The texts that an expression allows, if it is only a list of texts."""
    found: list[str] = []
    for branch in _split(_bare(expression), " OR "):
        if _is_null(branch, subject):
            continue
        match = _ANY.fullmatch(_bare(branch)) or _EQUAL.fullmatch(_bare(branch))
        plain = match is not None and match["cast"] in (None, "text", "character varying", "bpchar")
        if match is None or not plain or not _is(match, subject) or not _ITEMS.fullmatch(match["items"]):
            return None
        found += [value.replace("''", "'") for value in _TEXT.findall(match["items"])]
    return found or None


def _bounds(type_: Type, expressions: list[tuple[str, str]]) -> dict[str, str]:
    bounds: dict[str, str] = {}
    if type_.base not in _NUMERIC:
        return bounds
    for expression, subject in expressions:
        for term in _terms(expression, subject):
            match = _BOUND.fullmatch(_bare(term))
            if match is None or not _is(match, subject) or not _widens(match["cast"], type_.base):
                continue
            name, number = _SIGNS[match["sign"]], match["number"]
            if type_.base == "float4" and "." in number:
                continue  # PostgreSQL compared another number than the one in the text.
            tighter = max if name in ("ge", "gt") else min
            bounds[name] = tighter(bounds.get(name, number), number, key=Decimal)
    return bounds


def _widens(cast: str | None, base: str) -> bool:
    """Whether a cast before a comparison keeps the number."""
    exact = ("numeric", "double precision", *(("integer", "bigint") if base in _INTEGERS else ()))
    return cast is None or cast in exact


def _is(match: re.Match[str], subject: str) -> bool:
    name = match["subject"]
    return (name[1:-1].replace('""', '"') if name.startswith('"') else name) == subject


def _is_null(term: str, subject: str) -> bool:
    match = re.fullmatch(rf"{_SUBJECT} IS NULL\)*", _bare(term))
    return match is not None and _is(match, subject)


def _terms(expression: str, subject: str) -> list[str]:
    """The terms of an AND. ``… OR column IS NULL`` is ignored, because NULL fulfils every check."""
    bare = _bare(expression)
    branches = [branch for branch in _split(bare, " OR ") if not _is_null(branch, subject)]
    if len(branches) != 1:
        return []
    parts = _split(_bare(branches[0]), " AND ")
    if len(parts) == 1:
        return parts if _bare(branches[0]) == bare else _terms(parts[0], subject)
    return [term for part in parts for term in _terms(part, subject)]


def _bare(expression: str) -> str:
    """``expression`` without the parentheses around all of it."""
    while expression.startswith("(") and _closing(expression) == len(expression) - 1:
        expression = expression[1:-1]
    return expression


def _closing(expression: str) -> int:
    """The position of the parenthesis that closes the first one."""
    depth = 0
    for token in re.finditer(r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|[()]", expression):
        depth += {"(": 1, ")": -1}.get(token[0], 0)
        if depth == 0:
            return token.start()
    return -1


def _split(expression: str, separator: str) -> list[str]:
    """The parts of ``expression`` between separators outside parentheses and quotes."""
    parts, depth, start = [], 0, 0
    for token in re.finditer(rf"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|[()\[\]]|{separator}", expression):
        depth += {"(": 1, "[": 1, ")": -1, "]": -1}.get(token[0], 0)
        if token[0] == separator and depth == 0:
            parts.append(expression[start : token.start()])
            start = token.end()
    return [*parts, expression[start:]]
