"""Converts blocks of a snapshot's lines to rows of the deployment's file: documents checked, ids decoded, index keys
made.

A msgspec decoder, made from the table's validator, reads the lines and refuses those that do not fit. Ids and numbers
are then processed for a whole block. :class:`LineReader`, which knows every rule and every message, reads the lines
that the decoder refuses and those that need a full check. So the decoder only ever decides that a line is valid.
"""

from __future__ import annotations

import operator
import re
import types
from collections.abc import Callable, Iterable
from typing import Any, Literal, Protocol

import msgspec
import numpy as np

from supavex.convex import validators as kinds
from supavex.convex.ids import ALPHABET, varint
from supavex.convex.limits import MAX_ARRAY_LENGTH, MAX_CREATION_TIME, MAX_DOCUMENT_NESTING, MAX_OBJECT_FIELDS
from supavex.convex.names import key_problem
from supavex.convex.order_keys import UNDEFINED, field_at, order_key
from supavex.convex.validators import Validator
from supavex.convex.values import Value
from supavex.deployment.database.bulk_load import Rows
from supavex.deployment.database.enforcement import quick_value_check

#: In a line of at most this many bytes, no array of scalars is too long and no document too heavy.
_SHORT = 2 * MAX_ARRAY_LENGTH
_OPEN, _CLOSE = b"{}"
_SCALARS = {str, float, bool, type(None)}
_KEPT_KEYS = 10_000
_SIGNED_ZERO = re.compile(rb"-0[,}\]\s]")
_UNSET_KEY = order_key(UNDEFINED)
_DIGITS = np.full(256, 255, np.uint8)
_DIGITS[list(ALPHABET.encode())] = np.arange(32)


class LineReader(Protocol):
    """Reads one line with every rule."""

    def __call__(self, line: bytes, number: int) -> tuple[bytes, bytes, list[bytes]]:
        """Internal id, document and keys of line ``number``. Raises :class:`~supavex.errors.SupavexError`."""


class BlockReader:
    """Reads the lines of one table whose documents are objects of declared fields.

    ``numbers``: the tables' numbers by name. ``indexes``: the fields of each index.
    """

    def __init__(
        self,
        validator: kinds.Object,
        number: int,
        numbers: dict[str, int],
        indexes: Iterable[tuple[str, ...]],
        slow: LineReader,
    ) -> None:
        self._number, self._slow = number, slow
        self._indexes = list(indexes)
        self._limits = _Limits()
        fields: list[tuple[str, Any] | tuple[str, Any, Any]] = [("id_", str), ("created", float)]
        rename = {"id_": "_id", "created": "_creationTime"}
        #: Attributes that need a check after the decoder: the getter, and the function that says whether the value is
        #: valid.
        self._checks: list[tuple[Callable[[Any], Any], Callable[[Value], bool]]] = []
        #: Attributes with ids, each with its table's number.
        self._references: list[tuple[Callable[[Any], Any], int]] = []
        self._attributes: dict[str, tuple[Callable[[Any], Any], Any]] = {
            "_id": (operator.attrgetter("id_"), str),
            "_creationTime": (operator.attrgetter("created"), float),
        }
        indexed = {field.partition(".")[0] for index in self._indexes for field in index}
        for position, (name, declared) in enumerate(validator.fields.items()):
            attribute = f"f{position}"
            get = operator.attrgetter(attribute)
            inner = kinds.unwrap(declared)
            shape = _scalars(inner)
            if shape is None and isinstance(inner, kinds.Array) and name not in indexed:
                element = _scalars(inner.element)
                shape = None if element is None else types.GenericAlias(list, (element,))
            if isinstance(inner, kinds.Id) and inner.table in numbers:
                shape = str
                self._references.append((get, numbers[inner.table]))
            if shape is None:
                shape = Any
                self._checks.append((get, self._check(quick_value_check(inner, numbers))))
            self._attributes[name] = get, shape
            optional = isinstance(declared, kinds.Optional)
            fields.append((attribute, shape | msgspec.UnsetType, msgspec.UNSET) if optional else (attribute, shape))
            rename[attribute] = name
        struct = msgspec.defstruct(
            "Document", fields, rename=rename, forbid_unknown_fields=True, gc=False, kw_only=True
        )
        self._decode: Callable[[bytes], Any] = msgspec.json.Decoder(struct).decode

    def _check(self, fits: Callable[[Value], bool]) -> Callable[[Any], bool]:
        keep = self._limits.keep
        return lambda value: value is msgspec.UNSET or (keep(value) and fits(value))

    def rows(self, block: bytes, first: int) -> Rows:
        """The rows of whole lines. ``first``: the number of the first line in its file."""
        lines = block.split(b"\n")
        if not lines[-1]:
            lines.pop()
        careful = _is_odd(block)
        documents: list[Any] = []
        odd: set[int] = set()
        decode, checks = self._decode, self._checks
        for position, line in enumerate(lines):
            try:
                document = decode(line)
            except (msgspec.MsgspecError, ValueError, RecursionError):
                odd.add(position)
                continue
            if (
                len(line) > _SHORT
                or line[0] != _OPEN
                or line[-1] != _CLOSE
                or (careful and _is_odd(line))
                or not all(check(get(document)) for get, check in checks)
            ):
                odd.add(position)
                continue
            documents.append(document)
        return self._columns(lines, documents, odd, first)

    def _columns(self, lines: list[bytes], documents: list[Any], odd: set[int], first: int) -> Rows:
        kept = [position for position in range(len(lines)) if position not in odd] if odd else range(len(lines))
        texts = [document.id_ for document in documents]
        ids, good = _decoded(texts, self._number)
        created = np.fromiter((document.created for document in documents), np.float64, len(documents))
        good &= (created > 0) & (created < MAX_CREATION_TIME)
        for get, number in self._references:
            good &= _refer(list(map(get, documents)), number)
        if not good.all():
            odd |= {kept[position] for position in np.flatnonzero(~good).tolist()}
            documents = [document for document, fine in zip(documents, good.tolist(), strict=True) if fine]
            return self._columns(lines, documents, odd, first)
        ends = _ends(created, texts)
        keys = [self._keys(documents, index, ends) for index in self._indexes]
        if not odd:
            return Rows(ids, lines, keys)
        return self._mixed(lines, Rows(ids, [lines[position] for position in kept], keys), odd, first)

    def _mixed(self, lines: list[bytes], plain: Rows, odd: set[int], first: int) -> Rows:
        """``plain`` and the rows of the odd lines, in the order of the lines."""
        ready = zip(plain.ids, plain.bodies, zip(*plain.keys, strict=True), strict=True)
        rows = [
            self._slow(line, first + position) if position in odd else next(ready)
            for position, line in enumerate(lines)
        ]
        columns = [list(column) for column in zip(*(row[2] for row in rows), strict=True)]
        return Rows([row[0] for row in rows], [row[1] for row in rows], columns or [[] for _ in self._indexes])

    def _keys(self, documents: list[Any], index: tuple[str, ...], ends: list[bytes]) -> list[bytes]:
        columns = [self._key_column(documents, field) for field in index]
        if not columns:
            return ends
        if len(columns) == 1:
            return list(map(operator.add, columns[0], ends))
        return list(map(b"".join, zip(*columns, ends, strict=True)))

    def _key_column(self, documents: list[Any], path: str) -> list[bytes]:
        name, _, inner = path.partition(".")
        if name not in self._attributes:
            return [_UNSET_KEY] * len(documents)
        get, shape = self._attributes[name]
        values = list(map(get, documents))
        if inner:
            return [_key(field_at({"": value}, f".{inner}")) for value in values]
        if shape is float:
            try:
                return _float_keys(np.array(values, np.float64))
            except TypeError:  # Some values are absent.
                return list(map(_key, values))
        return list(map(_key, values))


def _key(value: Any) -> bytes:
    if type(value) is str:
        return b"\x10" + value.encode() + b"\0"  # No text of the block contains U+0000.
    return _UNSET_KEY if value is msgspec.UNSET else order_key(_doubles(value))


def _doubles(value: Any) -> Value:
    """``value`` with whole numbers as float64: a snapshot without ``generated_schema.jsonl`` has no others."""
    if type(value) is int:
        return float(value)
    if isinstance(value, list):
        return list(map(_doubles, value))
    if isinstance(value, dict):
        return {key: _doubles(item) for key, item in value.items()}
    return value


def _is_odd(text: bytes) -> bool:
    """Whether a text needs a full check.

    It does if it contains a zero with a sign, which msgspec reads without the sign; U+0000, which order keys encode
    differently; or invalid UTF-8 in a part that becomes no field.
    """
    if (b"-0" in text and _SIGNED_ZERO.search(text) is not None) or b"\\u0000" in text:
        return True
    try:
        text.decode()
    except UnicodeDecodeError:
        return True
    return False


def _scalars(validator: Validator) -> Any:
    """The type with which msgspec checks ``validator``, a scalar or a union of scalars; None if there is none."""
    simple = {kinds.Number: float, kinds.String: str, kinds.Boolean: bool, kinds.Null: None}
    if type(validator) in simple:
        return simple[type(validator)] or type(None)
    if isinstance(validator, kinds.Union) and validator.members:
        literals = [x.value for x in validator.members if isinstance(x, kinds.Literal) and isinstance(x.value, str)]
        others = [x for x in validator.members if not (isinstance(x, kinds.Literal) and isinstance(x.value, str))]
        if any(type(other) not in simple for other in others):
            return None
        found: Any = None
        for other in others:
            shape = simple[type(other)] or type(None)
            found = shape if found is None else found | shape
        if literals and not any(isinstance(other, kinds.String) for other in others):
            texts = _literal(literals)
            found = texts if found is None else found | texts
        return found
    if isinstance(validator, kinds.Literal) and isinstance(validator.value, str):
        return _literal([validator.value])
    return None


def _literal(texts: list[Any]) -> Any:
    return Literal[tuple(texts)]


class _Limits:
    """Tests whether values of ``v.any()`` and of objects plainly keep Convex's limits, in a short line."""

    def __init__(self) -> None:
        #: Valid keys that occurred: most objects of a table have the same keys.
        self._keys: set[str] = set()

    def keep(self, value: Any, levels: int = MAX_DOCUMENT_NESTING - 1) -> bool:
        """Whether ``value`` keeps the limits, with at most ``levels`` levels of nesting."""
        kind = type(value)
        if kind is dict:
            if not self._keys.issuperset(value) and not self._are_keys(value):
                return False
            items = value.values()
        elif kind is list:
            items = value
        else:
            return kind in _SCALARS or (kind is int and abs(value) < 1 << 64)
        if not levels:
            return False
        if _SCALARS.issuperset(map(type, items)):
            return True
        return all(self.keep(item, levels - 1) for item in items)

    def _are_keys(self, keys: dict[str, Any]) -> bool:
        if len(keys) > MAX_OBJECT_FIELDS or any(map(key_problem, keys)):
            return False
        if len(self._keys) < _KEPT_KEYS:
            self._keys.update(keys)
        return True


def _float_keys(numbers: np.ndarray[Any, Any]) -> list[bytes]:
    """The order keys of float64s."""
    found: list[bytes] = np.ascontiguousarray(_float_bytes(numbers)).view("V9").ravel().tolist()
    return found


def _float_bytes(numbers: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    bits = numbers.view(np.uint64)
    sign = np.uint64(1 << 63)
    ordered = np.where(bits & sign, ~bits, bits | sign).astype(">u8")
    found = np.empty((len(numbers), 9), np.uint8)
    found[:, 0] = 0x0D
    found[:, 1:] = ordered.view(np.uint8).reshape(-1, 8)
    return found


def _ends(created: np.ndarray[Any, Any], texts: list[str]) -> list[bytes]:
    """The ends of documents' keys: creation time and id."""
    if not texts:
        return []
    length = len(texts[0])  # All ids of one table have the same length.
    found = np.zeros((len(texts), 9 + 1 + length + 1), np.uint8)
    found[:, :9] = _float_bytes(created)
    found[:, 9] = 0x10
    found[:, 10:-1] = np.frombuffer("".join(texts).encode(), np.uint8).reshape(-1, length)
    ends: list[bytes] = found.view(f"V{found.shape[1]}").ravel().tolist()
    return ends


def _decoded(texts: list[str], number: int) -> tuple[list[bytes], np.ndarray[Any, Any]]:
    """The internal ids of valid texts, and which texts are ids of table ``number``. It does what ``decode_id`` does, on
    columns.
    """
    matrix, good = _matrix(texts, number)
    start = len(varint(number))
    ids: list[bytes] = np.ascontiguousarray(matrix[:, start : start + 16]).view("V16").ravel().tolist()
    if not good.all():
        ids = [id_ for id_, fine in zip(ids, good.tolist(), strict=True) if fine]
    return ids, good


def _matrix(texts: list[str], number: int) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    prefix = varint(number)
    size = len(prefix) + 16 + 2
    length = (size * 8 + 4) // 5
    good = np.fromiter(map(len, texts), np.int64, len(texts)) == length
    if not good.all() or not all(map(str.isascii, texts)):
        good &= np.fromiter(map(str.isascii, texts), bool, len(texts))
        texts = [text if fine else "0" * length for text, fine in zip(texts, good.tolist(), strict=True)]
    if not texts:
        return np.empty((0, size), np.uint8), good
    digits = _DIGITS[np.frombuffer("".join(texts).encode(), np.uint8).reshape(-1, length)]
    good &= (digits < 32).all(axis=1)
    bits = np.unpackbits(digits[:, :, None], axis=2)[:, :, 3:].reshape(-1, length * 5)
    good &= ~bits[:, size * 8 :].any(axis=1)
    data = np.packbits(bits[:, : size * 8], axis=1)
    good &= (data[:, : len(prefix)] == np.frombuffer(prefix, np.uint8)).all(axis=1)
    sums = np.cumsum(data[:, :-2].astype(np.uint32), axis=1)
    good &= (sums[:, -1] & 0xFF) == data[:, -2]
    good &= (sums.sum(axis=1) & 0xFF) == data[:, -1]
    return data, good


def _refer(values: list[Any], number: int) -> np.ndarray[Any, Any]:
    """Which values are ids of table ``number``, or absent."""
    different = sorted({value for value in values if value is not msgspec.UNSET})
    _, good = _matrix(different, number)
    if good.all():
        return np.ones(len(values), bool)
    wrong = {text for text, fine in zip(different, good.tolist(), strict=True) if not fine}
    return np.fromiter((value not in wrong for value in values), bool, len(values))
