"""A deployment that is compared with another one, and what must differ between two runs of the same steps."""

from __future__ import annotations

import json
import os
import re
import time
import urllib.error
import urllib.request
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

from supavex.convex.ids import InvalidId, decode_id
from supavex.convex_cli.cli import OfficialCli, official_cli
from supavex.convex_cli.targets import KEY_VARIABLE, OTHER_VARIABLES, URL_VARIABLE
from tests.official.clients.interface import Client

DATABASE_VARIABLE = "SUPABASE_DB_URL"
#: What differs from run to run, and what takes its place.
VARIES = [
    (r"\x1b\[[0-9;?]*[A-Za-z]", ""),
    (r"\d{4}-\d\d-\d\dT[\d:.]+Z", "TIME"),
    (r"before-\d{8}T\d{6}Z", "before-TIME"),
    (r"\d\d:\d\d:\d\d (Convex functions ready!) \([^)]*\)", r"TIME \1"),
    (r"(?m)^- .*$", ""),  # the CLI's spinner: which of its lines are seen is a matter of speed
    (r"(?m)^(copied|verified) public\..*$", ""),  # progress in the source; the table beneath has the rows
    (r"at timestamp \d+", "at timestamp TIME"),
    (r"(\d+ min )?\b\d+(\.\d+)? ?m?s\b", "SECONDS"),
    (r"SECONDS,? +[\d,.]+( rows/s)?(?!\S)", "SECONDS"),
    (r"\(moment [\w.-]+\)", "(moment)"),
    (r"\[Request ID: \w+\]", "[Request ID]"),
    (r"[─ \t]+", " "),
]
_ID = re.compile(r"\b[0-9a-hjkmnp-tv-z]{31,37}\b")
_MOMENT = re.compile(r"\b1\d{12}(?:\.\d+)?\b")


class StepFailed(Exception):
    """A step did not end as it has to; what it said."""


def ask(url: str, body: Any = None, key: str = "") -> tuple[int, str]:
    """Status and text of an answer; a POST where there is a body. ``key``: the admin's, where it is to be sent."""
    headers = {"Content-Type": "application/json", **({"Authorization": f"Convex {key}"} if key else {})}
    data = None if body is None else json.dumps(body).encode()
    try:
        with urllib.request.urlopen(urllib.request.Request(url, data, headers), timeout=180) as answer:
            return answer.status, answer.read().decode(errors="replace")
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode(errors="replace")


@dataclass
class Side:
    """One of the two deployments, with a copy of the project of its own."""

    name: str
    url: str
    key: str = field(repr=False)
    project: Path
    source: str
    client: Client
    started: float
    #: Tables by their numbers, and the documents of the last export by table.
    tables: dict[int, str] = field(default_factory=dict)
    documents: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    #: The 16 bytes of each migrated document's id; supavex computes them from the row's key.
    migrated: set[bytes] = field(default_factory=set)

    @contextmanager
    def environment(self) -> Iterator[None]:
        """The environment in which supavex and the official CLI know this deployment and no other."""
        own = {KEY_VARIABLE: self.key, DATABASE_VARIABLE: self.source, "CI": "1", "NO_COLOR": "1"}
        with mock.patch.dict(os.environ, own):
            for name in (URL_VARIABLE, *OTHER_VARIABLES):
                os.environ.pop(name, None)
            yield

    def cli(self) -> OfficialCli:
        """The official CLI in the project's folder."""
        return official_cli(self.project / "convex", self.url)

    def ask(self, path: str, body: Any = None, user: dict[str, str] | None = None) -> tuple[int, str]:
        """What the deployment answers its admin. ``user``: who the admin acts as."""
        acting = ":" + b64encode(json.dumps(user).encode()).decode() if user else ""
        return ask(self.url + path, body, self.key + acting)

    def still(self, text: str) -> str:
        """``text`` without what must differ between two deployments and two runs."""
        for found, word in ((self.key, "KEY"), (self.url, "URL"), (str(self.project), "PROJECT")):
            text = text.replace(found, word)
        text = _MOMENT.sub(lambda match: self._moment(match[0]), _ID.sub(lambda match: self._id(match[0]), text))
        for pattern, word in VARIES:
            text = re.sub(pattern, word, text)
        return "\n".join(line.strip() for line in text.splitlines() if line.strip())

    def _id(self, text: str) -> str:
        try:
            number, internal = decode_id(text)
        except InvalidId:
            return text
        table = self.tables.get(number, "unknown table")
        return f"<{table} {internal.hex() if internal in self.migrated else 'new'}>"

    def _moment(self, text: str) -> str:
        return "TIME" if self.started <= float(text) / 1000 <= time.time() + 60 else text
