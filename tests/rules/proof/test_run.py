"""``verify --rules`` catches an app that leaks, and rules.ts where it is another one than PostgreSQL's."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from supavex.cli.reports.rules import report_lines
from supavex.postgres import server as servers
from supavex.rules.proof import comparison, run
from supavex.rules.proof.findings import Findings
from supavex.rules.proof.functions import Called
from supavex.rules.proof.run import RulesProof
from supavex.settings.reading import load_settings
from tests import projects
from tests.databases import Database, new_database
from tests.projects import supavex
from tests.rules.test_agreement import COMMENTS, GRANTS, OPEN, POLICIES, POSTS, TEAMS, USERS
from tests.rules.tried import PACKAGES, Written, migrated, tried, written


@pytest.fixture(scope="module")
def place(server: servers.Server) -> Iterator[tuple[Written, Database]]:
    with new_database(server) as database, projects.folder() as folder:
        database.run(USERS + TEAMS + POSTS + COMMENTS + GRANTS + OPEN + POLICIES)
        made = written(folder, database)
        migrated(folder)
        yield made, database


def test_rules_as_they_were_written_agree(place: tuple[Written, Database]) -> None:
    findings = tried(*place, users=2)
    assert findings.differences == []
    assert findings.taken > 10
    assert findings.writes > findings.taken


def test_rows_without_a_document_that_nobody_looked_for_are_said(
    place: tuple[Written, Database], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(comparison, "_COUNTED", 2)
    findings = tried(*place, written=[], users=1)
    assert any(line.startswith("public.posts: rows without a document") for line in findings.not_tried)


def test_what_was_tried_is_taken_back_when_all_is_well(server: servers.Server) -> None:
    with new_database(server) as database:
        database.run("CREATE TABLE t (id int); INSERT INTO t VALUES (1), (2)")
        with run.trials_connection(database.url()) as connection:
            connection.execute("BEGIN")
            connection.execute("DELETE FROM t")
        with run.trials_connection(database.url()) as connection:
            assert connection.execute("SELECT count(*) FROM t").fetchall() == [(2,)]


#: A rule as it was written, and what somebody, or a wrong compiler, makes of it.
MUTATIONS = {
    "AND for OR": ("!same(row.published, true) ||", "!same(row.published, true) &&"),
    "a restrictive policy is permissive": ("        restrictive: true,\n", ""),
    "NULL counts as unlike": ("differ(row.author, caller.uid)", "row.author !== caller.uid"),
    "WITH CHECK is dropped": ("check: (row, caller) => same(row.author, caller.uid)", "check: () => true"),
    "another user's teams": ("{ user_id: caller.uid }", "{}"),
    "a rule that is always true": ("using: (row, caller) => same(row.author, caller.uid)", "using: () => true"),
    "an inner query that sees all rows": ("security: true", "security: false"),
    "a unique key is forgotten": ("    unique: [", "    unique: [].concat([] as never[]) as never, unused: ["),
    "a cascade is forgotten": ('onDelete: "cascade"', 'onDelete: "restrict"'),
    "a missing parent is taken": ("    references: [", "    unreferenced: ["),
    "a check is forgotten": ("    checks: [", "    unchecked: ["),
    "WITH CHECK is not USING": ("(policy.check ?? policy.using)", "policy.check"),
    "the row before an update is not asked": ('(await passes(table, "update", "using", before, caller)) &&', ""),
    "a delete asks nobody": ('(await passes(table, "delete", "using", old, caller))', "true"),
    "an insert asks nobody": ('(await passes(table, "insert", "check", row as Loose, caller))', "true"),
    "no policy is open": ("  if (!open) return false;\n", ""),
    "the identity is another field": ("const uid = identity.subject;", "const uid = identity.issuer;"),
    "a partial unique key holds all others": (
        "(unique.where === undefined || (await unique.where(other, caller)))",
        "true",
    ),
    "a document is its own duplicate": ("other._id !== row._id && ", ""),
    "defaults are forgotten": ("fields[name] = await value(caller);", "await value(caller);"),
    "a default replaces what is given": ("if (!Object.hasOwn(fields, name)) fields[name]", "fields[name]"),
    "updated_at is not set": ("...touched, ", ""),
    "a page shows all": ("page.page.filter((_: unknown, at: number) => seen[at])", "page.page"),
    "collect shows all": ("if (await visible(row)) yield row;", "yield row;"),
    "get shows all": ("row !== null && (await read(table, row, caller)) ? row : null", "row"),
    "an order shows all": (
        "visibleOnly(query[link](...args), visible)",
        'link === "order" ? query[link](...args) : visibleOnly(query[link](...args), visible)',
    ),
    "replace asks nobody": (
        "replace: (...args: Loose[]) => change(args, (_row, fields) => fields),",
        "replace: (id: Loose, fields: Loose) => all.replace(id, fields),",
    ),
}


@pytest.mark.parametrize("why", MUTATIONS)
def test_a_mutation_of_the_rules_is_caught(place: tuple[Written, Database], why: str) -> None:
    made, database = place
    old, new = MUTATIONS[why]
    found = [
        choice for choice in (old, old.replace("!same(row.published, true)", "row.published")) if choice in made.text
    ]
    assert found, f"{old} is not written:\n{made.text[:6000]}"
    text = made.text.replace(found[0], new.replace("!same(row.published, true)", "row.published"))
    findings = tried(made, database, text, users=3, until_wrong=True)
    assert findings.wrong > 0


def test_the_apps_queries_are_called_as_each_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "1")
    with projects.folder() as folder:
        projects.copy_of_my21staff(folder)
        for command in ("deploy", "migrate"):
            assert supavex(command, "-C", folder).code == 0
        (folder / "convex/rules.ts").unlink(missing_ok=True)
        (folder / "node_modules").symlink_to(PACKAGES)
        ran = supavex("verify", "--rules", "--users", "2", "--json", "-C", folder)
        assert ran.code == 1, ran.err
        found = ran.json
        leaks = {(one["function"], one["place"].partition(":")[0]) for one in found["differences"]}
        assert ("workspaces:get", "convex/workspaces.ts") in leaks
        assert {one["kind"] for one in found["differences"]} == {"leak"}
        assert any(line.startswith("articles:list") for line in found["unguarded"])
        assert any("appointments:mine as anon" in line for line in found["not_tried"])
        assert found["builders"] is False
        assert load_settings(folder).root == folder
        assert not Path(folder / "convex/supavexProof.ts").exists()
        # The rows that the migration rejected are in the source as before.
        assert supavex("verify", "-C", folder).code == 0
        shutil.rmtree(folder / ".supavex")
        assert supavex("verify", "--rules", "-C", folder).code == 2


def test_a_check_over_references_is_tried(server: servers.Server) -> None:
    one_parent = """
        CREATE TABLE pinned (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), team_id uuid REFERENCES teams,
          member_id uuid REFERENCES members, CHECK ((team_id IS NULL) <> (member_id IS NULL)));
        INSERT INTO pinned (team_id) SELECT id FROM teams; INSERT INTO pinned (member_id) SELECT id FROM members;
    """
    with new_database(server) as database, projects.folder() as folder:
        database.run(USERS + TEAMS + one_parent + GRANTS + OPEN)
        made = written(folder, database)
        assert [name for name, _ in made.constraints.tables["pinned"].checks] == ["pinned_check"]
        migrated(folder)
        findings = tried(made, database, written=["pinned"], users=1)
    assert findings.differences == []
    assert findings.writes > findings.taken > 0


def test_grants_of_some_columns_are_refused_and_said(server: servers.Server) -> None:
    columns = """
        CREATE TABLE cards (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), name text, price int);
        INSERT INTO cards (name, price) VALUES ('a', 1), ('b', 2);
    """
    granted = "REVOKE ALL ON cards FROM anon; GRANT SELECT (id, name), UPDATE (name), DELETE ON cards TO anon;"
    with new_database(server) as database, projects.folder() as folder:
        database.run(USERS + columns + GRANTS + granted)
        made = written(folder, database)
        migrated(folder)
        findings = tried(made, database, users=1)
    assert findings.differences == []
    assert any(line.startswith("public.cards: select as anon, who is granted some") for line in findings.not_tried)


def test_where_nothing_was_tried_nothing_is_good() -> None:
    proof = RulesProof(Findings(users=["anon"]), Called(), builders=False, seconds=0.0)
    assert not proof.ok
    assert report_lines(proof)[-1].startswith("nothing was tried: 1 user, no calls of 0 public queries")
