"""Explains addresses that lead to no database and servers that refuse a connection, with the next step.

No function here repeats a part of an address that may hold a piece of a password.
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass

from supavex.postgres.driver import pq

_REF = r"(?P<ref>[a-z0-9]{8,40})"
_PROJECT = re.compile(rf"(?:https?://)?(?:db\.)?{_REF}\.supabase\.(?:co|in|net)(?:[/:?].*)?\Z", re.DOTALL)
_DASHBOARD = re.compile(
    rf"https?://(?:app\.)?supabase\.(?:com|io)/(?:dashboard/)?project/{_REF}(?:[/?#].*)?\Z", re.DOTALL
)
_DIRECT = re.compile(rf"db\.{_REF}\.supabase\.(?:co|in|net)\Z")
_ADDRESS = re.compile(r"postgres(?:ql)?://(?P<rest>.*)\Z", re.DOTALL)
_PLACEHOLDER = re.compile(r"\[(?:YOUR|DB)[-_ ]?PASSWORD\]|<(?:your[-_ ]?)?password>", re.IGNORECASE)
#: Characters with a meaning in an address, and a percent sign that begins no escape.
_RESERVED = re.compile(r"[@/?#\[\]\s]|%(?![0-9A-Fa-f]{2})")
#: libpq's messages for a name without an address, and for a network that this machine does not reach.
_NO_WAY = re.compile(
    r"could not translate host name|failed to resolve host|Name or service not known|No address associated|"
    r"nodename nor servname|Temporary failure in name resolution|Network is unreachable|No route to host",
    re.IGNORECASE,
)
#: Parameters that other clients read from an address and libpq does not know: Prisma's, and Vercel's marks.
CLIENTS_OWN = frozenset(
    (
        "pgbouncer",
        "connection_limit",
        "pool_timeout",
        "socket_timeout",
        "statement_cache_size",
        "schema",
        "sslaccept",
        "sslidentity",
        "supa",
        "workaround",
    )
)
ENCODING = "@ is written %40, / %2F, ? %3F, # %23, : %3A, [ %5B, ] %5D, % %25 and a space %20"
_ENCODE = "python3 -c \"import getpass, urllib.parse as u; print(u.quote(getpass.getpass(), safe=''))\""
_FORM = "postgresql://user:password@host:5432/database"


@dataclass(frozen=True, slots=True)
class ConnectionRefusal:
    """What is wrong, and what to do. ``answered``: the server answered, so trying again does not help."""

    message: str
    hint: str
    answered: bool = False


def of_address(url: str) -> ConnectionRefusal:
    """Why ``url`` is not a connection string."""
    url = url.strip()
    found = _PROJECT.match(url) or _DASHBOARD.match(url)
    if found is not None and not url.startswith("postgres"):
        return ConnectionRefusal(
            "this is the address of the Supabase project's API or dashboard, and not of its database.",
            f"The database's is under Connect in the dashboard: {_pooler(found['ref'])}",
        )
    if has_placeholder(url):
        return ConnectionRefusal(
            "the address still holds the placeholder of the password.",
            f"Put the database's password in its place. In it, {ENCODING}.",
        )
    if has_unencoded_password(url):
        return ConnectionRefusal(
            "the password holds a character that has another meaning in an address.",
            f"Percent-encode the password: {ENCODING}. This prints it encoded: {_ENCODE}",
        )
    unknown = _unknown_parameter(url)
    if unknown is not None:
        known = [option.keyword.decode() for option in pq.Conninfo.get_defaults()]
        near = difflib.get_close_matches(unknown, known, n=1)
        return ConnectionRefusal(
            f"{unknown} is not a parameter that libpq knows.",
            f"Did you mean {near[0]}?" if near else f"Leave {unknown} out of the address.",
        )
    return ConnectionRefusal(
        "this is not a PostgreSQL connection string.", f"It looks like {_FORM}. In a password, {ENCODING}."
    )


def _unknown_parameter(url: str) -> str | None:
    """The first parameter after the question mark that libpq refuses. None if a password may be among them, because
    an ampersand in it begins what looks like a parameter.
    """
    query = url.partition("?")[2]
    if _ADDRESS.match(url) is None or "password" in query.lower():
        return None
    known = {option.keyword.decode() for option in pq.Conninfo.get_defaults()} | {"ssl", *CLIENTS_OWN}
    names = (pair.partition("=")[0] for pair in query.split("&"))
    return next((name for name in names if re.fullmatch(r"[A-Za-z]\w*", name) and name not in known), None)


def has_placeholder(url: str) -> bool:
    """Whether ``url`` still has the dashboard's placeholder for the password."""
    return _PLACEHOLDER.search(url) is not None


def has_unencoded_password(url: str) -> bool:
    """Whether the password in ``url`` has characters that have to be percent-encoded."""
    match = _ADDRESS.match(url.strip())
    if match is None:
        return False
    user, at, _ = match["rest"].rpartition("@")
    return bool(at) and _RESERVED.search(user.partition(":")[2]) is not None


def of_connection(words: str, host: str, user: str) -> ConnectionRefusal:
    """Why a connection failed. ``words`` is the message of libpq or the server; ``host`` and ``user`` are the
    address's.
    """
    direct = _DIRECT.match(host)
    if direct is not None and _NO_WAY.search(words):
        return ConnectionRefusal(
            f"PostgreSQL can't be reached: {words}",
            "Supabase gives this host an IPv6 address only, and this network has no IPv6. The session pooler has IPv4: "
            + _pooler(direct["ref"]),
        )
    if _NO_WAY.search(words):
        return ConnectionRefusal(
            f"PostgreSQL can't be reached: {words}",
            "Is the host written as the dashboard has it, is the project not paused, and is this machine online?",
        )
    if _INVALID.search(words):
        return ConnectionRefusal(f"PostgreSQL was not asked: {words}", _CORRECT, answered=True)
    for pattern, hint in _ANSWERS:
        if re.search(pattern, words, re.IGNORECASE):
            hint = hint.format(user="" if "." in user or "pooler.supabase" not in host else _POOLER_USER)
            return ConnectionRefusal(f"PostgreSQL answers, and refuses: {words}", hint.strip(), answered=True)
    return ConnectionRefusal(
        f"PostgreSQL does not answer: {words}",
        "Check host and port, and that this machine may connect (a firewall; the dashboard's network restrictions).",
    )


#: What libpq says of an address that it does not even try.
_INVALID = re.compile(r"invalid (?:port|\w+ value|integer value|connection option|channel_binding)\b", re.IGNORECASE)
_CORRECT = "Correct this part of the address; the rest of it was not tried."
_POOLER_USER = "The pooler's user is postgres.REF, with the reference of the project."
#: Messages of servers and poolers that refuse, and the next step for each.
_ANSWERS = (
    (r"password authentication failed|SCRAM|wrong password|no password supplied",
     "Check the password (a new one: Project Settings, Database, Reset database password). {user}"),
    (r"tenant or user not found|ENOTFOUND.*tenant",
     "The session pooler's user is postgres.REF, and its host names the project's region: copy both from Connect in "
     "the dashboard."),
    (r"role .* does not exist", "Check the user: Supabase's own is postgres. {user}"),
    (r"database .* does not exist", "Check the database's name behind the last slash: Supabase's is postgres."),
    (r"no pg_hba\.conf entry|not permitted|address not in tenant allow_list|network restrictions",
     "The server does not take connections from this machine or without TLS: allow this address in the dashboard's "
     "network restrictions, or add ?sslmode=require."),
    (r"too many clients|remaining connection slots|max clients reached|MaxClientsInSessionMode",
     "All connections are in use: close some, or wait, and run the command again."),
    (r"starting up|shutting down|recovery mode", "Wait until it has started, and run the command again."),
    (r"SSL|TLS|certificate", "Check sslmode and sslrootcert in the address: sslmode=require asks for no certificate."),
    (r"protocol|expected authentication request|unexpected response",
     "What answers there is no PostgreSQL: check the port (5432, and not the API's 443 or 54321)."),
)  # fmt: skip


def _pooler(ref: str) -> str:
    return (
        f"postgresql://postgres.{ref}:PASSWORD@aws-0-REGION.pooler.supabase.com:5432/postgres (Connect, Session pooler)"
    )
