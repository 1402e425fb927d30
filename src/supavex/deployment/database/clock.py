"""The time of a deployment: the machine's time plus an offset."""

from __future__ import annotations

import time


class Clock:
    """A clock that can be set forward. Its time never goes back."""

    def __init__(self) -> None:
        self._ahead = 0

    def ns(self) -> int:
        """Nanoseconds since 1970."""
        return time.time_ns() + self._ahead

    def now(self) -> float:
        """Seconds since 1970."""
        return self.ns() / 1e9

    def turn_to(self, seconds: float) -> None:
        """Sets the clock forward to a time (seconds since 1970). An earlier time is ignored."""
        self._ahead += max(0, round(seconds * 1e9) - self.ns())
