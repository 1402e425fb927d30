"""Convex's names for PostgreSQL's tables, fields and indexes: ASCII, free, and numbered only if necessary."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterable, Sequence

from supavex.convex import limits, names
from supavex.mapping.names import camel_case
from supavex.postgres.catalog import Table
from supavex.settings.settings import Settings

_LETTERS = str.maketrans({
    "ß": "ss", "æ": "ae", "œ": "oe", "ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "ı": "i",
    "Æ": "AE", "Œ": "OE", "Ø": "O", "Ł": "L", "Đ": "D", "Þ": "Th",
})  # fmt: skip


def ascii_name(name: str) -> str:
    """``name`` in ASCII: letters without accents, and ``_`` for other characters."""
    plain = unicodedata.normalize("NFKD", name.translate(_LETTERS))
    plain = "".join(character for character in plain if not unicodedata.combining(character))
    return re.sub(r"[^A-Za-z0-9_]+", "_", plain)


def identifier(name: str, fallback: str) -> str:
    """``name`` as an identifier that Convex accepts: ASCII, no leading underscore or digit, at most 64 bytes."""
    name = ascii_name(name).lstrip("_") or fallback
    name = name if not name[0].isdigit() else f"{fallback[0]}{name}"
    return name[: limits.MAX_IDENTIFIER_BYTES]


def free(name: str, taken: Iterable[str]) -> str:
    """``name``, with a number if it is in ``taken`` in any case."""
    folded = {other.lower() for other in taken}
    number, wanted = 2, name
    while wanted.lower() in folded:
        suffix = str(number)
        wanted, number = name[: limits.MAX_IDENTIFIER_BYTES - len(suffix)] + suffix, number + 1
    return wanted


def is_field(name: str) -> bool:
    """Whether a column's name can be a field's name."""
    return names.field_name_problem(name) is None and not name.startswith("_")


def table_names(
    project: Settings, tables: Sequence[Table], present: Iterable[str]
) -> tuple[dict[tuple[str, str], str], set[tuple[str, str]]]:
    """Convex's name of each table, and the tables with new names, which are not in ``present``.

    If several tables want one name, supavex.toml decides; then ``public`` comes before the other schemas, in order;
    then an unchanged name before a converted one. The order of the tables has no effect.
    """
    order = {schema: position for position, schema in enumerate(("public", *project.schemas))}

    def rank(table: Table) -> tuple[int, bool, str, str]:
        place = order.get(table.schema, len(order)) if table.schema != "public" else -1
        return place, camel_case(table.name) != table.name, table.schema, table.name

    present, found = set(present), dict[tuple[str, str], str]()
    waiting = list[Table]()
    for table in tables:
        rule = project.table_rule(table.schema, table.name)
        if rule.to:
            found[table.schema, table.name] = rule.to
        else:
            waiting.append(table)
    waiting.sort(key=rank)
    new = {place for place, name in found.items() if name not in present}
    for table in list(waiting):
        known = [n for n in (table.name, camel_case(table.name)) if n in present and n not in found.values()]
        if known:
            found[table.schema, table.name] = known[0]
            waiting.remove(table)
    new |= {(table.schema, table.name) for table in waiting}
    taken = {name.lower() for name in (*present, *found.values())}
    for wishes in (_plain, _other):
        for table in list(waiting):
            name = next((n for n in wishes(table) if n.lower() not in taken), None)
            if name is not None:
                found[table.schema, table.name] = name
                taken.add(name.lower())
                waiting.remove(table)
    for table in waiting:
        found[table.schema, table.name] = free(_plain(table)[0], taken)
        taken.add(found[table.schema, table.name].lower())
    return found, new


def _plain(table: Table) -> list[str]:
    return [identifier(camel_case(ascii_name(table.name)), "table")]


def _other(table: Table) -> list[str]:
    """The name of a table whose plain name is taken: the unchanged name, or a name with the schema."""
    if table.schema == "public":
        very = [table.name] if names.table_name_problem(table.name) is None else []
        return [*very, identifier(f"{camel_case(ascii_name(table.name))}Table", "table")]
    return [identifier(camel_case(ascii_name(f"{table.schema}_{table.name}")), "table")]


def index_name(prefix: str, fields: Sequence[str], used: Collection[str]) -> str:
    """A name for an index by ``fields``: short, else with the whole names of the fields, else numbered."""
    taken = {*used, *names.RESERVED_INDEX_NAMES}
    parts = [field.replace(".", "_") for field in fields]
    short = [part.removesuffix("_id") if len(part) > 3 else part for part in parts]
    ends = [parts[0], "to", parts[-1]] if len(parts) > 2 else parts
    wishes = ["_".join(short), "_".join(parts), "_and_".join(parts), "_".join(ends), "_".join([*parts, "field"])]
    made = [identifier(f"{prefix}_{wish}", prefix) for wish in wishes]
    return next((name for name in made if name not in taken), None) or free(made[0], taken)
