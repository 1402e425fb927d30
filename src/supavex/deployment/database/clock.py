"""The time of a deployment: the machine's, and as far ahead of it as somebody has turned it."""

from __future__ import annotations

import time


class Clock:
    """A clock that can be turned forward. Its time never goes back."""

    def __init__(self) -> None:
        self._ahead = 0

    def ns(self) -> int:
        """Nanoseconds since 1970."""
        return time.time_ns() + self._ahead

    def now(self) -> float:
        """Seconds since 1970."""
        return self.ns() / 1e9

    def turn_to(self, seconds: float) -> None:
        """Turns it to a moment (seconds since 1970), unless that is past."""
        self._ahead += max(0, round(seconds * 1e9) - self.ns())
