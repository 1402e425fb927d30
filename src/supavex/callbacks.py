"""The callbacks with which long calls report their progress."""

from __future__ import annotations

from collections.abc import Callable

#: Called with a line about the present work.
Log = Callable[[str], object]
#: Called with the present item (a table, for example), how much of it is done, and its size (0 if unknown).
Progress = Callable[[str, int, int], None]
#: As :data:`Progress`, with the step as the first argument: ``copied``, ``verified``.
StepProgress = Callable[[str, str, int, int], None]
#: Called with a table, and the number of its rows or documents that are done.
RowProgress = Callable[[str, int], None]
