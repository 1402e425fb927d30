"""Imports a snapshot archive into a deployment: atomically, with Convex's checks and error codes.

Source: ``application/src/snapshot_import`` of convex-backend. Every table is loaded beside the one that it replaces.
Each document is checked for limits and against the schema, with the future table numbers. The indexes are built, and
then all tables are swapped in one transaction.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from supavex.callbacks import RowProgress
from supavex.convex import validators as kinds
from supavex.convex.ids import InvalidId, decode_id
from supavex.convex.limits import FIRST_USER_TABLE_NUMBER
from supavex.convex.snapshot import SnapshotArchive
from supavex.convex.validators import Validator
from supavex.convex.values import Document
from supavex.deployment.database.bulk_load import BulkLoad, DuplicateRow, Rows
from supavex.deployment.database.components import APP, MAX_DEPTH, Component, components, keep_component
from supavex.deployment.database.database import Database
from supavex.deployment.database.enforcement import enforced
from supavex.deployment.database.store import CREATION_INDEX, StoredTable
from supavex.deployment.transfer.aside import processors
from supavex.deployment.transfer.reading import rows_read_aside
from supavex.deployment.transfer.table_rows import Archive, TableSource, has_blocks, rows_by_one, rows_of_blocks
from supavex.errors import SupavexError

Mode = Literal["requireEmpty", "append", "replace", "replaceAll"]
#: If a table has more bytes of JSON lines, separate processes read it. Starting one takes as long as reading a tenth of
#: that.
_READ_ASIDE_BYTES = 64 << 20
#: Processes that read one table. On two processors, two readers and the writer share the time better than one reader
#: and the writer.
_READERS = 4


@dataclass(slots=True)
class Imported:
    """The result of an import: documents written and deleted, by table."""

    written: dict[str, int] = field(default_factory=dict)
    deleted: dict[str, int] = field(default_factory=dict)


def import_snapshot(
    database: Database,
    archive: Archive,
    mode: Mode = "requireEmpty",
    *,
    progress: RowProgress = lambda table, done: None,
) -> Imported:
    """Imports ``archive`` into the app, or into the component of ``database``, and into the components below it.

    ``replace`` replaces the tables of the archive. ``replaceAll`` also empties all others, of every component.
    ``append`` adds documents (atomically, which Convex's own import is not). A missing component is made, without being
    mounted.
    """
    imported = Imported()
    with database.store.transaction():
        for view, part in namespaces(database, archive, everything=mode == "replaceAll"):
            _import_tables(view, part, mode, progress, imported)
    return imported


def namespaces(database: Database, archive: Archive, *, everything: bool) -> Iterator[tuple[Database, Archive]]:
    """The app or component of the import with its part of the archive, and the same for each component below.

    ``everything``: with components that the archive lacks.
    """
    yield database, archive
    if not isinstance(archive, SnapshotArchive):
        return
    known = components(database.store.connection)
    base = next((one for one in known.values() if one.id == database.store.component), APP)
    held = {base.child(path): path for path in archive.components}
    for path in sorted(held):
        component = made_component(database, path)
        yield database.within(component.id), archive.within(held[path])
    for path, component in known.items() if everything else ():
        if path not in held and component.id != base.id:
            yield database.within(component.id), archive.within("/")  # No component has this name.
    if everything and base.id:
        yield database.within(0), archive.within("/")


def made_component(database: Database, path: str) -> Component:
    """The component of that path. If it is missing, it is made without being mounted, with those above it."""
    names = path.split("/")
    if len(names) > MAX_DEPTH:
        message = f"components more than {MAX_DEPTH} levels deep are not supported here."
        raise SupavexError("NotSupportedHere", message, where=f"{'/'.join(names[:3])}/…", hint="Nothing was imported.")
    known = APP
    for count in range(1, len(names) + 1):
        above = "/".join(names[:count])
        found = components(database.store.connection).get(above)
        if found is None:
            found = keep_component(database.store, Component(path=above, definition=above, mounted=False))
            # A push without tables, so that transactions that looked for the component see a change.
            database.within(found.id).push('{"tables":[],"schemaValidation":true}')
        known = found
    return known


def _import_tables(database: Database, archive: Archive, mode: Mode, progress: RowProgress, imported: Imported) -> None:
    """Imports the tables of the app, or of one component."""
    store, of = database.store, _Told(database, imported, progress)
    if mode == "append":
        _append(database, archive, of)
        return
    old = store.tables()
    numbers = _numbers(archive, old, _schema_tables(database) if mode == "replaceAll" else ())
    if mode == "requireEmpty":
        for name in numbers:
            if database.count(name):
                raise SupavexError("TableExists", f"the table {name} holds documents already.", where=name)
    surviving = {name: table for name, table in old.items() if name not in numbers}
    if mode == "replaceAll":
        _drop(database, surviving, of)
        surviving = {}
    _check_numbers(database, old, numbers, surviving)
    names = {table.number: name for name, table in store.tables().items() if name not in numbers}
    names |= {number: name for name, number in numbers.items()}
    held = set(archive.tables)
    fresh = {
        name: _load(database, archive if name in held else None, (name, number), names, of)
        for name, number in numbers.items()
    }
    # A number may pass from one imported table to another, so all old entries are removed first.
    for name in numbers:
        if name in old:
            of.deleted(name, database.count(name))
            store.forget_table(name)
    for name, storage in fresh.items():
        store.add_table(StoredTable(name, numbers[name], storage, store.component))
        if name in old:
            store.drop_storage(old[name].storage)


class _Told:
    """The reports about an import's tables. Tables of a component have its path."""

    def __init__(self, database: Database, imported: Imported, progress: RowProgress) -> None:
        known = components(database.store.connection).values() if database.store.component else ()
        self._shown = next((one.shown for one in known if one.id == database.store.component), "")
        self._imported, self._progress = imported, progress

    def progress(self, table: str, done: int) -> None:
        """Reports the number of documents written so far."""
        self._progress(table + self._shown, done)

    def written(self, table: str, count: int) -> None:
        """Records the number of documents written."""
        self._imported.written[table + self._shown] = count

    def deleted(self, table: str, count: int) -> None:
        """Records the number of documents deleted."""
        self._imported.deleted[table + self._shown] = count


def _append(database: Database, archive: Archive, of: _Told) -> None:
    store = database.store
    old = store.tables()
    numbers = _numbers(archive, old, ())
    for name, number in numbers.items():
        if name in old and old[name].number != number:
            message = f"{name} has the number {old[name].number} here and {number} in the archive."
            raise SupavexError("TableNumberConflict", message, where=name, hint="Import with --replace.")
    new = {name: number for name, number in numbers.items() if name not in old}
    _check_numbers(database, old, new, old)
    for name, number in new.items():
        database.create_table(name, number)
    names = database.table_names()
    for name in numbers:
        table = store.tables()[name]
        indexes = store.every_index(table)
        source = TableSource(name, table.number, _validator(database, name), names, [])
        done = 0
        for document in archive.documents(name):
            row = _insert(database, table, document, source)
            indexes.enter(row, document)
            done += 1
            if done % 1000 == 0:
                of.progress(name, done)
        of.written(name, done)
        of.progress(name, done)


def _insert(database: Database, table: StoredTable, document: Document, source: TableSource) -> int:
    """Checks a document and stores it without its index entries. Returns its row."""
    internal_id = source.check(document)
    row = database.store.insert(table.storage, internal_id, document)
    if row is None:
        raise SupavexError("DuplicateId", f"the id {document['_id']} appears twice.", where=table.name)
    return row


def _schema_tables(database: Database) -> Collection[str]:
    return () if database.schema is None else database.schema.tables


def _numbers(archive: Archive, old: dict[str, StoredTable], cleared: Collection[str]) -> dict[str, int]:
    """Each table's number: that of ``_tables``, or else of its first document's id, or else the present one, or else a
    new one.

    ``cleared`` are tables that are empty afterwards, and that the archive may lack. As in Convex, a new number is the
    lowest that no table has at that time, in the order of names. If a later table of the archive needs it, the import
    is refused.
    """
    numbers = archive.numbers
    unsaid = []
    for name in archive.tables:
        first = None if name in numbers else next(archive.documents(name), None)
        if first is not None and "_id" in first:
            try:
                numbers[name] = decode_id(str(first["_id"]))[0]
            except InvalidId as error:
                raise SupavexError("InvalidId", error.message, where=name) from None
        elif name not in numbers:
            unsaid.append(name)
    for number, names in _clashes(numbers):
        message = f"{', '.join(names)} all have the number {number}."
        raise SupavexError("InvalidId", message, where=str(archive.path))
    unsaid += sorted(set(cleared) - numbers.keys() - set(unsaid))
    for name in list(unsaid):
        if name in old and old[name].number not in numbers.values():
            numbers[name] = old[name].number
            unsaid.remove(name)
    taken = {table.number for table in old.values()}
    for name in sorted({*numbers, *unsaid}):
        if name in unsaid:
            numbers[name] = next(number for number in itertools.count(FIRST_USER_TABLE_NUMBER) if number not in taken)
        taken.add(numbers[name])
    for number, (first_name, second, *_) in _clashes(numbers):
        message = f"conflict between `{first_name}` and `{second}` with table number {number}"
        raise SupavexError("TableNumberConflict", message, where=str(archive.path))
    return dict(sorted(numbers.items()))


def _clashes(numbers: Mapping[str, int]) -> Iterator[tuple[int, list[str]]]:
    """The numbers that several tables have, with their names in order."""
    for number, count in Counter(numbers.values()).items():
        if count > 1:
            yield number, sorted(name for name, given in numbers.items() if given == number)


def _drop(database: Database, tables: dict[str, StoredTable], of: _Told) -> None:
    """Deletes tables that neither the archive nor the schema has. Raises if the schema refers to one by id."""
    schema = database.schema
    for name, table in tables.items():
        for other, definition in schema.tables.items() if schema is not None else ():
            if name in _referenced(definition.document):
                message = f'Failed to delete table "{name}" because `v.id("{name}")` appears in the schema of table '
                raise SupavexError("SchemaEnforcementError", f'{message}"{other}"', where=name)
        of.deleted(name, database.count(name))
        database.store.forget_table(name)
        database.store.drop_storage(table.storage)


def _check_numbers(
    database: Database, old: dict[str, StoredTable], numbers: dict[str, int], surviving: dict[str, StoredTable]
) -> None:
    taken = {table.number: name for name, table in surviving.items()}
    for name, number in numbers.items():
        if number in taken:
            raise SupavexError(
                "TableConflict",
                f"{name} has the number {number} in the archive, which is the number of {taken[number]} here.",
                where=name,
                hint="Migrate into this deployment (--to), so that its numbers are used.",
            )
    schema = database.schema
    changed = {name for name, number in numbers.items() if name in old and old[name].number != number}
    if schema is None or not changed:
        return
    for other, definition in schema.tables.items():
        if other in numbers or other not in surviving or not database.count(other):
            continue
        broken = sorted(changed & _referenced(definition.document))
        if broken:
            raise SupavexError(
                "ImportForeignKey",
                f"importing {broken[0]} would change its number, and {other} refers to it by id.",
                where=broken[0],
                hint=f"Import {other} with it.",
            )


def _referenced(validator: Validator) -> set[str]:
    return {inner.table for _, inner in validator.walk() if isinstance(inner, kinds.Id)}


def _empty_copy(database: Database, table: StoredTable) -> int:
    """A storage with the table's indexes, except staged ones: Convex drops those with the old table."""
    storage = database.store.create_storage(unique=False)
    for index in database.store.indexes(table).values():
        if index.name != CREATION_INDEX and not index.staged:
            database.store.create_index(storage, index.name, index.fields, staged=False)
    for search in database.store.searches(table).values():
        if not search.staged:
            database.store.create_search(storage, search.name, search.definition, staged=False)
    return storage


def _load(
    database: Database,
    archive: Archive | None,
    table: tuple[str, int],
    names: dict[int, str],
    of: _Told,
) -> int:
    """Loads a table's documents into a new storage with the indexes of the present one. Returns its number.

    ``archive`` is None if it lacks the table, which is then empty. ``table`` is its name and its number. ``names`` are
    the future names of all tables, by number.
    """
    store, (name, number) = database.store, table
    old = store.tables().get(name)
    storage = _empty_copy(database, old) if old else store.create_storage(unique=False)
    load = BulkLoad(store, StoredTable(name, number, storage))
    source = TableSource(name, number, _validator(database, name), names, load.fields)
    done = 0
    for rows in _rows(archive, source) if archive is not None else ():
        load.add(rows)
        done += len(rows.ids)
        of.progress(name, done)
    try:
        load.finish()
    except DuplicateRow as error:
        raise SupavexError("DuplicateId", f"the id {error.id} appears twice.", where=name) from None
    if archive is not None:
        of.written(name, done)
        of.progress(name, done)
    return storage


def _rows(archive: Archive, source: TableSource) -> Iterator[Rows]:
    if not has_blocks(archive, source):
        return rows_by_one(archive, source)
    assert isinstance(archive, SnapshotArchive)
    count = min(processors(), _READERS)
    if archive.size(source.table) >= _READ_ASIDE_BYTES and count > 1:
        return rows_read_aside(archive, source, count)
    return rows_of_blocks(archive, source)


def _validator(database: Database, table: str) -> Validator | None:
    """The validator for the documents of ``table``, or None."""
    schema = database.schema
    definition = schema.tables.get(table) if schema is not None and schema.schema_validation else None
    return None if definition is None else enforced(definition)
