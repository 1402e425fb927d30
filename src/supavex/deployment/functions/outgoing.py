"""Requests that a deployment sends, with one parser of addresses and one check of hosts for all of them.

The checked host is the connected host: an address is parsed once, and the connection is made from its parts.
"""

from __future__ import annotations

import ipaddress
import re
import socket
import time
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from supavex.errors import UsageError, missing_extra

#: Seconds for one wait for the other side. A whole exchange may take four times as long.
SECONDS = 30.0
_PORTS = {"http": 80, "https": 443}
#: Characters that parsers of addresses interpret differently.
_ODD = re.compile(r"[\x00-\x20\x7f\\]")
_NAME = re.compile(r"[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?)*\Z")
_NUMBER = re.compile(r"(?:[0-9]+|0x[0-9a-f]*)\Z")


class BadAddress(ValueError):
    """An address to which nothing is sent. The text says why."""


@dataclass(frozen=True, slots=True)
class Address:
    """The destination of a request. ``host``: a name in lower case or an IP address, in canonical form."""

    scheme: str
    host: str
    port: int
    #: Path and query, as in the request's first line.
    target: str

    @property
    def origin(self) -> tuple[str, str, int]:
        """The part that two addresses of one server share."""
        return self.scheme, self.host, self.port

    @property
    def shown_host(self) -> str:
        """The host in the notation of addresses: an IPv6 address in brackets."""
        return f"[{self.host}]" if ":" in self.host else self.host

    def __str__(self) -> str:
        port = "" if self.port == _PORTS[self.scheme] else f":{self.port}"
        return f"{self.scheme}://{self.shown_host}{port}{self.target}"


@dataclass(frozen=True, slots=True)
class Answer:
    """The response to one request, with its whole body."""

    status: int
    reason: str
    headers: Any
    body: bytes


def address_of(url: str) -> Address:
    """The parts of an address. Raises :class:`BadAddress` if it is not http(s), or has an ambiguous host."""
    try:
        import urllib3
    except ImportError:
        raise missing_extra("urllib3", "serve", "fetch()") from None
    if _ODD.search(url):
        raise BadAddress("it holds a space, a control character or a backslash")
    try:
        parts = urllib3.util.parse_url(url)
    except urllib3.exceptions.HTTPError:
        raise BadAddress("it can't be parsed") from None
    if parts.scheme not in _PORTS or not parts.host:
        raise BadAddress("it is not an http address")
    if parts.auth is not None or "@" in (parts.netloc or ""):
        raise BadAddress("it holds a user's name")
    query = "" if parts.query is None else f"?{parts.query}"
    port = _PORTS[parts.scheme] if parts.port is None else parts.port
    return Address(parts.scheme, _host(parts.host), port, f"{parts.path or '/'}{query}")


def _host(text: str) -> str:
    """A host in the canonical form for comparison and connection."""
    try:
        if text.startswith("["):
            six = ipaddress.IPv6Address(text.strip("[]"))
            if six.scope_id is not None:
                raise BadAddress("it names a network interface")
            return str(six.ipv4_mapped or six)
        name = text.lower().removesuffix(".")
        if not _NAME.match(name) or len(name) > 253:
            raise BadAddress("its host is not a name")
        if _NUMBER.match(name.rpartition(".")[2]):
            # The system's resolver also accepts `127.1` and `2130706433`.
            return str(ipaddress.IPv4Address(socket.inet_aton(name)))
        return name
    except (ipaddress.AddressValueError, OSError):
        raise BadAddress("its host is not an IP address") from None


def allowed_host(text: str) -> tuple[str, int | None]:
    """The host and the port (None: every port) of ``--allow-fetch``. Raises :class:`UsageError`."""
    bare = text.count(":") > 1 and not text.startswith("[")
    try:
        address = address_of(f"http://[{text}]/" if bare else f"http://{text}/")
        if address.target != "/":
            raise BadAddress("it holds more than a host and a port")
    except BadAddress as error:
        hint = "Give a host, as example.com, or a host and a port, as example.com:8080. `*` is any."
        raise UsageError("BadHost", f"{text!r} names no host: {error}.", where="--allow-fetch", hint=hint) from None
    return address.host, None if bare or not re.search(r":[0-9]+\Z", text) else address.port


def permitted(hosts: Collection[str]) -> frozenset[str]:
    """Hosts of ``--allow-fetch`` in Deno's notation."""
    if "*" in hosts:
        return frozenset({"*"})
    found = map(allowed_host, hosts)
    shown = [(f"[{host}]" if ":" in host else host, port) for host, port in found]
    return frozenset(host if port is None else f"{host}:{port}" for host, port in shown)


def checked_address(url: str, hosts: Iterable[str]) -> Address:
    """The parsed address, if its host is one of ``hosts``. Raises :class:`BadAddress` for others."""
    address = address_of(url)
    for host in hosts:
        if host == "*" or allowed_host(host) in ((address.host, None), (address.host, address.port)):
            return address
    name = address.shown_host
    raise BadAddress(f"{name} is not allowed here. Allow it by `supavex serve --allow-fetch {name}`")


def exchange(
    method: str,
    address: Address,
    headers: Mapping[str, str],
    body: bytes | None,
    most: int,
    seconds: float = SECONDS,
) -> Answer:
    """Sends a request to a checked address, without following redirects. Raises :class:`OSError` if there is no answer.

    ``most``: the limit of the answer's body in bytes; one more is read.
    """
    import urllib3

    kind = urllib3.HTTPSConnectionPool if address.scheme == "https" else urllib3.HTTPConnectionPool
    until = time.monotonic() + 4 * seconds
    with kind(address.host, address.port, timeout=seconds, retries=False) as pool:
        try:
            response = pool.urlopen(
                method, address.target, body, headers, redirect=False, preload_content=False, assert_same_host=False
            )
            data = bytearray()
            while len(data) <= most and (piece := response.read1(min(1 << 16, most + 1 - len(data)))):
                data += piece
                if time.monotonic() > until:
                    raise OSError(f"TimeoutError: {address}")
            response.release_conn()
        except urllib3.exceptions.HTTPError as error:
            raise OSError(f"{type(error).__name__}: {address}") from None
    return Answer(response.status, response.reason or "", response.headers, bytes(data))
