"""A lock of a project's migration folder, which one run holds from its first file to its last.

With it, a run imports what the user has confirmed, and keeps only the files of its own import.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path

from supavex.errors import SupavexError
from supavex.files import held


def locked(folder: Path) -> AbstractContextManager[None]:
    """Holds the lock of ``folder`` until the block ends. The folder is created. Raises at once if another run holds the
    lock.
    """

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
