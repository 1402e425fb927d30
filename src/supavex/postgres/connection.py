"""Connections to a PostgreSQL source: settings that make reads complete and repeatable, and errors without
passwords.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from supavex.errors import SupavexError, UsageError
from supavex.postgres import refusals
from supavex.postgres.driver import conninfo, psycopg
from supavex.steps import step

#: Session settings of every connection that reads. ``row_security = off`` makes a policy raise an error instead of
#: hiding rows. There are no timeouts. A heap is read from its start, so that two runs see one order. Text forms and the
#: meaning of SQL are fixed, even if ``ALTER DATABASE … SET`` or ``ALTER ROLE … SET`` say otherwise. A setting that
#: belongs to the value itself stays: ``lc_monetary`` places the decimal point of a money column.
READING = {
    "row_security": "off",
    "statement_timeout": "0",
    "lock_timeout": "30s",
    "idle_in_transaction_session_timeout": "0",
    "idle_session_timeout": "0",
    "transaction_timeout": "0",
    "synchronize_seqscans": "off",
    "standard_conforming_strings": "on",
    "transform_null_equals": "off",
    "quote_all_identifiers": "off",
    "gin_fuzzy_search_limit": "0",
    "TimeZone": "UTC",
    "DateStyle": "ISO, YMD",
    "IntervalStyle": "postgres",
    "bytea_output": "hex",
    "extra_float_digits": "1",
    "xmlbinary": "base64",
    "xmloption": "content",
    "client_encoding": "UTF8",
    "search_path": "",
}
#: Settings that PostgreSQL 13 does not have. PostgreSQL 16 lacks the second.
NEWER_SETTINGS = ("idle_session_timeout", "transaction_timeout")


def settings_sql(settings: Mapping[str, str], *, local: bool) -> str:
    """A SELECT that makes ``settings`` (``local``: for this transaction). Settings of newer servers are made if the
    server knows them.

    The first column of the result is the value of ``quote_all_identifiers`` that the address, the role and the database
    set.
    """
    end = f", {str(local).lower()})"
    made = [
        f"pg_catalog.set_config({literal(name)}, {literal(value)}{end}"
        for name, value in settings.items()
        if name not in NEWER_SETTINGS
    ]
    made += [
        f"(SELECT pg_catalog.set_config(name, {literal(settings[newer])}{end} FROM pg_catalog.pg_settings "
        f"WHERE name = {literal(newer)})"
        for newer in NEWER_SETTINGS
        if newer in settings
    ]
    quoting = "(SELECT reset_val FROM pg_catalog.pg_settings WHERE name = 'quote_all_identifiers')"
    return f"SELECT {', '.join([quoting, *made])}"


#: Patterns for the parts of an address that may be shown, by parameter. A whole part has to match. libpq ends a
#: password that is not percent-encoded at its first special sign, so the rest of the password may be in the host, the
#: port or the database.
_HOST = r"(?:[\w.\-:%\[\]]+|/[\w./\-+~ ]*)?"
_SHOWN = {
    **dict.fromkeys(("user", "dbname"), re.compile(r"[\w.\-]*")),
    **dict.fromkeys(("host", "hostaddr"), re.compile(f"{_HOST}(?:,{_HOST})*")),
    "port": re.compile(r"[0-9,]*"),
    **dict.fromkeys(("sslmode", "connect_timeout", "application_name", "target_session_attrs"), re.compile(r"[\w\-]*")),
}
_POSTGRES_URL = re.compile(r"(?P<scheme>postgres(?:ql)?)://(?P<rest>.*)\Z", re.DOTALL)
_OTHER_URL = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.\-]{0,20})://(?P<rest>.*)\Z", re.DOTALL)
_PLAIN_REST = re.compile(r"[\w.\-]*(?::[0-9]*)?(?:/[\w./\-]*)?")
_WORD = re.compile(
    r"\s*(?P<name>\w+)(?P<equals>\s*=\s*)(?P<value>'(?:[^'\\]|\\.)*'|(?:\\.|[^\s\\'])(?:\\.|[^\s\\])*|)(?:\s+|\Z)"
)
_HIDDEN = "***"


def without_password(url: str) -> str:
    """An address that may be shown. Three asterisks replace its password and every part that is not known to be
    harmless.

    If the address does not parse, or a part may hold a piece of a password, only the scheme is left.
    """
    match = _POSTGRES_URL.match(url)
    if match is None and (other := _OTHER_URL.match(url)) is not None:
        user, at, rest = other["rest"].rpartition("@")
        rest = rest if _PLAIN_REST.fullmatch(rest) and not re.search("[/?#]", user) else _HIDDEN
        return f"{other['scheme']}://{f'{_HIDDEN}@' if at and rest != _HIDDEN else ''}{rest}"
    info = _parsed(url)
    if match is None:
        return _HIDDEN if info is None else _shown_words(url)
    if info is None or hidden_parts(info):
        return f"{match['scheme']}://{_HIDDEN}"
    user, at, address = match["rest"].partition("@")
    if not at or "/" in user:
        user, at, address = "", "", match["rest"]
    name, colon, _ = user.partition(":")
    place, mark, query = address.partition("?")
    found = [pair.partition("=") for pair in query.split("&")] if mark else []
    pairs = [
        f"{key}={value if key in _SHOWN else _HIDDEN}" if key.isidentifier() else _HIDDEN for key, _, value in found
    ]
    return f"{match['scheme']}://{name}{f':{_HIDDEN}' if colon else ''}{at}{place}{mark}{'&'.join(pairs)}"


def _shown_words(url: str) -> str:
    """As :func:`without_password`, for ``key=value`` words that parse."""
    shown, position = "", 0
    while position < len(url.rstrip()):
        word = _WORD.match(url, position)
        if word is None:
            return _HIDDEN
        known = _SHOWN.get(word["name"])
        value = word["value"].strip("'")
        plain = known is not None and known.fullmatch(value)
        shown += f"{' ' if shown else ''}{word['name']}{word['equals']}{word['value'] if plain else _HIDDEN}"
        position = word.end()
    return shown


def libpq_url(url: str) -> str:
    """The address without the parameters that only other clients know, for libpq."""
    place, mark, query = url.partition("?")
    if not mark or _POSTGRES_URL.match(url) is None:
        return url
    pairs = [pair for pair in query.split("&") if pair.partition("=")[0] not in refusals.CLIENTS_OWN]
    return f"{place}?{'&'.join(pairs)}" if pairs else place


def _of_pgbouncer(url: str) -> bool:
    """Whether an address is marked as PgBouncer's. Supabase's page for Prisma gives such addresses."""
    query = url.partition("?")[2]
    return _POSTGRES_URL.match(url) is not None and "pgbouncer=true" in query.lower().split("&")


def _parsed(url: str) -> dict[str, object] | None:
    """The parameters of an address, as libpq parses it; None if the address does not parse."""
    try:
        return dict(conninfo.conninfo_to_dict(libpq_url(url)))
    except (psycopg.Error, ValueError):  # For example, the text is not UTF-8 or holds a NUL.
        return None


def hidden_parts(info: Mapping[str, object]) -> list[str]:
    """The names of the address's parameters, other than its secrets, that may hold a piece of a password."""
    return [name for name, known in _SHOWN.items() if not known.fullmatch(str(info.get(name) or ""))]


def server_words(error: Exception, url: str) -> str:
    """The message of PostgreSQL or libpq about ``url``, on one line. It is withheld if it may hold a piece of a
    password.
    """
    info = _parsed(url)
    if info is None or hidden_parts(info):
        return "its words are not shown, for they may hold a piece of the password."
    text = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    password = str(info.get("password") or "")
    return text.replace(password, _HIDDEN) if len(password) > 2 else text


def _check_pooler(url: str, info: Mapping[str, object], shown: str) -> None:
    # The transaction mode of Supavisor and PgBouncer runs each transaction in another server session, so that
    # exported snapshots and session settings are lost. Supabase serves that mode on port 6543.
    if str(info.get("port", "")) == "6543":
        reason = "port 6543 is Supabase's transaction pooler"
    elif _of_pgbouncer(url):
        reason = "pgbouncer=true names a transaction pooler"
    else:
        return
    raise UsageError(
        "TransactionPooler",
        f"{reason}, which can't hold one snapshot over a whole copy.",
        where=shown,
        hint="Use the direct connection or the session pooler: the same address with port 5432, and without pgbouncer.",
    )


def connect(url: str, *, autocommit: bool = True, settings: dict[str, str] | None = None) -> psycopg.Connection:
    """Connects to ``url`` (``postgresql://…`` or key=value words) with the settings of :data:`READING` and
    ``settings``.

    Raises :class:`~supavex.errors.UsageError` if the address can't be used, and a retryable
    :class:`~supavex.errors.SupavexError` if the server does not answer.
    """
    shown = without_password(url)
    info = _parsed(url)
    hidden = set() if info is None else set(hidden_parts(info))
    # With such a host or port, libpq can only fail. With such a database, libpq connects to the server that the first
    # part of the password names.
    misled = refusals.has_placeholder(url) or (bool(hidden) and refusals.has_unencoded_password(url))
    if info is None or misled or not {"host", "hostaddr", "port"}.isdisjoint(hidden):
        refusal = refusals.of_address(url)
        raise UsageError("InvalidDatabaseUrl", refusal.message, where=shown, hint=refusal.hint)
    _check_pooler(url, info, shown)
    info.setdefault("connect_timeout", "15")
    info.setdefault("application_name", "supavex")
    try:
        host = str(info.get("host") or "")
        with step(f"connecting to {host if host and not host.startswith('/') else 'PostgreSQL'}"):
            connection = psycopg.connect(
                conninfo.make_conninfo("", **{k: str(x) for k, x in info.items()}), autocommit=True
            )
        connection.execute(settings_sql({**READING, **(settings or {})}, local=False).encode())
    except psycopg.OperationalError as error:
        refusal = refusals.of_connection(
            server_words(error, url), str(info.get("host") or ""), str(info.get("user") or "")
        )
        raise SupavexError(
            "LoginRefused" if refusal.answered else "CannotConnect",
            refusal.message,
            where=shown,
            hint=refusal.hint,
            exit_code=2,
            retryable=not refusal.answered,
        ) from None
    connection.autocommit = autocommit
    return connection


def reason_of(error: psycopg.Error) -> str:
    """PostgreSQL's message without its detail, or the first line of libpq's text, which is all that a COPY gives."""
    return error.diag.message_primary or (str(error).strip() or type(error).__name__).splitlines()[0]


def read_failed(error: psycopg.Error, where: str, hint: str = "") -> SupavexError:
    """The error for a read that PostgreSQL stopped. It may be retried. ``where``: a table, or a source without its
    password.
    """
    return SupavexError(
        "ReadFailed", f"PostgreSQL stopped the read: {reason_of(error)}", where=where, hint=hint, retryable=True
    )


def quoted(*names: str) -> str:
    """Names as an SQL identifier, joined by dots: ``"public"."ari_payments"``."""
    return ".".join('"' + name.replace('"', '""') + '"' for name in names)


def literal(text: str) -> str:
    """A text as an SQL string literal that is right for both values of ``standard_conforming_strings``."""
    escaped = text.replace("'", "''")
    return f"E'{escaped}'".replace("\\", "\\\\") if "\\" in escaped else f"'{escaped}'"
