"""Notes of ``check`` with lines to write: references without a foreign key, searches over several columns, and
candidates for ``_creationTime``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from supavex.convex import validators as kinds
from supavex.convex.validators import Validator
from supavex.diagnostics import Diagnostic
from supavex.mapping.conversions import Target
from supavex.mapping.creation import creation_column
from supavex.mapping.implied import Look, implied_references
from supavex.mapping.large_values import toml_key
from supavex.mapping.plan import FieldPlan, Plan, TablePlan
from supavex.mapping.searches import Search, SearchedText, searches
from supavex.postgres.catalog import Column, Table, ignores_case
from supavex.postgres.connection import quoted


def suggestions(plan: Plan, look: Look) -> list[Diagnostic]:
    """All suggestions, table by table. ``look`` answers from the rows about columns without a foreign key."""
    found = list(_references(plan, look))
    for table in plan.moving:
        found += [*_searches(table), *_creation(table), *_any_case(table)]
    return found


def _note(code: str, table: TablePlan, where: str, message: str, hint: str, field: str = "") -> Diagnostic:
    assert table.definition is not None
    validator = table.definition.fields.get(field)
    place = (validator.place if validator is not None else None) or table.definition.place
    return Diagnostic(code, "note", message, f"{table.source.name}.{where}", hint, place)


def _references(plan: Plan, look: Look) -> Iterator[Diagnostic]:
    open_fields = {(table.source, field.column): (table, field) for table, field in _open_fields(plan)}
    keys = {
        (table.source.schema, table.source.name): table.key
        for table in plan.tables
        if table.status in ("mapped", "existing") and table.key is not None
    }
    tables = {(table.schema, table.name): table for table in plan.catalog}
    columns: list[tuple[Table, Column]] = [(source, column) for source, column in open_fields if column is not None]
    by_name = {(source.schema, source.name, column.name): (source, column) for source, column in columns}
    for reference in implied_references(columns, keys, tables, look):
        table, field = open_fields[by_name[*reference.table, reference.column]]
        targets = [parent.target for place in reference.parents if (parent := plan.of_source(*place)) is not None]
        lines = [_line(field, target, is_array=reference.many) for target in targets]
        message = "no foreign key says where it leads, but"
        if reference.stated is not None:
            message = f"it refers to {'.'.join(reference.stated)}, which does not move, but"
        message += f" {reference.reason}. As text it leads nowhere in Convex."
        hint = (
            f"For a reference, write {' or '.join(lines)} in {table.target}; a value that is not a key rejects its row."
        )
        yield _note("ReferenceWithoutForeignKey", table, field.place, message, hint, field.name)


def _open_fields(plan: Plan) -> Iterator[tuple[TablePlan, FieldPlan]]:
    """The fields with a column's own value as text or as a number."""
    for table in plan.moving:
        for field in table.fields:
            if isinstance(field.value, Column) and _holds_keys(field.validator):
                yield table, field


def _holds_keys(validator: Validator) -> bool:
    target = Target(validator)
    if target.any:
        return False
    if target.takes(kinds.String) or target.takes(kinds.Number) or target.takes(kinds.Int64):
        return True
    return any(_holds_keys(element) for element in target.elements)


def _line(field: FieldPlan, target: str, *, is_array: bool) -> str:
    kept = ", unique=True" if field.validator.rules.unique else ""
    kept += ", default=[]" if field.validator.rules.default == [] else ""
    inner = f"v.array(v.id({json.dumps(target)}){kept})" if is_array else f"v.id({json.dumps(target)}{kept})"
    return f"{json.dumps(field.name)}: {f'v.optional({inner})' if field.optional else inner},"


def _searches(table: TablePlan) -> Iterator[Diagnostic]:
    assert table.definition is not None
    fields = {field.column.name: field for field in table.fields if field.column is not None}
    indexed = [index.search_field for index in table.definition.search_indexes]
    for search in searches(table.source):
        places = {text: path for text in search.texts if (path := _path(fields, text)) is not None}
        have = [text for text, path in places.items() if path in indexed]
        others = [path for path in indexed if path not in places.values()]
        if not search.texts:
            if not indexed:
                message = "PostgreSQL keeps the words of a text here, and nothing says which columns they are from."
                hint = (
                    f'Add .search_index("search_…", search_field="…") to {table.target} for the text that is searched.'
                )
                yield _note("SearchNotCarried", table, search.name, message, hint)
        elif len(have) == len(search.texts) or (others and not have):
            continue  # The columns are indexed separately, or together by a field made for that.
        elif len(search.texts) == 1:
            if places:
                message = f"PostgreSQL searches {search.texts[0]} by {search.name}; no search index of Convex does."
                yield _note(
                    "SearchNotCarried", table, search.texts[0].column, message, _index(next(iter(places.values())))
                )
        else:
            yield _several(table, search, places, have)


def _any_case(table: TablePlan) -> Iterator[Diagnostic]:
    for field in table.fields:
        column = field.column
        if (
            column is None
            or field.expression
            or not ignores_case(column)
            or not _takes_texts(field.validator, many=column.type.element is not None)
        ):
            continue
        message = "PostgreSQL compares this text without regard to case, and Convex compares it exactly."
        name = column.name.replace('"', '""')
        # The cast from the array's text makes an array of lower-case elements.
        text = f'lower(t."{name}"::text)' + ("::text[]" if column.type.element is not None else "")
        sql = json.dumps(text, ensure_ascii=False)
        hint = f"To move it in lower case, write under [tables.{table.toml}.columns.{toml_key(column.name)}] in "
        hint += f"supavex.toml: sql = {sql}. The app then lower-cases what it looks for, and what it writes."
        yield _note("CaseInsensitive", table, column.name, message, hint, field.name)


def _takes_texts(validator: Validator, *, many: bool) -> bool:
    """Whether a field takes texts; with ``many``, arrays of texts."""
    target = Target(validator)
    if many:
        return any(_takes_texts(element, many=False) or _takes_texts(element, many=True) for element in target.elements)
    return target.takes(kinds.String)


def _several(table: TablePlan, search: Search, places: dict[SearchedText, str], have: list[SearchedText]) -> Diagnostic:
    """The note about a search over several columns: a search index of Convex has one field."""
    listed = ", ".join(map(str, search.texts))
    only = f"here it is {have[0]}" if have else "here there is none"
    message = f"PostgreSQL searches {listed} as one text by {search.name}; a search index has one field: {only}."
    sql = ", ".join(_sql(table.source, text) for text in search.texts)
    whole = json.dumps(f"concat_ws(' ', {sql})", ensure_ascii=False)
    index = _index("search_text", "search_text")
    hint = f'To search all of them, add "search_text": v.string() to {table.target}, {index} and, under '
    hint += f"[tables.{table.toml}] in supavex.toml, fields.search_text.sql = {whole}; each mutation that writes one "
    hint += "of them then writes search_text."
    first = next(iter(places), search.texts[0])
    return _note("SearchOverSeveralColumns", table, first.column, message, hint)


def _index(field: str, name: str = "") -> str:
    return f'.search_index("{name or "search_" + field.replace(".", "_")}", search_field="{field}")'


def _path(fields: dict[str, FieldPlan], text: SearchedText) -> str | None:
    field = fields.get(text.column)
    fits = field is not None and (
        Target(field.validator).any if text.keys else Target(field.validator).takes(kinds.String)
    )
    return ".".join([field.name, *text.keys]) if field is not None and fits else None


def _sql(table: Table, text: SearchedText) -> str:
    column = f"t.{quoted(text.column)}"
    source = table.column(text.column)
    if source is not None and source.type.element is not None:
        return f"array_to_string({column}, ' ')"
    keys = ["'" + key.replace("'", "''") + "'" for key in text.keys]
    path = "".join(f" -> {key}" for key in keys[:-1]) + (f" ->> {keys[-1]}" if keys else "")
    return f"{column}{path}"


def _creation(table: TablePlan) -> Iterator[Diagnostic]:
    created, likely = creation_column(table.source)
    if created is None and likely and not table.rule.created:
        message = f"_creationTime could come from {' or '.join(likely)}, and nothing says which."
        hint = f"Set created = {json.dumps(likely[0])} under [tables.{table.toml}]."
        yield _note("CreationTimeOpen", table, likely[0], message, hint)
