"""Chooses the users as whom the rules are tested: nobody, and users of the source with a token's claims on
both sides.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg

from supavex.convex.ids import encode_id
from supavex.mapping.idfiles import load_id_file
from supavex.mapping.plan import Plan
from supavex.postgres.connection import quoted
from supavex.text import counted

ISSUER = "https://users.supavex.test"
#: The most rows of one column that are searched for users.
_SAMPLE = 20_000


@dataclass(frozen=True, slots=True)
class User:
    """A user: the claims for PostgreSQL, and the identity for Convex (None: nobody is signed in)."""

    id: str | None
    claims: str
    identity: Mapping[str, Any] | None

    @property
    def role(self) -> str:
        """The role in PostgreSQL."""
        return "anon" if self.id is None else "authenticated"

    def __str__(self) -> str:
        return self.id or "anon"


NOBODY = User(None, json.dumps({"role": "anon"}), None)


@dataclass(frozen=True, slots=True)
class Chosen:
    """The chosen users, and users that can't be tested, with the reason."""

    users: tuple[User, ...]
    not_tried: tuple[str, ...]


def choose_users(connection: psycopg.Connection, plan: Plan, numbers: Mapping[str, int], count: int | None) -> Chosen:
    """The user ``nobody`` and ``count`` signed-in users (None: all), first one of each kind.

    A user's kind is the set of columns with the user's id, with the other short values of those rows (roles, states),
    and the keys and texts of the app_metadata.
    """
    found: dict[str, dict[str, Any]] = {}
    if _there(connection):
        sql = "SELECT id::text, email, raw_app_meta_data, raw_user_meta_data FROM auth.users ORDER BY id"
        for id_, email, app, user in connection.execute(sql):
            found[id_] = {"email": email, "app_metadata": app or {}, "user_metadata": user or {}}
    signatures: dict[str, set[str]] = {id_: _of_metadata(claims["app_metadata"]) for id_, claims in found.items()}
    for id_, sign in _appearances(connection, plan):
        found.setdefault(id_, {"email": None, "app_metadata": {}, "user_metadata": {}})
        signatures.setdefault(id_, set()).add(sign)
    ordered = _spread(list(found), signatures)
    users, not_tried = [NOBODY], []
    subjects = _Subjects(connection, plan, numbers)
    for number, id_ in enumerate(ordered):
        if count is not None and len(users) > count:
            not_tried.append(f"{counted(len(ordered) - number, 'user')} more than --users asks for")
            break
        subject = subjects.of(id_)
        if subject is None:
            not_tried.append(f"user {id_}: {subjects.why}")
            continue
        users.append(_user(id_, subject, found[id_]))
    return Chosen(tuple(users), tuple(not_tried))


def _there(connection: psycopg.Connection) -> bool:
    row = connection.execute("SELECT to_regclass('auth.users') IS NOT NULL").fetchone()
    return bool(row and row[0])


def _of_metadata(metadata: Any) -> set[str]:
    if not isinstance(metadata, dict):
        return set()
    return {f"{name}={value}" if isinstance(value, str) else name for name, value in metadata.items()}


def _appearances(connection: psycopg.Connection, plan: Plan) -> Iterator[tuple[str, str]]:
    """Users by the columns that refer to ``auth.users``, each with the values that distinguish kinds of rows."""
    for table in plan.tables:
        source = table.source
        columns = [
            key.columns[0]
            for key in source.foreign_keys
            if (key.referenced_schema, key.referenced_table) == ("auth", "users") and len(key.columns) == 1
        ]
        columns += [c.name for c in source.columns if c.name in ("user_id", "owner_id") and c.type.base == "uuid"]
        short = [c.name for c in source.columns if c.type.category == "e" or c.type.base == "bool" or c.name == "role"]
        for column in dict.fromkeys(columns):
            shown = ", ".join(f"t.{quoted(name)}::text" for name in short[:3]) or "''"
            sql = (
                f"SELECT DISTINCT t.{quoted(column)}::text, concat_ws(' ', {shown}) FROM (SELECT * FROM "
                f"{source.sql_name} LIMIT {_SAMPLE}) AS t WHERE t.{quoted(column)} IS NOT NULL"
            )
            for id_, words in connection.execute(sql.encode()):
                yield id_, f"{source.qualified}.{column} {words}"


def _spread(ids: Sequence[str], signatures: Mapping[str, set[str]]) -> list[str]:
    """The ids in an order in which each adds the most that no earlier one has."""
    left, ordered, met = sorted(ids), list[str](), set[str]()
    while left:
        best = max(left, key=lambda id_: len(signatures.get(id_, set()) - met))
        if not signatures.get(best, set()) - met:
            return [*ordered, *left]
        left.remove(best)
        ordered.append(best)
        met |= signatures.get(best, set())
    return ordered


class _Subjects:
    """The subject of a user's identity, by ``[users]`` of supavex.toml. ``why``: what the last user lacked."""

    def __init__(self, connection: psycopg.Connection, plan: Plan, numbers: Mapping[str, int]) -> None:
        self.connection, self.plan, self.numbers = connection, plan, numbers
        self.why = ""
        users = plan.project.users
        self._ids: dict[str, str] = {}
        if users.kind == "clerk" and not users.field:
            rules = [*plan.project.columns.values()]
            rules += [rule for table in plan.project.tables.values() for rule in table.columns.values()]
            for name in dict.fromkeys(rule.ids for rule in rules if rule.ids):
                self._ids |= load_id_file(plan.project.root / name, name)

    def of(self, id_: str) -> str | None:
        """The subject of the user with that id; None if it is unknown."""
        users = self.plan.project.users
        if users.field:
            return self._of_field(id_)
        if users.kind == "convex-auth":
            key = bytes.fromhex(id_.replace("-", ""))
            return f"{encode_id(self.numbers['users'], key)}|session"
        if users.kind == "clerk":
            self.why = "no id file of a column (`ids`) has it"
            return self._ids.get(id_)
        return id_

    def _of_field(self, id_: str) -> str | None:
        """The value of the users' table's field for the user, from the source's column."""
        target, _, name = self.plan.project.users.field.partition(".")
        table = self.plan.to_target(target)
        self.why = f"{target} has no row of it with {name}"
        planned = next((f for f in table.fields if f.name == name and f.column is not None), None) if table else None
        if table is None or planned is None or planned.column is None or table.key is None:
            return None
        place = table.source.sql_name
        sql = f"SELECT {quoted(planned.column.name)}::text FROM {place} WHERE {quoted(table.key.columns[0])} = %s::uuid"
        row = self.connection.execute(sql.encode(), (id_,)).fetchone()
        return None if row is None else row[0]


def _user(id_: str, subject: str, claims: Mapping[str, Any]) -> User:
    shared = {
        "app_metadata": claims["app_metadata"],
        "user_metadata": claims["user_metadata"],
        "aal": "aal1",
        "is_anonymous": False,
    }
    email = {} if claims["email"] is None else {"email": claims["email"]}
    token = {"sub": id_, "role": "authenticated", "aud": "authenticated", **email, **shared}
    identity = {"issuer": ISSUER, "subject": subject, **email, **shared}
    return User(id_, json.dumps(token), identity)
