"""Requests that a deployment sends: only to hosts that were allowed, however an address is spelled."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from supavex.deployment.functions.outgoing import BadAddress, address_of, allowed_host, checked_address, permitted
from supavex.deployment.functions.tokens import Tokens
from supavex.errors import SupavexError, UsageError

from .app import App
from .issuer import Issuer, _public


class Secret:
    """A server on this machine that nobody was allowed to ask, and how often it was."""

    def __init__(self, port: int) -> None:
        self.port, self.asked = port, 0


@pytest.fixture(scope="module")
def secret() -> Iterator[Secret]:
    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found.asked += 1
            self.send_response(302 if self.path.startswith("/to/") else 200)
            if self.path.startswith("/to/"):
                self.send_header("Location", self.path[len("/to/") :])
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        found = Secret(server.server_port)
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        yield found
        server.shutdown()
        thread.join(5)


#: ``PORT`` is the secret server's. Every one of them reads as ``allowed.example`` to some parser, or as a host that
#: nobody allowed.
ATTACKS = [
    "http://127.0.0.1:PORT\\@allowed.example/",
    "http://127.0.0.1:PORT\\\\@allowed.example/",
    "http:\\\\127.0.0.1:PORT\\@allowed.example/",
    "http://127.0.0.1:PORT#@allowed.example/",
    "http://127.0.0.1:PORT?@allowed.example/",
    "http://127.0.0.1:PORT/@allowed.example/",
    "http://allowed.example@127.0.0.1:PORT/",
    "http://allowed.example:x@127.0.0.1:PORT/",
    "http://allowed.example%40127.0.0.1:PORT/",
    "http://allowed.example%00.127.0.0.1:PORT/",
    "http://127.0.0.1:PORT%2F@allowed.example/",
    "http://127.0.0.1:PORT\t@allowed.example/",
    "http://127.0.0.1:PORT\n@allowed.example/",
    "http://127.0.0.1:PORT @allowed.example/",
    " http://127.0.0.1:PORT/",
    "http://[::ffff:127.0.0.1]:PORT/",
    "http://[::ffff:7f00:1]:PORT/",
    "http://[::1]:PORT/",
    "http://[::1%25lo]:PORT/",
    "http://[127.0.0.1]:PORT/",
    "http://2130706433:PORT/",
    "http://0x7f000001:PORT/",
    "http://0x7f.1:PORT/",
    "http://0177.0.0.1:PORT/",
    "http://127.1:PORT/",
    "http://127.0.0.1.:PORT/",
    "http://0:PORT/",
    "http://localhost:PORT/",
    "http://LOCALHOST.:PORT/",
    "http://１２７.0.0.1:PORT/",
    "http://127。0。0。1:PORT/",
    "http://ⓛocalhost:PORT/",
    "http://allowed.example.localhost:PORT/",
    "http://allowed.example,127.0.0.1:PORT/",
    "http://allowed.example;127.0.0.1:PORT/",
    "http://127.0.0.1:PORT:80@allowed.example/",
    "http://127.0.0.1:0PORT/",
    "http:127.0.0.1:PORT/",
    "http:/127.0.0.1:PORT/",
    "//127.0.0.1:PORT/",
    "HTTP://127.0.0.1:PORT/",
    "hTTp://127.0.0.1:PORT/",
    "file://127.0.0.1:PORT/",
    "gopher://127.0.0.1:PORT/",
]


def test_no_spelling_reaches_a_host_that_is_not_allowed(app: App, secret: Secret):
    app.functions.services.fetch_hosts = frozenset({"allowed.example"})
    for attack in ATTACKS:
        found = app.run("acting:fetched", url=attack.replace("PORT", str(secret.port)), init={})
        assert "error" in found and secret.asked == 0, attack


@pytest.mark.parametrize("attack", ATTACKS)
def test_no_spelling_is_a_way_for_keys_either(secret: Secret, attack: str, issuer: Issuer):
    url = attack.replace("PORT", str(secret.port))
    providers = [{"type": "customJwt", "issuer": "https://a", "jwks": url, "algorithm": "RS256"}]
    with pytest.raises(SupavexError):
        Tokens(frozenset({"allowed.example"})).identity(issuer.token(iss="https://a"), providers)
    assert secret.asked == 0


def test_keys_come_only_from_hosts_that_are_allowed(secret: Secret, issuer: Issuer):
    """By default from none at all, not even from this machine; nor by a redirect, nor by what discovery says."""
    url = f"http://127.0.0.1:{secret.port}/keys"
    custom = {"type": "customJwt", "issuer": "https://a", "jwks": url, "algorithm": "RS256"}
    discovered = {"domain": f"http://127.0.0.1:{secret.port}", "applicationID": None}
    for provider, claims in ((custom, {"iss": "https://a"}), (discovered, {"iss": discovered["domain"]})):
        with pytest.raises(SupavexError, match=r"supavex serve --allow-fetch 127\.0\.0\.1"):
            Tokens().identity(issuer.token(**claims), [provider])
    assert secret.asked == 0
    issuing = issuer.url.partition("//")[2]
    away = {**custom, "jwks": f"{url.removesuffix('/keys')}/to/{issuer.url}/keys"}
    tokens = Tokens(frozenset({f"127.0.0.1:{secret.port}"}))
    with pytest.raises(SupavexError, match="not allowed"):
        tokens.identity(issuer.token(iss="https://a"), [away])
    asked = issuer.asked
    near = {**custom, "jwks": f"{issuer.url}/keys"}
    assert Tokens(frozenset({issuing})).identity(issuer.token(iss="https://a"), [near]).user is not None
    assert issuer.asked == asked + 1


def test_a_shared_secret_signs_nobody_in(issuer: Issuer):
    """Neither where the provider names its algorithm, nor where its key is one of type ``oct`` among others."""
    shared = b"s" * 64
    oct_key = {"kty": "oct", "k": base64.urlsafe_b64encode(shared).decode().rstrip("="), "kid": "first", "alg": "HS256"}
    rsa = _public(issuer.rsa_key, "RS256", "second")
    token = issuer.token(key=shared.decode(), algorithm="HS256", iss="https://a")
    for keys in ([oct_key], [oct_key, rsa], [rsa]):
        data = base64.b64encode(json.dumps({"keys": keys}).encode()).decode()
        for algorithm in ("HS256", "HS512", "none", "RS256", "ES256"):
            jwks = f"data:application/json;base64,{data}"
            provider = {"type": "customJwt", "issuer": "https://a", "jwks": jwks, "algorithm": algorithm}
            with pytest.raises(SupavexError):
                Tokens().identity(token, [provider])
    good = issuer.token(kid="second", iss="https://a")
    assert Tokens().identity(good, [{**provider, "algorithm": "RS256", "jwks": jwks}]).user is not None
    assert jwt.get_unverified_header(good)["alg"] == "RS256"


def test_tokens_of_odd_forms_are_no_tokens(issuer: Issuer):
    def part(text: str) -> str:
        return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")

    deep, huge = "[" * 40_000, "9" * 5000
    heads = ['{"alg":"RS256"}', deep, "[]", "1", '{"alg":1}', '{"alg":"RS256","kid":[1]}', "NaN", '{"alg":"none"}']
    bodies = [
        '{"iss":"https://a"}',
        deep,
        "[]",
        "null",
        '{"iss":1}',
        '{"iss":{}}',
        f'{{"exp":{huge}}}',
        '{"exp":1e400}',
    ]
    provider = {"type": "customJwt", "issuer": "https://a", "jwks": "data:,x", "algorithm": "RS256"}
    for head in heads:
        for body in bodies:
            with pytest.raises(SupavexError):
                Tokens().identity(f"{part(head)}.{part(body)}.AAAA", [provider])
    for keys in (
        "",
        "x",
        "[]",
        "null",
        '{"keys": 1}',
        '{"keys": [1]}',
        '{"keys": [{}]}',
        '{"keys": [{"kty": "RSA"}]}',
        deep,
    ):
        for jwks in (f"data:,{keys}", f"data:application/json;base64,{base64.b64encode(keys.encode()).decode()}"):
            with pytest.raises(SupavexError):
                Tokens().identity(issuer.token(iss="https://a"), [{**provider, "jwks": jwks}])
    with pytest.raises(SupavexError):
        Tokens().identity("a" * 1_000_000 + ".b.c", [provider])


@pytest.mark.parametrize(
    ("allowed", "good", "bad"),
    [
        ("allowed.example", "https://ALLOWED.example.:8443/x?y#z", "https://not-allowed.example/"),
        ("allowed.example:8080", "http://allowed.example:8080/", "http://allowed.example:8081/"),
        ("allowed.example:80", "http://allowed.example/", "https://allowed.example/"),
        ("127.0.0.1", "http://2130706433/", "http://127.0.0.2/"),
        ("::1", "http://[0:0:0:0:0:0:0:1]:3/", "http://[::2]/"),
        ("[::1]:3000", "http://[::1]:3000/", "http://[::1]/"),
    ],
)
def test_what_is_allowed(allowed: str, good: str, bad: str):
    assert checked_address(good, [allowed])
    assert checked_address(bad, ["*"])
    with pytest.raises(BadAddress, match="not allowed here"):
        checked_address(bad, [allowed])


def test_hosts_as_deno_is_told_of_them():
    assert permitted(["::1", "A.example:80", "[::1]:3000", "127.1"]) == {
        "[::1]",
        "a.example:80",
        "[::1]:3000",
        "127.0.0.1",
    }
    assert permitted(["*", "a"]) == {"*"}


@pytest.mark.parametrize("text", ["", "http://a", "a/b", "a@b", "a b", "a:x", "a:99999", "*.a", "[::1", "a?b", "\\"])
def test_what_names_no_host_is_refused_at_the_start(text: str):
    with pytest.raises(UsageError, match="names no host"):
        allowed_host(text)


@given(st.text(st.sampled_from("abz019.:/@\\#?%[] \t-_é。"), max_size=24))
def test_what_is_connected_to_is_what_was_checked(rest: str):
    try:
        address = address_of(f"http://{rest}")
    except BadAddress:
        return
    again = address_of(str(address))
    assert again.origin == address.origin
    assert not set(address.host) & set("@/\\?#% ")
