"""``useQuery`` and its like of convex/react, in Chromium."""

from __future__ import annotations

import http.server
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser

from ..node import NODE_MODULES
from .interface import Client

PAGE = Path(__file__).parent / "page.jsx"


@contextmanager
def page_server(folder: Path, page: Path = PAGE) -> Iterator[str]:
    """Bundles a page into ``folder`` and serves it; its address."""
    command = [
        str(NODE_MODULES / ".bin/esbuild"), str(page), "--bundle", "--format=esm", "--jsx=automatic",
        "--define:process.env.NODE_ENV='production'", "--log-level=warning", f"--outfile={folder / 'page.js'}",
    ]  # fmt: skip
    subprocess.run(command, check=True, timeout=180)
    (folder / "index.html").write_text(
        '<!doctype html><meta charset="utf-8"><title>App</title><link rel="icon" href="data:,">'
        '<div id="root"></div><script type="module" src="page.js"></script>'
    )

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, format: str, *arguments: Any) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder))) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()
            thread.join()


class ReactClient(Client):
    name = "React"

    def __init__(self, browser: Browser, address: str, url: str) -> None:
        super().__init__()
        self._context = browser.new_context()
        self.page = self._context.new_page()
        self.complaints: list[str] = []
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.goto(f"{address}?url={url}")
        self.page.wait_for_function("() => window.ask !== undefined")

    def send(self, message: dict[str, Any]) -> None:
        self.page.evaluate("message => window.ask(message)", message)

    def received(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.page.evaluate("() => window.told.splice(0)")
        if not found:
            self.page.wait_for_timeout(20)
        return found

    def close(self) -> None:
        self._context.close()
        assert self.complaints == []
