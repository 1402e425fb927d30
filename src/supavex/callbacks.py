"""What a long call tells its caller while it works."""

from __future__ import annotations

from collections.abc import Callable

#: Called with a line that tells what is being done.
Log = Callable[[str], object]
#: Called with what is worked on (a table, say), how much of it is done, and how much there is (0: not known).
Progress = Callable[[str, int, int], None]
#: As :data:`Progress`, with the step before them: ``copied``, ``verified``.
StepProgress = Callable[[str, str, int, int], None]
#: Called with a table, and how many of its rows or documents are done.
RowProgress = Callable[[str, int], None]
