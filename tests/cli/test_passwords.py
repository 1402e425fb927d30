"""No run of three characters of a database's password is in what a command prints or leaves, whatever is typed."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from supavex.postgres import server as servers
from tests import projects
from tests.databases import new_database
from tests.projects import Ran, supavex

#: Letters that no message of ours has side by side, and every sign that means something in an address.
LETTERS = "QXZJ"
PASSWORDS = st.text(LETTERS * 3 + "@#/?%:&=+'\"\\ ,;[]{}()!$*~^|<>`.-_é", min_size=6, max_size=24)
HOST = "127.0.0.1:1"  # nothing listens there
FORMS = {
    "url": "postgresql://postgres:{p}@" + HOST + "/db",
    "no database": "postgresql://postgres:{p}@127.0.0.1",
    "old scheme": "postgres://postgres:{p}@" + HOST + "/db?sslmode=disable",
    "no user": "postgresql://:{p}@" + HOST + "/db",
    "no host": "postgresql://postgres:Z{p}",
    "no host, a database": "postgresql://postgres:Z{p}/db",
    "no scheme": "postgres:{p}@" + HOST + "/db",
    "another scheme": "mysql://postgres:{p}@" + HOST + "/db",
    "two hosts": "postgresql://postgres:{p}@127.0.0.1:1,127.0.0.1:2/db",
    "query": "postgresql://postgres@" + HOST + "/db?password={p}",
    "query, not last": "postgresql://postgres@" + HOST + "/db?sslpassword={p}&sslmode=disable",
    "encoded": "postgresql://postgres:{e}@" + HOST + "/db",
    "half encoded": "postgresql://postgres:{e}{p}@" + HOST + "/db",
    "broken encoding": "postgresql://postgres:%ZZ{e}%@" + HOST + "/db",
    "words": "host=127.0.0.1 port=1 user=postgres password={p} dbname=db",
    "words, first": "password={p} host=127.0.0.1 port=1",
    "words in quotes": "host=127.0.0.1 port=1 user=postgres password='{p}'",
    "words with escapes": "host=127.0.0.1 port=1 user=postgres sslpassword={b}",
    "words, spaced": "host = 127.0.0.1 port = 1 password = {p}",
    "words, misspelt": "host=127.0.0.1 port=1 pasword={p}",
    "words with a url in them": "host=postgres:{p}@127.0.0.1 port=1",
}


def written(form: str, password: str) -> str:
    backslashed = "".join(f"\\{c}" if c in " '\\" else c for c in password)
    return FORMS[form].format(p=password, e=quote(password, safe=""), b=backslashed)


def pieces(password: str) -> set[str]:
    """Its runs of three characters that no message holds by chance, as they are and as JSON and TOML write them."""
    runs = [password[at : at + 3] for at in range(len(password) - 2)]
    told = {run for run in runs if sum(c in LETTERS for c in run) >= 2}
    return told | {json.dumps(run)[1:-1] for run in told} | {quote(run, safe="") for run in told}


def nowhere(password: str, folder: Path, *ran: Ran) -> None:
    texts = {
        f"{number} {kind}": text for number, r in enumerate(ran) for kind, text in (("out", r.out), ("err", r.err))
    }
    for path in folder.rglob("*"):
        if path.is_file() and not path.is_symlink():
            texts[str(path)] = path.read_bytes().decode("utf-8", "replace")
    for piece in pieces(password):
        for where, text in texts.items():
            assert piece not in text, f"{piece!r} is in {where}"


@contextmanager
def variable(value: str) -> Iterator[None]:
    os.environ["SUPAVEX_TEST_URL"] = value
    try:
        yield
    finally:
        del os.environ["SUPAVEX_TEST_URL"]
        os.environ.pop("SUPABASE_DB_URL", None)


@pytest.mark.parametrize("form", list(FORMS))
@settings(max_examples=3, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@example(password="QX@ZJQX#1")
@example(password="Q#XZJQXZ@J")
@example(password="QXZ/JQX?ZJ")
@example(password="QXZ JQX=ZJ")
@example(password="QXZ' JQX'ZJ")
@given(password=PASSWORDS)
def test_an_address_that_nothing_answers_at(form: str, password: str) -> None:
    url = written(form, password)
    with projects.folder() as folder, variable(url):
        toml = '[source]\ndatabase_url_env = "SUPAVEX_TEST_URL"\n'
        projects.write(folder, schema="schema = define_schema({})", toml=toml)
        fresh = folder / "fresh"
        fresh.mkdir()
        ran = [
            supavex("check", "-C", folder),
            supavex("check", "-C", folder, "--json"),
            supavex("inspect", url),
            supavex("init", "-C", fresh, "--database-url", url),
            supavex("init", "-C", fresh, "--database-url-env", url),
            supavex("restore", "-C", folder, folder / "none.zip", "--to", url),
            supavex("verify", "-C", folder, "--to", url),
            supavex("deploy", "-C", folder, url),
            supavex("check", url, url),
        ]
        assert all(r.code for r in ran[:5]), ran
        nowhere(password, folder, *ran)


@pytest.mark.parametrize(
    "line",
    [
        "database_url = {j}",
        "database_url = [{j}]",
        "database_url = {{ url = {j} }}",
        "database_url_env = {j}",
        "database_url = {u}",
        'database_url = "{u}',
        "database_ulr = {j}",
        "migrations = {j}\ndatabase_url = 1",
        "seed = {j}",
        "schemas = {j}",
        "replay_gb = {j}",
    ],
)
@settings(max_examples=4, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@example(password="QX@ZJQX#1")
@given(password=PASSWORDS)
def test_a_setting_that_is_wrong(line: str, password: str) -> None:
    url = written("url", password)
    text = "[source]\n" + line.format(j=json.dumps(url), u=url) + "\n"
    with projects.folder() as folder:
        (folder / "schema.py").write_text("from supavex.schema import define_schema\nschema = define_schema({})\n")
        (folder / "supavex.toml").write_text(text)
        ran = supavex("check", "-C", folder), supavex("check", "-C", folder, "--json")
        assert all(r.code for r in ran), ran
        (folder / "supavex.toml").unlink()
        nowhere(password, folder, *ran)


@settings(max_examples=2, deadline=None)
@example(password="QX@ZJQX#1/%?&= 'QXZJ\"\\")
@given(password=PASSWORDS)
def test_a_run_that_ends_well_leaves_no_password(server: servers.Server, password: str) -> None:
    with new_database(server) as source, new_database(server) as target, projects.folder() as folder:
        table = "CREATE TABLE notes (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), body text);"
        source.run(table + "INSERT INTO notes (body) SELECT 'a' FROM generate_series(1, 20)")
        target.run(table)
        url, into = (
            f"postgresql://postgres:{quote(password, safe='')}@/{name}?host={quote(str(server.socket_folder), safe='')}"
            for name in (source.name, target.name)
        )
        with variable(url):
            commands = [
                ["init", "--database-url-env", "SUPAVEX_TEST_URL"],
                *(["check"], ["build"], ["deploy"], ["migrate", "--workers", "2"], ["verify"], ["changes"]),
                *(["explain", "notes"], ["plan-cutover"], ["migrate", "--out", folder / "all.zip"]),
                *[["restore", folder / "all.zip", "--to", into]] * 2,
            ]
            ran = [supavex(*command, "-C", folder) for command in commands]
        assert [r.code for r in ran[:6]] == [0] * 6, ran
        nowhere(password, folder, *ran)
