"""The shared state of the routes: the deployment, for one thread at a time, and a signal for waiting requests."""

from __future__ import annotations

import asyncio
import hashlib
import json
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from supavex.deployment.database.engine import Snapshot
from supavex.deployment.deployment import Deployment
from supavex.deployment.functions.call import Call
from supavex.deployment.functions.functions import Functions
from supavex.deployment.functions.identity import Identity
from supavex.deployment.functions.live import LiveQueries, QueryKey, query_key
from supavex.deployment.functions.outcome import Outcome
from supavex.deployment.functions.scheduler import Scheduler
from supavex.deployment.functions.syscalls import Addresses, Services
from supavex.deployment.functions.tokens import Tokens
from supavex.deployment.server.bodies import Bodies
from supavex.deployment.server.log import Log, entry_of
from supavex.deployment.server.timestamps import ReadableSnapshots

__all__ = ["Addresses", "Host"]

T = TypeVar("T")
#: The most calls that run or wait at the same time.
_CALLS = 64
#: The most actions at the same time. Each holds a process, perhaps for minutes. Queries and mutations don't wait for
#: them.
_ACTIONS = 16
_STORAGE_TOKEN_SECONDS = 3600


@dataclass(frozen=True, slots=True)
class _Opened:
    """The parts that a host opens at their first use."""

    functions: Functions
    live: LiveQueries
    snapshots: ReadableSnapshots
    scheduler: Scheduler


@dataclass
class Host:
    """A served deployment."""

    #: The deployment, with one connection to its file. See :meth:`run`.
    deployment: Deployment
    #: The folder with the deployment's file, uploads and stored files.
    folder: Path
    #: The key that the CLI and the dashboard have to send.
    admin_key: str
    #: The addresses under which clients reach the server.
    addresses: Addresses
    #: The names by which a request may call this server; see :mod:`supavex.deployment.server.security`.
    names: frozenset[str] = frozenset({"127.0.0.1", "localhost", "::1"})
    #: The deployment's name, for the CLI and for the names of exports.
    name: str = "supavex-local"
    #: The port where HTTP actions answer.
    site_port: int = 0
    #: The entries of `convex logs`.
    log: Log = field(default_factory=Log)
    #: The progress of imports, by id.
    progress: dict[str, dict[str, Any]] = field(default_factory=dict)
    #: Whether the server is stopping.
    closing: bool = False
    #: Seconds without a message after which the server sends a ``Ping`` to a session.
    silence_seconds: float = 15.0
    #: A counter of changes; see :meth:`change`.
    changes: int = 0
    #: Gives :attr:`deployment` to one thread at a time.
    _lock: threading.Lock = field(default_factory=threading.Lock)
    #: The hosts from which actions, and the reader of auth.config.ts's keys, may fetch.
    fetch_hosts: frozenset[str] = frozenset()
    #: The event that the present waiters of :meth:`change` wait for. Each change replaces it.
    _changed: asyncio.Event = field(default_factory=asyncio.Event)
    #: The server's event loop, from :meth:`start` to :meth:`stop`.
    _loop: asyncio.AbstractEventLoop | None = None
    #: The threads for queries and mutations.
    _pool: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(_CALLS, "supavex-call"))
    #: The threads for actions and HTTP actions.
    _acting: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(_ACTIONS, "supavex-act"))
    #: The last result of :meth:`timestamp`.
    _timestamp: int = 0
    #: SQLite's ``data_version`` at the last look at the file; -1 before the first.
    _data_version: int = -1
    #: The running queries of subscriptions, by identity and timestamp.
    _queries: dict[tuple[QueryKey, int], asyncio.Future[Outcome]] = field(default_factory=dict)
    #: The parts that are opened at their first use; None before.
    _opened: _Opened | None = None
    #: Lets one thread open them.
    _opening: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        #: Reads the bodies of requests.
        self.bodies = Bodies(self.folder)
        #: Verifies users' tokens. An app that issues tokens itself, as with Convex Auth, has its keys at its own site.
        self.tokens = Tokens(self.fetch_hosts | {urlsplit(self.addresses.site).netloc})

    async def run(self, function: Callable[[Deployment], T]) -> T:
        """Calls ``function`` with the deployment, in another thread, one call at a time."""
        return await asyncio.to_thread(self.run_now, function)

    def run_now(self, function: Callable[[Deployment], T]) -> T:
        """Calls ``function`` with the deployment in this thread, one call at a time."""
        with self._lock:
            return function(self.deployment)

    def timestamp(self) -> int:
        """Nanoseconds since 1970, greater than every earlier result."""
        self._timestamp = max(time.time_ns(), self._timestamp + 1)
        return self._timestamp

    # Functions

    def _parts(self) -> _Opened:
        # Routes and calls use other threads. There is only one engine, because two would take each other's commits for
        # those of another process.
        with self._opening:
            if self._opened is None:
                services = Services(self.addresses, self.upload_url, self.fetch_hosts)
                functions = Functions(self.deployment.path, services)
                functions.engine.listeners.append(lambda commit: self._in_loop(self.wake))
                functions.listeners.append(lambda outcome: self._in_loop(partial(self.log.add, entry_of(outcome))))
                snapshots, scheduler = ReadableSnapshots(functions.engine), Scheduler(functions)
                self._opened = _Opened(functions, LiveQueries(functions), snapshots, scheduler)
            return self._opened

    @property
    def functions(self) -> Functions:
        """The app's functions, on the deployment's file."""
        return self._parts().functions

    @property
    def live(self) -> LiveQueries:
        """The results that subscriptions share."""
        return self._parts().live

    @property
    def readable_snapshots(self) -> ReadableSnapshots:
        """The snapshots that clients read at."""
        return self._parts().snapshots

    @property
    def scheduler(self) -> Scheduler:
        """Runs scheduled functions when they are due."""
        return self._parts().scheduler

    def start(self) -> None:
        """Starts the scheduler, and prepares a process. Call it in the event loop."""
        self._loop = asyncio.get_running_loop()
        self.scheduler.start()
        self.warm()

    def warm(self) -> None:
        """Prepares a process for the pushed functions."""
        threading.Thread(target=self._warmed, name="supavex-warm", daemon=True).start()

    def _warmed(self) -> None:
        with suppress(Exception):  # A failure here costs only speed.
            self.functions.warm()

    def begin_to_stop(self) -> None:
        """Announces that the server is to stop: long polls and waiting actions end. Call it in any thread."""
        self.closing = True
        if self._opened is not None:
            self._in_loop(self._opened.functions.abort)
        self._in_loop(self.wake)

    def stop(self) -> None:
        """Ends what :meth:`start` has begun."""
        self._loop = None
        if (opened := self._opened) is not None:
            opened.functions.abort()
            opened.scheduler.close()
            for pool in (self._pool, self._acting):
                pool.shutdown(cancel_futures=True)
            opened.snapshots.let_go(everything=True)
            opened.functions.close()

    async def call(self, function: Callable[[Call], T], call: Call, *, acting: bool = False) -> T:
        """Calls ``function``, which runs one of the app's functions, in a thread. ``acting``: it may take minutes."""
        pool = self._acting if acting else self._pool
        return await asyncio.get_running_loop().run_in_executor(pool, function, call)

    async def snapshot(self, stack: ExitStack) -> Snapshot:
        """The present snapshot, until ``stack`` ends."""
        engine = self.functions.engine
        snapshot = engine.enter_at_once(stack)
        if snapshot is not None:
            return snapshot
        return await asyncio.to_thread(stack.enter_context, engine.snapshot())

    async def outcome(self, call: Call, arguments: str, snapshot: Snapshot) -> Outcome:
        """A query's outcome at ``snapshot``. Concurrent requests share one run of it.

        ``arguments``: in the form of :func:`~supavex.deployment.functions.live.arguments_text`.
        """
        known = self.live.known(call, arguments, snapshot.ts)
        if known is not None:
            return known
        place = query_key(call, arguments, who=True), snapshot.ts
        running = self._queries.get(place)
        if running is None:
            stack = ExitStack()
            stack.enter_context(self.functions.engine.held(snapshot))
            running = asyncio.ensure_future(self.call(lambda c: self.live.outcome(c, snapshot, arguments), call))
            self._queries[place] = running

            def ended(_: object) -> None:
                del self._queries[place]
                stack.close()

            running.add_done_callback(ended)
        return await asyncio.shield(running)

    async def act(self, function: Callable[[], T]) -> T:
        """Calls ``function``, which runs an HTTP action, in a thread."""
        return await asyncio.get_running_loop().run_in_executor(self._acting, function)

    def user(self, token: str) -> Identity:
        """The bearer of a user's token. Raises if the token is invalid."""
        providers = json.loads(self.run_now(lambda d: d.store.meta("auth")) or "[]")
        return self.tokens.identity(token, providers)

    def upload_url(self, component: int = 0) -> str:
        """An address for uploads into the app, or into a component, which is valid for an hour."""
        until = int(time.time()) + _STORAGE_TOKEN_SECONDS
        return f"{self.addresses.cloud}/api/storage/upload?token={self.upload_token(until, component)}"

    def upload_token(self, until: int, component: int) -> str:
        """The token of an address that is valid until a time in seconds since 1970."""
        digest = hashlib.sha256(f"{self.admin_key} storage {until} {component}".encode()).hexdigest()
        return f"{until}-{component}-{digest}"

    def _in_loop(self, job: Callable[[], None]) -> None:
        loop = self._loop
        if loop is not None:
            with suppress(RuntimeError):  # The loop has ended.
                loop.call_soon_threadsafe(job)

    def changed(self) -> None:
        """Announces a change, perhaps of the deployment's file. Call it in the event loop."""
        if self._opened is not None:
            self._opened.functions.engine.notice()
        self.wake()

    def wake(self) -> None:
        """Wakes all waiters for a change. Call it in the event loop."""
        self.changes += 1
        event, self._changed = self._changed, asyncio.Event()
        event.set()

    async def change(self, seen: int, seconds: float) -> None:
        """Waits until :attr:`changes` differs from ``seen``, for at most ``seconds``."""
        if self.changes == seen:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), seconds)

    async def watch_file(self) -> None:
        """Announces changes of the deployment's file by other processes, until it is cancelled.

        It also releases snapshots whose time is over.
        """
        while True:
            (version,) = await self.run(lambda d: d.store.connection.execute("PRAGMA data_version").fetchone())
            if version != self._data_version:
                self._data_version = version
                self.changed()
            if self._opened is not None:
                self._opened.snapshots.let_go()
            await asyncio.sleep(0.25)
