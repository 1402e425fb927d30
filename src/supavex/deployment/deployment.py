"""A deployment: its database, the app's functions over it, and the loading of archives into it."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from supavex.convex.values import Value
from supavex.deployment.database.database import Database
from supavex.errors import UsageError

if TYPE_CHECKING:
    from supavex.deployment.functions.functions import Functions


class Deployment(Database):
    """A deployment in the SQLite file ``path``, made where it is missing. A context manager.

    Every method that writes is one transaction. Errors carry Convex's codes. Without ``durable`` a commit does not wait
    for the disk: for tests, whose file is of no use after a power failure.
    """

    def __init__(self, path: Path, *, durable: bool = True) -> None:
        super().__init__(path, durable=durable)
        self._functions: Functions | None = None
        self._making = threading.Lock()

    def __exit__(self, *details: object) -> None:
        if self._functions is not None:
            self._functions.close()
        super().__exit__(*details)

    @property
    def functions(self) -> Functions:
        """The app's functions that were pushed; see :mod:`supavex.deployment.functions`."""
        # One for all threads: two would take each other's commits for those of another process.
        with self._making:
            if self._functions is None:
                # Deno is an extra.
                from supavex.deployment.functions.functions import Functions
                from supavex.deployment.runtime.runner import shared_runners

                self._functions = Functions(self.path, runners=shared_runners(), durable=self.durable)
            return self._functions

    def run(
        self, path: str, args: Mapping[str, Value] | None = None, *, user: Mapping[str, Value] | None = None
    ) -> Value:
        """Runs one of the app's functions, an internal one too: ``run("articles:list", {"slug": "a"})``; its result.

        Values are Python's: float for ``v.number()``, int for ``v.int64()``, str, bool, None, bytes, list, dict. An int
        is taken as a float where the function's validator asks for one, or has none. ``user`` is what
        ``ctx.auth.getUserIdentity()`` is to give: ``issuer`` and ``subject``, and any other claims. Raises
        :class:`~supavex.deployment.functions.in_process.FunctionFailed` where the function throws.
        """
        from supavex.deployment.functions.in_process import run_now

        if self.store.connection.in_transaction:
            hint = "Run functions outside of `with deployment.transaction()`."
            raise UsageError("InTransaction", "a function has a transaction of its own.", hint=hint)
        return run_now(self.functions, path, dict(args or {}), user)

    def run_scheduled(self, *, until: float | None = None) -> int:
        """Runs the scheduled functions that are due, and those that they schedule in turn; how many.

        ``until``: seconds since 1970; by default now. Nothing runs by itself in a deployment that is not served.
        """
        from supavex.deployment.functions.in_process import run_scheduled

        return run_scheduled(self.functions, until)

    def advance(self, seconds: float) -> int:
        """Turns the deployment's clock forward, and runs what is due on the way, in its order; how many runs.

        Scheduled functions and cron jobs each run at their own moment: ``Date.now()`` in queries and mutations, and
        ``_creationTime``, are the turned clock's. Actions see the machine's own. Nothing runs by itself in a deployment
        that is not served.
        """
        from supavex.deployment.functions.in_process import advance

        return advance(self.functions, seconds)

    def set_environment(self, variables: Mapping[str, str | None]) -> None:
        """Sets environment variables of the functions; None removes one. Raises for names and values Convex refuses."""
        from supavex.deployment.functions.modules import change_variables

        change_variables(self.store, [{"name": name, "value": value} for name, value in variables.items()])

    def load(self, archive: Path) -> dict[str, int]:
        """Puts the tables of a snapshot archive in the place of those that are there; documents by table.

        The archive is what ``supavex migrate --out`` or ``npx convex export`` writes. Its ids and creation times are
        kept, each document is held against the schema, and it is all or nothing. Stored files are left out.
        """
        from supavex.convex.snapshot import SnapshotArchive
        from supavex.deployment.transfer.importing import import_snapshot

        with SnapshotArchive(archive) as opened:
            return dict(import_snapshot(self, opened, "replace").written)
