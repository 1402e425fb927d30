"""Columns of references, converted to columns of ids."""

from __future__ import annotations

import json
from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from supavex.convex.ids import INTERNAL_ID_BYTES, encode_id
from supavex.convex.limits import STORAGE_NUMBER
from supavex.mapping.conversions import Target
from supavex.mapping.conversions.arrays import NO_NULLS
from supavex.mapping.large_values import LargeValues
from supavex.mapping.plan import FieldPlan, IdFile, Reference, TablePlan
from supavex.migrate.copy.encoding import fixed_width, json_columns
from supavex.migrate.copy.encoding.json_text import JsonText
from supavex.migrate.copy.encoding.lookups import ForbiddenKeys, Lookup
from supavex.migrate.copy.encoding.slice_report import MEANT, SliceReport
from supavex.migrate.copy.existing import ExistingIds
from supavex.migrate.keys.sets import key_bytes
from supavex.migrate.state.rejects import Reason


class ReferenceColumns:
    """The ids of the references of one table; see :class:`~supavex.migrate.copy.encoding.encoder.TableEncoder`."""

    def __init__(
        self,
        table: TablePlan,
        numbers: Mapping[str, int],
        bad: Mapping[str, list[ForbiddenKeys]],
        lookups: Mapping[str, Lookup],
        existing: Mapping[str, ExistingIds],
    ) -> None:
        self._numbers, self._bad, self._lookups, self._existing = numbers, bad, lookups, existing
        #: The forbidden keys as Python objects, for arrays of references.
        self._bad_bytes = {
            field.name: [(frozenset(bad.keys.to_list()), bad) for bad in self._bad.get(field.name, ())]
            for field in table.fields
            if field.reference is not None and field.reference.is_array
        }
        self._existing_bytes = {
            name: dict(zip(known.keys.to_list(), map(bytes, known.ids), strict=True))
            for name, known in existing.items()
            if name in self._bad_bytes
        }

    def text(self, field: FieldPlan, column: pa.Array, report: SliceReport) -> JsonText | None:
        """The ids of a column, NULL for NULL; None if the field holds no ids."""
        match field.value:
            case Reference(is_array=True) as reference:
                return JsonText(self._arrays(field, reference, column, report))
            case Reference(existing=True) as reference:
                return self._of_existing(field, reference, column, report)
            case Reference() as reference:
                return self._of_keys(field, reference, column, report)
            case IdFile(path=path):
                return self._looked_up(field, path, column, report)
            case LargeValues():
                return JsonText(_null_where(column, fixed_width.ids(key_bytes(column), STORAGE_NUMBER)), quoted=True)
        return None

    def _looked_up(self, field: FieldPlan, path: str, column: pa.Array, report: SliceReport) -> JsonText:
        lookup = self._lookups[field.name]
        positions = pc.index_in(column, value_set=lookup.keys)
        unknown = pc.and_(pc.is_valid(column), pc.is_null(positions))
        reason, fix = f"{path} has no new id for it", f"Add it to {path}."
        report.reject_where(unknown, Reason(field.place, "IdNotInFile", reason, fix))
        return JsonText(json_columns.escaped(lookup.values.take(positions)), quoted=True)

    def _of_existing(self, field: FieldPlan, reference: Reference, column: pa.Array, report: SliceReport) -> JsonText:
        known, target = self._existing[field.name], reference.target
        places = known.keys.find(key_bytes(column))
        unknown = places < 0
        if unknown.any():
            reason = f"no document of {target} in the target matches the row that it refers to"
            fix = f"See that the row is in {target}, matched by its key."
            valid = pc.is_valid(column).to_numpy(zero_copy_only=False)
            report.reject_where(pa.array(unknown & valid), Reason(field.place, "UnresolvedReference", reason, fix))
        # These rows are rejected, so any id will do.
        none = np.zeros((len(places), INTERNAL_ID_BYTES), np.uint8)
        ids = fixed_width.ids(known.ids[places] if len(known.keys) else none, known.number)
        return JsonText(_null_where(column, ids), quoted=True)

    def _of_keys(self, field: FieldPlan, reference: Reference, column: pa.Array, report: SliceReport) -> JsonText:
        keys = key_bytes(column)
        for bad in self._bad.get(field.name, []):
            named = bad.among(keys)
            if named.any():
                named &= pc.is_valid(column).to_numpy(zero_copy_only=False)
                report.reject_where(pa.array(named), Reason(field.place, bad.code, bad.reason, bad.fix))
        ids = fixed_width.ids(keys, self._numbers[reference.target])
        return JsonText(_null_where(column, ids), quoted=True)

    def _arrays(self, field: FieldPlan, reference: Reference, column: pa.Array, report: SliceReport) -> pa.Array:
        """Arrays of ids, from JSON arrays of key texts. It makes a Python object for each element, because the kind is
        rare.
        """
        known = self._existing_bytes.get(field.name)
        elements = Target(field.validator).elements
        nulls = any(Target(element).null for element in elements)

        def id_of(text: str | None, index: int) -> str | None:
            if text is None:
                if not nulls:
                    report.reject(index, field, NO_NULLS.code, NO_NULLS.message, NO_NULLS.hint)
                return None
            key = reference.key.internal_id(text)
            if known is not None:
                if key not in known:
                    reason = f"no document of {reference.target} in the target matches a row that it refers to"
                    report.reject(index, field, "UnresolvedReference", reason, MEANT)
                    return None
                return encode_id(self._existing[field.name].number, known[key])
            for keys, bad in self._bad_bytes[field.name]:
                if bad.forbids(known=key in keys):
                    report.reject(index, field, bad.code, f"of an element: {bad.reason}", bad.fix)
            return encode_id(self._numbers[reference.target], key)

        texts = [
            None if text is None else json.dumps([id_of(item, index) for item in json.loads(text)])
            for index, text in enumerate(column.to_pylist())
        ]
        return pa.array(texts, pa.string())


def _null_where(column: pa.Array, ids: pa.Array) -> pa.Array:
    """The ids, with NULL for each NULL of the column."""
    return pc.if_else(pc.is_null(column), json_columns.scalar(None), ids) if column.null_count else ids
