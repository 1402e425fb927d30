"""Starts and stops the server: one for a folder, on free ports, with its key in a file that only the owner can read."""

from __future__ import annotations

import errno
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import uvicorn

from supavex import files
from supavex.deployment import dashboard
from supavex.deployment.deployment import Deployment
from supavex.deployment.functions.outgoing import allowed_host
from supavex.deployment.server.app import make_app
from supavex.deployment.server.connections import MAX_CONNECTIONS, HttpConnection, WebSocketConnection, allow_files
from supavex.deployment.server.host import Addresses, Host
from supavex.deployment.server.security import admin_key
from supavex.errors import SupavexError, UsageError
from supavex.files import PRIVATE_FILES, PRIVATE_FOLDERS, close_to_others

DEPLOYMENT_FILE = "deployment.sqlite3"
_NAME = "supavex-local"
_MAX_MESSAGE_BYTES = 16 << 20


@dataclass(frozen=True, slots=True)
class ServeOptions:
    """The folder of the deployment, and where the server listens. Port 0 means any free port."""

    folder: Path
    host: str = "127.0.0.1"
    port: int = 3210
    site_port: int = 3211
    #: The hosts from which actions, and the reader of auth.config.ts's keys, may fetch; ``*`` is any.
    fetch_hosts: frozenset[str] = frozenset()


def data_folder(folder: Path, *, ignored: bool) -> Path:
    """Makes the folder of a deployment. ``ignored``: add a .gitignore. Raises if nothing can be written there."""
    folder = folder.resolve()
    try:
        files.chosen_folder(folder)
        if ignored and not os.path.lexists(folder / ".gitignore"):
            files.write_whole(folder / ".gitignore", "*\n")
    except OSError as error:
        hint = "Choose another folder with --data."
        raise UsageError("CannotWrite", f"{error.strerror}.", where=str(folder), hint=hint) from None
    return folder


def held(folder: Path) -> AbstractContextManager[None]:
    """Holds ``folder`` against a second server. Raises if another server has it."""

    def busy(holder: str) -> SupavexError:
        return UsageError(
            "DeploymentServed",
            f"another server has this deployment{f' (process {holder})' if holder else ''}.",
            where=str(folder),
            hint="Stop it, or serve another folder with --data.",
        )

    return files.held(folder / "serve.lock", busy)


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio disables the delay of small packets only for sockets that are marked as TCP.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        if isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL:
            raise UsageError(
                "UnknownHost", f"{host} is not an address of this machine.", hint="Try 127.0.0.1."
            ) from None
        hint = "Choose another with --port and --site-port; 0 takes any that is free."
        raise UsageError("PortTaken", f"port {port} can't be used: {error.strerror}.", where=host, hint=hint) from None
    listener.listen(128)
    return listener


def _own_names(host: str) -> set[str]:
    """The names and addresses of this machine for others, if the server listens on more than the local interface."""
    if host in ("127.0.0.1", "localhost", "::1"):
        return set()
    name = socket.gethostname()
    names = {name, socket.getfqdn()}
    with suppress(OSError):  # The machine's own name may not resolve.
        names |= {str(found[4][0]) for found in socket.getaddrinfo(name, None)}
    return names


def serve(settings: ServeOptions, say: Callable[[Host], None]) -> None:
    """Serves until the process is told to stop. ``say`` is called once, when the ports listen."""
    for name in settings.fetch_hosts - {"*"}:
        allowed_host(name)  # This raises an error for a name that is not a host.
    allow_files(2 * MAX_CONNECTIONS + 256)
    with held(settings.folder):
        close_to_others(settings.folder, PRIVATE_FILES, PRIVATE_FOLDERS)
        listener = _listen(settings.host, settings.port)
        site = _listen(settings.host, settings.site_port)
        try:
            # A server on all addresses is reached on this machine by the loopback address.
            reached = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.host, settings.host)
            shown = f"[{reached}]" if ":" in reached else reached
            port, site_port = listener.getsockname()[1], site.getsockname()[1]
            addresses = Addresses(f"http://{shown}:{port}", f"http://{shown}:{site_port}")
            with Deployment(settings.folder / DEPLOYMENT_FILE) as deployment:
                names = {"127.0.0.1", "localhost", "::1", settings.host, *_own_names(settings.host)}
                key = admin_key(settings.folder, _NAME)
                named = (frozenset(names), _NAME, site_port)
                host = Host(deployment, settings.folder, key, addresses, *named, fetch_hosts=settings.fetch_hosts)
                server = _server(host)
                with _told_to_stop(server):
                    say(host)
                    server.run([listener, site])
        finally:
            listener.close()
            site.close()


def _server(host: Host) -> _Server:
    config = uvicorn.Config(
        make_app(host, dashboard.routes(host)),
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=True,
        http=HttpConnection,
        ws=WebSocketConnection,
        ws_max_size=_MAX_MESSAGE_BYTES,
        # As with Convex's own server: between programs of one machine, compression takes longer than it saves.
        ws_per_message_deflate=False,
        ws_ping_interval=5,
        timeout_graceful_shutdown=5,
        h11_max_incomplete_event_size=64 << 10,
    )
    return _Server(config, host)


@contextmanager
def _told_to_stop(server: _Server) -> Iterator[None]:
    """Tells the server to stop when a signal arrives.

    An exception in its place could be raised in a finalizer, for example, where it would be lost and the server would
    continue.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, server.handle_exit) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class _Server(uvicorn.Server):
    """Wakes waiting requests of the host when it stops, so that no long poll delays it."""

    def __init__(self, config: uvicorn.Config, host: Host) -> None:
        super().__init__(config)
        self._host = host

    def handle_exit(self, sig: int, frame: object) -> None:
        self._host.begin_to_stop()
        super().handle_exit(sig, frame)  # type: ignore[arg-type]
