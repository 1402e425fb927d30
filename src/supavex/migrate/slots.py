"""Changes by a logical replication slot: it names the rows that were written, and only those are looked at.

A row that the slot names is compared with the moment as any other: the slot says where to look, and nothing else. It
may name more than has changed, never less: it begins before the moment, and moves on only behind transactions that
the next moment sees for sure.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Collection
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg

from supavex.errors import UsageError
from supavex.mapping.plan import Plan, TablePlan
from supavex.migrate.moments import Moments, name_of
from supavex.postgres import replication
from supavex.postgres.connection import connect
from supavex.postgres.visibility import Seen

if TYPE_CHECKING:
    from supavex.migrate.changes import Sight

#: So many keys are kept in memory; beyond, xmin is as quick.
MOST_KEYS = 1_000_000
#: Types whose text stands for one value, and that take it back.
_TYPES = ("uuid", "int2", "int4", "int8", "text", "varchar")
_CYCLE = 1 << 32
DANGER = (
    "The slot {name} keeps the source's write-ahead log until `supavex migrate --changes` has used it: left alone, it "
    "fills the source's disk. Drop it when the cutover is over, or off: supavex changes --drop-slot --to {target}"
)


@dataclass(frozen=True, slots=True)
class Slot:
    """A slot that follows the migrations into a deployment, and the source tables (by full name) that it names.

    ``mark``: a place in the source's log, and the transaction that was next when the log was there: where a snapshot
    sees all transactions before that one, it sees all that the log says up to that place.
    """

    name: str
    tables: tuple[str, ...]
    mark: tuple[str, int] | None = None


def _note(moments: Moments, target: str) -> Path:
    return moments.folder / f"{name_of(target)}.slot.json"


def slot_of(moments: Moments, target: str) -> Slot | None:
    """The slot that follows ``target``; None where there is none."""
    try:
        data = json.loads(_note(moments, target).read_text(encoding="utf-8"))
        mark = data.get("mark")
        return Slot(data["name"], tuple(data["tables"]), None if mark is None else (str(mark[0]), int(mark[1])))
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError, IndexError):
        raise UsageError(
            "InvalidMoment",
            "the file is damaged: which replication slot it names is not known.",
            where=str(_note(moments, target)),
            hint="Remove the file, and drop the slot (in pg_replication_slots: supavex_…) by pg_drop_replication_slot.",
        ) from None


def _write_note(moments: Moments, target: str, slot: Slot) -> None:
    moments.folder.mkdir(parents=True, exist_ok=True)
    partial = _note(moments, target).with_suffix(".partial")
    partial.write_text(json.dumps(asdict(slot)), encoding="utf-8")
    partial.replace(_note(moments, target))


def with_slots(moments: Moments) -> list[str]:
    """The targets that slots follow, by the names of their moments."""
    return sorted(path.name.removesuffix(".slot.json") for path in moments.folder.glob("*.slot.json"))


def named(table: TablePlan) -> bool:
    """Whether a slot names the rows of a table by its key: it must be (of) the primary key, of a type with one text.

    A table without a primary key may not be published: PostgreSQL would refuse the app's updates of it.
    """
    key, primary = table.key, table.source.primary_key
    if key is None or key.form == "row" or not primary or not set(key.columns) <= set(primary):
        return False
    columns = [table.source.column(name) for name in key.columns]
    return all(column is not None and column.type.base in _TYPES and not column.type.domain for column in columns)


def make_slot(plan: Plan, url: str, moments: Moments, target: str) -> Slot:
    """Makes a slot for ``target``, in the place of an earlier one. Raises where the server or the role can't.

    It has to be made before the snapshot of the migration that it follows.
    """
    with connect(url) as connection:
        if (reason := replication.refusal(connection)) is not None:
            hint = "Run it without --slot: changes are found by xmin then."
            raise UsageError("NoSlot", f"no slot can be made: {reason}.", hint=hint)
        plain = {
            (schema, name)
            for schema, name in connection.execute(
                "SELECT n.nspname, c.relname FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n "
                "ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'p') AND c.relpersistence = 'p' "
                "AND c.relreplident = 'd'"
            )
        }
    tables = [t for t in plan.moved if named(t) and (t.source.schema, t.source.name) in plain]
    if not tables:
        raise UsageError("NoSlot", "no table has a key that a slot names.", hint="Run it without --slot.")
    drop_slot(url, moments, target)
    slot = Slot(f"supavex_{secrets.token_hex(6)}", tuple(table.name for table in tables))
    # Noted before it is there: a slot that nobody knows of would never be dropped.
    _write_note(moments, target, slot)
    try:
        replication.create(url, slot.name, [(table.source.schema, table.source.name) for table in tables])
    except BaseException:
        _note(moments, target).unlink(missing_ok=True)
        raise
    return slot


def drop_slot(url: str, moments: Moments, target: str) -> str | None:
    """Drops the slot that follows ``target``; its name, or None where there was none."""
    slot = slot_of(moments, target)
    if slot is None:
        return None
    with connect(url) as connection:
        replication.drop(connection, slot.name)
    _note(moments, target).unlink(missing_ok=True)
    return slot.name


@dataclass(slots=True)
class SlotReading:
    """What a slot says. ``keys``: by source table, the values (as text) of the key's columns of rows that were written.

    ``refused``: by source table, why it says nothing of it. ``place``: how far the slot may move on, once what the
    snapshot sees is kept.
    """

    slot: Slot
    keys: dict[str, set[tuple[str, ...]]] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    place: str | None = None
    mark: tuple[str, int] | None = None

    def advance(self, url: str, moments: Moments, target: str) -> None:
        """Moves the slot on. Where that fails, it says the same again the next time: no harm."""
        try:
            with connect(url) as connection:
                if self.place is not None:
                    replication.advance(connection, self.slot.name, self.place)
        except psycopg.Error:
            return
        _write_note(moments, target, replace(self.slot, mark=self.mark))


def read_slot(slot: Slot, plan: Plan, url: str, seen: Seen) -> SlotReading:
    """What ``slot`` says up to a snapshot (or a little later), which must have been taken before."""
    reading = SlotReading(slot, {name: set() for name in slot.tables})
    tables = {(table.source.schema, table.source.name): table for table in plan.moved if table.name in slot.tables}
    with connect(url) as connection:
        reason = replication.unusable(connection, slot.name)
        if reason is None:
            reading.mark = replication.here(connection)
            if slot.mark is not None and seen.oldest >= slot.mark[1]:
                reading.place = slot.mark[0]
            held = replication.published(connection, slot.name)
            for place, table in tables.items():
                if place not in held or not named(table):
                    reading.refused[table.name] = "the slot's publication does not hold it any more"
            if replication.log_is_written(connection):
                reason = _collect(reading, connection, tables, seen)
            else:
                reason = "the server has not written its log to disk in time"
        if reason is not None:
            reading.refused = dict.fromkeys(slot.tables, reason)
            reading.keys.clear()
    return reading


def _collect(
    reading: SlotReading,
    connection: psycopg.Connection,
    tables: dict[tuple[str, str], TablePlan],
    seen: Seen,
) -> str | None:
    """Reads the slot; why it is of no use, or None."""
    count, in_order = 0, True
    last: str | None = None
    try:
        for event in replication.peek(connection, reading.slot.name):
            if isinstance(event, replication.Committed):
                in_order = in_order and _full(event.xid, seen) < seen.oldest
                if in_order:
                    last = event.end
                continue
            table = tables.get(event.table)
            if table is None:
                continue
            if isinstance(event, replication.Truncated):
                reading.refused[table.name] = "it was truncated"
                continue
            for values in (event.old, event.new):
                if values is not None and not _add(reading, table, values):
                    reading.refused[table.name] = "the slot does not name its rows by their key"
            count += 1
            if count > MOST_KEYS:
                return f"the slot names more than {MOST_KEYS:,} rows"
    except psycopg.Error as error:
        return f"the slot can't be read: {error.diag.message_primary or error}"
    reading.place = max((place for place in (reading.place, last) if place), key=_number, default=None)
    return None


def _number(place: str) -> int:
    """A place in the log as a number."""
    high, _, low = place.partition("/")
    return (int(high, 16) << 32) | int(low, 16)


def _add(reading: SlotReading, table: TablePlan, values: dict[str, str | None]) -> bool:
    assert table.key is not None
    key = tuple(values.get(column) for column in table.key.columns)
    if any(part is None for part in key):
        return False
    reading.keys[table.name].add(key)  # type: ignore[arg-type]
    return True


def _full(xid: int, seen: Seen) -> int:
    """The 64 bits of a transaction's id that is about as old as the snapshot."""
    full = seen.end - seen.end % _CYCLE + xid
    if full > seen.end + _CYCLE // 2:
        return full - _CYCLE
    return full + _CYCLE if full < seen.end - _CYCLE // 2 else full


def reader_of(moments: Moments, target: str) -> Callable[[Plan, Sight], SlotReading] | None:
    """Reads the slot that follows ``target``; None where there is none."""
    slot = slot_of(moments, target)
    return None if slot is None else lambda plan, sight: read_slot(slot, plan, sight.snapshot.url, sight.seen)


def usable_tables(reading: SlotReading | None) -> Collection[str]:
    """The tables whose changes a slot names."""
    return set() if reading is None else reading.keys.keys() - reading.refused.keys()
