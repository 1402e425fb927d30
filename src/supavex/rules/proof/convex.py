"""The deployment's side: the reads and writes that rules.ts allows a user, in a temporary fork."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from supavex.convex.values import Value, from_internal_json, to_internal_json
from supavex.deployment import Deployment
from supavex.deployment.functions.call import Call
from supavex.deployment.functions.identity import Identity, acting
from supavex.deployment.functions.outcome import Outcome
from supavex.mapping.plan import TablePlan
from supavex.rules.proof.postgres import Tried, forms_of
from supavex.rules.proof.users import User

#: The module of the proof's own functions.
MODULE = "supavexProof"
_BATCH = 100


def call(deployment: Deployment, path: str, args: Mapping[str, Value], user: User) -> Outcome:
    """Calls a function as ``user``, without an admin's rights."""
    identity = Identity() if user.identity is None else Identity(user=acting(dict(user.identity)))
    return deployment.functions.run(Call(path, to_internal_json(dict(args)), identity))


class ConvexSide:
    """Reads and writes as users by the builders of rules.ts."""

    def __init__(self, deployment: Deployment, tables: Sequence[TablePlan]) -> None:
        self.deployment = deployment
        self.tables = {table.target: table for table in tables}

    def visible(self, table: TablePlan, user: User, ids: Sequence[str] | None = None) -> set[str] | str:
        """The ids that the user sees (among ``ids``, if given); the error if a rule throws."""
        found: set[str] = set()
        if ids is not None:
            for start in range(0, len(ids), _BATCH):
                args = {"table": table.target, "ids": list(ids[start : start + _BATCH])}
                outcome = call(self.deployment, f"{MODULE}:among", args, user)
                if outcome.failure is not None:
                    return outcome.failure.message.strip()
                found |= set(json.loads(outcome.value or "[]"))
            return found
        cursor: str | None = None
        while True:
            outcome = call(self.deployment, f"{MODULE}:page", {"table": table.target, "cursor": cursor}, user)
            if outcome.failure is not None:
                return outcome.failure.message.strip()
            page = json.loads(outcome.value or "{}")
            found |= set(page["ids"])
            if page["isDone"]:
                return found
            cursor = page["cursor"]

    def by_every_way(self, table: TablePlan, user: User) -> dict[str, set[str]] | str:
        """The ids that each way of ``ctx.db.query`` gives the user of a small table; what was thrown instead."""
        outcome = call(self.deployment, f"{MODULE}:everyWay", {"table": table.target}, user)
        if outcome.failure is not None:
            return outcome.failure.message.strip()
        return {way: set(ids) for way, ids in json.loads(outcome.value or "{}").items()}

    def by_index(self, name: str, user: User) -> set[str] | str | None:
        """The ids that the function ``name`` of rules.ts gives the user; None if there is no such function."""
        outcome = call(self.deployment, f"{MODULE}:byIndex", {"name": name}, user)
        if outcome.failure is not None:
            return outcome.failure.message.strip()
        found = json.loads(outcome.value or "null")
        return None if found is None else set(found)

    def attempt(
        self, user: User, command: str, target: str, id_: str, fields: Mapping[str, Value], tables: Sequence[str]
    ) -> Tried:
        """Attempts a write as ``user``. ``fields`` are the document's; None makes a field absent."""
        args: dict[str, Value] = {"command": command, "table": target, "tables": list(tables)}
        if command != "insert":
            args["id"] = id_
        if command != "delete":
            nulls = self._nulls(target)
            args["fields"] = {name: v for name, v in fields.items() if v is not None or name in nulls}
            args["absent"] = [name for name, v in fields.items() if v is None and name not in nulls]
        outcome = call(self.deployment, f"{MODULE}:attempt", args, user)
        assert outcome.failure is not None
        # JavaScript writes 12345678901234567890 as 12345678901234567000, which is the same double.
        data = outcome.failure.data and from_internal_json(json.loads(outcome.failure.data, parse_int=float))
        if not isinstance(data, dict):
            return Tried(False, outcome.failure.message.strip())
        if data.get("code") != "taken":
            return Tried(False, str(data.get("code")), str(data.get("constraint", "")))
        after = {
            name: {row["_id"]: forms_of(self.tables[name], row) for row in rows} for name, rows in data["after"].items()
        }
        return Tried(True, after=after)

    def _nulls(self, target: str) -> set[str]:
        """The fields of a table that hold null for NULL."""
        return {planned.name for planned in self.tables[target].fields if planned.takes_null}

    def ids(self, target: str) -> set[str]:
        """The ids of all documents of a table."""
        return {str(document["_id"]) for document in self.deployment.documents(target)}

    def documents(self, target: str, limit: int) -> list[dict[str, Value]]:
        """The first documents of a table."""
        found = []
        for document in self.deployment.documents(target):
            found.append(dict(document))
            if len(found) >= limit:
                break
        return found
