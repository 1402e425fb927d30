"""Tests by digests whether a table's rows equal its documents, without matching any row with its document.

Every row and every document becomes a 64-bit number of its key and all of its fields, which is added to the sum of its
bucket. The key alone determines the bucket, and sums don't depend on order. If two sums or counts differ, that bucket's
rows are compared one by one. If they are equal, a difference would need a collision of a keyed hash, with a probability
of 2**-64.

Rows are read as text with psycopg; the document's value is decoded to the value of that text. So the two sides share no
reader, encoder or table with the copy. The rules are those of :mod:`supavex.migrate.proof.comparison`, and
:mod:`supavex.migrate.proof.digests.forms` has the common form of each field.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import orjson
import psycopg
import pyarrow as pa
import pyarrow.compute as pc
import xxhash

from supavex.convex.broken_rules import may_break_rules, rules_problem
from supavex.convex.field_rules import MISSING
from supavex.convex.validators import Validator, unwrap
from supavex.mapping.conversions.json import MAY_ROUND, rounds
from supavex.mapping.plan import ALIAS, FieldPlan, TablePlan
from supavex.migrate.keys.hashing import Numbers, mixed
from supavex.migrate.proof.comparison import EARLIEST, LATEST, RowComparison
from supavex.migrate.proof.digests import text_columns
from supavex.migrate.proof.digests.document_columns import (
    DocumentColumns,
    FieldValues,
    decode_ids,
    document_columns,
    halves,
    odd_lines,
    pieces_of,
)
from supavex.migrate.proof.digests.forms import CanonicalForm, Made, canonical_form, micros_of, of_bytes
from supavex.migrate.proof.digests.special_values import Special, special_text, values_of
from supavex.migrate.proof.digests.sums import BUCKETS, Sums
from supavex.migrate.proof.digests.text_columns import NO_TIME, NotComparable, lengths, text_batches, written
from supavex.migrate.proof.source_sql import own_key_sql
from supavex.postgres.connection import quoted

#: The exceptions for a value of another kind than its field's.
_ODD = (
    NotComparable, pa.ArrowException, ValueError, TypeError, KeyError, OverflowError, AttributeError, RecursionError,
)  # fmt: skip


#: Documents with another notation of JSON than PostgreSQL's: one in so many, and at least this number, may have it.
_ODD_SHARE, _ODD_LEAST = 10, 1000


class NotVerbatim(Exception):
    """Too many documents have JSON that has to be parsed."""


@dataclass(slots=True)
class _Column:
    """One side's values of a field. ``numbers``: the values, or the lengths of the texts; ``texts``: None for numbers.

    ``state``: 0 for a value, 1 for null, 2 for absent.
    """

    numbers: Numbers
    texts: pa.Array | None
    state: np.ndarray[Any, Any] | None


class TableDigests:
    """The digests of one table's two sides. ``comparison`` knows the target's numbers and ids."""

    def __init__(self, table: TablePlan, comparison: RowComparison, *, verbatim: bool = False) -> None:
        assert table.key is not None
        self.table, self.key, self._comparison = table, table.key, comparison
        self._number = comparison.numbers[table.target]
        self._forms = [canonical_form(planned, comparison) for planned in table.fields]
        self._types = {planned.name: form.type for planned, form in zip(table.fields, self._forms, strict=True)}
        self._special = {
            planned.name: form.special
            for planned, form in zip(table.fields, self._forms, strict=True)
            if form.special is not None
        }
        definition = table.definition
        assert definition is not None
        #: Whether JSON is compared as text. Different sums may then only mean another notation.
        self.verbatim = verbatim and any(form.verbatim for form in self._forms)
        for planned, form in zip(table.fields, self._forms, strict=True):
            # A default has no text of PostgreSQL's, and checking a rule needs the value.
            plain = form.verbatim and planned.fill is MISSING and _ruled(definition.fields[planned.name]) is None
            self.verbatim &= plain or form.type is not None
        if self.verbatim:
            self._forms = [
                form if form.type is not None else replace(form, of_texts=of_bytes, of_values=of_bytes)
                for form in self._forms
            ]
        self._ruled = [_ruled(definition.fields[planned.name]) for planned in table.fields]
        #: Whether a document breaks a rule of the schema.
        self.broken = False
        #: Documents so far with an arbitrary digest.
        self._odd = 0
        # Random, so that data with equal digests can't be constructed.
        self._nonces = [np.uint64(secrets.randbits(64)) for _ in range(len(self._forms) + 3)]
        self._seed = secrets.randbits(64)

    @property
    def columns(self) -> list[str]:
        """SQL of the rows' texts: the key, each field, each creation column."""
        own = self.key.own(ALIAS)
        column = self.table.source.column(self.key.columns[0]) if len(own) == 1 else None
        key = own_key_sql(self.table)
        found = [written(key, own[0], column.type.base) if column else key]
        for form, planned in zip(self._forms, self.table.fields, strict=True):
            base = planned.column.type.base if planned.column and not planned.expression else None
            found.append(written(form.sql, planned.source, base))
        return [*found, *(f"({ALIAS}.{quoted(name)})::timestamptz" for name in self.table.creation.columns)]

    # The source

    def source(
        self, connection: psycopg.Connection, rejected: Sequence[str], sums: Sums, seen: set[str]
    ) -> Iterator[int]:
        """Adds every row except the ``rejected`` (keys as text) to ``sums``. Yields the number of rows in each block.

        ``seen`` gets the rejected keys that exist.
        """
        keys = pa.array(list(rejected), pa.string())
        # Columns with the same SQL are read once.
        columns = self.columns
        read = list(dict.fromkeys(columns))
        places = [read.index(column) for column in columns]
        rest = f"FROM {self.table.source.sql_name} AS {ALIAS}"
        for texts in text_batches(connection, read, rest):
            batch = texts.select(places)
            sums.read += batch.num_rows
            if batch.column(0).null_count:
                sums.unlike = True  # Rows without a key need the row-by-row comparison.
            else:
                if len(keys):
                    found = pc.is_in(batch.column(0), value_set=keys)
                    seen.update(batch.column(0).filter(found).to_pylist())
                    batch = batch.filter(pc.invert(found))
                self._add_rows(batch, sums)
                self._count(batch, sums)
            yield batch.num_rows

    def _count(self, batch: pa.RecordBatch, sums: Sums) -> None:
        for index, planned in enumerate(self.table.fields):
            column = batch.column(1 + index)
            if planned.fill is not MISSING and column.null_count:
                sums.filled[planned.place] += column.null_count
            if planned.conversion.rounding:
                odd = pc.match_substring_regex(column, MAY_ROUND)
                sums.rounded[planned.place] += sum(map(rounds, column.filter(odd).to_pylist())) if odd.true_count else 0

    def _add_rows(self, batch: pa.RecordBatch, sums: Sums) -> None:
        if not batch.num_rows:
            return
        ids = self._key_bytes(batch.column(0))
        try:
            columns = [
                self._from_source(form, planned, batch.column(1 + index))
                for index, (form, planned) in enumerate(zip(self._forms, self.table.fields, strict=True))
            ]
            moments = [batch.column(index) for index in range(1 + len(self._forms), batch.num_columns)]
            digests = self._digests(ids, columns, self._created(moments, batch.num_rows), None)
        except _ODD:
            if batch.num_rows > 1:
                half = batch.num_rows // 2
                self._add_rows(batch.slice(0, half), sums)
                self._add_rows(batch.slice(half), sums)
                return
            # A digest that matches no document, so that the row's bucket is compared row by row.
            digests = np.array(self._nonces[:1])
        sums.add(ids, self.buckets(ids), digests)

    def _from_source(self, form: CanonicalForm, planned: FieldPlan, column: pa.Array) -> _Column:
        if not column.null_count:
            return _of(form.of_texts(column), None)
        null = pc.is_null(column).to_numpy(zero_copy_only=False)
        made = form.of_texts(column.drop_null()) if column.null_count < len(column) else None
        if planned.fill is not MISSING:
            plain = special_text(planned.fill) if form.special else planned.fill
            default = [plain] if form.type is None else pa.array([plain], form.type)
            return _spread(made, null, form.of_values(default), None)
        return _spread(made, null, None, null * np.uint8(1 if planned.takes_null else 2))

    def _created(self, moments: list[pa.Array], count: int) -> Numbers:
        """The expected microseconds of ``_creationTime``. It restates the copy's rule."""
        earliest = self._comparison.earliest
        micros = np.full(count, EARLIEST if earliest is None else earliest, np.int64)
        whole = next((place for place, column in enumerate(moments) if not column.null_count), len(moments))
        for column in reversed(moments[: whole + 1]):
            there = pc.is_valid(column).to_numpy(zero_copy_only=False)
            micros[there] = text_columns.micros(column.drop_null())
        # For infinity, for example, another column counts: the digest matches no document.
        return np.where(micros == NO_TIME, NO_TIME, np.clip(micros, EARLIEST, LATEST)).view(np.uint64)

    # The target

    def target(self, blocks: Iterator[bytes], sums: Sums, *, uniform: bool) -> Iterator[int]:
        """Adds every document (its JSON, one a line) to ``sums``. Yields the number of documents of each step.

        ``uniform``: bare integers are int64.
        """
        for block in blocks:
            for some, count in pieces_of(block):
                sums.read += count
                self._add_documents(some, count, sums, uniform=uniform)
                yield count

    def _add_documents(self, block: bytes, count: int, sums: Sums, *, uniform: bool) -> None:
        try:
            found = self._columns(block, count, verbatim=self.verbatim, uniform=uniform)
            ids = decode_ids(found.ids, self._number)
            created = micros_of(found.created).view(np.uint64)
            columns = []
            for form, ruled, values in zip(self._forms, self._ruled, found.fields, strict=True):
                if ruled is not None and _breaks(ruled, values, form.special):
                    self.broken = True
                columns.append(_from_target(form, values))
            digests = self._digests(ids, columns, created, found.others)
        except _ODD:
            self._add_odd(block, count, sums, uniform=uniform)
            return
        sums.add(ids, self.buckets(ids), digests)

    def _add_odd(self, block: bytes, count: int, sums: Sums, *, uniform: bool) -> None:
        """Adds documents of which at least one is odd. Its digest matches no row, so its bucket is compared
        row by row.
        """
        if count == 1:
            try:
                ids = decode_ids(pa.array([orjson.loads(block)["_id"]], pa.string()), self._number)
            except _ODD:
                sums.unlike = True
                return
            sums.add(ids, self.buckets(ids), np.array(self._nonces[1:2]))
            self._odd += 1
            if self.verbatim and self._odd > max(_ODD_LEAST, sums.read // _ODD_SHARE):
                raise NotVerbatim
            return
        lines = block.split(b"\n")
        odd = odd_lines(lines, self._types, self._special, uniform=uniform) if self.verbatim else []
        if not odd:
            for half, number in halves(block):
                self._add_documents(half, number, sums, uniform=uniform)
            return
        for number in odd:
            self._add_odd(lines[number], 1, sums, uniform=uniform)
        apart = set(odd)
        if plain := [line for number, line in enumerate(lines) if number not in apart]:
            self._add_documents(b"\n".join(plain), len(plain), sums, uniform=uniform)

    def _columns(self, block: bytes, count: int, *, verbatim: bool, uniform: bool) -> DocumentColumns:
        return document_columns(block, count, self._types, self._special, verbatim=verbatim, uniform=uniform)

    def seems_verbatim(self, block: bytes, *, uniform: bool) -> bool:
        """Whether most of some documents have JSON in PostgreSQL's notation, with a blank after each colon.

        Documents that the app has written since have another notation. If they are few, they are compared separately.
        """
        for some, _ in pieces_of(block):
            lines = some.split(b"\n")
            apart = set(odd_lines(lines, self._types, self._special, uniform=uniform))
            plain = [line for number, line in enumerate(lines) if number not in apart]
            try:
                found = self._columns(b"\n".join(plain), len(plain), verbatim=True, uniform=uniform)
            except _ODD:
                return False
            texts = [c.values.to_pylist() for c, f in zip(found.fields, self._forms, strict=True) if not f.type]
            other = max(sum(b'":' in text and b'": ' not in text for text in column) for column in texts)
            return len(apart) + other <= len(lines) // _ODD_SHARE
        return True

    # Both

    def buckets(self, ids: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """The bucket of each key (16 bytes)."""
        halves = np.ascontiguousarray(ids).view(np.uint64)
        return (mixed(halves[:, 0] ^ mixed(halves[:, 1])) & np.uint64(BUCKETS - 1)).astype(np.intp)

    def bucket_of(self, keys: Sequence[str]) -> np.ndarray[Any, Any]:
        """The bucket of each row, by its key as text."""
        return self.buckets(self._key_bytes(pa.array(keys, pa.string())))

    def _key_bytes(self, column: pa.Array) -> np.ndarray[Any, Any]:
        return text_columns.bytes_of_keys(column, self.key.form, self.key.internal_id)

    def _digests(
        self,
        ids: np.ndarray[Any, Any],
        columns: list[_Column],
        created: Numbers,
        more: np.ndarray[Any, Any] | None,
    ) -> Numbers:
        """A digest for each row: of its key, its creation time, and each field's state and value."""
        texts = [column.texts for column in columns if column.texts is not None]
        halves = np.ascontiguousarray(ids).view(np.uint64)
        rows = [halves[:, 0], halves[:, 1], created, *(column.numbers for column in columns)]
        nonces = list(self._nonces)
        for column, nonce in zip(columns, self._nonces[3:], strict=True):
            if column.state is not None:
                rows.append(column.state.astype(np.uint64))
                nonces.append(~nonce)
        with np.errstate(over="ignore"):
            every = np.stack(rows)
            every += np.array(nonces)[:, np.newaxis]
            total = np.add.reduce(mixed(every), axis=0)
            # Without a state, all rows have values, as if the state were all zeros.
            whole = [~nonce for c, nonce in zip(columns, self._nonces[3:], strict=True) if c.state is None]
            total += np.add.reduce(mixed(np.array(whole, np.uint64)))
            total += self._text_hashes(texts, len(total))
            if more is not None and more.any():
                total += mixed(more.astype(np.uint64) + np.uint64(1)) * (more != 0)
            return mixed(total)

    def _text_hashes(self, texts: list[pa.Array], count: int) -> Numbers:
        """A hash for each row's texts. The lengths, which are among the numbers, separate them."""
        # A field without any value counts as empty texts, because its column may not be of texts.
        joined = [b""]
        if texts:
            joined = pc.binary_join_element_wise(*texts, pa.scalar(b"")).to_pylist()
        seed, digest = self._seed, xxhash.xxh3_64_digest
        numbers = np.frombuffer(b"".join([digest(text, seed) for text in joined]), np.uint64)
        return numbers if texts else np.repeat(numbers, count)


def table_digests(table: TablePlan, comparison: RowComparison, *, verbatim: bool = False) -> TableDigests | None:
    """The digests of a table; None if it has to be compared row by row.

    ``verbatim``: compare JSON as text, if no other values of the table have to be parsed.
    """
    try:
        return TableDigests(table, comparison, verbatim=verbatim)
    except NotComparable:
        return None


def _from_target(form: CanonicalForm, found: FieldValues) -> _Column:
    made = form.of_values(found.values) if len(found.values) else None
    if found.state is None:
        return _of(made if made is not None else np.zeros(0, np.uint64), None)
    return _spread(made, found.state != 0, None, found.state)


def _of(made: Made, state: np.ndarray[Any, Any] | None) -> _Column:
    if isinstance(made, pa.Array):
        return _Column(lengths(made), made, state)
    return _Column(made, None, state)


def _spread(
    made: Numbers | pa.Array | None,
    gaps: np.ndarray[Any, Any],
    filling: Numbers | pa.Array | None,
    state: np.ndarray[Any, Any] | None,
) -> _Column:
    """The values ``made``, spread over the rows without a gap. Gaps get ``filling`` (of one value; else nothing)."""
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


def _ruled(validator: Validator) -> Validator | None:
    """The validator, if a value can break a rule of it or of a validator inside it."""
    return unwrap(validator) if may_break_rules(validator) else None


def _breaks(validator: Validator, found: FieldValues, special: Special | None) -> bool:
    """Whether a value breaks the validator's rules."""
    if special is not None:
        different = values_of(pc.unique(found.values), special)
    elif isinstance(found.values, pa.Array):
        different = pc.unique(found.values).to_pylist()
    else:
        try:
            # A set takes 1 and True for equal, but a rule may not.
            different = [value for _, value in {(type(value), value) for value in found.values}]
        except TypeError:
            different = found.values
    if found.state is not None and (found.state == 1).any():
        different = [*different, None]
    return any(rules_problem(validator, value) for value in different)
