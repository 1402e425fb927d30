"""Digests: whether a table's rows are its documents, found without putting any row beside its document.

Every row and every document becomes a number of 64 bits, made of its key and of all of its fields, and is added to the
sum of its bucket; the key alone chooses the bucket. Sums don't depend on order. Where two sums or counts differ, that
bucket's rows are compared one by one; where they are the same, a difference would have to hide in a keyed hash, once
in 2**64 times.

The row comes as text by psycopg and is parsed here; the document's value is decoded back to what that text says. So the
two ways share no reader, encoder or table with the copy, as in :mod:`supavex.migrate.comparison`, whose rules these
are. A field for which there is no quick way goes through that module's own functions, value by value.
"""

from __future__ import annotations

import io
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import numpy as np
import orjson
import psycopg
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from supavex.convex import validators as kinds
from supavex.convex.ids import ALPHABET, INTERNAL_ID_BYTES, InvalidId, decode_id, varint
from supavex.convex.validators import MISSING, Rules, Validator, rules_problem, unwrap
from supavex.convex.values import BARE_INTEGER, to_export_json
from supavex.mapping.conversions.conversion import same_value
from supavex.mapping.conversions.json import numbers_as_doubles
from supavex.mapping.conversions.numbers import decimal
from supavex.mapping.plan import ALIAS, FieldPlan, TablePlan
from supavex.migrate.comparison import ABSENT, EARLIEST, LATEST, RowComparison, text_sql
from supavex.migrate.queries import reference_text_sql
from supavex.postgres.connection import quoted

BUCKETS = 4096
#: Bytes of the source's text, and documents, that are looked at together.
_BLOCK = 16 << 20
_DOCUMENTS = 4096
Numbers = np.ndarray[Any, np.dtype[np.uint64]]
#: Decimals of so many digits are told apart by their doubles (DBL_DIG).
_EXACT_DIGITS = 15
_NO_MOMENT = -(1 << 62)
_ISO = r"^[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?\+00$"
_VALUES = np.full(256, 255, np.uint8)
_VALUES[np.frombuffer(ALPHABET.encode(), np.uint8)] = np.arange(32, dtype=np.uint8)


class Unlike(Exception):
    """Something that no right row or document holds, or that only the comparison row by row understands."""


#: What a value raises that is not of its field's kind.
_ODD = (Unlike, pa.ArrowException, ValueError, TypeError, KeyError, OverflowError, AttributeError, RecursionError)


@dataclass(slots=True)
class Sums:
    """The sums of one side, by bucket, and how many were added. ``unlike``: one of them could not be read."""

    digests: Numbers = field(default_factory=lambda: np.zeros(BUCKETS, np.uint64))
    counts: np.ndarray[Any, Any] = field(default_factory=lambda: np.zeros(BUCKETS, np.int64))
    unlike: bool = False

    def add(self, buckets: np.ndarray[Any, Any], digests: Numbers) -> None:
        """Adds some rows."""
        np.add.at(self.digests, buckets, digests)
        self.counts += np.bincount(buckets, minlength=BUCKETS)

    def differing(self, other: Sums) -> np.ndarray[Any, Any]:
        """A boolean for each bucket: whether the two sides differ there."""
        if self.unlike or other.unlike:
            return np.ones(BUCKETS, np.bool_)
        return np.asarray((self.digests != other.digests) | (self.counts != other.counts))


def mixed(numbers: Numbers) -> Numbers:
    """Each number as another one that depends on all of its bits (the finalizer of SplitMix64)."""
    numbers = (numbers ^ (numbers >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    numbers = (numbers ^ (numbers >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return numbers ^ (numbers >> np.uint64(31))


@dataclass(slots=True)
class _Column:
    """One side's values of a field. ``numbers``: what they are, or their lengths; ``texts``: None for numbers.

    ``state``: 0 for a value, 1 for null, 2 for none at all.
    """

    numbers: Numbers
    texts: pa.Array | None
    state: np.ndarray[Any, Any] | None


#: Makes numbers, or texts (as an Arrow column of bytes), of the source's texts (no NULL among them).
FromTexts = Callable[[pa.Array], "Numbers | pa.Array"]
#: The same of a document's values (null is not among them).
FromValues = Callable[[list[Any]], "Numbers | pa.Array"]


@dataclass(frozen=True, slots=True)
class _Way:
    """How a field's two sides become the same numbers or texts."""

    sql: str
    texts: FromTexts
    values: FromValues


class TableDigests:
    """The digests of one table's two sides. ``comparison`` holds what the rules need to know of the target."""

    def __init__(self, table: TablePlan, comparison: RowComparison) -> None:
        assert table.key is not None
        self.table, self.key, self._comparison = table, table.key, comparison
        self._number = comparison.numbers[table.target]
        self._ways = [self._way(planned) for planned in table.fields]
        self._names = [planned.name for planned in table.fields]
        definition = table.definition
        assert definition is not None
        self._ruled = [_ruled(definition.fields[name]) for name in self._names]
        #: Whether a document breaks a rule of the schema.
        self.broken = False
        # Not known beforehand, so that no data can be made for it.
        self._nonces = [np.uint64(secrets.randbits(64)) for _ in range(len(self._ways) + 3)]
        self._salt = secrets.token_bytes(16)

    @property
    def sql(self) -> str:
        """The SELECT of the rows as text: the key, each field, each creation column."""
        columns = [self.key.text_sql(self.key.own(ALIAS)), *(way.sql for way in self._ways)]
        columns += [f"{ALIAS}.{quoted(name)}::timestamptz::text" for name in self.table.creation.columns]
        return f"SELECT {', '.join(columns)} FROM {quoted(self.table.source.schema, self.table.source.name)} AS {ALIAS}"

    # The source

    def source(
        self, connection: psycopg.Connection, rejected: Sequence[str], sums: Sums, seen: set[str]
    ) -> Iterator[int]:
        """Adds every row but the ``rejected`` (keys as text) to ``sums``; yields how many rows each block held.

        ``seen`` gets the rejected keys that were there.
        """
        keys = pa.array(list(rejected), pa.string())
        count = 1 + len(self._ways) + len(self.table.creation.columns)
        with connection.cursor() as cursor, cursor.copy(f"COPY ({self.sql}) TO STDOUT (FORMAT csv)".encode()) as rows:
            for batch in _batches(_Stream(iter(rows)), count):
                yield batch.num_rows
                if batch.column(0).null_count:
                    sums.unlike = True  # rows without a key: only a look at each tells which are explained
                    continue
                if len(keys):
                    found = pc.is_in(batch.column(0), value_set=keys)
                    seen.update(batch.column(0).filter(found).to_pylist())
                    batch = batch.filter(pc.invert(found))
                self._add_rows(batch, sums)

    def _add_rows(self, batch: pa.RecordBatch, sums: Sums) -> None:
        if not batch.num_rows:
            return
        ids = self._key_bytes(batch.column(0))
        try:
            columns = [
                self._from_source(way, planned, batch.column(1 + index))
                for index, (way, planned) in enumerate(zip(self._ways, self.table.fields, strict=True))
            ]
            moments = [batch.column(index) for index in range(1 + len(self._ways), batch.num_columns)]
            digests = self._digests(ids, columns, self._created(moments, batch.num_rows), None)
        except _ODD:
            if batch.num_rows > 1:
                half = batch.num_rows // 2
                self._add_rows(batch.slice(0, half), sums)
                self._add_rows(batch.slice(half), sums)
                return
            digests = np.array(self._nonces[:1])  # like no document: this row is compared by itself
        sums.add(self.buckets(ids), digests)

    def _from_source(self, way: _Way, planned: FieldPlan, column: pa.Array) -> _Column:
        if not column.null_count:
            return _of(way.texts(column), None)
        null = pc.is_null(column).to_numpy(zero_copy_only=False)
        state = None
        if planned.default is MISSING:
            state = null * np.uint8(1 if planned.takes_null else 2)
        made = way.texts(column.drop_null()) if column.null_count < len(column) else None
        filling = way.values([planned.default if planned.default is not MISSING else None]) if state is None else None
        return _spread(made, null, filling, state)

    def _created(self, moments: list[pa.Array], count: int) -> Numbers:
        """The microseconds that ``_creationTime`` must say: the rule of the copy, evaluated here."""
        earliest = self._comparison.earliest
        micros = np.full(count, EARLIEST if earliest is None else earliest, np.int64)
        for column in reversed(moments):
            there = pc.is_valid(column).to_numpy(zero_copy_only=False)
            micros[there] = _micros_of(column.drop_null())
        # Infinity, say, for which another column stands in: like no document.
        return np.where(micros == _NO_MOMENT, _NO_MOMENT, np.clip(micros, EARLIEST, LATEST)).view(np.uint64)

    # The target

    def target(self, lines: Iterable[bytes | str], sums: Sums, *, uniform: bool) -> int:
        """Adds every document (its JSON) to ``sums``; how many there were. ``uniform``: bare integers are int64."""
        count = 0
        for some in _chunks(lines):
            count += len(some)
            encoded = [line if isinstance(line, bytes) else line.encode() for line in some]
            self._add_documents(encoded, sums, uniform=uniform)
        return count

    def _add_documents(self, lines: list[bytes], sums: Sums, *, uniform: bool) -> None:
        try:
            if uniform and any(map(BARE_INTEGER.search, lines)):
                raise Unlike
            documents: list[dict[str, Any]] = orjson.loads(b"[" + b",".join(lines) + b"]")
            if len(documents) != len(lines):
                raise Unlike
            ids = decode_ids([document["_id"] for document in documents], self._number)
            created = _micros_of_numbers([document["_creationTime"] for document in documents])
            columns = []
            fields = np.full(len(documents), 2, np.int64)
            for way, name, ruled in zip(self._ways, self._names, self._ruled, strict=True):
                values = [document.get(name, ABSENT) for document in documents]
                if ruled is not None and _breaks(ruled, values):
                    self.broken = True
                column = self._from_target(way, values)
                fields += 1 if column.state is None else column.state != 2
                columns.append(column)
            more = np.fromiter(map(len, documents), np.int64, len(documents)) - fields
            digests = self._digests(ids, columns, created.view(np.uint64), more)
        except _ODD:
            if len(lines) > 1:
                half = len(lines) // 2
                self._add_documents(lines[:half], sums, uniform=uniform)
                self._add_documents(lines[half:], sums, uniform=uniform)
                return
            try:
                ids = decode_ids([orjson.loads(lines[0])["_id"]], self._number)
            except _ODD:
                sums.unlike = True
                return
            digests = np.array(self._nonces[1:2])  # like no row: its bucket's rows are compared one by one
        sums.add(self.buckets(ids), digests)

    def _from_target(self, way: _Way, values: list[Any]) -> _Column:
        odd = [2 if value is ABSENT else 1 if value is None else 0 for value in values] if _odd(values) else None
        if odd is None:
            return _of(way.values(values), None)
        state = np.array(odd, np.uint8)
        there = [value for value, kind in zip(values, odd, strict=True) if not kind]
        return _spread(way.values(there) if there else None, state != 0, None, state)

    # Both

    def buckets(self, ids: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """The bucket of each key (16 bytes)."""
        halves = np.ascontiguousarray(ids).view(np.uint64)
        return (mixed(halves[:, 0] ^ mixed(halves[:, 1])) & np.uint64(BUCKETS - 1)).astype(np.intp)

    def bucket_of(self, keys: Sequence[str]) -> np.ndarray[Any, Any]:
        """The bucket of each row, by its key as text."""
        return self.buckets(self._key_bytes(pa.array(keys, pa.string())))

    def _key_bytes(self, column: pa.Array) -> np.ndarray[Any, Any]:
        return _key_bytes(column, self.key.form, self.key.internal_id)

    def _digests(
        self,
        ids: np.ndarray[Any, Any],
        columns: list[_Column],
        created: Numbers,
        more: np.ndarray[Any, Any] | None,
    ) -> Numbers:
        """A number for each row: of its key, its creation time, and each field's state and value."""
        with np.errstate(over="ignore"):
            halves = np.ascontiguousarray(ids).view(np.uint64)
            total = mixed(halves[:, 0] + self._nonces[0]) + mixed(halves[:, 1] + self._nonces[1])
            total += mixed(created + self._nonces[2])
            texts = []
            for column, nonce in zip(columns, self._nonces[3:], strict=True):
                total += mixed(column.numbers + nonce)
                if column.state is not None:
                    total += mixed(column.state.astype(np.uint64) + ~nonce)
                else:
                    total += mixed(np.array([~nonce], np.uint64))[0]
                if column.texts is not None:
                    texts.append(column.texts)
            if texts:
                # Lengths are among the numbers, so one text after another says where each of them ends.
                joined = pc.binary_join_element_wise(*texts, pa.scalar(b"")) if len(texts) > 1 else texts[0]
                salt = self._salt
                hashes = (hash(salt + text) for text in joined.to_pylist())
                total += mixed(np.fromiter(hashes, np.int64, len(joined)).view(np.uint64))
            if more is not None and more.any():
                total += mixed(more.astype(np.uint64) + np.uint64(1)) * (more != 0)
            return mixed(total)

    def _way(self, planned: FieldPlan) -> _Way:
        """The quickest way that is as strict as :meth:`RowComparison.compare`."""
        reference, conversion = planned.reference, planned.conversion
        if planned.ids is not None:
            return _Way(text_sql(planned), _mapped(planned.ids), _strings)
        if reference is not None:
            sql = reference_text_sql(planned)
            if reference.many:
                return self._slow(planned)
            if reference.existing:
                return _Way(sql, _mapped(self._comparison.existing[reference.target]), _strings)
            number = self._comparison.numbers.get(reference.target)
            if number is None:
                return self._slow(planned)
            form, internal_id = reference.key.form, reference.key.internal_id
            return _Way(sql, lambda c: _sixteen(_key_bytes(c, form, internal_id)), lambda v: _keys_of_ids(v, number))
        plain = conversion.decode is same_value and conversion.parse is same_value
        sql, type_ = text_sql(planned), planned.column.type if planned.column and not planned.expression else None
        if conversion.kind == "string" and plain:
            return _Way(sql, _bytes, _strings)
        if conversion.kind == "boolean":
            return _Way(sql, lambda column: _flags(pc.equal(column, "true")), _booleans)
        if conversion.kind == "micros" and type_ is not None and type_.base in ("timestamptz", "timestamp"):
            return _Way(
                f"({planned.source})::timestamptz::text",
                lambda column: _micros_of(column).view(np.uint64),
                lambda values: _micros_of_numbers(values).view(np.uint64),
            )
        if conversion.kind == "number" and not conversion.special and not conversion.makes_null and type_ is not None:
            if type_.base in ("int2", "int4", "int8") and conversion.decode is not same_value:
                return _Way(sql, _doubles_of_integers, _doubles)
            small = type_.precision is not None and max(type_.precision, abs(type_.scale or 0)) <= _EXACT_DIGITS
            if type_.base == "float8" or (type_.base == "numeric" and small and conversion.parse is decimal):
                return _Way(sql, _doubles_of_texts, _doubles)
        if conversion.kind == "json" and conversion.parse is numbers_as_doubles and conversion.decode is same_value:
            return _Way(sql, _json_of_texts, _json_of_values)
        return self._slow(planned)

    def _slow(self, planned: FieldPlan) -> _Way:
        """By the functions of the comparison itself, a Python object at a time."""
        reference, conversion = planned.reference, planned.conversion
        if reference is not None:
            # Whether an id is right is told only with both sides at hand.
            raise Unlike
        return _Way(
            text_sql(planned),
            lambda column: _canonical(map(conversion.parse, column.to_pylist())),
            lambda values: _canonical(map(conversion.decode, _floats(values))),
        )


def table_digests(table: TablePlan, comparison: RowComparison) -> TableDigests | None:
    """The digests of a table; None where only the comparison row by row can tell."""
    if any(planned.conversion.special for planned in table.fields):
        return None
    try:
        return TableDigests(table, comparison)
    except Unlike:
        return None


# The source's text


class _Stream(io.RawIOBase):
    """The blocks of a COPY as a file."""

    def __init__(self, blocks: Iterator[Any]) -> None:
        self._blocks, self._left = blocks, b""

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        parts, count = [self._left], len(self._left)
        for block in self._blocks:
            parts.append(bytes(block))
            count += len(block)
            if 0 <= size <= count:
                break
        data = b"".join(parts)
        end = len(data) if size < 0 else size
        self._left = data[end:]
        return data[:end]


def _batches(stream: _Stream, count: int) -> Iterator[pa.RecordBatch]:
    names = [f"c{index}" for index in range(count)]
    try:
        yield from csv.open_csv(
            pa.PythonFile(stream, "r"),
            csv.ReadOptions(column_names=names, block_size=_BLOCK, use_threads=False),
            csv.ParseOptions(newlines_in_values=True),
            csv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()),
                null_values=[""],
                strings_can_be_null=True,
                quoted_strings_can_be_null=False,
            ),
        )
    except pa.ArrowInvalid as error:
        if "Empty CSV" not in str(error):
            raise


def _chunks(lines: Iterable[bytes | str]) -> Iterator[list[bytes | str]]:
    some: list[bytes | str] = []
    size = 0
    for line in lines:
        some.append(line)
        size += len(line)
        if len(some) >= _DOCUMENTS or size >= _BLOCK:
            yield some
            some, size = [], 0
    if some:
        yield some


# Columns


def _of(made: Numbers | pa.Array, state: np.ndarray[Any, Any] | None) -> _Column:
    if isinstance(made, pa.Array):
        return _Column(_lengths(made), made, state)
    return _Column(made, None, state)


def _lengths(column: pa.Array) -> Numbers:
    return np.asarray(pc.binary_length(column).to_numpy(zero_copy_only=False)).astype(np.uint64)


def _spread(
    made: Numbers | pa.Array | None,
    gaps: np.ndarray[Any, Any],
    filling: Numbers | pa.Array | None,
    state: np.ndarray[Any, Any] | None,
) -> _Column:
    """The values ``made`` where there is no gap; ``filling`` (of one value; else nothing) in the gaps."""
    positions = np.cumsum(~gaps) - 1
    like = made if made is not None else filling
    if isinstance(like, pa.Array) or (like is None):
        texts = pa.array([], pa.binary()) if made is None else made
        fill = pa.array([b""], pa.binary()) if filling is None else filling
        positions = np.where(gaps, len(texts), positions)
        return _of(pa.concat_arrays([texts, fill]).take(pa.array(positions)), state)
    numbers = np.zeros(0, np.uint64) if made is None else made
    fill_number = np.zeros(1, np.uint64) if filling is None else filling
    return _Column(np.concatenate([numbers, fill_number])[np.where(gaps, len(numbers), positions)], None, state)


def _odd(values: list[Any]) -> bool:
    return any(value is None or value is ABSENT for value in values)


def _bytes(column: pa.Array) -> pa.Array:
    return column.cast(pa.binary())


def _strings(values: list[Any]) -> pa.Array:
    return pa.array(values, pa.string()).cast(pa.binary())


def _mapped(mapping: Mapping[str, str]) -> FromTexts:
    olds, news = pa.array(list(mapping), pa.string()), pa.array(list(mapping.values()), pa.binary())

    def new(column: pa.Array) -> pa.Array:
        # What has no new one is like no text.
        return pc.fill_null(news.take(pc.index_in(column, value_set=olds)), b"\xff")

    return new


def _booleans(values: list[Any]) -> Numbers:
    return _flags(pa.array(values, pa.bool_()))


def _flags(column: pa.Array) -> Numbers:
    return np.asarray(column.cast(pa.uint8()).to_numpy(zero_copy_only=False)).astype(np.uint64)


def _ruled(validator: Validator) -> Validator | None:
    """The validator, where it or one inside it has a rule that a value can break."""
    inner = unwrap(validator)
    plain = inner.rules == Rules(default=inner.rules.default, unique=inner.rules.unique)
    return None if plain and not isinstance(inner, kinds.Array | kinds.Object | kinds.Record) else inner


def _breaks(validator: Validator, values: list[Any]) -> bool:
    try:
        different: Iterable[Any] = set(values)
    except TypeError:
        different = values
    return any(rules_problem(validator, value) for value in different if value is not ABSENT)


def _floats(values: list[Any]) -> list[Any]:
    """Values of JSON as Convex reads them: every number is a double."""
    return [float(value) if type(value) is int else _doubled(value) for value in values]


def _doubled(value: Any) -> Any:
    if isinstance(value, list):
        return _floats(value)
    if isinstance(value, dict):
        return dict(zip(value, _floats(list(value.values())), strict=True))
    return value


def _doubles_of_integers(column: pa.Array) -> Numbers:
    whole = np.asarray(column.cast(pa.int64()).to_numpy(zero_copy_only=False))
    # Beyond 2**53, several whole numbers are one double.
    return np.where(np.abs(whole) <= 1 << 53, whole.astype(np.float64), np.nan).view(np.uint64)


def _doubles_of_texts(column: pa.Array) -> Numbers:
    return np.asarray(column.cast(pa.float64()).to_numpy(zero_copy_only=False)).view(np.uint64)


def _doubles(values: list[Any]) -> Numbers:
    if any(type(value) not in (float, int) for value in values):
        raise Unlike
    return np.array(values, np.float64).view(np.uint64)


def _micros_of(column: pa.Array) -> np.ndarray[Any, Any]:
    """Microseconds of moments as PostgreSQL writes them (ISO, UTC). What is no such text becomes a number of no row."""
    type_ = pa.timestamp("us", "UTC")
    try:
        moments = column.cast(type_).view(pa.int64())
    except pa.ArrowInvalid:
        plain = pc.match_substring_regex(column, _ISO)
        moments = pc.if_else(plain, column, pa.scalar(None, pa.string())).cast(type_).view(pa.int64())
        moments = pc.fill_null(moments, _NO_MOMENT)
    return np.asarray(moments.to_numpy(zero_copy_only=False))


def _micros_of_numbers(values: list[Any]) -> np.ndarray[Any, Any]:
    """Microseconds of milliseconds. Exact where a double is: between 1684 and 2255."""
    if any(type(value) not in (float, int) for value in values):
        raise Unlike
    milliseconds = np.array(values, np.float64)
    if not np.isfinite(milliseconds).all() or (np.abs(milliseconds) > 9e12).any():
        raise Unlike
    return np.rint(milliseconds * 1000).astype(np.int64)


def _json_of_texts(column: pa.Array) -> pa.Array:
    return _json_of_values([orjson.loads(text) for text in column.to_pylist()])


def _json_of_values(values: list[Any]) -> pa.Array:
    """JSON in one form: keys sorted, and 1.0 as 1."""
    texts = [orjson.dumps(value, option=orjson.OPT_SORT_KEYS) for value in values]
    whole = [b".0" in text for text in texts]
    if any(whole):
        texts = [
            orjson.dumps(_whole(value), option=orjson.OPT_SORT_KEYS) if look else text
            for text, value, look in zip(texts, values, whole, strict=True)
        ]
    return pa.array(texts, pa.binary())


def _whole(value: Any) -> Any:
    """Doubles that are whole numbers as integers, so that 1 and 1.0 are one."""
    if isinstance(value, float):
        return int(value) if value.is_integer() and abs(value) < 2**53 and str(value) != "-0.0" else value
    if isinstance(value, list):
        return [_whole(item) for item in value]
    return {key: _whole(item) for key, item in value.items()} if isinstance(value, dict) else value


def _canonical(values: Iterable[Any]) -> pa.Array:
    return pa.array([_canonical_text(value).encode("utf-8", "surrogatepass") for value in values], pa.binary())


def _canonical_text(value: Any) -> str:
    """A text that is the same for equal values of one type only, as the comparison sees them."""
    if isinstance(value, Decimal):
        sign, digits, exponent = value.as_tuple()
        shown = "".join(map(str, digits)).lstrip("0")
        short = shown.rstrip("0")
        assert isinstance(exponent, int)
        return f"Decimal {sign if short else 0} {short} {exponent + len(shown) - len(short) if short else 0}"
    if isinstance(value, float | list | dict):
        return f"{type(value).__name__} {to_export_json(value)}"
    return f"{type(value).__name__} {value}"


# Keys and ids


def _key_bytes(column: pa.Array, form: str, internal_id: Callable[[str], bytes]) -> np.ndarray[Any, Any]:
    """The 16 bytes of each key, from its text."""
    if form == "uuid":
        return _uuid_bytes(column)
    data = b"".join(internal_id(text) for text in column.to_pylist())
    return np.frombuffer(data, np.uint8).reshape(-1, INTERNAL_ID_BYTES)


_HEX = np.full(256, 255, np.uint8)
for _index, _digit in enumerate("0123456789abcdef"):
    _HEX[ord(_digit)] = _index
_DIGITS_AT = [position for position in range(36) if position not in (8, 13, 18, 23)]


def _uuid_bytes(column: pa.Array) -> np.ndarray[Any, Any]:
    """The 16 bytes of uuids as PostgreSQL writes them."""
    text = _matrix(column, 36)
    digits = _HEX[text[:, _DIGITS_AT]]
    if (digits == 255).any():
        raise Unlike
    return np.asarray((digits[:, 0::2] << 4) | digits[:, 1::2])


def _matrix(column: pa.Array, width: int) -> np.ndarray[Any, Any]:
    """Texts of one length as a matrix of bytes."""
    if (_lengths(column) != width).any():
        raise Unlike
    _, offsets, values = column.buffers()
    if not len(column):
        return np.zeros((0, width), np.uint8)
    start = int(np.frombuffer(offsets, np.int32)[column.offset])
    return np.frombuffer(values, np.uint8)[start : start + len(column) * width].reshape(len(column), width)


def _sixteen(keys: np.ndarray[Any, Any]) -> pa.Array:
    """Keys of 16 bytes as a column of bytes."""
    data = pa.py_buffer(np.ascontiguousarray(keys))
    return pa.FixedSizeBinaryArray.from_buffers(pa.binary(INTERNAL_ID_BYTES), len(keys), [None, data]).cast(pa.binary())


def _keys_of_ids(values: list[Any], number: int) -> pa.Array:
    """The keys of ids of table ``number``; of what is no such id, something that is no key."""
    try:
        return _sixteen(decode_ids(values, number))
    except Unlike:
        return pa.array([_key_of_id(value, number) for value in values], pa.binary())


def _key_of_id(value: Any, number: int) -> bytes:
    try:
        found, internal_id = decode_id(value)
    except (InvalidId, TypeError):
        return b""
    return internal_id if found == number else b""


def decode_ids(values: list[Any], number: int) -> np.ndarray[Any, Any]:
    """The 16 bytes of ids of table ``number``. Raises :class:`Unlike` where one is no such id, or is spelled otherwise.

    As :func:`supavex.convex.ids.decode_id`, by arithmetic on columns.
    """
    prefix = np.frombuffer(varint(number), np.uint8)
    head = len(prefix)
    size = head + INTERNAL_ID_BYTES + 2
    length = (size * 8 + 4) // 5
    digits = _VALUES[_matrix(pa.array(values, pa.string()), length)]
    if (digits == 255).any():
        raise Unlike
    groups = -(-length // 8)
    padded = np.zeros((len(values), groups * 8), np.uint64)
    padded[:, :length] = digits
    shifts = np.arange(35, -1, -5).astype(np.uint64)
    packed = np.bitwise_or.reduce(padded.reshape(-1, groups, 8) << shifts, axis=2)
    data = packed.astype(">u8").view(np.uint8).reshape(-1, groups, 8)[:, :, 3:].reshape(len(values), groups * 5)
    body = data[:, : size - 2].astype(np.uint32)
    weights = np.arange(size - 2, 0, -1, dtype=np.uint32)
    right = (data[:, :head] == prefix).all(axis=1) & ~data[:, size:].any(axis=1)
    right &= data[:, size - 2] == (body.sum(axis=1) & 255)
    right &= data[:, size - 1] == ((body * weights).sum(axis=1) & 255)
    if not right.all():
        raise Unlike
    return np.ascontiguousarray(data[:, head : head + INTERNAL_ID_BYTES])
