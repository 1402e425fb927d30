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
    """The sums of one side's digests."""

    #: The sum of each bucket.
    digests: Numbers = field(default_factory=lambda: np.zeros(BUCKETS, np.uint64))
    #: The number of digests in each bucket.
    counts: np.ndarray[Any, Any] = field(default_factory=lambda: np.zeros(BUCKETS, np.int64))
    #: Whether a row or document could not be read.
    unlike: bool = False
    #: The rows or documents so far, including those that are not added.
    read: int = 0
    #: For rows, by column: NULLs that are filled.
    filled: Counter[str] = field(default_factory=Counter)
    #: For rows, by column: JSON with a number that JSON.parse rounds.
    rounded: Counter[str] = field(default_factory=Counter)

    #: Also writes the single keys and digests.
    pairs: PairWriter | None = None

    def add(self, ids: np.ndarray[Any, Any], buckets: np.ndarray[Any, Any], digests: Numbers) -> None:
        """Adds some rows: their keys as 16 bytes, the bucket of each, and its digest."""
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
