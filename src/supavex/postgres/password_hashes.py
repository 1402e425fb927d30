"""bcrypt for pgcrypto's ``crypt()``. The session's client computes it, because PL/pgSQL would take seconds for a hash.

``supavex.bcrypt`` (share/extension) sends a question as a message with its own code, and waits for the answer in a
table that only the superuser writes. A file may send such a message itself: it learns only what the function would have
returned.
"""

from __future__ import annotations

import contextlib
import hashlib
import re

from supavex.errors import missing_extra
from supavex.postgres import server as servers
from supavex.postgres.driver import psycopg

#: The code of the message that asks for a hash: the password's first 72 bytes, in hexadecimal, and the setting.
QUESTION = "SVX01"
_PARTS = re.compile(r"([0-9a-f]{0,144}) (\$2a\$(\d\d)\$[./A-Za-z0-9]{21})([./A-Za-z0-9])")
#: Two to the power of this many rounds takes about a second.
_MOST_ROUNDS = 14
#: The four characters in which a salt of 16 bytes can end, each for the characters with the same significant bits.
_ALPHABET = "./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"


class PasswordHashes:
    """Answers the questions of one session. The first question opens a connection for the answers."""

    def __init__(self, server: servers.Server) -> None:
        self._server = server
        self._connection: psycopg.Connection | None = None

    def hear(self, notice: psycopg.errors.Diagnostic) -> None:
        """Answers a message of the session if it is a question. A question that can't be computed gets no answer."""
        if notice.sqlstate != QUESTION:
            return
        found = _PARTS.fullmatch(notice.message_primary or "")
        if found is None or not 4 <= int(found[3]) <= _MOST_ROUNDS:
            return
        setting = found[2] + _ALPHABET[_ALPHABET.index(found[4]) & 0x30]
        question = hashlib.sha256(found[0].encode()).digest()
        if self._connection is None:
            self._connection = servers.as_superuser(self._server)
        self._connection.execute(
            "INSERT INTO supavex.password_hashes VALUES (%s, %s) ON CONFLICT DO NOTHING",
            (question, bcrypt_of(bytes.fromhex(found[1]), setting)),
        )

    def close(self) -> None:
        """Closes the connection, if there is one."""
        if self._connection is not None:
            with contextlib.suppress(psycopg.Error):
                self._connection.close()


def bcrypt_of(password: bytes, setting: str) -> str:
    """The bcrypt hash of a password of at most 72 bytes. ``setting``: ``$2a$``, the rounds, and the salt."""
    try:
        from bcrypt import hashpw
    except ImportError:
        raise missing_extra("bcrypt", "embedded", "Running crypt() with Blowfish") from None
    return hashpw(password, setting.encode()).decode()
