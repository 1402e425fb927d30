"""The indexes of a table's definition: by fields, for text search, for vectors; and unique groups of fields."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from supavex.convex import limits
from supavex.mapping.names import KEY_WORDS, singular, thing, words
from supavex.mapping.scaffold.draft import Draft, python_text
from supavex.mapping.scaffold.naming import index_name
from supavex.mapping.searches import SearchedText, searches

_MOST_SEARCHES = 4
_MOST_FILTERS = 4


def indexes(draft: Draft) -> list[str]:
    """The calls after ``define_table(…)``, one a line."""
    used: list[str] = []
    return [*_by_fields(draft, used), *_searches(draft, used), *_vectors(draft, used), *_uniques(draft)]


def _fields(draft: Draft, columns: Sequence[str | None]) -> tuple[str, ...] | None:
    """The fields of ``columns`` if each has a field that an index can hold; else None."""
    names = [draft.by_column.get(column or "") for column in columns]
    known = tuple(name for name in names if name is not None and draft.fields[name].indexable)
    whole = len(known) == len(columns) == len(set(known))
    return known if whole and 0 < len(known) <= limits.MAX_INDEX_FIELDS else None


def _by_fields(draft: Draft, used: list[str]) -> Iterator[str]:
    table = draft.table
    wanted: list[tuple[str, ...] | None] = [
        (draft.references[key.columns],) if key.columns in draft.references else _fields(draft, key.columns)
        for key in table.foreign_keys
    ]
    wanted += [_fields(draft, unique.columns) for unique in table.uniques]
    wanted += [_fields(draft, index.columns) for index in table.indexes if index.method in ("btree", "hash")]
    if draft.key.form == "hash":
        wanted.append(_fields(draft, draft.key.columns))
    every = list(dict.fromkeys(fields for fields in wanted if fields is not None))
    # An index whose first fields are the same serves, too.
    kept = [fields for fields in every if not any(_begins(other, fields) for other in every)]
    room = limits.MAX_INDEXES_PER_TABLE_DOCUMENTED - 2 * _MOST_SEARCHES
    if len(kept) > room:
        yield f"# {len(kept) - room} more of the source's indexes did not fit Convex's limit"
    for fields in kept[:room]:
        used.append(index_name("by", fields, used))
        yield f".index({python_text(used[-1])}, [{', '.join(map(python_text, fields))}])"


def _begins(long: tuple[str, ...], short: tuple[str, ...]) -> bool:
    return len(long) > len(short) and long[: len(short)] == short


def _searches(draft: Draft, used: list[str]) -> Iterator[str]:
    fields: list[str] = []
    for search in searches(draft.table):
        paths = [path for text in search.texts if (path := _path(draft, text)) is not None]
        if not paths or paths[0] in fields or len(fields) == _MOST_SEARCHES:
            continue
        fields.append(paths[0])
        used.append(index_name("search", [paths[0]], used))
        if len(search.texts) > 1:
            rest = ", ".join(map(str, search.texts[1:]))
            yield f"# {search.name} also searched {rest}: to search all, the app writes their texts into one field"
        yield f".search_index({python_text(used[-1])}, search_field={python_text(paths[0])}{_filters(draft)})"


def _path(draft: Draft, text: SearchedText) -> str | None:
    name = draft.by_column.get(text.column)
    if name is None or (text.keys and draft.fields[name].validator != "v.any"):
        return None
    return ".".join([name, *text.keys]) if text.keys or draft.fields[name].validator == "v.string" else None


def _vectors(draft: Draft, used: list[str]) -> Iterator[str]:
    made = 0
    for column in draft.table.columns:
        match = re.search(r"\((\d+)\)", column.type.name)
        name = draft.by_column.get(column.name)
        if column.type.base not in ("vector", "halfvec") or match is None or name is None or made == _MOST_SEARCHES:
            continue
        if limits.MIN_VECTOR_DIMENSIONS <= int(match[1]) <= limits.MAX_VECTOR_DIMENSIONS:
            made += 1
            used.append(index_name("vector", [name], used))
            call = f".vector_index({python_text(used[-1])}, vector_field={python_text(name)}, dimensions={match[1]}"
            yield f"{call}{_filters(draft)})"


#: Words for the owner of a row, in tables that several customers share.
_TENANTS = frozenset([
    "tenant", "organization", "organisation", "org", "workspace", "team", "company", "account", "customer", "client",
    "group", "site", "store", "shop", "school", "business", "brand", "community", "firm",
])  # fmt: skip


def _filters(draft: Draft) -> str:
    """The filter fields of a search index: the owner of a row. Columns named after a tenant come first."""
    plain = ("v.id", "v.string", "v.number", "v.int64")
    columns = {name: column for column, name in draft.by_column.items()}
    tenants = [
        name
        for name, field in draft.fields.items()
        if field.validator in plain and thing(columns.get(name, name))[-1:] and _is_tenant(columns.get(name, name))
    ]
    owners = tenants + [
        name
        for name, field in draft.fields.items()
        if field.table not in (None, draft.target)
        and not field.optional
        and "unique=True" not in field.arguments
        and name not in tenants
    ]
    return f", filter_fields=[{', '.join(map(python_text, owners[:_MOST_FILTERS]))}]" if owners else ""


def _is_tenant(column: str) -> bool:
    """Whether a column's name means the key of a tenant."""
    return singular(thing(column)[-1]) in _TENANTS and words(column)[-1] in KEY_WORDS


def _uniques(draft: Draft) -> Iterator[str]:
    groups = [u.columns for u in draft.table.uniques if len(u.columns) > 1 and u.predicate is None]
    groups += [draft.key.columns] if len(draft.key.columns) > 1 and draft.key.form == "hash" else []
    for columns in dict.fromkeys(groups):
        fields = [draft.by_column[column] for column in columns if column in draft.by_column]
        if len(fields) == len(columns):
            yield f".unique([{', '.join(map(python_text, fields))}])"
