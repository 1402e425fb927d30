"""Chromium, started for tests. See install.sh."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, sync_playwright


def _program() -> str | None:
    """Chromium's program; None for the one that Playwright has installed for itself."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        path = shutil.which(name)
        if path and subprocess.run([path, "--version"], capture_output=True, check=False).returncode == 0:
            return path
    return None


@contextmanager
def chromium() -> Iterator[Browser]:
    """A browser. While it is there, an event loop runs in this thread: no other one can."""
    arguments = ["--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync"]
    if os.geteuid() == 0:
        arguments.append("--no-sandbox")
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=_program(), args=arguments)
        yield launched
        launched.close()
