"""The description of a table for the workers that copy parts of it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from supavex.mapping.plan import TablePlan
from supavex.migrate.copy.encoding.encoder import TableEncoder
from supavex.migrate.copy.encoding.lookups import ForbiddenKeys, Lookup
from supavex.migrate.copy.existing import ExistingIds
from supavex.version import __version__

#: The most rejected rows that a copy holds in memory, with some hundred bytes each.
MOST_REJECTS = 200_000


@dataclass(frozen=True, slots=True)
class TableJob:
    """The arguments of a table's encoder; see :class:`TableEncoder`."""

    #: The plan of the table.
    table: TablePlan
    #: The number of each table that ids name, by the table's name in Convex.
    numbers: Mapping[str, int]
    #: By field, the keys that it may not name.
    bad: Mapping[str, list[ForbiddenKeys]]
    #: By field, the old key texts and their new ids, for fields with an id file.
    lookups: Mapping[str, Lookup]
    #: Keys (16 bytes) that several rows have, with the tables that have them.
    shared_keys: Mapping[bytes, str]
    #: By field, the ids that Convex chose, for references to tables that exist there.
    existing: Mapping[str, ExistingIds] = field(default_factory=dict)
    #: The most rejected rows of one part. With more, the part fails.
    most_rejects: int = MOST_REJECTS

    def encoder(self) -> TableEncoder:
        """The encoder."""
        return TableEncoder(self.table, self.numbers, self.bad, self.lookups, self.shared_keys, self.existing)

    def digest(self) -> str:
        """A digest of everything that decides on a row's document. Two jobs with one digest write the same bytes for a
        row.
        """
        hashed = hashlib.sha256(__version__.encode())

        def add(*texts: object) -> None:
            for text in texts:
                hashed.update(repr(text).encode() + b"\0")

        add(self.encoder().query.sql, self.table.target, self.table.rule)
        # The fields with their conversions and rules.
        add(
            *[
                (f.name, f.validator, f.optional, f.conversion.name, f.conversion.kind, f.fill, f.conversion.rounding)
                for f in self.table.fields
            ]
        )
        add(sorted(self.numbers.items()), sorted(self.shared_keys.items()))
        for name, found in sorted(self.bad.items()):
            add(name, *[(type(bad).__name__, bad.code, bad.keys.digest()) for bad in found])
        for name, lookup in sorted(self.lookups.items()):
            add(name)
            for column in (lookup.keys, lookup.values):
                for buffer in column.buffers():
                    hashed.update(b"" if buffer is None else buffer)
        for name, known in sorted(self.existing.items()):
            add(name, known.digest())
        return hashed.hexdigest()
