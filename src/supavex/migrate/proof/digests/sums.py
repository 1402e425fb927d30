"""The sums of one side's digests, by bucket."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from supavex.migrate.keys.hashing import Numbers
from supavex.migrate.proof.pairs import PairWriter

BUCKETS = 4096


@dataclass(slots=True)
class Sums:
    """The sums of one side, by bucket, and how many were added. ``unlike``: one of them could not be read.

    ``read``: rows or documents so far, those that are not added too.
    """

    digests: Numbers = field(default_factory=lambda: np.zeros(BUCKETS, np.uint64))
    counts: np.ndarray[Any, Any] = field(default_factory=lambda: np.zeros(BUCKETS, np.int64))
    unlike: bool = False
    read: int = 0
    #: Of the rows, by column: NULLs that are filled, and JSON with a number that JSON.parse rounds.
    filled: Counter[str] = field(default_factory=Counter)
    rounded: Counter[str] = field(default_factory=Counter)

    #: Where the keys and digests themselves go, too.
    pairs: PairWriter | None = None

    def add(self, ids: np.ndarray[Any, Any], buckets: np.ndarray[Any, Any], digests: Numbers) -> None:
        """Adds some rows: their keys as 16 bytes, the bucket of each, and its number."""
        if self.pairs is not None:
            self.pairs.add(ids, digests)
        np.add.at(self.digests, buckets, digests)
        self.counts += np.bincount(buckets, minlength=BUCKETS)

    def close(self) -> None:
        """Ends the writing of keys and digests."""
        if self.pairs is not None:
            self.pairs.close()

    def differing(self, other: Sums) -> np.ndarray[Any, Any]:
        """A boolean for each bucket: whether the two sides differ there."""
        if self.unlike or other.unlike:
            return np.ones(BUCKETS, np.bool_)
        return np.asarray((self.digests != other.digests) | (self.counts != other.counts))
