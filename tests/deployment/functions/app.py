"""A deployment with the app pushed, as the tests of one behaviour call it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from supavex.convex.values import from_internal_json, to_internal_json
from supavex.deployment import Deployment
from supavex.deployment.functions.call import Call
from supavex.deployment.functions.functions import Functions
from supavex.deployment.functions.identity import ADMIN, Identity
from supavex.deployment.functions.in_process import FunctionFailed
from supavex.deployment.functions.outcome import Outcome

APPS = Path(__file__).parent / "apps"


@dataclass
class App:
    """A deployment of its own. Values are Python's: an int is an int64, a float a number."""

    deployment: Deployment

    @property
    def functions(self) -> Functions:
        return self.deployment.functions

    def run(self, path: str, /, **args: Any) -> Any:
        """The result of a function of any kind, an internal one too."""
        outcome = self.outcome(path, args)
        if outcome.failure is not None:
            raise FunctionFailed(outcome)
        return value_of(outcome)

    def fails(self, path: str, /, **args: Any) -> FunctionFailed:
        """What a function fails with."""
        with pytest.raises(FunctionFailed) as caught:
            self.run(path, **args)
        return caught.value

    def error(self, path: str, /, **args: Any) -> str:
        """The first line of what a function fails with, without the words before a thrown error."""
        return first_line(self.fails(path, **args).message)

    def outcome(
        self, path: str, args: Any = None, identity: Identity = ADMIN, *, internal: bool = True, **more: Any
    ) -> Outcome:
        """All that became of a call."""
        data = to_internal_json({} if args is None else args)
        return self.functions.run(Call(path, data, identity, internal=internal, **more))

    def rows(self, *documents: dict[str, Any] | float) -> list[str]:
        """New documents of the table ``rows``; a number is the row with that ``n``. Their ids."""
        given = [row if isinstance(row, dict) else {"n": float(row)} for row in documents]
        ids: list[str] = self.run("reading:add", rows=given)
        return ids

    def numbers(self) -> list[float]:
        """The ``n`` of the table ``rows``, as :class:`Deployment` reads the file: the oldest first."""
        if "rows" not in self.deployment.tables():
            return []
        found = sorted(self.deployment.documents("rows"), key=lambda row: row["_creationTime"])
        return [row["n"] for row in found]


def value_of(outcome: Outcome) -> Any:
    """The value of a call that succeeded."""
    assert outcome.failure is None, outcome.failure.message
    return from_internal_json(json.loads(outcome.value or "null"))


def first_line(message: str) -> str:
    """The first line of a failure, as it was thrown."""
    return message.strip().splitlines()[0].removeprefix("Uncaught ")
