"""What stands in for something that the embedded PostgreSQL does not have: an extension, a version, a type.

A replay hands each statement that PostgreSQL refuses to :meth:`StandIns.instead`, which runs what can run in its place.
What was found is in the replay's report, so that nobody takes a rehearsal's value for the real one.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from supavex.postgres.connection import literal, quoted
from supavex.postgres.file_session import Refusal
from supavex.postgres.report import StandIn
from supavex.postgres.statements import Statement

#: Runs SQL in the place of a statement, and says why PostgreSQL refused it.
Attempt = Callable[[Statement, str], Refusal | None]

_NOT_AVAILABLE = re.compile(r'extension "([^"]+)" is not available')
_NO_VERSION = re.compile(r'extension "([^"]+)" has no (?:installation script nor )?update path .*"([^"]+)"')
_NO_EXTENSION = re.compile(r'extension "([^"]+)" does not exist')
_EXTENSION = re.compile(r"(?:CREATE|ALTER|DROP|COMMENT\s+ON)\s+EXTENSION\b", re.IGNORECASE)
_VERSION = re.compile(r"""\s+VERSION\s+(?:'[^']*'|"[^"]*"|\S+)""", re.IGNORECASE)
_NAME = r'"(?:[^"]|"")+"|\w+'
_MOVE = re.compile(rf"ALTER\s+EXTENSION\s+({_NAME})\s+SET\s+SCHEMA\s+({_NAME})\s*$", re.IGNORECASE)
_NO_TYPE = re.compile(r'type "([^"]+)" does not exist')
#: The extensions whose types and functions files use without creating them: Supabase's dashboard did.
_EXTENSION_OF = {
    "citext": "citext", "hstore": "hstore", "ltree": "ltree", "lquery": "ltree", "ltxtquery": "ltree",
    "vector": "vector", "halfvec": "vector", "sparsevec": "vector", "cube": "cube", "earth": "earthdistance",
    "seg": "seg", "geometry": "postgis", "geography": "postgis", "box2d": "postgis", "box3d": "postgis",
    "isbn": "isn", "isbn13": "isn", "ean13": "isn", "issn": "isn", "ismn": "isn", "upc": "isn",
}  # fmt: skip


class StandIns:
    """Collects, over one replay, what stood in for what."""

    def __init__(self) -> None:
        self._places: dict[tuple[str, str, str], dict[str, None]] = {}

    def instead(self, statement: Statement, refusal: Refusal, attempt: Attempt, last: bool = False) -> Refusal | None:
        """Runs what can run in the place of ``statement``, which PostgreSQL refused; None where that worked.

        ``attempt`` runs SQL in the statement's place and leaves nothing behind where it is refused. ``last``: all files
        have run, and nothing else helped. Returns ``refusal`` where nothing helps.
        """
        place, now, before = f"{statement.file}:{statement.line}", statement.sql, list[str]()
        stand_ins = list[tuple[str, str, str]]()
        seen, said = set[str](), refusal.error
        while said not in seen:
            seen.add(said)
            found = self._help(now, said, last)
            if found is None:
                return refusal
            stand_ins += found.stand_ins
            before += found.before
            now = found.sql
            again = attempt(statement, "".join(f"{each};\n" for each in before) + now) if now else None
            if again is None:
                for key in stand_ins:
                    self._places.setdefault(key, {})[place] = None
                return None
            said = again.error
        return refusal

    def _help(self, sql: str, message: str, last: bool) -> _Help | None:
        """What helps a statement that PostgreSQL refused with ``message``."""
        found = _NOT_AVAILABLE.search(message)
        if found:
            missing = ("extension", found[1], "The embedded PostgreSQL does not have this extension.")
            if _EXTENSION.match(sql):
                return _Help("", (missing,))
            self._places.setdefault(missing, {})  # in a block of code, the rest of the block has not run
            return None
        found = _NO_VERSION.search(message)
        if found and _EXTENSION.match(sql):
            other = ("version", f"{found[1]} {found[2]}", "The embedded PostgreSQL has another version.")
            return _Help(_VERSION.sub("", sql) if sql[:6].upper() == "CREATE" else "", (other,))
        found = _NO_EXTENSION.search(message)
        if found and _EXTENSION.match(sql) and any(key[:2] == ("extension", found[1]) for key in self._places):
            return _Help("")
        moved = _MOVE.match(sql.rstrip("; \n\t"))
        if moved and message.startswith("must be owner of"):
            # PostgreSQL asks for the ownership of each object, and those of C code are the superuser's.
            return _Help(f"SELECT supavex.move_extension({literal(_plain(moved[1]))}, {literal(_plain(moved[2]))})")
        return _without_creation(sql, message) if last else None

    def found(self) -> tuple[StandIn, ...]:
        """What stood in for what, in the order in which it was met."""
        return tuple(StandIn(*key, tuple(places)) for key, places in self._places.items())


@dataclass(frozen=True, slots=True)
class _Help:
    """What runs in the place of a statement: ``before``, then ``sql`` (empty: nothing); and what stands in for what."""

    sql: str
    stand_ins: tuple[tuple[str, str, str], ...] = ()
    before: tuple[str, ...] = ()


def _without_creation(sql: str, message: str) -> _Help | None:
    """What helps a statement that uses what no file creates."""
    found = _NO_TYPE.search(message)
    schema, _, name = found[1].rpartition(".") if found else ("", "", "")
    extension = _EXTENSION_OF.get(name.removesuffix("[]"))
    if extension is None:
        return None
    made = ("extension", extension, "No file creates this extension. It was made where it is first needed.")
    target = quoted(schema or "extensions")
    return _Help(sql, (made,), (f"CREATE EXTENSION IF NOT EXISTS {quoted(extension)} SCHEMA {target} CASCADE",))


def _plain(name: str) -> str:
    """An SQL identifier as the catalog has it."""
    return name[1:-1].replace('""', '"') if name.startswith('"') else name.lower()
