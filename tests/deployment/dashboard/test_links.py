"""What the dashboard leads to: a link that signs in once, the proof, comparisons, sorting, jobs, no such page."""

from __future__ import annotations

import json

import pytest

from supavex.deployment.dashboard import sessions
from supavex.deployment.server.host import Host
from tests.deployment.dashboard.test_routes import ADDRESS, KEY, filled, host, page_json, signed_in, visitor

__all__ = ["filled", "host"]


def path_of(link: str) -> str:
    assert link.startswith(f"{ADDRESS}/")
    return link.removeprefix(ADDRESS)


def test_a_printed_link_signs_in_once_and_holds_no_key(filled: Host) -> None:
    link = sessions.sign_in_link(filled)
    assert KEY.partition("|")[2] not in link
    client = visitor(filled)
    answer = client.get(path_of(link))
    assert (answer.status_code, answer.headers["location"]) == (303, "/tables")
    assert client.get("/tables").status_code == 200
    again = visitor(filled).get(path_of(link))
    assert (again.status_code, "has been used" in again.text) == (403, True)


def test_a_look_ahead_does_not_use_the_link_up(filled: Host) -> None:
    link = path_of(sessions.sign_in_link(filled))
    assert visitor(filled).get(link, headers={"Sec-Purpose": "prefetch"}).status_code == 403
    assert visitor(filled).head(link).status_code == 403
    assert visitor(filled).get(link).status_code == 303


def test_a_link_ends_by_itself_and_is_no_session(filled: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    link = path_of(sessions.sign_in_link(filled))
    client = visitor(filled)
    token = link.partition("link=")[2]
    client.cookies.set(sessions.Sessions(filled).cookie, token)
    assert client.get("/tables").status_code == 303, "a link's token is no cookie"
    now = sessions.time.time()
    monkeypatch.setattr(sessions.time, "time", lambda: now + sessions.LINK_SECONDS + 1)
    assert visitor(filled).get(link).status_code == 403
    assert visitor(filled).get("/sign-in?link=1.2.3").status_code == 403


def test_the_verdict_and_the_proof_are_one_click_away(filled: Host) -> None:
    client = signed_in(filled)
    assert client.get("/migration/proof").status_code == 404
    folder = filled.folder / "migration"
    folder.mkdir(mode=0o700)
    (folder / "report.json").write_text(json.dumps({"ok": True, "tables": []}))
    assert "Not proven yet" in client.get("/migration").text
    proof = {"ok": True, "verdict": "proven", "target": "the local deployment", "takenAt": "2026-11-30T00:00:00Z"}
    (folder / "proof.json").write_text(json.dumps(proof))
    (folder / "proof.html").write_text("<style>a{}</style><script>alert(1)</script>proof")
    page = client.get("/migration").text
    assert "<strong>proven</strong>: the local deployment" in page
    assert 'href="/migration/proof"' in page
    assert page_json(client, "/migration")["proof"]["verdict"] == "proven"
    answer = client.get("/migration/proof")
    assert answer.text.endswith("proof")
    policy = answer.headers["content-security-policy"]
    assert "sandbox" in policy and "default-src 'none'" in policy and "script" not in policy
    assert visitor(filled).get("/migration/proof").status_code == 303


@pytest.mark.parametrize(
    ("field", "op", "value", "found"),
    [
        ("rating", "gt", "4", [5.0, 6.0]),
        ("rating", "gte", "5", [5.0, 6.0]),
        ("rating", "lt", "2", [0.0, 1.0]),
        ("rating", "neq", "3", [0.0, 1.0, 2.0, 4.0, 5.0, 6.0]),
        ("title", "contains", "ARTICLE 3", [3.0]),
        ("status", "lt", "e", [1.0, 3.0, 5.0]),
    ],
)
def test_a_filter_compares_in_other_ways_than_equality(
    filled: Host, field: str, op: str, value: str, found: list[float]
) -> None:
    page = page_json(signed_in(filled), "/tables/articles", field=field, op=op, value=value)
    assert sorted(document["rating"] for document in page["documents"]) == found
    assert page["filter"]["operator"] == op
    assert page["filter"]["throughIndex"] is (field == "status")


def test_what_lacks_a_field_is_not_less_than_a_value(filled: Host) -> None:
    filled.deployment.insert("workspaces", {"name": "Lima"})
    first = filled.deployment.query("workspaces").first()
    assert first is not None
    article = {"workspace_id": first["_id"], "title": "unrated", "status": "live"}
    filled.deployment.insert("articles", article)
    page = page_json(signed_in(filled), "/tables/articles", field="rating", op="lt", value="1")
    assert [document["title"] for document in page["documents"]] == ["Article 0"]


def test_a_field_that_is_none_is_told(filled: Host) -> None:
    client = signed_in(filled)
    assert "No such field" in client.get("/tables/articles?field=nope&value=1").text
    assert "No such field" not in client.get("/tables/articles?field=title&value=nowhere").text
    assert page_json(client, "/tables/articles", field="nope", value="1")["filter"]["noSuchField"] is True
    assert client.get("/tables/articles?field=title&op=like&value=x").status_code == 400


def test_columns_with_an_index_sort(filled: Host) -> None:
    page = signed_in(filled).get("/tables/articles").text
    assert "index=by_workspace&amp;order=desc" in page
    assert 'aria-sort="descending"' in page
    assert "index=by_title" not in page


def test_jobs_that_wait_are_listed(filled: Host) -> None:
    page = signed_in(filled).get("/functions")
    assert "Scheduled functions" in page.text
    assert page_json(signed_in(filled), "/functions")["scheduled"] == []


@pytest.mark.parametrize("path", ["/migration/nothing", "/schema/x/y", "/documents/", "/logs/1.json"])
def test_an_address_below_a_page_that_is_none_says_so(filled: Host, path: str) -> None:
    answer = signed_in(filled).get(path)
    assert answer.status_code == 404
    assert "no such page" in answer.text or "There is no such page" in answer.text
    assert visitor(filled).get(path).status_code in (303, 401)
