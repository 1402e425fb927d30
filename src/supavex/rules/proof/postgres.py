"""The source's side: the reads and writes that PostgreSQL allows a user, in transactions that are rolled back."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import psycopg

from supavex.convex.field_rules import MISSING
from supavex.convex.ids import decode_id, encode_id
from supavex.convex.values import Value
from supavex.mapping.key_sql import key_text_sql
from supavex.mapping.plan import ALIAS, FieldPlan, TablePlan
from supavex.mapping.row_sql import reference_text_sql
from supavex.mapping.seen_text import seen_text
from supavex.postgres.connection import quoted
from supavex.rules.proof.users import User
from supavex.rules.touching import touched_by

#: A document in a form that both sides have: field to comparable value.
Forms = dict[str, object]


@dataclass(frozen=True, slots=True)
class Tried:
    """The result of an attempt. ``code``: why it was refused. ``after``: documents by table and id, if it was accepted.

    ``constraint``: the name of the constraint that refused it, or of the column that takes no NULL.
    """

    taken: bool
    code: str = ""
    constraint: str = ""
    after: Mapping[str, Mapping[str, Forms]] = field(default_factory=dict)


class NotSaid(Exception):
    """An attempt that SQL can't express. The message says why."""


class PostgresSide:
    """Reads and writes as users. ``connection``: of the tables' owner; its changes are rolled back."""

    def __init__(self, connection: psycopg.Connection, tables: Sequence[TablePlan], numbers: Mapping[str, int]) -> None:
        self.connection, self.numbers = connection, numbers
        self.tables = {table.target: table for table in tables}

    def begin(self, documents: Mapping[str, Collection[str]]) -> dict[str, int]:
        """Begins the transaction of all attempts. It deletes rows without a document, which only PostgreSQL's rules
        would see, and disables triggers without a counterpart in rules.ts.

        ``documents``: the ids of the documents of Convex tables. Returns the number of rows that each table now lacks.
        """
        self.connection.execute("BEGIN")
        self.connection.execute("SELECT set_config('session_replication_role', 'replica', true)")
        found: dict[str, int] = {}
        for name, ids in documents.items():
            place, key = self._place(self.tables[name]), self._key(self.tables[name])
            sql = f"SELECT {key}, {ALIAS}.ctid, {ALIAS}.tableoid FROM {place} AS {ALIAS}"
            own = self.connection.execute(sql.encode()).fetchall()
            left = [row[1:] for row in own if row[0] is None or self._id(self.tables[name], row[0]) not in ids]
            for ctid, oid in left:
                sql = f"DELETE FROM {place} AS {ALIAS} WHERE {ALIAS}.ctid = %s::tid AND {ALIAS}.tableoid = %s::oid"
                self.connection.execute(sql.encode(), (ctid, oid))
            if left:
                found[name] = len(left)
        self.connection.execute("SELECT set_config('session_replication_role', 'origin', true)")
        for table in self.tables.values():
            sql = "SELECT tgname FROM pg_catalog.pg_trigger WHERE tgrelid = pg_catalog.to_regclass(%s)"
            there = {name for (name,) in self.connection.execute(sql, (self._place(table),))}
            for trigger in table.source.triggers:
                if trigger.name in there and touched_by(trigger, table.source) is None:
                    sql = f"ALTER TABLE {self._place(table)} DISABLE TRIGGER {quoted(trigger.name)}"
                    self.connection.execute(sql.encode())
        return found

    @contextmanager
    def acting(self, user: User) -> Iterator[None]:
        """A part of the transaction as ``user``, which is rolled back at the end."""
        self.connection.execute("SAVEPOINT tried")
        try:
            self.connection.execute("SELECT set_config('row_security', 'on', true)")
            self.connection.execute("SELECT set_config('request.jwt.claims', %s, true)", (user.claims,))
            self.connection.execute(f"SET LOCAL ROLE {quoted(user.role)}".encode())
            yield
        finally:
            self.connection.execute("ROLLBACK TO SAVEPOINT tried")
            # A remaining savepoint would be an outer transaction of all later ones.
            self.connection.execute("RELEASE SAVEPOINT tried")

    def visible(self, table: TablePlan, user: User, ids: Sequence[str] | None = None) -> set[str] | str:
        """The ids of the rows that the user sees (among ``ids``, if given); PostgreSQL's message if it refuses."""
        where, values = self._among(table, ids)
        sql = f"SELECT {self._key(table)} FROM {self._place(table)} AS {ALIAS}{where}"
        with self.acting(user):
            try:
                rows = self.connection.execute(sql.encode(), values).fetchall()
            except psycopg.Error as error:
                return str(error.diag.message_primary or error)
        return {self._id(table, text) for (text,) in rows if text is not None}

    def _among(self, table: TablePlan, ids: Sequence[str] | None) -> tuple[str, list[list[str]]]:
        """The WHERE that selects the rows of ``ids``, and its parameters."""
        if ids is None:
            return "", []
        texts = self._key_texts(table, ids)
        return f" WHERE {self._key(table)} = ANY(%s)", [[texts[one] for one in ids]]

    def _place(self, table: TablePlan) -> str:
        return table.source.sql_name

    def _key(self, table: TablePlan) -> str:
        assert table.key is not None
        return key_text_sql(table.key, table.key.own(ALIAS))

    def _typed_key(self, table: TablePlan) -> str:
        """The condition for one row. By the key's own type, PostgreSQL reads no other row, whose policy may raise."""
        assert table.key is not None
        type_ = {"uuid": "uuid", "integer": "int8"}.get(table.key.form)
        return f"{table.key.own(ALIAS)[0]} = %s::{type_}" if type_ else f"{self._key(table)} = %s"

    def _id(self, table: TablePlan, text: str) -> str:
        assert table.key is not None
        return encode_id(self.numbers[table.target], table.key.internal_id(text))

    def _key_text(self, table: TablePlan, id_: str) -> str:
        return self._key_texts(table, [id_])[id_]

    def _key_texts(self, table: TablePlan, ids: Sequence[str]) -> dict[str, str]:
        """The texts of the keys of ids; the id itself if its row is gone. Hashes are looked up in one read."""
        assert table.key is not None
        found = {one: table.key.text_of(decode_id(one)[1]) for one in ids}
        hashed = self._hashed(table) if None in found.values() else {}
        return {one: hashed.get(one, one) if text is None else text for one, text in found.items()}

    def _other_key(self, table: TablePlan, text: str, column: str) -> str:
        """The text of another unique column in the row with a key. Raises :class:`NotSaid` if there is no such row."""
        place, own = self._place(table), f"{ALIAS}.{quoted(column)}::text"
        sql = f"SELECT {own} FROM {place} AS {ALIAS} WHERE {self._key(table)} = %s"
        found = self.connection.execute(sql.encode(), (text,)).fetchone()
        if found is None or found[0] is None:
            raise NotSaid(f"no row of {table.name} has the {column} to refer to")
        return str(found[0])

    def _hashed(self, table: TablePlan) -> dict[str, str]:
        """Keys by ids, for a table whose ids are hashes."""
        sql = f"SELECT {self._key(table)} FROM {self._place(table)} AS {ALIAS}"
        return {self._id(table, text): text for (text,) in self.connection.execute(sql.encode()) if text is not None}

    # Writing

    def attempt(
        self, user: User, command: str, target: str, id_: str, fields: Mapping[str, Value], tables: Sequence[str]
    ) -> Tried:
        """Attempts a write as ``user``. ``fields`` are the document's; None makes a field NULL.

        Raises :class:`NotSaid` if a field's value can't be converted back to its column.
        """
        table = self.tables[target]
        sql, values = self._statement(command, table, id_, fields)
        with self.acting(user):
            try:
                done = self.connection.execute(sql.encode(), values)
                self.connection.execute("SET CONSTRAINTS ALL IMMEDIATE")
            except psycopg.Error as error:
                named = error.diag.constraint_name or error.diag.column_name or ""
                return Tried(False, str(error.sqlstate), named)
            if done.rowcount == 0:
                return Tried(False, "no rows")
            self.connection.execute("RESET ROLE")
            self.connection.execute("SELECT set_config('row_security', 'off', true)")
            return Tried(True, after={name: self.state(self.tables[name]) for name in tables})

    def _statement(
        self, command: str, table: TablePlan, id_: str, fields: Mapping[str, Value]
    ) -> tuple[str, list[str | None]]:
        place = self._place(table)
        columns: dict[str, tuple[str, str | None]] = {}
        for name, value in fields.items():
            planned = next((f for f in table.fields if f.name == name), None)
            made = planned is None or planned.column is None or planned.expression or made_by_postgres(planned)
            if planned is None or (made and command == "insert"):
                continue  # PostgreSQL computes the value of a new row.
            column, text = self._column(planned, value)
            columns[column] = (f"%s::{_type_of(table, column)}", text)
        values = [text for _, text in columns.values()]
        if command == "insert" and not columns:
            return f"INSERT INTO {place} DEFAULT VALUES", []
        if command == "insert":
            names = ", ".join(quoted(name) for name in columns)
            marks = ", ".join(mark for mark, _ in columns.values())
            return f"INSERT INTO {place} ({names}) VALUES ({marks})", values
        where = f"WHERE {self._typed_key(table)}"
        key = self._key_text(table, id_)
        if command == "delete":
            return f"DELETE FROM {place} AS {ALIAS} {where}", [key]
        sets = ", ".join(f"{quoted(name)} = {mark}" for name, (mark, _) in columns.items())
        if not sets:
            own = next(c for c in table.source.columns if not c.generated and c.identity != "always")
            sets = f"{quoted(own.name)} = {ALIAS}.{quoted(own.name)}"
        return f"UPDATE {place} AS {ALIAS} SET {sets} {where}", [*values, key]

    def _column(self, planned: FieldPlan, value: Value) -> tuple[str, str | None]:
        if planned.column is None or planned.expression or planned.file is not None:
            raise NotSaid(f"the field {planned.name} comes from no single column")
        if made_by_postgres(planned):
            raise NotSaid(f"PostgreSQL makes the value of {planned.column.name} itself")
        if value is None:
            return planned.column.name, None
        if planned.reference is not None:
            if planned.reference.is_array or len(planned.reference.columns) != 1:
                raise NotSaid(f"the field {planned.name} refers by another key")
            parent = self.tables.get(planned.reference.target)
            if parent is None:
                raise NotSaid(f"the field {planned.name} refers to a table that does not move")
            text = self._key_text(parent, str(value))
            if planned.reference.via_unique:
                text = self._other_key(parent, text, planned.reference.columns[0])
            return planned.column.name, text
        if planned.ids is not None:
            old = next((old for old, new in planned.ids.items() if new == value), None)
            if old is None:
                raise NotSaid(f"the id file has no {value}")
            return planned.column.name, old
        try:
            return planned.column.name, planned.conversion.restore(value)
        except (ValueError, TypeError):
            raise NotSaid(f"the field {planned.name} holds what its column can't") from None

    def state(self, table: TablePlan, ids: Sequence[str] | None = None) -> dict[str, Forms]:
        """The rows of a table (those of ``ids``, if given) as forms, by the ids of their documents."""
        fields = compared_fields(table)
        columns = [self._key(table)]
        for planned in fields:
            source = f"({planned.source})"
            if planned.reference is not None:
                columns.append(reference_text_sql(planned))
            else:
                text = seen_text(planned.type, planned.conversion).replace("{c}", source)
                if planned.large is not None:
                    text = f"CASE WHEN {planned.large.large_sql(source)} THEN NULL ELSE {text} END"
                columns.append(text)
        where, values = self._among(table, ids)
        sql = f"SELECT {', '.join(columns)} FROM {self._place(table)} AS {ALIAS}{where}"
        found = {}
        for key, *texts in self.connection.execute(sql.encode(), values):
            if key is not None:
                pairs = zip(fields, texts, strict=True)
                found[self._id(table, key)] = {f.name: self._form(f, text) for f, text in pairs}
        return found

    def _form(self, planned: FieldPlan, text: str | None) -> object:
        if text is None:
            # In Convex, NULL has been filled.
            return None if planned.fill is MISSING or planned.fill is None else planned.conversion.decode(planned.fill)
        if planned.ids is not None:
            return planned.ids.get(text)
        if planned.reference is not None:
            number = self.numbers[planned.reference.target]
            return encode_id(number, planned.reference.key.internal_id(text))
        return planned.conversion.parse(text)


def made_by_postgres(planned: FieldPlan) -> bool:
    """Whether no write may set the field's column: it is generated, or an identity with GENERATED ALWAYS."""
    return planned.column is not None and (bool(planned.column.generated) or planned.column.identity == "always")


def compared_fields(table: TablePlan) -> list[FieldPlan]:
    """The fields to compare after an attempt: those that come from a column unchanged, or as an id."""
    return [
        f
        for f in table.fields
        if f.column is not None
        and f.file is None
        and not f.expression
        and not (f.reference is not None and (f.reference.existing or f.reference.is_array))
    ]


def forms_of(table: TablePlan, document: Mapping[str, Value]) -> Forms:
    """A document in the form that :meth:`PostgresSide.state` gives for its row."""
    found: Forms = {}
    for planned in compared_fields(table):
        value = document.get(planned.name)
        if value is None:
            found[planned.name] = None
        elif planned.reference is not None or planned.ids is not None:
            found[planned.name] = value
        else:
            found[planned.name] = planned.conversion.decode(value)
    return found


def _type_of(table: TablePlan, name: str) -> str:
    """The type to cast a value to. Without a length: a cast to one would cut the text, which the column refuses."""
    column = table.source.column(name)
    assert column is not None
    return _LENGTH.sub(lambda found: _UNCUT[found[1]], column.type.name)


_LENGTH = re.compile(r"\A(character varying|character|bit varying|bit)\(\d+\)")
_UNCUT = {"character varying": "varchar", "character": "bpchar", "bit varying": "varbit", "bit": '"bit"'}
