"""Mixes the two words of a key."""

from __future__ import annotations

from typing import Any

import numpy as np

#: Anything that NumPy holds.
Array = np.ndarray[Any, Any]
#: Numbers of 64 bits.
Numbers = np.ndarray[Any, np.dtype[np.uint64]]


def mixed(numbers: Numbers) -> Numbers:
    """Each number mixed to one that depends on all of its bits (the finalizer of SplitMix64)."""
    mixing = numbers >> np.uint64(30)
    mixing ^= numbers
    mixing *= np.uint64(0xBF58476D1CE4E5B9)
    mixing ^= mixing >> np.uint64(27)
    mixing *= np.uint64(0x94D049BB133111EB)
    mixing ^= mixing >> np.uint64(31)
    return mixing
