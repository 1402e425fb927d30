"""One run at a time writes into a project's migration folder, from its first file to its last.

What a run has asked about must be what it imports, and what it keeps must be of its own import.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path

from supavex.errors import SupavexError
from supavex.files import held


def locked(folder: Path) -> AbstractContextManager[None]:
    """Holds the lock of ``folder``, which is made, until the block ends. Raises at once where another run has it."""

    def busy(_holder: str) -> SupavexError:
        return SupavexError(
            "MigrationRunning",
            "another migration or rollback of this project is running, or waits for an answer.",
            where=str(folder),
            hint="Let it end, or stop it. To migrate into several deployments at once, give each a --config FILE.",
            exit_code=2,
            retryable=True,
        )

    return held(folder / "lock", busy)
