"""Connections to a PostgreSQL source: settings that keep a copy honest, and errors that hide passwords."""

from __future__ import annotations

import re
from collections.abc import Mapping

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from supavex.errors import SupavexError, UsageError

#: Session settings of every connection that reads. ``row_security = off`` makes a policy raise instead of hiding
#: rows; no timeouts; a heap is read from its start, so that two runs see one order; text forms and the meaning of SQL
#: are fixed, whatever ``ALTER DATABASE … SET`` or ``ALTER ROLE … SET`` say. Not those that say what a value is:
#: ``lc_monetary`` is where the point of a column of money stands.
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
    "IntervalStyle": "iso_8601",
    "bytea_output": "hex",
    "extra_float_digits": "1",
    "xmlbinary": "base64",
    "xmloption": "content",
    "client_encoding": "UTF8",
    "search_path": "",
}
#: Those that PostgreSQL 13 does not have (and 16 not the second).
_NEWER = ("idle_session_timeout", "transaction_timeout")


def settings_sql(settings: Mapping[str, str], *, local: bool) -> str:
    """A SELECT that makes ``settings`` (``local``: for this transaction); those of newer servers where they are known.

    Its first column is what ``quote_all_identifiers`` is by the address, the role and the database.
    """
    end = f", {str(local).lower()})"
    made = [
        f"pg_catalog.set_config({literal(name)}, {literal(value)}{end}"
        for name, value in settings.items()
        if name not in _NEWER
    ]
    made += [
        f"(SELECT pg_catalog.set_config(name, {literal(settings[newer])}{end} FROM pg_catalog.pg_settings "
        f"WHERE name = {literal(newer)})"
        for newer in _NEWER
        if newer in settings
    ]
    quoting = "(SELECT reset_val FROM pg_catalog.pg_settings WHERE name = 'quote_all_identifiers')"
    return f"SELECT {', '.join([quoting, *made])}"


#: scheme://user:password@…: the password ends at the last @, for people paste unencoded ones.
_IN_URL = re.compile(r"^([A-Za-z][A-Za-z0-9+.-]*://[^:/@?#]*):(.*)@", re.DOTALL)
#: Parameters of libpq that are secrets.
_SECRET = "(?:ssl)?password|oauth_client_secret|scram_(?:client|server)_key"
_IN_QUERY = re.compile(rf"([?&](?:{_SECRET})=)([^&\s]*)", re.IGNORECASE)
_IN_WORDS = re.compile(rf"((?:{_SECRET})\s*=\s*)('(?:[^'\\]|\\.)*'|(?:\\.|[^\s\\])+)", re.IGNORECASE)


def without_password(url: str) -> str:
    """A connection string with its password replaced by three asterisks."""
    if "://" in url:
        return _IN_QUERY.sub(r"\1***", _IN_URL.sub(r"\1:***@", url))
    return _IN_WORDS.sub(r"\1***", url)


def _secrets(url: str, info: Mapping[str, object]) -> list[str]:
    """What an error message about ``url`` may not show: its password, and the pieces a wrong reading makes of it."""
    found = [str(value) for name, value in info.items() if value and re.fullmatch(_SECRET, name)]
    for pattern in (_IN_URL, _IN_QUERY, _IN_WORDS):
        for match in pattern.finditer(url):
            found += [match[2], *re.split(r"[/@:?#%&\[\]]", match[2])]
    return sorted({piece for piece in found if len(piece) > 2}, key=len, reverse=True)


def _check_pooler(info: Mapping[str, object], shown: str) -> None:
    # Supavisor's and PgBouncer's transaction mode give each transaction another server session: an exported
    # snapshot and session settings don't survive. Supabase serves that mode on port 6543.
    if str(info.get("port", "")) == "6543":
        raise UsageError(
            "TransactionPooler",
            "port 6543 is Supabase's transaction pooler, which can't hold one snapshot over a whole copy.",
            where=shown,
            hint="Use the direct connection or the session pooler: the same address with port 5432.",
        )


def connect(url: str, *, autocommit: bool = True, settings: dict[str, str] | None = None) -> psycopg.Connection:
    """Opens ``url`` (``postgresql://…`` or key=value words) with the settings of :data:`READING` and ``settings``.

    Raises :class:`~supavex.errors.UsageError` where the address can't be used, a retryable
    :class:`~supavex.errors.SupavexError` where nothing answers.
    """
    shown = without_password(url)
    try:
        info = conninfo_to_dict(url)
    except psycopg.ProgrammingError:
        raise UsageError(
            "InvalidDatabaseUrl",
            "this is no PostgreSQL connection string.",
            where=shown,
            hint="It looks like postgresql://user:password@host:5432/database.",
        ) from None
    _check_pooler(info, shown)
    info.setdefault("connect_timeout", "15")
    info.setdefault("application_name", "supavex")
    try:
        connection = psycopg.connect(make_conninfo("", **{k: str(x) for k, x in info.items()}), autocommit=True)
        connection.execute(settings_sql({**READING, **(settings or {})}, local=False).encode())
    except psycopg.OperationalError as error:
        raise SupavexError(
            "CannotConnect",
            f"PostgreSQL does not answer: {_first_line(error, url, info)}",
            where=shown,
            hint="Check host, port, database and password, and that this machine may connect.",
            exit_code=2,
            retryable=True,
        ) from None
    connection.autocommit = autocommit
    return connection


def _first_line(error: Exception, url: str, info: Mapping[str, object]) -> str:
    text = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    for secret in _secrets(url, info):
        text = text.replace(secret, "***")
    return text


def quoted(*names: str) -> str:
    """Names as SQL identifiers, joined by dots: ``"public"."ari_payments"``."""
    return ".".join('"' + name.replace('"', '""') + '"' for name in names)


def literal(text: str) -> str:
    """A text as an SQL string literal, whatever ``standard_conforming_strings`` says."""
    escaped = text.replace("'", "''")
    return f"E'{escaped}'".replace("\\", "\\\\") if "\\" in escaped else f"'{escaped}'"
