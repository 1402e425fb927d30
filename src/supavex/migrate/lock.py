"""One run at a time writes into a project's migration folder, from its first file to its last.

What a run has asked about must be what it imports, and what it keeps must be of its own import. The lock is the
operating system's: it ends with the process, however that ends.
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from supavex.errors import SupavexError


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Holds the lock of ``folder``, which is made, until the block ends. Raises at once where another run has it."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise SupavexError(
                "MigrationRunning",
                "another migration or rollback of this project is running, or waits for an answer.",
                where=str(folder),
                hint="Let it end, or stop it. To migrate into several deployments at once, give each a --config FILE.",
                retryable=True,
            ) from None
        yield
