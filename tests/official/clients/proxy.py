"""A way to a server that can be cut, and held up."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress


class Proxy:
    """Passes TCP connections on to ``port`` of this machine; a context manager."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        #: Set: what the server sends gets through. Clear: it is lost with the connection.
        self.answers = threading.Event()
        self.answers.set()
        #: Set: new connections are made.
        self.passable = threading.Event()
        self.passable.set()
        self.connections = self.refused = 0

    def __enter__(self) -> Proxy:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *details: object) -> None:
        self.answers.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()

    def cut(self) -> None:
        """Ends every connection, as a network that is gone does."""
        with self._lock:
            gone, self._open = self._open, set()
        for each in gone:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            try:
                if not self.passable.is_set():
                    raise OSError
                server = socket.create_connection(("127.0.0.1", self._port), timeout=5)
                server.settimeout(None)
            except OSError:
                client.close()
                self.refused += 1
                continue
            self.connections += 1
            with self._lock:
                self._open |= {client, server}
            threading.Thread(target=self._pump, args=(client, server, None), daemon=True).start()
            threading.Thread(target=self._pump, args=(server, client, self.answers), daemon=True).start()

    def _pump(self, source: socket.socket, target: socket.socket, gate: threading.Event | None) -> None:
        with suppress(OSError):
            while data := source.recv(1 << 16):
                if gate is not None:
                    gate.wait(60)
                target.sendall(data)
        with suppress(OSError):
            target.shutdown(socket.SHUT_RDWR)
