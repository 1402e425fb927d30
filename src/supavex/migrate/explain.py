"""``supavex explain``: what happens to each column of a table and why, with one row before and after."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from typing import Any

import psycopg

from supavex.convex.broken_rules import field_rules
from supavex.convex.field_rules import MISSING, printed
from supavex.convex.ids import decode_id
from supavex.convex.limits import STORAGE_NUMBER, STORAGE_TABLE
from supavex.errors import SupavexError, UsageError
from supavex.mapping.check import check
from supavex.mapping.convex_auth import HIDDEN, is_secret
from supavex.mapping.key_sql import key_text_sql
from supavex.mapping.plan import ALIAS, FieldPlan, IdFile, KeyText, Plan, Reference, TablePlan
from supavex.mapping.source import Source
from supavex.mapping.table_numbers import load_lock, with_new_tables
from supavex.postgres.columns import ColumnReader
from supavex.postgres.connection import literal
from supavex.postgres.snapshot import exported
from supavex.settings.settings import Settings
from supavex.steps import step


@dataclass(frozen=True, slots=True)
class Explained:
    """The explanation of one column or field."""

    #: The source column; empty for a field without one.
    column: str
    #: PostgreSQL's type.
    type: str
    #: The field of the document; empty for a column without one.
    field: str
    #: The field's validator.
    validator: str
    #: How the value is made.
    how: str
    #: The replacement of NULL.
    null: str
    #: The values that reject the row.
    rejects: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Explanation:
    """The explanation of a table."""

    #: The PostgreSQL table, ``schema.name``.
    source: str
    #: The Convex table; empty if the table has none.
    target: str
    #: Whether the table moves.
    status: str
    #: Why it does not move.
    reason: str
    #: How ``_id`` is made.
    key: str
    #: How ``_creationTime`` is made.
    creation: str
    #: The columns in the table's order, then the fields without a column.
    columns: list[Explained]
    #: One row of the source, if there is one.
    before: dict[str, Any] | None = None
    #: The document of that row.
    after: dict[str, Any] | None = None
    #: The unchecked conditions under which that row moves.
    provided: str = ""

    def to_json(self) -> dict[str, Any]:
        """The JSON of ``explain --json``."""
        return asdict(self)


@step("looking at the table")
def explain_table(project: Settings, name: str) -> Explanation:
    """What happens to a table of ``project``, with one row before and after if the table moves.

    ``name``: the table's name in the source, with or without its schema, or in Convex. Raises the first finding of
    ``check`` if the schema can't be used.
    """
    checked = check(project)
    if checked.plan is None:
        first = checked.diagnostics[0]
        raise SupavexError(first.code, first.message, where=first.where, hint=first.hint)
    found = find_table(checked.plan, name)
    explained = explain(found)
    if found.status != "mapped" or found.misfits:
        return explained
    with Source(project).running() as url:
        return with_example(checked.plan, explained, found, url)


def find_table(plan: Plan, name: str) -> TablePlan:
    """The table with a ``name``: the source's name (with or without schema), or Convex's."""
    for table in plan.tables:
        if name in (table.name, table.source.name, table.target):
            return table
    known = ", ".join(table.source.name for table in plan.tables)
    raise UsageError("UnknownTable", f"there is no table {name}.", hint=f"Tables: {known}.")


def explain(table: TablePlan) -> Explanation:
    """What happens to ``table``, without reading a row."""
    columns = [_field(table, field) for field in table.fields]
    own = set(table.key.columns) if table.key else set()
    known = {field.column.name for field in table.fields if field.column} | {large.column.name for large in table.files}
    for column in table.source.columns:
        if column.name in known:
            continue
        if column.name in table.skipped:
            how = f"left behind: {table.skipped[column.name]}"
        elif table.status == "existing":
            how = _in_an_existing(table, column.name)
        elif column.name in own:
            how = "becomes the document's _id"
        else:
            how = "has no field: `supavex check` says what to do"
        columns.append(Explained(column.name, column.type.name, "", "", how, "", ()))
    order = {column.name: position for position, column in enumerate(table.source.columns)}
    columns.sort(key=lambda explained: order.get(explained.column, len(order)))
    creation = ", then ".join(table.creation.columns) or "no column: one millisecond after 1970"
    return Explanation(
        table.name,
        table.target,
        table.status,
        table.rule.skip or "",
        _key(table),
        "the document's own" if table.status == "existing" else creation,
        columns,
    )


def _in_an_existing(table: TablePlan, column: str) -> str:
    """The use of a column in a table that exists in Convex, whose rows don't move."""
    fields = [field for field, matched in (table.rule.existing or {}).items() if matched == column]
    if fields:
        return f"finds the row's document, by its field {', '.join(fields)}; does not move"
    if table.key is not None and table.key.refers and column in table.key.columns:
        return "does not move: references to it become the id that the row's document has"
    return "does not move: the table is in Convex already"


def _key(table: TablePlan) -> str:
    if table.status == "existing":
        return "the document's own, which Convex chose"
    if table.key is None:
        return "none"
    forms = {
        "uuid": "its 16 bytes are the id's",
        "integer": "packed into the id's 16 bytes",
        "hash": "the id's 16 bytes are its SHA-256, cut",
        "row": "no key: the id's 16 bytes are the SHA-256 of the whole row, cut",
    }
    return f"{', '.join(table.key.columns)}: {forms[table.key.form]}"


def _field(table: TablePlan, field: FieldPlan) -> Explained:
    validator = f"v.optional({field.validator})" if field.optional else str(field.validator)
    rules = field_rules(field.validator)
    rejects = [guard.message for guard in field.conversion.guards]
    match field.value:
        case Reference(target=target) if target == STORAGE_TABLE:
            rejects.append("it names no file that storage.objects has, or one that did not move")
        case Reference():
            rejects.append("it refers to a row that does not exist, or was rejected")
        case IdFile(path=path):
            rejects.append(f"{path} has no new id for it")
    if rules.one_of is not None:
        rejects.append(f"it is not one of {', '.join(map(printed, rules.one_of))}")
    rejects += [f"it is not {sign} {printed(bound)}" for sign, bound, _ in rules.bounds()]
    if rules.pattern is not None:
        rejects.append(f"it does not match {rules.pattern}")
    column = field.file.column if field.file is not None else field.column
    return Explained(
        column.name if column else "",
        column.type.name if column else "",
        field.name,
        validator,
        _how(table, field),
        _null(field),
        tuple(rejects),
    )


def _how(table: TablePlan, field: FieldPlan) -> str:
    rule = table.rule.columns.get(field.column.name) if field.column else None
    own = table.rule.fields.get(field.name)
    expression = rule.sql if rule and rule.sql else own.sql if own else None
    prefix = f"sql = {expression}; " if expression else ""
    match field.value:
        case Reference(target=target) if target == STORAGE_TABLE:
            bucket = rule.storage if rule and rule.storage else True
            return f"{prefix}the id of the stored file that it names" + ("" if bucket is True else f", in {bucket}")
        case Reference() as reference:
            kind = "found in the target by its key" if reference.existing else "computed from the key"
            other = reference.columns != reference.key.columns
            through = f", by way of {', '.join(reference.columns)}" if other else ""
            return f"{prefix}the id of the {reference.target} it refers to, {kind}{through}"
        case IdFile(path=path):
            return f"{prefix}the new id that {path} gives"
        case KeyText():
            return "the row's key as text"
    return prefix + field.conversion.name


def _null(field: FieldPlan) -> str:
    if field.fill is not MISSING:
        return f"becomes {printed(field.fill)}"
    if field.optional:
        return "leaves the field out"
    if field.takes_null:
        return "stays null"
    return "rejects the row" if field.nullable else "does not occur"


def with_example(plan: Plan, explanation: Explanation, table: TablePlan, url: str) -> Explanation:
    """``explanation`` with the table's first moving row, before and after."""
    # Arrow is an extra, and only the example needs it.
    from supavex.migrate.copy.encoding.encoder import TableEncoder
    from supavex.migrate.copy.encoding.lookups import Lookup

    if any(field.reference is not None and field.reference.existing for field in table.fields):
        return explanation  # Only the target knows these ids.
    numbers = with_new_tables(load_lock(plan.project.lock_file), plan.schema.tables)
    numbers[STORAGE_TABLE] = STORAGE_NUMBER
    lookups = {field.name: Lookup.of(field.value.ids) for field in table.fields if isinstance(field.value, IdFile)}
    encoder = TableEncoder(table, numbers, lookups=lookups)
    with exported(url) as (snapshot, holder), ColumnReader(snapshot) as reader:
        for batch in reader.read(f"{encoder.query.sql} LIMIT 20"):
            for index in range(batch.num_rows):
                encoded = encoder.encode(batch.slice(index, 1))
                if encoded.documents:
                    document = json.loads(bytes(encoded.lines))
                    key = batch.column("_text")[index].as_py() if encoder.query.has_text else None
                    row = _row(holder, table, key or _key_text(table, document))
                    return replace(
                        explanation,
                        before=_seen(table, row),
                        after=_seen(table, document),
                        provided=_provided(table, document),
                    )
    return explanation


def _provided(table: TablePlan, document: dict[str, Any]) -> str:
    """The conditions that a copy checks outside the row: the rows and files to which it refers."""
    names = [field.name for field in table.fields if field.reference is not None and document.get(field.name)]
    if not names:
        return ""
    return f"provided that what {', '.join(names)} refers to goes, too: supavex migrate --dry-run looks"


def _seen(table: TablePlan, row: dict[str, Any] | None) -> dict[str, Any] | None:
    """The row without secret values."""
    if row is None:
        return None
    hidden = {name for name, value in row.items() if value and is_secret(table.name, name)}
    return {name: HIDDEN if name in hidden else value for name, value in row.items()}


def _key_text(table: TablePlan, document: dict[str, Any]) -> str:
    assert table.key is not None
    _, internal_id = decode_id(document["_id"])
    return table.key.text_of(internal_id) or ""


def _row(connection: psycopg.Connection, table: TablePlan, key: str) -> dict[str, Any] | None:
    """The source row with that key, as JSON."""
    assert table.key is not None
    own = table.key.own(ALIAS)
    text = key_text_sql(table.key, own)
    if table.key.form == "row":
        # WHERE can't contain a window function. Equal rows are alike, so any of them will do.
        text, key = f"ROW({', '.join(own)})::text", key.rpartition(" #")[0]
    source = table.source.sql_name
    # Without parameters, because psycopg would take a % in a name for a placeholder.
    sql = f"SELECT to_jsonb({ALIAS}) FROM {source} AS {ALIAS} WHERE {text} = {literal(key)} LIMIT 1"
    found = connection.execute(sql.encode()).fetchone()
    return found[0] if found else None
