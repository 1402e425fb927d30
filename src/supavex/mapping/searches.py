"""The text searches of a table in PostgreSQL: tsvector columns, full-text indexes and trigram indexes.

A search index of Convex searches one field. So a search lists the columns of its text, in order.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from supavex.convex.names import identifier_problem
from supavex.postgres.catalog import Column, Index, Table

_TEXTS = ("text", "varchar", "citext", "bpchar", "name")
_JSON = ("json", "jsonb")
#: Access methods of extensions whose indexes search the texts of their columns.
_SEARCHING = ("pgroonga", "bm25", "rum", "zombodb")
_TOKEN = re.compile(
    r"(?P<text>[eE]?'(?:[^']|'')*')|(?P<quoted>\"(?:[^\"]|\"\")+\")|(?P<name>[^\W\d]\w*)|(?P<sign>->>|->|\#>>|\#>|::|:=|\S)"
)
_COMMENT = re.compile(r"--[^\n]*|/\*.*?\*/", re.DOTALL)


@dataclass(frozen=True, slots=True)
class SearchedText:
    """A searched text: a column, or a place in a JSON column with its keys.

    The column may be an array of texts, which no search index of Convex supports.
    """

    column: str
    keys: tuple[str, ...] = ()

    def __str__(self) -> str:
        return ".".join([self.column, *self.keys])


@dataclass(frozen=True, slots=True)
class Search:
    """A search of a table. ``name`` is the name of the tsvector column or of the index.

    ``texts`` are searched as one text. They are empty if they are unknown.
    """

    name: str
    texts: tuple[SearchedText, ...]


def searches(table: Table) -> list[Search]:
    """The searches of ``table``: its tsvector columns in order, then those of its indexes, by name."""
    found = [Search(c.name, _of_column(table, c)) for c in table.columns if c.type.base == "tsvector"]
    for index in table.indexes:
        found += [Search(index.name, texts) for texts in _of_index(table, index)]
    made: dict[tuple[SearchedText, ...], Search] = {}
    for search in found:
        made.setdefault(search.texts or (SearchedText(search.name),), search)
    return list(made.values())


def _of_column(table: Table, column: Column) -> tuple[SearchedText, ...]:
    """The texts of a tsvector column: from its expression, or from the trigger that maintains it."""
    if column.expression:
        return _texts(table, _inside_to_tsvector(_tokens(column.expression)))
    for trigger in table.triggers:
        arguments = re.search(r"\btsvector_update_trigger(?:_column)?\((.*)\)\s*$", trigger.definition, re.DOTALL)
        if arguments is not None:
            first, _, *columns = [_unquoted(token) for kind, token in _tokens(arguments[1]) if kind == "text"]
            if first == column.name:
                return tuple(SearchedText(name) for name in columns if _is_text(table.column(name)))
        elif texts := _of_function(table, column, trigger.function):
            return texts
    return ()


def _of_function(table: Table, column: Column, source: str) -> tuple[SearchedText, ...]:
    """The texts from which a trigger's function makes a tsvector column: the columns of NEW in its assignments."""
    tokens = _tokens(_COMMENT.sub(" ", source))
    for position in range(len(tokens) - 3):
        owner, dot, name, sign = tokens[position : position + 4]
        assigned = owner[1].lower() == "new" and dot[1] == "." and sign[1] in (":=", "=")
        if assigned and _unquoted(name[1]) == column.name and name[0] in ("name", "quoted"):
            rest = tokens[position + 4 :]
            end = next((i for i, token in enumerate(rest) if token == ("sign", ";")), len(rest))
            return _texts(table, _inside_to_tsvector(rest[:end]), owner="new")
    return ()


def _of_index(table: Table, index: Index) -> Iterator[tuple[SearchedText, ...]]:
    """The texts of each element of a search index. A plain tsvector column is listed separately."""
    _, _, elements = index.definition.partition(f" USING {index.method} (")
    if index.predicate:
        elements = elements.removesuffix(f" WHERE {index.predicate}")
    for element in _elements(_tokens(elements)):
        words = [token for kind, token in element if kind == "name"]
        trigrams = any(word.endswith("trgm_ops") for word in words)
        if trigrams or "to_tsvector" in words or index.method in _SEARCHING:
            texts = _texts(table, _inside_to_tsvector(element))
            if texts or (trigrams or "to_tsvector" in words):
                yield texts


def _elements(tokens: list[tuple[str, str]]) -> Iterator[list[tuple[str, str]]]:
    """The elements between commas, up to the closing parenthesis."""
    depth, element = 0, list[tuple[str, str]]()
    for token in tokens:
        depth += {"(": 1, ")": -1}.get(token[1], 0)
        if depth < 0:
            break
        if depth == 0 and token[1] == ",":
            yield element
            element = []
        else:
            element.append(token)
    if element:
        yield element


def _tokens(sql: str) -> list[tuple[str, str]]:
    return [(str(match.lastgroup), match[0]) for match in _TOKEN.finditer(sql)]


def _unquoted(token: str) -> str:
    if token.startswith('"'):
        return token[1:-1].replace('""', '"')
    if token.endswith("'"):
        return token[token.index("'") + 1 : -1].replace("''", "'")
    return token


def _inside_to_tsvector(tokens: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """The arguments of each to_tsvector(…); all tokens if there is none."""
    found: list[tuple[str, str]] = []
    depth = 0
    for position, token in enumerate(tokens):
        if depth:
            depth += {"(": 1, ")": -1}.get(token[1], 0)
            found.append(token)
        elif token[1].lower() == "(" and position and tokens[position - 1][1].lower() == "to_tsvector":
            depth = 1
    return found or tokens


def _texts(table: Table, tokens: Sequence[tuple[str, str]], owner: str = "") -> tuple[SearchedText, ...]:
    """The texts in an expression, each once. ``owner``: the qualifier of its columns, if any."""
    found: dict[SearchedText, None] = {}
    for position, (kind, token) in enumerate(tokens):
        if kind not in ("name", "quoted"):
            continue
        before = [text.lower() for _, text in tokens[max(0, position - 2) : position]]
        after = tokens[position + 1][1] if position + 1 < len(tokens) else ""
        qualified = before[-1:] == ["."]
        if after in ("(", ".") or before[-1:] == ["::"] or (qualified and before != [owner, "."]):
            continue
        if owner and not qualified:
            continue
        column = table.column(_unquoted(token))
        if column is not None and column.type.base in _JSON:
            keys = _keys(tokens, position + 1)
            if keys and not any(map(identifier_problem, keys)):
                found[SearchedText(column.name, keys)] = None
        elif _is_text(column):
            assert column is not None
            cast = [text for _, text in tokens[position + 1 : position + 3]]
            if cast != ["::", "regconfig"]:
                found[SearchedText(column.name)] = None
    return tuple(found)


def _keys(tokens: Sequence[tuple[str, str]], position: int) -> tuple[str, ...]:
    """The keys from a JSON column before ``position`` to a text; empty if there are none."""
    keys: list[str] = []
    while position < len(tokens):
        token = tokens[position][1]
        if token == "::":
            position += 2
        elif token == ")":
            position += 1
        elif token in ("->", "->>") and position + 1 < len(tokens) and tokens[position + 1][0] == "text":
            keys.append(_unquoted(tokens[position + 1][1]))
            if token == "->>":
                return tuple(keys)
            position += 2
        elif token == "#>>" and position + 1 < len(tokens) and tokens[position + 1][0] == "text":
            path = _unquoted(tokens[position + 1][1])
            return (*keys, *path.strip("{}").split(","))
        else:
            break
    return ()


def _is_text(column: Column | None) -> bool:
    """Whether a column holds a text, or several in an array."""
    return column is not None and (column.type.element or column.type).base in _TEXTS
