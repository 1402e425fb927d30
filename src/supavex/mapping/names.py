"""Converts PostgreSQL's names to Convex's, and finds the table that a column's name refers to."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TypeVar

K = TypeVar("K")

_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|[^\W\d_A-Za-z]+")
#: Last words of a column's name that mean a key.
KEY_WORDS = frozenset(["id", "ids", "uuid", "uuids", "uid", "guid", "fk", "ref", "refs", "key", "keys", "pk"])
_IRREGULAR = {
    "people": "person", "children": "child", "men": "man", "women": "woman", "data": "datum", "media": "medium",
    "indices": "index", "matrices": "matrix", "vertices": "vertex", "criteria": "criterion", "feet": "foot",
    "movies": "movie", "cookies": "cookie", "series": "series", "species": "species", "calories": "calorie",
    "news": "news", "lenses": "lens", "buses": "bus", "leaves": "leaf", "shelves": "shelf",
}  # fmt: skip
#: Words for people in a role, and names of tables of people; the likeliest first.
_ROLES = frozenset([
    "approver", "assignee", "assigner", "author", "buyer", "commenter", "creator", "editor", "follower", "followed",
    "following", "friend", "guest", "host", "initiator", "instructor", "invitee", "inviter", "leader", "manager",
    "mentor", "moderator", "organiser", "organizer", "owner", "participant", "poster", "receiver", "recipient",
    "reporter", "requester", "reviewer", "seller", "sender", "submitter", "uploader", "voter", "user", "users",
    "member", "members", "attendee", "attendees", "participants", "followers", "friends", "account", "profile",
])  # fmt: skip
_PEOPLE = (("user",), ("profile",), ("person",), ("account",), ("member",))
#: Single words that refer to a row of the same table.
_SAME_TABLE = frozenset([
    "parent", "child", "children", "previous", "prev", "next", "root", "original", "replaced", "replaces", "reply",
    "replies", "forked", "copied", "duplicate", "ancestor", "ancestors", "sibling", "siblings", "superseded",
])  # fmt: skip


def camel_case(name: str) -> str:
    """``ari_payments`` as ``ariPayments``, ``API_ACCESS`` as ``apiAccess``, ``FriendRequest`` as ``friendRequest``."""
    words = [word.lower() if word.isupper() else word for word in name.split("_") if word]
    if not words:
        return name
    head, *rest = words
    return head[:1].lower() + head[1:] + "".join(word[:1].upper() + word[1:] for word in rest)


def words(name: str) -> tuple[str, ...]:
    """The words of a name, in lower case: ``hostId``, ``host_id`` and ``HOST-ID`` give ``host``, ``id``."""
    return tuple(word.lower() for word in _WORDS.findall(name))


def singular(word: str) -> str:
    """An English word's singular, by its last letters."""
    if word in _IRREGULAR:
        return _IRREGULAR[word]
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    takes_es = word.endswith(("sses", "shes", "ches", "xes", "zzes", "uses")) and not word.endswith(("auses", "ouses"))
    if takes_es and len(word) > 4:
        return word[:-2]
    if word.endswith("s") and not word.endswith(("ss", "us", "is")) and len(word) > 2:
        return word[:-1]
    return word


def thing(column: str) -> tuple[str, ...]:
    """The words of a key column's name without those for "key": ``billing_address_id`` gives ``billing``,
    ``address``.
    """
    found = list(words(column))
    while len(found) > 1 and found[-1] in KEY_WORDS:
        found.pop()
    return tuple(found) if found and found[-1] not in ("id", "ids", "uuid", "uuids") else ()


def named_after(column: str, own: K, tables: Mapping[K, str]) -> list[K]:
    """The tables, by name, that a column's name refers to. ``own`` is its own table. Only the likeliest kind is
    returned.

    The kinds: the name is a table's name, or its end; the name ends with a table's name; it names a person in a role,
    and there is a table of people; it refers to the same table.
    """
    said = tuple(map(singular, thing(column)))
    if not said:
        return []
    named = {key: _singular_words(name) for key, name in tables.items()}
    if same := [key for key, name in named.items() if name == said]:
        return same
    if said[0] in map(singular, _SAME_TABLE) and len(said) <= 2 and (len(said) == 1 or said[1] in ("to", "from", "of")):
        return [own] if own in tables else []
    if ends := [key for key, name in named.items() if _ends(name, said)]:
        return ends
    longest = max((len(name) for name in named.values() if name and _ends(said, name)), default=0)
    if longest:
        return [key for key, name in named.items() if len(name) == longest and _ends(said, name)]
    if said[-1] in ("by", *map(singular, _ROLES)):
        kinds = [[key for key, name in named.items() if name == kind] for kind in _PEOPLE]
        return next((found for found in kinds if found), [])
    return []


@lru_cache(maxsize=100_000)
def _singular_words(name: str) -> tuple[str, ...]:
    return tuple(map(singular, words(name)))


def _ends(long: Sequence[str], short: Sequence[str]) -> bool:
    return len(long) > len(short) and tuple(long[-len(short) :]) == tuple(short)
