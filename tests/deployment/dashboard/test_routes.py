"""The dashboard: what its pages say, who may see them, and that nothing that documents hold can break them."""

import json
import re
import time
from collections.abc import Iterator
from functools import partial
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from supavex.convex.ids import encode_id
from supavex.deployment import Deployment, dashboard
from supavex.deployment.dashboard import reading, sessions, tables
from supavex.deployment.dashboard.filters import Filter, read_filter
from supavex.deployment.dashboard.reading import Budget
from supavex.deployment.dashboard.routes import PAGES
from supavex.deployment.dashboard.schemas import python_definitions
from supavex.deployment.dashboard.tables import tables_page
from supavex.deployment.dashboard.written import number_text, pieces
from supavex.deployment.database.stored_files import Files
from supavex.deployment.functions import modules
from supavex.deployment.runtime.evaluation import Module
from supavex.deployment.server.app import make_app
from supavex.deployment.server.host import Addresses, Host
from supavex.schema import define_schema, define_table, v
from tests.official.strategies import values

KEY = "supavex-test|0123456789abcdef"
ADDRESS = "http://127.0.0.1:3210"
SECTIONS = ["/tables", "/schema", "/deployments", "/migration", "/functions", "/files", "/logs"]
NASTY = [
    "<script>alert(1)</script>",
    "\"'><img src=x onerror=alert(1)>",
    "javascript:alert(1)",
    "</title></pre></textarea><svg onload=alert(1)>",
    "{{ 7 * 7 }}{% raw %}",
    "&lt;b&gt; &amp; \x00 \x1b \u202e \u2028 \ufffe",
]

SCHEMA = define_schema(
    {
        "workspaces": define_table({"name": v.string()}),
        "articles": define_table(
            {
                "workspace_id": v.id("workspaces"),
                "title": v.string(),
                "status": v.string(),
                "views": v.optional(v.int64()),
                "rating": v.optional(v.number()),
                "editors": v.optional(v.array(v.id("workspaces"))),
                "seen": v.optional(v.record(v.id("workspaces"), v.number())),
                "either": v.optional(v.union(v.null(), v.object({"of": v.id("workspaces")}))),
                "cover": v.optional(v.id("_storage")),
                "anything": v.optional(v.any()),
            }
        )
        .index("by_workspace", ["workspace_id"])
        .index("by_status_rating", ["status", "rating"])
        .search_index("by_words", search_field="title"),
    }
)

PYTHON = """
from supavex.schema import define_schema, define_table, v

_articles = define_table({"title": v.string()}).index("by_title", ["title"])
schema = define_schema({
    "workspaces": define_table({
        "name": v.string(),  # <b>bold</b>
    }),
    "articles": _articles,
    "planned": define_table({}),
})
"""


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    """A served deployment in the folder of a project, with nothing in it."""
    folder = tmp_path / ".supavex"
    with Deployment(folder / "deployment.sqlite3") as deployment:
        yield Host(deployment, folder, KEY, Addresses(ADDRESS, "http://127.0.0.1:3211"))


@pytest.fixture
def filled(host: Host) -> Host:
    """With a schema, two workspaces, and articles of the first."""
    host.deployment.push(SCHEMA.export())
    first = host.deployment.insert("workspaces", {"name": "Oslo"})
    second = host.deployment.insert("workspaces", {"name": "Jakarta"})
    for number in range(7):
        status = "draft" if number % 2 else "live"
        article = {"workspace_id": first, "title": f"Article {number}", "status": status, "rating": float(number)}
        host.deployment.insert("articles", {**article, "views": number, "editors": [second]})
    return host


def visitor(host: Host) -> TestClient:
    """A browser that has not signed in."""
    return TestClient(make_app(host, dashboard.routes(host)), base_url=ADDRESS, follow_redirects=False)


def sign_in(client: TestClient, key: str = KEY, **fields: str):
    return client.post("/sign-in", data={"key": key, **fields})


def signed_in(host: Host) -> TestClient:
    client = visitor(host)
    assert sign_in(client).status_code == 303
    return client


def ids(host: Host, table: str) -> list[str]:
    return [document["_id"] for document in host.deployment.query(table)]


def page_json(client: TestClient, path: str, **query: str):
    answer = client.get(f"{path}.json", params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


class Elements(HTMLParser):
    """What a browser would see of a page: elements, their attributes, and text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.texts.append(data)

    @property
    def text(self) -> str:
        return "".join(self.texts)

    def harmless(self) -> None:
        for tag, attributes in self.found:
            assert tag not in ("script", "iframe", "object", "svg", "img", "style", "base"), (tag, attributes)
            assert not any(name.startswith("on") or name == "style" for name in attributes), attributes
            for name in ("href", "action", "src"):
                target = attributes.get(name)
                assert target is None or target == "#main" or re.match(r"/(?!/)", target), target


# Who may see it


@pytest.mark.parametrize("path", ["/", *SECTIONS, "/tables/articles?order=asc", "/documents/x", "/documents?id=x"])
def test_pages_ask_for_the_key_first(filled: Host, path: str):
    answer = visitor(filled).get(path)
    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/sign-in")
    assert "articles" not in answer.text


@pytest.mark.parametrize("path", [*SECTIONS, "/tables/articles", "/documents/x"])
def test_twins_say_that_a_key_is_needed(filled: Host, path: str):
    answer = visitor(filled).get(f"{path}.json")
    assert (answer.status_code, answer.json()["code"]) == (401, "BadDeployKey")


def test_signing_in_leads_to_the_page_that_was_asked_for(filled: Host):
    client = visitor(filled)
    asked = client.get("/tables/articles?order=asc&field=status&value=live")
    form = Elements(client.get(asked.headers["location"]).text)
    wanted = next(a["value"] for tag, a in form.found if a.get("name") == "next")
    answer = sign_in(client, next=wanted)
    assert answer.headers["location"] == "/tables/articles?order=asc&field=status&value=live"
    assert client.get(answer.headers["location"]).status_code == 200


@pytest.mark.parametrize(
    "target",
    [
        "//evil.example",
        "https://evil.example/tables",
        "/\\evil.example",
        "javascript:alert(1)",
        "/api/x",
        "/tables\n/x",
        "",
    ],
)
def test_signing_in_leads_nowhere_else(filled: Host, target: str):
    assert sign_in(visitor(filled), next=target).headers["location"] == "/tables"


def test_the_cookie_is_no_key_and_is_kept_from_scripts_and_other_sites(filled: Host):
    cookie = sign_in(visitor(filled)).headers["set-cookie"]
    assert KEY not in cookie
    assert KEY.partition("|")[2] not in cookie
    assert cookie.startswith("supavex_session_3210=")
    assert {"HttpOnly", "SameSite=strict", "Path=/"} <= set(cookie.split("; "))


@pytest.mark.parametrize("key", ["", "wrong", KEY[:-1], KEY + "0", KEY.partition("|")[2], "é|ü"])
def test_another_key_gives_no_session(filled: Host, key: str):
    client = visitor(filled)
    answer = sign_in(client, key)
    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers
    assert 'role="alert"' in answer.text
    assert client.get("/tables").status_code == 303


def test_a_session_ends_by_itself(filled: Host, monkeypatch: pytest.MonkeyPatch):
    client = signed_in(filled)
    now = time.time()
    monkeypatch.setattr(sessions.time, "time", lambda: now + sessions.SECONDS - 5)
    assert client.get("/tables").status_code == 200
    monkeypatch.setattr(sessions.time, "time", lambda: now + sessions.SECONDS + 5)
    assert client.get("/tables").status_code == 303


def test_signing_out_ends_the_session_also_for_a_copy_of_its_cookie(filled: Host):
    client = signed_in(filled)
    (name, token) = next(iter(client.cookies.items()))
    answer = client.post("/sign-out")
    assert answer.headers["location"] == "/sign-in"
    assert not client.cookies
    assert client.get("/tables", headers={"cookie": f"{name}={token}"}).status_code == 303


def test_signing_out_outlasts_a_restart_and_so_do_sessions(filled: Host):
    cookies = []
    for leaves in (True, False):
        client = signed_in(filled)
        (name, token) = next(iter(client.cookies.items()))
        cookies.append({"cookie": f"{name}={token}"})
        if leaves:
            client.post("/sign-out")
    again = Host(filled.deployment, filled.folder, KEY, filled.addresses)
    assert [visitor(again).get("/tables", headers=cookie).status_code for cookie in cookies] == [303, 200]
    (kept,) = filled.deployment.store.connection.execute("SELECT token FROM ended_sessions").fetchall()
    assert token.encode() not in kept[0], "no token is kept"


def test_a_changed_cookie_is_no_session(filled: Host):
    client = signed_in(filled)
    (name, token) = next(iter(client.cookies.items()))
    client.cookies.clear()
    until, nonce, proof = token.split(".")
    changed = [f"{int(until) + 1}.{nonce}.{proof}", f"{until}.{nonce}.{proof[::-1]}", f"{until}.{nonce[::-1]}.{proof}"]
    for other in [*changed, f"{until}.{nonce}.", "x", ""]:
        assert client.get("/tables", headers={"cookie": f"{name}={other}"}).status_code == 303, other
    assert client.get("/tables", headers={"cookie": f"{name}={token}"}).status_code == 200


def test_the_session_of_another_deployment_is_none_here(filled: Host, tmp_path: Path):
    cookies = signed_in(filled).cookies
    filled.admin_key = "supavex-test|ffff"
    other = visitor(filled)
    other.cookies = cookies
    assert other.get("/tables").status_code == 303


def test_programs_send_the_key_as_to_the_api(filled: Host):
    client = visitor(filled)
    assert client.get("/tables.json", headers={"authorization": f"Convex {KEY}"}).json()["tables"]
    assert client.get("/tables.json", headers={"authorization": "Convex wrong|key"}).status_code == 401


ELSEWHERE = [
    {"origin": "http://127.0.0.1:5173"},
    {"origin": "http://localhost:3210"},
    {"sec-fetch-site": "same-site"},
    {"sec-fetch-site": "cross-site"},
]


@pytest.mark.parametrize("headers", ELSEWHERE)
def test_pages_of_other_sites_and_ports_can_neither_read_nor_sign_out(filled: Host, headers: dict[str, str]):
    client = signed_in(filled)
    for path in ["/tables", "/tables.json"]:
        answer = client.get(path, headers=headers)
        assert answer.status_code == 403
        assert "articles" not in answer.text
    assert client.post("/sign-out", headers=headers).status_code == 403
    assert visitor(filled).post("/sign-in", data={"key": KEY}, headers=headers).status_code == 403
    assert client.get("/tables").status_code == 200, "still signed in"


def test_a_link_of_another_site_may_be_followed(filled: Host):
    headers = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}
    assert signed_in(filled).get("/tables", headers=headers).status_code == 200


def test_what_is_no_form_signs_nobody_in(filled: Host):
    client = visitor(filled)
    assert client.post("/sign-in", json={"key": KEY}).status_code == 400
    assert sign_in(client, rest="x" * 9000).status_code == 400, "too long"
    odd = client.post("/sign-in", content=b"\xff", headers={"content-type": "application/x-www-form-urlencoded"})
    assert odd.status_code == 400
    assert client.post("/tables").status_code >= 400


@pytest.mark.parametrize("path", ["/sign-in", "/assets/style.css", *SECTIONS, "/tables/none", "/tables.json", "/x"])
def test_every_page_is_locked_down(filled: Host, path: str):
    for client in (signed_in(filled), visitor(filled)):
        answer = client.get(path)
        if path == "/x":
            assert answer.json()["code"] == "NotSupportedHere", "the API's own answer"
            continue
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "same-origin"
        cached = "immutable" if "assets" in path and answer.status_code == 200 else "no-store"
        assert cached in answer.headers["cache-control"]


# What the pages say


@pytest.mark.parametrize("path", SECTIONS)
@pytest.mark.parametrize("fixture", ["host", "filled"])
def test_every_page_and_twin_is_there_also_of_an_empty_deployment(
    path: str, fixture: str, request: pytest.FixtureRequest
):
    client = signed_in(request.getfixturevalue(fixture))
    answer = client.get(path)
    assert answer.status_code == 200
    page = Elements(answer.text)
    page.harmless()
    assert [tag for tag, _ in page.found].count("h1") == 1
    assert any(a.get("href") == f"{path}.json" for _, a in page.found), "a link to the JSON"
    assert any(a.get("href") == path and a.get("aria-current") == "page" for _, a in page.found)
    assert client.get(f"{path}.json").headers["content-type"] == "application/json"


def test_the_first_page_is_that_of_the_tables(filled: Host):
    assert signed_in(filled).get("/").headers["location"] == "/tables"


def test_tables_have_counts_numbers_and_indexes(filled: Host):
    filled.deployment.insert("stray", {})
    found = {table["name"]: table for table in page_json(signed_in(filled), "/tables")["tables"]}
    assert {name: table["documents"] for name, table in found.items()} == {"articles": 7, "stray": 1, "workspaces": 2}
    assert found["articles"]["number"] == filled.deployment.table_numbers()["articles"]
    assert {"name": "by_workspace", "fields": ["workspace_id"], "staged": False} in found["articles"]["indexes"]
    assert not found["stray"]["inSchema"]
    assert "not in the schema" in signed_in(filled).get("/tables").text


def test_counting_stops_when_it_takes_too_long(filled: Host, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(PAGES, "/tables", partial(tables_page, counting_seconds=-1.0))
    client = signed_in(filled)
    assert {table["documents"] for table in page_json(client, "/tables")["tables"]} == {None}
    assert "not counted" in client.get("/tables").text


@pytest.mark.parametrize("order", ["asc", "desc"])
@pytest.mark.parametrize("index", ["by_creation_time", "by_workspace", "by_status_rating"])
@pytest.mark.parametrize("limit", [1, 3, 7, 100])
def test_pages_of_a_table_hold_every_document_once_in_the_order_of_the_index(
    filled: Host, order: str, index: str, limit: int
):
    client = signed_in(filled)
    expected = [d["_id"] for d in filled.deployment.query("articles").with_index(index).order(order)]
    address: str | None = f"/tables/articles?{urlencode({'index': index, 'order': order, 'limit': limit})}"
    seen: list[str] = []
    pages = 0
    while address is not None:
        page = Elements(client.get(address).text)
        links = [a["href"] for tag, a in page.found if tag == "a" and a.get("class") == "id"]
        rows = [link for link in links if link.removeprefix("/documents/") in expected]
        seen += [link.removeprefix("/documents/") for link in rows]
        pages += 1
        address = next((a["href"] for _, a in page.found if a.get("rel") == "next"), None)
    assert seen == expected
    assert pages == -(-7 // limit), "no empty page at the end"


def test_a_filter_reads_through_an_index_that_begins_with_its_field(filled: Host):
    client = signed_in(filled)
    found = page_json(client, "/tables/articles", field="status", value="draft")
    assert found["filter"]["throughIndex"]
    assert found["index"] == "by_status_rating"
    assert [document["title"] for document in found["documents"]] == ["Article 5", "Article 3", "Article 1"]
    assert found["documentsRead"] == 3
    assert "through the index" in client.get("/tables/articles?field=status&value=draft").text


def test_a_filter_without_an_index_looks_at_the_documents(filled: Host):
    client = signed_in(filled)
    found = page_json(client, "/tables/articles", field="title", value="Article 4", index="by_workspace")
    assert not found["filter"]["throughIndex"]
    assert found["index"] == "by_workspace"
    assert [document["title"] for document in found["documents"]] == ["Article 4"]
    assert not found["stopped"]
    assert "no index begins with this field" in client.get("/tables/articles?field=title&value=x").text


def test_looking_stops_says_so_and_goes_on(filled: Host, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(tables, "Budget", lambda: Budget(documents=3))
    client = signed_in(filled)
    query = {"field": "title", "value": "Article 6", "order": "asc"}
    cursor, steps = "", []
    while cursor is not None:
        found = page_json(client, "/tables/articles", **query, cursor=cursor)
        steps.append((len(found["documents"]), found["stopped"]))
        cursor = found["cursor"]
    assert steps == [(0, True), (0, True), (1, False)]
    page = client.get("/tables/articles", params=query).text
    assert "Reading stopped here" in page
    assert "Go on" in page


def test_large_documents_end_a_page_early(filled: Host, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(reading, "MAX_BYTES", 0)
    monkeypatch.setattr(tables, "Budget", lambda: Budget(bytes=300))
    found = page_json(signed_in(filled), "/tables/articles")
    assert 0 < len(found["documents"]) < 7
    assert found["stopped"]


@pytest.mark.parametrize(
    ("field", "text", "value"),
    [
        ("title", "5", "5"),
        ("title", "null", "null"),
        ("title", '"quoted"', "quoted"),
        ("title", "plain text ", "plain text "),
        ("views", "5", 5),
        ("views", "5n", 5),
        ("views", "-9223372036854775808n", -(2**63)),
        ("rating", "5", 5.0),
        ("rating", "-1e3", -1000.0),
        ("rating", "Infinity", float("inf")),
        ("anything", "5", 5.0),
        ("anything", "5n", 5),
        ("anything", "true", True),
        ("anything", "null", None),
        ("anything", 'Bytes("AAE=")', b"\x00\x01"),
        ("anything", '{"a": [1]}', {"a": [1.0]}),
        ("anything", "9223372036854775808n", "9223372036854775808n"),
        ("anything", '{"$a": 1}', '{"$a": 1}'),
        ("anything", "[" * 5000, "[" * 5000),
        ("unknown", "1", 1.0),
        ("either.of", "x", "x"),
    ],
)
def test_what_a_person_types_is_taken_as_the_field_has_it(field: str, text: str, value: object):
    assert read_filter(field, text, SCHEMA.tables["articles"], {}) == Filter(field, value)


def test_a_filter_finds_each_kind_of_value(filled: Host):
    deployment = filled.deployment
    everything = [None, 5, 5.0, -0.0, float("nan"), True, "5", b"\x00", [1.0], {"a": "b"}]
    written = ["null", "5n", "5", "-0", "NaN", "true", '"5"', 'Bytes("AA==")', "[1]", '{"a": "b"}']
    by_value = [deployment.insert("free", {"f": value}) for value in everything]
    without = deployment.insert("free", {"g": {"h": "deep"}})
    client = signed_in(filled)
    for id_, text in [*zip(by_value, written, strict=True), (without, "undefined")]:
        found = page_json(client, "/tables/free", field="f", value=text)
        assert [document["_id"] for document in found["documents"]] == [id_], text
    assert len(page_json(client, "/tables/free", field="g.h", value="deep")["documents"]) == 1


def test_values_are_written_as_convex_does(filled: Host):
    value = {"a": [1, 2.0, None, True], "b": b"hi", "s": 'quote "', "e": [], "o": {}, "n": float("-inf")}
    id_ = filled.deployment.insert("free", {"value": value, "long": "x" * 5000})
    client = signed_in(filled)
    text = '{ "a": [1n, 2, null, true], "b": Bytes("aGk="), "e": [], "n": -Infinity, "o": {}, "s": "quote \\"" }'
    cell = Elements(client.get("/tables/free").text).text
    assert text[:60] in cell
    assert "x" * 100 not in cell
    page = Elements(client.get(f"/documents/{id_}").text).text
    lines = ['"a": [', "1n,", "2,", "null,", "true", "],", '"b": Bytes("aGk="),', '"e": [],', '"n": -Infinity,']
    assert [line.strip() for line in page.partition("{\n")[2].splitlines()[: len(lines)]] == lines
    assert "x" * 5000 in page
    assert page_json(client, f"/documents/{id_}")["document"]["value"]["a"][0] == {"$integer": "AQAAAAAAAAA="}


NUMBERS = {
    0.0: "0",
    1e21: "1e+21",
    123456789012345680000.0: "123456789012345680000",
    1e-6: "0.000001",
    1.5e-7: "1.5e-7",
    5e-324: "5e-324",
    -1.7976931348623157e308: "-1.7976931348623157e+308",
    100.0: "100",
    -2.5: "-2.5",
}


@pytest.mark.parametrize(("number", "text"), NUMBERS.items())
def test_numbers_are_javascripts(number: float, text: str):
    assert number_text(number) == text


@given(st.floats())
def test_no_number_is_changed_by_writing_it(number: float):
    assert repr(float(number_text(number))) == repr(number)


@given(values(), st.integers(0, 300), st.booleans())
def test_a_written_value_is_as_short_as_it_has_to_be(value: object, most: int, lines: bool):
    text = "".join(piece.text for piece in pieces(value, {}, most, lines=lines))
    assert len(text) <= most + 1


def test_a_document_shows_what_it_refers_to_and_what_refers_to_it(filled: Host):
    client = signed_in(filled)
    oslo, jakarta = ids(filled, "workspaces")
    article = ids(filled, "articles")[0]
    found = page_json(client, f"/documents/{article}")
    assert [(r["path"], r["id"], r["exists"]) for r in found["references"]] == [
        ("editors[0]", jakarta, True),
        ("workspace_id", oslo, True),
    ]
    page = client.get(f"/documents/{article}").text
    assert f'href="/documents/{oslo}"' in page
    assert "workspaces: Oslo" in page
    referring = {entry["field"]: entry for entry in page_json(client, f"/documents/{oslo}")["referring"]}
    assert referring["workspace_id"]["index"] == "by_workspace"
    assert referring["workspace_id"]["ids"] == ids(filled, "articles")
    assert referring["editors[]"]["ids"] == []
    referring = {entry["field"]: entry for entry in page_json(client, f"/documents/{jakarta}")["referring"]}
    assert referring["workspace_id"]["ids"] == []
    assert referring["editors[]"] == {
        "table": "articles",
        "field": "editors[]",
        "index": None,
        "ids": ids(filled, "articles"),
        "more": False,
        "stoppedAfter": None,
    }


def test_references_in_objects_unions_and_records_are_found(filled: Host):
    oslo, jakarta = ids(filled, "workspaces")
    base = {"workspace_id": oslo, "title": "Odd", "status": "odd"}
    one = filled.deployment.insert("articles", {**base, "seen": {jakarta: 1.0}})
    two = filled.deployment.insert("articles", {**base, "either": {"of": jakarta}})
    found = page_json(signed_in(filled), f"/documents/{jakarta}")["referring"]
    assert {e["field"]: e["ids"] for e in found if e["field"] in ("seen.keys()", "either.of")} == {
        "seen.keys()": [one],
        "either.of": [two],
    }


def test_a_reference_to_nothing_says_so(filled: Host):
    oslo = ids(filled, "workspaces")[0]
    article = ids(filled, "articles")[0]
    filled.deployment.delete(oslo)
    client = signed_in(filled)
    assert "workspaces has no document with this id" in client.get(f"/documents/{article}").text
    gone = client.get(f"/documents/{oslo}")
    assert gone.status_code == 404
    assert "no document with this id" in gone.text


def test_many_references_are_shown_in_part(filled: Host):
    oslo = ids(filled, "workspaces")[0]
    for number in range(6):
        filled.deployment.insert("articles", {"workspace_id": oslo, "title": f"More {number}", "status": "live"})
    entries = {entry["field"]: entry for entry in page_json(signed_in(filled), f"/documents/{oslo}")["referring"]}
    assert (len(entries["workspace_id"]["ids"]), entries["workspace_id"]["more"]) == (10, True)
    page = signed_in(filled).get(f"/documents/{oslo}").text
    assert "and more" in page
    link = next(a["href"] for _, a in Elements(page).found if "field=workspace_id" in (a.get("href") or ""))
    assert len(page_json(signed_in(filled), urlsplit(link).path, **dict(_pairs(link)))["documents"]) == 13


def _pairs(link: str) -> list[tuple[str, str]]:
    return [(name, found[0]) for name, found in parse_qs(urlsplit(link).query).items()]


def test_a_document_can_be_asked_for_by_its_id(filled: Host):
    client = signed_in(filled)
    oslo = ids(filled, "workspaces")[0]
    assert client.get("/documents", params={"id": f" {oslo} "}).headers["location"] == f"/documents/{oslo}"
    for odd in ["", "..", "/", "?", "//evil.example", "\r\nx: y", "ü" * 500]:
        answer = client.get("/documents", params={"id": odd})
        assert answer.status_code == 404, odd
        assert "not a Convex document id" in answer.text


def test_the_schema_stands_beside_its_python(filled: Host, tmp_path: Path):
    (tmp_path / "schema.py").write_text(PYTHON)
    client = signed_in(filled)
    found = page_json(client, "/schema")
    assert found["python"] == str(tmp_path / "schema.py")
    assert found["pythonIsNewer"]
    assert found["notDeployed"] == ["planned"]
    assert found["sources"]["articles"].startswith("_articles = define_table(")
    assert found["schema"] == SCHEMA.to_json()
    page = Elements(client.get("/schema").text)
    page.harmless()
    assert "# <b>bold</b>" in page.text
    assert "schema.py, line 6" in page.text
    assert "was changed after the last deployment" in page.text


def test_without_a_schema_file_it_stands_beside_its_typescript(filled: Host):
    page = Elements(signed_in(filled).get("/schema").text).text
    assert 'articles: defineTable({\n  workspace_id: v.id("workspaces"),' in page
    assert "by_words" in page


@pytest.mark.parametrize("text", ["", "(", "x = " + "(" * 3000, "\x00", "schema = {'a': 1, **b, c: d}", "é = '\\d'"])
def test_a_schema_file_that_is_none_is_no_harm(filled: Host, tmp_path: Path, text: str):
    (tmp_path / "schema.py").write_text(text)
    assert python_definitions(text) == {}
    assert signed_in(filled).get("/schema").status_code == 200


def test_deployments_say_what_each_changed(filled: Host):
    smaller = define_schema({"workspaces": define_table({"name": v.any()}).index("by_name", ["name"])})
    filled.deployment.push(smaller.export())
    filled.deployment.push(smaller.export())
    pushes = page_json(signed_in(filled), "/deployments")["pushes"]
    assert [push["number"] for push in pushes] == [3, 2, 1]
    assert pushes[1]["change"]["removedTables"] == ["articles"]
    assert pushes[1]["change"]["changedTables"] == ["workspaces"]
    assert pushes[1]["change"]["newIndexes"] == ["workspaces.by_name"]
    assert pushes[2]["change"]["newTables"] == ["articles", "workspaces"]
    page = Elements(signed_in(filled).get("/deployments").text).text
    assert "Nothing in the schema changed" in page
    assert "Removed tables: articles" in page


def test_many_deployments_are_paged(host: Host):
    schema = define_schema({}).export()
    for _ in range(27):
        host.deployment.push(schema)
    client = signed_in(host)
    first = page_json(client, "/deployments")
    assert (len(first["pushes"]), first["next"]) == (25, 3)
    rest = page_json(client, "/deployments", before="3")
    assert ([push["number"] for push in rest["pushes"]], rest["next"]) == ([2, 1], None)


CRON = {"name": "messages:send", "args": [{}], "schedule": {"type": "interval", "hours": 1}}


def test_functions_are_those_of_the_last_push(filled: Host):
    arguments = '{"type":"object","value":{"body":{"fieldType":{"type":"string"},"optional":true}}}'
    found = {
        "messages.js": {
            "functions": [
                {
                    "name": "send",
                    "udfType": "Mutation",
                    "visibility": {"kind": "public"},
                    "args": arguments,
                    "returns": None,
                },
                {
                    "name": "odd",
                    "udfType": "Query",
                    "visibility": {"kind": "internal"},
                    "args": "{",
                    "returns": '{"type":"null"}',
                },
            ]
        },
        "http.js": {"functions": [], "httpRoutes": [{"route": {"path": "/hook", "method": "POST"}, "pos": None}]},
        "crons.js": {"functions": [], "cronSpecs": [["daily <b>", CRON]]},
    }
    pushed = {path: Module(path, "", None, "isolate") for path in found}
    with filled.deployment.store.transaction():
        modules.save_modules(filled.deployment.store, pushed, found)
    client = signed_in(filled)
    shown = page_json(client, "/functions")
    assert shown["functions"][0] == {
        "name": "messages:send",
        "kind": "Mutation",
        "visibility": "public",
        "args": "v.object({body: v.optional(v.string())})",
        "returns": "v.any()",
    }
    assert [(f["args"], f["returns"]) for f in shown["functions"][1:]] == [("unknown", "v.null()")]
    assert shown["httpRoutes"] == [{"method": "POST", "path": "/hook"}]
    page = Elements(client.get("/functions").text)
    page.harmless()
    assert "daily <b>" in page.text and "every 3600 seconds" in page.text
    (cron,) = shown["crons"]
    assert (cron["name"], cron["path"], cron["schedule"], cron["last"]) == (
        "daily <b>",
        "messages:send",
        "every 3600 seconds",
        None,
    )


def test_the_last_migration_and_its_rejects(filled: Host):
    folder = filled.folder / "migration"
    folder.mkdir()
    report = {
        "ok": False,
        "imported": False,
        "rejected": 1234,
        "rejectsAllowed": 0,
        "reasons": {"public.articles.title: NullInRequired": 1234},
        "tables": [
            {"source": "public.articles", "target": "articles", "rows": 5000, "rejected": 1234, "filled": {"x": 1}}
        ],
    }
    (folder / "report.json").write_text(json.dumps(report))
    reject = {
        "table": "public.articles",
        "column": "title",
        "code": "NullInRequired",
        "reason": "is NULL",
        "fix": "<Mend> it.",
    }
    also = [{"column": "at", "code": "InfiniteTime", "reason": "is infinity", "fix": "Mend the time."}, 5]
    lines = [json.dumps({**reject, "key": f"key-{number:03}", "also": also}) for number in range(120)]
    (folder / "rejects.jsonl").write_text("\n".join([*lines, "no JSON", ""]))
    client = signed_in(filled)
    page = Elements(client.get("/migration").text)
    page.harmless()
    for text in ["1,234 of 0 allowed", "5,000", "More rows were rejected", "<Mend> it.", "key-000", "Mend the time."]:
        assert text in page.text
    keys, start = [], ""
    while start is not None:
        found = page_json(client, "/migration", **({"from": str(start)} if start else {}))
        keys += [entry["key"] for entry in found["rejects"]]
        start = found["next"]
    assert keys == [*(f"key-{number:03}" for number in range(120) for _ in ("title", "at")), ""]
    odd = client.get("/migration?from=7")
    assert odd.status_code == 400
    assert "No rejected row begins there" in odd.text


@pytest.mark.parametrize(
    "text", ["", "[1]", "{", '{"tables": 5, "reasons": 7}', '{"tables": [{}, 5], "rejected": NaN}']
)
def test_a_broken_report_breaks_no_page(filled: Host, text: str):
    folder = filled.folder / "migration"
    folder.mkdir()
    (folder / "report.json").write_text(text)
    client = signed_in(filled)
    assert client.get("/migration").status_code == 200
    json.loads(client.get("/migration.json").text, parse_constant=pytest.fail)


def test_files_can_be_opened_and_are_documents(filled: Host):
    files = Files(filled.deployment.store, filled.folder)
    for number in range(52):
        path = files.new_path()
        path.write_bytes(b"x" * number)
        kept = files.keep(path, "text/html" if number % 2 else None, created=number + 1.0)
    client = signed_in(filled)
    found = page_json(client, "/files")
    assert (found["count"], len(found["files"]), found["next"]) == (52, 50, 50)
    assert len(page_json(client, "/files", after="50")["files"]) == 2
    newest = found["files"][0]
    assert newest["_id"] == kept.id
    assert client.get(newest["address"]).content == b"x" * 51
    page = client.get(f"/documents/{kept.id}")
    assert newest["address"] in page.text
    oslo = ids(filled, "workspaces")[0]
    article = {"workspace_id": oslo, "title": "Covered", "status": "x", "cover": kept.id}
    covered = filled.deployment.insert("articles", article)
    assert page_json(client, f"/documents/{kept.id}")["referring"][0]["ids"] == [covered]
    unknown = encode_id(540, bytes(16))
    assert client.get(f"/documents/{unknown}").status_code == 404


def test_logs_show_entries_of_any_shape(filled: Host):
    filled.log.add(
        {
            "kind": "Completion",
            "udfType": "Query",
            "identifier": "a:b",
            "logLines": ["<i>first</i>", {"messages": ["x"], "level": "WARN"}],
        }
    )
    filled.log.add({"error": "Uncaught <b>Error</b>", "executionTime": float("inf")})
    filled.log.add({"logLines": ["no text \ud800"]})
    filled.log.add({"logLines": 7, "unknown": {"deep": [object()]}})
    client = signed_in(filled)
    page = Elements(client.get("/logs").text)
    page.harmless()
    for text in ["Query a:b", "<i>first</i>", "[WARN] x", "Uncaught <b>Error</b>"]:
        assert text in page.text
    assert page_json(client, "/logs")["kept"] == 4


# Whatever comes


def test_nothing_that_documents_hold_is_more_than_text(filled: Host):
    for nasty in NASTY:
        filled.deployment.insert("nasty", {"name": nasty, "list": [nasty, {"k": nasty}], "link": f"javascript:{nasty}"})
    key = "'\"><script>alert(1)</script>"
    holder = filled.deployment.insert("nasty", {"object": {key: key}})
    client = signed_in(filled)
    addresses = ["/tables/nasty", f"/documents/{holder}"]
    addresses += [f"/documents/{id_}" for id_ in ids(filled, "nasty")]
    addresses += [f"/tables/nasty?{urlencode({'field': nasty, 'value': nasty})}" for nasty in NASTY]
    addresses += [f"/tables/nasty?{urlencode({'index': nasty, 'order': nasty})}" for nasty in NASTY]
    for address in addresses:
        answer = client.get(address)
        Elements(answer.text).harmless()
        assert "<script" not in answer.text
        shown = client.get(address.replace("?", ".json?") if "?" in address else f"{address}.json")
        assert shown.headers["content-type"] == "application/json"
    text = Elements(client.get(f"/documents/{ids(filled, 'nasty')[0]}").text).text
    assert "<script>alert(1)</script>" in text


def test_a_browser_that_goes_nowhere_gets_a_page_and_a_program_json(filled: Host):
    client = signed_in(filled)
    for address in ("/nope", "/table/articles", "/migrations.html"):
        page = client.get(address, headers={"Accept": "text/html,*/*;q=0.8"})
        assert (page.status_code, "no such page" in page.text) == (404, True)
        assert "/tables" in page.text
        assert client.get(address).json()["code"] == "NotSupportedHere"
        assert client.post(address, headers={"Accept": "text/html"}).json()["code"] == "NotSupportedHere"
    assert client.get("/api/nope", headers={"Accept": "text/html"}).json()["code"] == "NotSupportedHere"
    # A stranger is asked for the key first, as everywhere.
    assert visitor(filled).get("/nope", headers={"Accept": "text/html"}).status_code == 303


@pytest.mark.parametrize(
    ("address", "status", "says"),
    [
        ("/tables/unknown", 404, "no table unknown"),
        ("/tables/%3Cscript%3E", 404, "&lt;script&gt;"),
        ("/tables/articles?index=unknown", 400, "no index unknown"),
        ("/tables/articles?order=up", 400, "order is asc or desc"),
        ("/tables/articles?limit=-1", 400, "limit is a number"),
        ("/tables/articles?limit=99999999999999999999", 400, "limit is a number"),
        ("/tables/articles?cursor=AAAA", 400, "cursor is of another query"),
        ("/tables/articles?cursor=%F0%9F%98%80", 400, "cursor is of another query"),
        ("/documents/abc", 404, "not a Convex document id"),
        ("/documents/%00", 404, "not a Convex document id"),
        ("/deployments?before=x", 400, "before is a number"),
        ("/files?after=1e9", 400, "after is a number"),
    ],
)
def test_what_can_not_be_shown_is_said(filled: Host, address: str, status: int, says: str):
    client = signed_in(filled)
    answer = client.get(address)
    assert answer.status_code == status
    assert says in answer.text
    assert 'href="/tables"' in answer.text
    path, _, query = address.partition("?")
    assert client.get(f"{path}.json?{query}").status_code == status


NAMES = st.sampled_from(
    ["index", "order", "limit", "cursor", "field", "value", "before", "after", "from", "id", "next"]
)
TEXTS = st.one_of(
    st.text(max_size=20),
    st.sampled_from(
        ["", "_end_", "asc", "by_workspace", "by_status_rating", "status", "title", "_id", "_creationTime"]
    ),
    st.sampled_from(["undefined", "5n", "NaN", '"x"', "[", "{}", '{"$integer":"AA=="}', 'Bytes("A")', "1" * 5000, "٣"]),
    st.integers().map(str),
    st.floats().map(str),
)
PATHS = st.sampled_from(
    [*SECTIONS, "/tables/articles", "/tables/free", "/tables/\ud7ff", "/documents/x", "/documents", "/"]
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300)
@given(path=PATHS, query=st.lists(st.tuples(NAMES, TEXTS), max_size=5), suffix=st.sampled_from(["", ".json"]))
def test_no_query_is_a_failure_of_the_server(filled: Host, path: str, query: list[tuple[str, str]], suffix: str):
    if "free" not in filled.deployment.tables():
        filled.deployment.insert("free", {"status": "x", "title": 5})
    client = visitor(filled)
    address = f"{path}{suffix}?{urlencode(query, errors='replace')}"
    answer = client.get(address, headers={"authorization": f"Convex {KEY}"})
    assert answer.status_code < 500
    signing_in = client.get(f"/sign-in?{urlencode(query, errors='replace')}")
    assert signing_in.status_code == 200
    Elements(signing_in.text).harmless()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=100)
@given(raw=st.binary(max_size=40))
def test_no_bytes_in_an_address_are_either(filled: Host, raw: bytes):
    escaped = "".join(f"%{byte:02x}" for byte in raw)
    for address in [f"/tables/{escaped}", f"/documents/{escaped}", f"/tables/articles?field={escaped}&value={escaped}"]:
        answer = visitor(filled).get(address, headers={"authorization": f"Convex {KEY}"})
        assert answer.status_code < 500


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
@given(fields=st.dictionaries(st.sampled_from(["a", "b", "title"]), values(), max_size=3))
def test_every_document_can_be_shown(filled: Host, fields: dict[str, object]):
    id_ = filled.deployment.insert("free", fields)
    client = visitor(filled)
    for address in [f"/documents/{id_}", "/tables/free?limit=3"]:
        answer = client.get(address, headers={"authorization": f"Convex {KEY}"})
        assert answer.status_code == 200
        Elements(answer.text).harmless()
        path, _, query = address.partition("?")
        assert client.get(f"{path}.json?{query}", headers={"authorization": f"Convex {KEY}"}).status_code == 200


def damage(host: Host, body: str) -> str:
    """Puts ``body`` (SQL) in the place of an article's; its id."""
    store = host.deployment.store
    table = store.tables()["articles"]
    id_ = ids(host, "articles")[2]
    store.connection.execute(f"UPDATE documents_{table.storage} SET body = {body} WHERE row = 3")
    return id_


@pytest.mark.parametrize("body", ["'{'", "CAST(x'7bff7d' AS TEXT)", "x'7b7d'", "'[]'"])
def test_a_damaged_document_is_shown_as_one_and_hides_no_other(filled: Host, body: str):
    id_ = damage(filled, body)
    client = signed_in(filled)
    documents = page_json(client, "/tables/articles")["documents"]
    assert len(documents) == 7
    (damaged,) = [document for document in documents if reading.DAMAGED in document]
    assert damaged["_id"] == id_
    assert client.get("/tables/articles").status_code == 200
    answer = client.get(f"/documents/{id_}")
    assert answer.status_code < 500
    assert "can&#39;t be read" in answer.text or "can't be read" in answer.text
    other = next(document["_id"] for document in documents if document["_id"] != id_)
    assert client.get(f"/documents/{other}").status_code == 200


def test_a_call_that_meets_a_damaged_document_is_told_its_id(filled: Host):
    id_ = damage(filled, "'{'")
    client = visitor(filled)
    body = {
        "path": "_system/cli/tableData",
        "format": "json",
        "args": [{"table": "articles", "paginationOpts": {"cursor": None, "numItems": 10}}],
    }
    headers = {"Authorization": f"Convex {KEY}"}
    answer = client.post("/api/query", json=body, headers=headers).json()
    assert (answer["status"], id_ in answer["errorMessage"]) == ("error", True), answer
    body["args"] = [{"table": "workspaces", "paginationOpts": {"cursor": None, "numItems": 10}}]
    assert client.post("/api/query", json=body, headers=headers).json()["status"] == "success"
