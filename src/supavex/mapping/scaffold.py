"""``supavex scaffold``: Python definitions for source tables that have none, as a careful person would write them.

The text goes into the ``define_schema({…})`` of the project's schema.py, after what is there, which stays as it is;
what can only be said in supavex.toml (renames, columns left behind) is appended there.
"""

from __future__ import annotations

import ast
import json
import operator
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from supavex.convex import limits, names
from supavex.convex.schema import Schema
from supavex.convex.validators import MISSING
from supavex.convex.values import Value
from supavex.errors import SupavexError
from supavex.mapping.checks import allowed_values, not_validated, numeric_bounds
from supavex.mapping.convex_auth import SOURCES
from supavex.mapping.defaults import constant_default, exact
from supavex.mapping.keys import Key, key_of
from supavex.mapping.names import camel_case
from supavex.mapping.plan import UNKNOWN_TYPE
from supavex.postgres.catalog import Catalog, Column, Index, Table, Type
from supavex.project import Project

_NUMBERS = ("int2", "int4", "int8", "oid", "float4", "float8", "money")
_MOMENTS = ("timestamptz", "timestamp")
_IMPORT = "from supavex.schema import define_schema, define_table, v\n"


@dataclass(frozen=True, slots=True)
class Scaffolded:
    """The definitions to add: Python text per table, lines for supavex.toml, and Convex's table names."""

    tables: dict[str, str]
    toml: list[str]

    @property
    def names(self) -> list[str]:
        """Convex's names of the new tables."""
        return list(self.tables)


@dataclass(slots=True)
class _Draft:
    """One table in the making."""

    table: Table
    target: str
    key: Key
    fields: dict[str, str] = field(default_factory=dict)
    comments: dict[str, str] = field(default_factory=dict)
    by_column: dict[str, str] = field(default_factory=dict)
    toml: list[str] = field(default_factory=list)
    references: dict[tuple[str, ...], str] = field(default_factory=dict)


def scaffold(project: Project, schema: Schema | None, catalog: Catalog) -> Scaffolded:
    """Definitions for every table of ``catalog`` that ``schema`` and supavex.toml have no place for."""
    present = set(schema.tables) if schema is not None else set()
    targets: dict[tuple[str, str], str] = {}
    new: list[tuple[Table, Key]] = []
    toml: list[str] = []
    for table in catalog:
        if project.users.kind == "convex-auth" and table.qualified in SOURCES:
            targets[table.schema, table.name] = SOURCES[table.qualified]  # auth_tables() defines them
            continue
        rule = project.table_rule(table.schema, table.name)
        if rule.skip is not None:
            continue
        wanted = [rule.to] if rule.to else [table.name, camel_case(table.name)]
        known = next((name for name in wanted if name in present), None)
        if known is not None:
            targets[table.schema, table.name] = known
            continue
        key = key_of(table, rule.key)
        if key is None:
            toml += ["", f"[tables.{_toml_key(_table_key(project, table))}]", 'skip = "the table has no columns"']
            continue
        name = _free(rule.to or _identifier(camel_case(_ascii(table.name)), "table"), {*present, *targets.values()})
        targets[table.schema, table.name] = name
        new.append((table, key))
    keys = {
        (table.schema, table.name): key_of(table, project.table_rule(table.schema, table.name).key) for table in catalog
    }
    tables: dict[str, str] = {}
    for table, key in new:
        draft = _Draft(table, targets[table.schema, table.name], key)
        if key.form == "row" and not project.table_rule(table.schema, table.name).key:
            draft.toml.append('key = ["*"]  # no primary key: name the columns that tell rows apart, if there are any')
        _fields(project, draft, targets, keys)
        _references(draft, targets, keys)
        tables[draft.target] = _text(draft)
        rename = draft.target not in (table.name, camel_case(table.name))
        rename = rename and project.table_rule(table.schema, table.name).to is None
        if rename or draft.toml:
            toml += ["", f"[tables.{_toml_key(_table_key(project, table))}]"]
            toml += [f"to = {json.dumps(draft.target)}"] if rename else []
            toml += draft.toml
    return Scaffolded(tables, toml)


def _table_key(project: Project, table: Table) -> str:
    return table.name if table.schema == project.schemas[0] else table.qualified


def _toml_key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else json.dumps(name, ensure_ascii=False)


def _ascii(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9_]+", "_", name)


def _identifier(name: str, fallback: str) -> str:
    """``name`` made one that Convex takes: ASCII, no leading underscore or digit, at most 64 bytes."""
    name = _ascii(name).lstrip("_") or fallback
    name = name if not name[0].isdigit() else f"{fallback[0]}{name}"
    return name[: limits.MAX_IDENTIFIER_BYTES]


def _free(name: str, taken: Iterable[str]) -> str:
    taken, number, wanted = set(taken), 2, name
    while wanted in taken:
        suffix = str(number)
        wanted, number = name[: limits.MAX_IDENTIFIER_BYTES - len(suffix)] + suffix, number + 1
    return wanted


def _fields(
    project: Project, draft: _Draft, targets: dict[tuple[str, str], str], keys: dict[tuple[str, str], Key | None]
) -> None:
    table = draft.table
    for column in table.columns:
        rule = project.column_rule(project.table_rule(table.schema, table.name), column.name)
        own_key = draft.key.columns == (column.name,) and draft.key.form == "uuid"
        if rule.skip is not None or (own_key and table.foreign_key_of(column.name) is None):
            continue  # a uuid key is the document's _id
        if column.type.base == "tsvector" or column.type.unknown:
            reason = "a search index of Convex takes its place"
            if column.type.unknown:
                reason = UNKNOWN_TYPE.format(column.type.name)
            draft.toml.append(f"columns.{_toml_key(column.name)}.skip = {json.dumps(reason)}")
            continue
        others = {n for c in table.columns if c is not column for n in (c.name, camel_case(c.name))}
        name = rule.to or _free(_identifier(column.name, "field"), {*draft.fields, *others})
        if name not in (column.name, camel_case(column.name)) and rule.to is None:
            draft.toml.append(f"columns.{_toml_key(column.name)}.to = {json.dumps(name)}")
        draft.by_column[column.name] = name
        draft.fields[name], draft.comments[name] = _validator(draft, column, targets, keys, bool(rule.ids))


def _references(draft: _Draft, targets: dict[tuple[str, str], str], keys: dict[tuple[str, str], Key | None]) -> None:
    """A field for each foreign key of several columns: the id of the row that they name together."""
    for key in draft.table.foreign_keys:
        where = (key.referenced_schema, key.referenced_table)
        parent_key = keys.get(where)
        if len(key.columns) == 1 or where not in targets or parent_key is None or not parent_key.refers:
            continue
        last = key.columns[-1]
        wanted = last.removesuffix("_id") if last.endswith("_id") and len(last) > 3 else f"{targets[where]}_ref"
        name = _free(_identifier(wanted, "field"), {*draft.fields, *draft.by_column})
        columns = [draft.table.column(column) for column in key.columns]
        validator = f'v.id("{targets[where]}")'
        optional = any(column is not None and column.nullable for column in columns)
        draft.fields[name] = f"v.optional({validator})" if optional else validator
        draft.comments[name] = f"the row that {', '.join(key.columns)} refer to together"
        draft.references[key.columns] = name
        listed = ", ".join(json.dumps(column, ensure_ascii=False) for column in key.columns)
        draft.toml.append(f"fields.{name}.references = [{listed}]")


def _validator(
    draft: _Draft,
    column: Column,
    targets: dict[tuple[str, str], str],
    keys: dict[tuple[str, str], Key | None],
    has_ids: bool,
) -> tuple[str, str]:
    """The Python text of a column's validator, and a comment where a choice was made."""
    table, comments = draft.table, []
    options: list[str] = []
    foreign_key = table.foreign_key_of(column.name)
    base = ""
    if foreign_key is not None:
        where = (foreign_key.referenced_schema, foreign_key.referenced_table)
        parent_key = keys.get(where)
        if where in targets and parent_key is not None and parent_key.refers:
            base = f'v.id("{targets[where]}"'
        else:
            shown = ".".join(where)
            comments.append(f"refers to {shown}" + ("" if has_ids else "; an `ids` file can map it"))
    if not base:
        base, more, comment = _scalar(table, column)
        options += more
        comments += [comment] if comment else []
    default = MISSING if base.startswith("v.id(") else constant_default(column)
    if default is not MISSING and not _allows(table, column, default):
        comments.append(f"the source's default {_python(default)} breaks its own check")
        default = MISSING
    if default is not MISSING:
        options.append(f"default={_python(default)}")
    single = any(u.columns == (column.name,) and u.predicate is None for u in table.uniques)
    if single and base.startswith(("v.id(", "v.string(", "v.number(", "v.int64(", "v.bytes(", "v.union(")):
        options.append("unique=True")
    if column.generated:
        comments.append("computed by PostgreSQL: the app has to compute it now")
    comments += [f"rows may break {other.name}: it is NOT VALID" for other in not_validated(table, column.name)]
    if column.comment:
        comments.append(" ".join(column.comment.split()))
    separator = "" if base.endswith("(") or not options else ", "
    text = f"{base}{separator}{', '.join(options)})"
    if column.nullable:
        text = f"v.optional({text})"
    return text, "; ".join(comments)


def _scalar(table: Table, column: Column) -> tuple[str, list[str], str]:
    """The beginning of a validator's text, its options, and a comment."""
    type_ = column.type
    if type_.element is not None:
        element, comment = _element(type_.element)
        for _ in range(column.dimensions - 1):
            element = f"v.array({element})"
        return f"v.array({element}", [], comment
    if type_.category == "e":
        return f"v.union({', '.join(f'v.literal({_quoted(label)})' for label in type_.labels)}", [], ""
    if type_.base in _NUMBERS or (type_.base == "numeric" and exact(type_)):
        bounds = [f"{name}={value}" for name, value in numeric_bounds(table, column.name).items()]
        comment = "rows beyond 2^53 are rejected; v.int64() takes them" if type_.base == "int8" else ""
        return "v.number(", bounds, comment if type_.base == "int8" and not column.identity else ""
    if type_.base == "numeric":
        return "v.string(", [], f"{type_.name} as text: a double may not hold it"
    if type_.base in _MOMENTS:
        return "v.number(", [], ""
    if type_.base == "bool":
        return "v.boolean(", [], ""
    if type_.base in ("json", "jsonb"):
        return "v.any(", [], ""
    if type_.base == "bytea":
        return "v.bytes(", [], ""
    if type_.base in ("vector", "halfvec"):
        return "v.array(v.float64()", [], ""
    values = allowed_values(table, column.name)
    options = [] if values is None else [f"one_of=[{', '.join(map(_quoted, values))}]"]
    plain = ("text", "varchar", "bpchar", "name", "citext", "uuid", "date", "time", "char")
    return "v.string(", options, "" if type_.base in plain else f"{type_.name}, as PostgreSQL's text of it"


def _element(type_: Type) -> tuple[str, str]:
    """The Python text of an array's element, and a comment."""
    number = type_.base in _NUMBERS or type_.base in _MOMENTS or (type_.base == "numeric" and exact(type_))
    simple = {"bool": "v.boolean()", "json": "v.any()", "jsonb": "v.any()", "bytea": "v.bytes()"}
    if number or type_.base in simple:
        return simple.get(type_.base, "v.number()"), ""
    if type_.category == "e":
        return f"v.union({', '.join(f'v.literal({_quoted(label)})' for label in type_.labels)})", ""
    plain = ("text", "varchar", "bpchar", "name", "citext", "uuid", "date", "time", "char")
    return "v.string()", "" if type_.base in plain else f"{type_.name}, as its text"


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _python(value: Value) -> str:
    """The Python text of a default."""
    return _quoted(value) if isinstance(value, str) else repr(value)


def _allows(table: Table, column: Column, value: Value) -> bool:
    """Whether the checks of the source that the scaffold keeps allow a default."""
    allowed = allowed_values(table, column.name)
    if allowed is not None and isinstance(value, str):
        return value in allowed
    holds = {"ge": operator.ge, "gt": operator.gt, "le": operator.le, "lt": operator.lt}
    bounds = numeric_bounds(table, column.name)
    return not isinstance(value, int | float) or all(holds[sign](value, float(bound)) for sign, bound in bounds.items())


def _text(draft: _Draft) -> str:
    """The entry of ``define_schema({…})``, indented for it."""
    table = draft.table
    lines = [f'    "{draft.target}": define_table({{']
    for name, validator in draft.fields.items():
        comment = draft.comments[name]
        line = f'        "{name}": {validator},'
        lines += [f"        # {comment}", line] if comment else [line]
    comment = " ".join(table.comment.split())
    lines.append("    }" + (f", comment={_quoted(comment)})" if comment else ")"))
    lines += [f"    {call}" for call in [*_indexes(draft), *_search_indexes(draft), *_uniques(draft)]]
    lines[-1] += ","
    return f"    # {table.qualified}\n" + "\n".join(lines) + "\n"


def _plain(draft: _Draft, columns: Sequence[str | None]) -> tuple[str, ...] | None:
    """The fields of ``columns`` where each has one that an index can hold; else None."""
    fields = [draft.by_column.get(column or "") for column in columns]
    if not fields or any(name is None for name in fields) or len(fields) > limits.MAX_INDEX_FIELDS:
        return None
    return tuple(name for name in fields if name is not None)


def _indexes(draft: _Draft) -> list[str]:
    table = draft.table
    wanted: list[tuple[str, ...] | None] = [
        (draft.references[key.columns],) if key.columns in draft.references else _plain(draft, key.columns)
        for key in table.foreign_keys
    ]
    wanted += [_plain(draft, unique.columns) for unique in table.uniques]
    wanted += [_plain(draft, i.columns) for i in table.indexes if i.method == "btree"]
    if draft.key.form == "hash" or len(draft.key.columns) > 1:
        wanted.append(_plain(draft, draft.key.columns))
    kept: list[tuple[str, ...]] = []
    for fields in wanted:
        if fields is not None and fields not in kept and len(set(fields)) == len(fields):
            kept.append(fields)
    room = limits.MAX_INDEXES_PER_TABLE_DOCUMENTED - 4
    used: list[str] = []
    calls = []
    for fields in kept[:room]:
        parts = [name.removesuffix("_id") if len(name) > 3 else name for name in fields]
        name = _free(_identifier("by_" + "_".join(parts), "by_index"), [*used, *names.RESERVED_INDEX_NAMES])
        used.append(name)
        calls.append(f'.index("{name}", [{", ".join(_quoted(f) for f in fields)}])')
    if len(kept) > room:
        calls.insert(0, f"# {len(kept) - room} more of the source's indexes did not fit Convex's limit")
    return calls


def _search_indexes(draft: _Draft) -> list[str]:
    calls: list[str] = []
    searched: list[str] = []
    for index in draft.table.indexes:
        column = _searched_column(draft.table, index)
        name = draft.by_column.get(column or "")
        if name is not None and name not in searched and len(searched) < 4 and _is_text(draft.table, column):
            searched.append(name)
            calls.append(f'.search_index("{_identifier("search_" + name, "search")}", search_field="{name}")')
    for column_ in draft.table.columns:
        match = re.search(r"\((\d+)\)", column_.type.name)
        if column_.type.base in ("vector", "halfvec") and match and column_.name in draft.by_column:
            dimensions = int(match[1])
            if limits.MIN_VECTOR_DIMENSIONS <= dimensions <= limits.MAX_VECTOR_DIMENSIONS:
                name = draft.by_column[column_.name]
                index_name = _identifier("vector_" + name, "vector")
                calls.append(f'.vector_index("{index_name}", vector_field="{name}", dimensions={dimensions})')
    return calls


def _searched_column(table: Table, index: Index) -> str | None:
    """The text column that a trigram or full text index serves, or None."""
    if index.method not in ("gin", "gist"):
        return None
    if "trgm_ops" in index.definition:
        return index.columns[0] or _first_column(table, index.definition.partition(" USING ")[2])
    if "to_tsvector" in index.definition:
        return _first_column(table, index.definition.partition("to_tsvector")[2])
    indexed = table.column(index.columns[0] or "")
    if indexed is not None and indexed.type.base == "tsvector":
        return next((c.name for c in table.columns if c.type.base in ("text", "varchar")), None)
    return None


def _first_column(table: Table, text: str) -> str | None:
    words = re.findall(r'"([^"]+)"|([A-Za-z_][A-Za-z0-9_]*)', text)
    known = {column.name for column in table.columns}
    return next((a or b for a, b in words if (a or b) in known), None)


def _is_text(table: Table, name: str | None) -> bool:
    column = table.column(name or "")
    return column is not None and column.type.base in ("text", "varchar", "citext", "bpchar")


def _uniques(draft: _Draft) -> list[str]:
    groups = [u.columns for u in draft.table.uniques if len(u.columns) > 1 and u.predicate is None]
    groups += [draft.key.columns] if len(draft.key.columns) > 1 and draft.key.form == "hash" else []
    calls = []
    for columns in dict.fromkeys(groups):
        fields = [draft.by_column[c] for c in columns if c in draft.by_column]
        if len(fields) == len(columns):
            calls.append(f".unique([{', '.join(_quoted(f) for f in fields)}])")
    return calls


def new_file(scaffolded: Scaffolded) -> str:
    """A whole schema.py."""
    return f"{_IMPORT}\nschema = define_schema({{\n" + "\n".join(scaffolded.tables.values()) + "})\n"


def insert(text: str, scaffolded: Scaffolded, shown: str) -> str:
    """``text`` (a schema.py) with the definitions added at the end of its ``define_schema({…})``.

    All that is there stays, to the letter. Raises where there is no such literal to add to.
    """
    place = _end_of_tables(text)
    if place is None:
        raise SupavexError(
            "CannotInsert",
            "the file does not call define_schema({…}) with a literal that definitions can be added to.",
            where=shown,
            hint="`supavex scaffold --stdout` prints them instead.",
        )
    lines = text.splitlines(keepends=True)
    position = sum(len(line) for line in lines[: place[0] - 1]) + len(
        lines[place[0] - 1].encode()[: place[1] - 1].decode()
    )
    before, after = text[:position].rstrip(), text[position:]
    comma = "" if before.endswith(("{", ",")) else _comma(before)
    return before + comma + "\n" + "\n".join(scaffolded.tables.values()) + after


def _comma(before: str) -> str:
    # A comment after the last entry would swallow a comma on its line.
    return "\n    ," if "#" in before.rpartition("\n")[2] else ","


def _end_of_tables(text: str) -> tuple[int, int] | None:
    """Line and column (1-based, in bytes) just behind the last entry's closing brace of ``define_schema``'s literal."""
    for node in ast.walk(ast.parse(text)):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name | ast.Attribute)
            and (node.func.id if isinstance(node.func, ast.Name) else node.func.attr) == "define_schema"
            and node.args
            and isinstance(node.args[0], ast.Dict)
        ):
            literal = node.args[0]
            assert literal.end_lineno is not None
            assert literal.end_col_offset is not None
            return literal.end_lineno, literal.end_col_offset
    return None
