"""A deployment: its database, the app's functions on it, and the loading of archives."""

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
    """A deployment in the SQLite file ``path``, which is created if it is missing. A context manager.

    Every method that writes is one transaction. Errors have Convex's codes. Without ``durable``, commits do not wait
    for the disk. That suits tests, whose file is not needed after a power failure.
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
        """The pushed functions of the app; see :mod:`supavex.deployment.functions`."""
        # One object for all threads: two would take each other's commits for those of another process.
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
        """Runs one of the app's functions, public or internal: ``run("articles:list", {"slug": "a"})``. Returns its
        result.

        Values are Python's: float for ``v.number()``, int for ``v.int64()``, str, bool, None, bytes, list, dict. An int
        is converted to a float if the function's validator asks for one, or if it has none. ``user`` is the result of
        ``ctx.auth.getUserIdentity()``: ``issuer`` and ``subject``, and any other claims. Raises
        :class:`~supavex.deployment.functions.in_process.FunctionFailed` if the function throws.
        """
        from supavex.deployment.functions.in_process import run_now

        if self.store.connection.in_transaction:
            hint = "Run functions outside of `with deployment.transaction()`."
            raise UsageError("InTransaction", "a function has a transaction of its own.", hint=hint)
        return run_now(self.functions, path, dict(args or {}), user)

    def run_scheduled(self, *, until: float | None = None) -> int:
        """Runs the scheduled functions that are due, and those that they schedule in turn. Returns their number.

        ``until``: seconds since 1970; by default now. Without a server, a deployment runs nothing by itself.
        """
        from supavex.deployment.functions.in_process import run_scheduled

        return run_scheduled(self.functions, until)

    def advance(self, seconds: float) -> int:
        """Sets the deployment's clock forward, and runs in order what becomes due. Returns the number of runs.

        Scheduled functions and cron jobs each run at their own time: ``Date.now()`` in queries and mutations, and
        ``_creationTime``, follow the deployment's clock. Actions see the machine's clock. Without a server, a
        deployment runs nothing by itself.
        """
        from supavex.deployment.functions.in_process import advance

        return advance(self.functions, seconds)

    def set_environment(self, variables: Mapping[str, str | None]) -> None:
        """Sets environment variables of the functions; None removes one. Raises for names and values that Convex
        refuses.
        """
        from supavex.deployment.functions.modules import change_variables

        change_variables(self.store, [{"name": name, "value": value} for name, value in variables.items()])

    def load(self, archive: Path) -> dict[str, int]:
        """Replaces tables by those of a snapshot archive. Returns the number of documents by table.

        The archive is one of ``supavex migrate --out`` or ``npx convex export``. Its ids and creation times are kept,
        and each document is checked against the schema. Either all tables are loaded or none. Stored files are left
        out.
        """
        from supavex.convex.snapshot import SnapshotArchive
        from supavex.deployment.transfer.importing import import_snapshot

        with SnapshotArchive(archive) as opened:
            return dict(import_snapshot(self, opened, "replace").written)
