"""Keys that a reference may not name, and the new ids of an id file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from supavex.migrate.keys.sets import KeySet


@dataclass(frozen=True, slots=True)
class ForbiddenKeys:
    """Keys that references may not name, and the reason for rejecting a row that names one."""

    keys: KeySet
    code: str
    reason: str
    fix: str

    def among(self, keys: np.ndarray[Any, Any]) -> np.ndarray[Any, np.dtype[np.bool_]]:
        """Which of n rows of key bytes are forbidden, as booleans."""
        return ~self.keys.lacks(keys)

    def forbids(self, *, known: bool) -> bool:
        """Whether a key is forbidden. ``known``: whether it is in ``keys``."""
        return known


@dataclass(frozen=True, slots=True)
class AllowedKeys(ForbiddenKeys):
    """The only keys that references may name. All others are forbidden."""

    def among(self, keys: np.ndarray[Any, Any]) -> np.ndarray[Any, np.dtype[np.bool_]]:
        """Which of n rows of key bytes are forbidden, as booleans."""
        return self.keys.lacks(keys)

    def forbids(self, *, known: bool) -> bool:
        """Whether a key is forbidden. ``known``: whether it is in ``keys``."""
        return not known


@dataclass(frozen=True, slots=True)
class Lookup:
    """Old key texts, and their replacements in the same order. They need not be sorted."""

    keys: pa.Array
    values: pa.Array

    @classmethod
    def of(cls, mapping: Mapping[str, str]) -> Lookup:
        """The lookup of a mapping from old to new."""
        return cls(pa.array(list(mapping), pa.string()), pa.array(list(mapping.values()), pa.string()))
