"""ctx.auth: whom a token is from, and which tokens are believed."""

from __future__ import annotations

import base64
import json
import re
import time
from typing import Any

import pytest

from supavex.deployment.functions.identity import ADMIN, NOBODY, Identity, acting
from supavex.deployment.functions.tokens import Tokens
from supavex.errors import SupavexError, UsageError

from .app import App, value_of
from .issuer import INSIDE, Issuer

#: Where the provider of the tests answers.
HERE = frozenset({"127.0.0.1"})


@pytest.fixture
def providers(app: App) -> list[dict[str, Any]]:
    """What the pushed auth.config.ts says."""
    found: list[dict[str, Any]] = json.loads(app.deployment.store.meta("auth") or "[]")
    assert len(found) == 2
    return found


def refused(token: str, providers: list[dict[str, Any]]) -> str:
    with pytest.raises(SupavexError) as caught:
        Tokens(HERE).identity(token, providers)
    return caught.value.message


def test_a_token_of_a_provider_that_is_discovered(app: App, issuer: Issuer, providers: list[dict[str, Any]]):
    token = issuer.token(name="Ada", email="a@b.c", email_verified=True, picture="http://p", own={"x": 1})
    identity = Tokens(HERE).identity(token, providers)
    user = value_of(app.outcome("people:who", {}, identity, internal=False))
    assert user == {
        "tokenIdentifier": f"{issuer.url}|user-1", "issuer": issuer.url, "subject": "user-1", "name": "Ada",
        "email": "a@b.c", "emailVerified": True, "pictureUrl": "http://p", "own": {"x": 1},
    }  # fmt: skip


def test_a_token_of_a_provider_whose_keys_are_in_the_app(app: App, issuer: Issuer, providers: list[dict[str, Any]]):
    identity = Tokens(HERE).identity(issuer.inside(aud=["other", "app"]), providers)
    assert value_of(app.outcome("people:who", {}, identity))["issuer"] == INSIDE


def test_the_user_is_the_same_in_functions_of_every_kind(app: App):
    user = Identity(user={"subject": "s", "issuer": "i", "tokenIdentifier": "i|s"})
    assert value_of(app.outcome("people:whoWrites", {}, user)) == "s"
    assert value_of(app.outcome("people:whoActs", {}, user)) == ["s", "s"]
    for nobody in (NOBODY, ADMIN):
        assert value_of(app.outcome("people:who", {}, nobody)) is None
    assert app.outcome("people:who", {}, user).saw_identity is True
    assert app.outcome("people:asks", {}, user).saw_identity is True, "by a function that it calls"
    assert app.outcome("wild:ok", {"n": 1.0}, user).saw_identity is False


def test_keys_are_asked_for_once_and_again_where_one_is_new(issuer: Issuer, providers: list[dict[str, Any]]):
    tokens = Tokens(HERE)
    tokens.identity(issuer.token(), providers)
    before = issuer.asked
    tokens.identity(issuer.token(sub="other"), providers)
    assert issuer.asked == before
    (key,) = issuer.keys
    issuer.keys = [{**key, "kid": "second"}]
    try:
        assert tokens.identity(issuer.token(kid="second"), providers).user is not None
    finally:
        issuer.keys = [key]
    assert issuer.asked == before + 1


def test_tokens_that_are_not_believed(issuer: Issuer, providers: list[dict[str, Any]]):
    now = int(time.time())
    no_provider = "No auth provider found matching the given token. Check that your JWT's issuer and audience match"
    not_verified = "Could not verify OIDC token claim. Check that the token signature is valid and the token hasn't"
    for claims, words in (
        ({"aud": "other"}, no_provider),
        ({"aud": None}, no_provider),
        ({"iss": "http://127.0.0.1:1"}, no_provider),
        ({"iss": None}, "Missing issuer claim ('iss') in JWT payload."),
        ({"exp": now - 60}, not_verified),
        ({"exp": None}, not_verified),
        ({"sub": None}, not_verified),
        ({"nbf": now + 600}, not_verified),
    ):
        assert refused(issuer.token(**claims), providers).startswith(words), claims
    assert refused(issuer.token(key=issuer.other_key), providers).startswith(not_verified)
    assert "'kid' (key ID) header is 'third'" in refused(issuer.token(kid="third"), providers)
    good = issuer.token()
    head, body, signature = good.split(".")
    assert refused(f"{head}.{body}.{signature[:-4]}AAAA", providers)
    other = issuer.token(sub="admin").split(".")[1]
    assert refused(f"{head}.{other}.{signature}", providers).startswith(not_verified)
    for odd in ("", "a.b.c", "a.b", good + ".x", "é"):
        assert refused(odd, providers).startswith("Could not parse JWT payload."), odd


def test_why_a_token_of_ones_own_issuer_is_not_believed(issuer: Issuer, providers: list[dict[str, Any]]):
    """Of a ``customJwt`` provider Convex says more."""
    now = int(time.time())
    assert re.search(r": Token expired (60|6\d|7\d) seconds ago\Z", refused(issuer.inside(exp=now - 60), providers))
    for begins in ({"nbf": now + 600}, {"iat": now + 600}):
        assert re.search(r": Token will be valid in 5\d\d|600 seconds\Z", refused(issuer.inside(**begins), providers))
    without = issuer.token(key=issuer.ec_key, algorithm="ES256", kid=None, iss=INSIDE)
    assert refused(without, providers) == "Could not decode token. JWT may be missing a 'kid' (key ID) header."
    head, _, signature = issuer.inside().split(".")
    forged = f"{head}.{issuer.inside(sub='admin').split('.')[1]}.{signature}"
    assert refused(forged, providers).startswith("Could not decode token. The JWT's 'kid' (key ID) header is 'inside'")


def test_a_token_is_not_believed_by_the_algorithm_that_it_names(issuer: Issuer, providers: list[dict[str, Any]]):
    """Neither none at all, nor a shared secret, nor another provider's key."""
    head = base64.urlsafe_b64encode(b'{"alg":"none","kid":"first","typ":"JWT"}').decode().rstrip("=")
    assert refused(f"{head}.{issuer.token().split('.')[1]}.", providers)
    assert refused(issuer.token(key="s" * 64, algorithm="HS256"), providers)
    assert refused(issuer.token(key=issuer.rsa_key, kid="inside", iss=INSIDE), providers)


def test_without_providers(issuer: Issuer):
    assert refused(issuer.token(), []).startswith(
        "No auth provider found matching the given token (no providers configured)."
    )


def test_a_provider_that_does_not_answer(issuer: Issuer):
    nowhere = "http://127.0.0.1:1"
    providers = [{"domain": nowhere, "applicationID": "app"}]
    assert "failed" in refused(issuer.token(iss=nowhere), providers)


def test_the_admin_acts_as_a_user(app: App):
    found = app.deployment.run("people:who", user={"issuer": "https://i", "subject": "s", "name": "Ada"})
    assert found == {"issuer": "https://i", "subject": "s", "name": "Ada", "tokenIdentifier": "https://i|s"}
    assert acting({"tokenIdentifier": "https://i|s"})["subject"] == "s"
    with pytest.raises(UsageError, match='Either "tokenIdentifier" or "issuer" and "subject" must be set'):
        app.deployment.run("people:who", user={"name": "Ada"})
