"""``visible<Table>`` reads as many documents as the query that a person would write by hand, and gives the same."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from supavex.deployment import Deployment
from supavex.deployment.database.usage import Usage
from supavex.postgres import server as servers
from supavex.rules.proof.convex import MODULE, call
from supavex.rules.proof.users import choose_users
from tests import projects
from tests.databases import Database, new_database
from tests.rules.test_agreement import ANN, BOB, CAT, GRANTS, MEMBERS, TEAMS, USERS
from tests.rules.tried import Written, migrated, sides, written

NOTES = f"""
CREATE INDEX ON members (user_id);
CREATE TABLE notes (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), owner uuid, body text);
CREATE TABLE plans (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), team_id uuid REFERENCES teams, body text);
CREATE INDEX ON notes (owner); CREATE INDEX ON plans (team_id);
INSERT INTO notes (owner, body) SELECT (ARRAY['{ANN}', '{BOB}', '{CAT}']::uuid[])[1 + n % 3], n::text FROM generate_series(1, 90) n;
INSERT INTO plans (team_id, body) SELECT id, n::text FROM teams, generate_series(1, 30) n;
ALTER TABLE notes ENABLE ROW LEVEL SECURITY; ALTER TABLE plans ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON notes USING (owner = auth.uid());
CREATE POLICY team ON plans USING (team_id IN (SELECT team_id FROM members WHERE user_id = auth.uid()));
"""
#: What a person writes.
BY_HAND = """
type Hand = { auth: Auth; db: DatabaseReader };
export const notesByHand = async (ctx: Hand) => {
  const identity = (await ctx.auth.getUserIdentity())!;
  const db = unguarded.get(ctx.db) as Loose;
  return db.query("notes").withIndex("by_owner", (q: Loose) => q.eq("owner", identity.subject)).collect();
};
export const plansByHand = async (ctx: Hand) => {
  const identity = (await ctx.auth.getUserIdentity())!;
  const db = unguarded.get(ctx.db) as Loose;
  const mine = await db.query("members").withIndex("by_user", (q: Loose) => q.eq("user_id", identity.subject)).collect();
  const found = [];
  for (const { team_id } of mine) {
    found.push(...(await db.query("plans").withIndex("by_team", (q: Loose) => q.eq("team_id", team_id)).collect()));
  }
  return found;
};
"""


@pytest.fixture(scope="module")
def place(server: servers.Server) -> Iterator[tuple[Written, Database]]:
    with new_database(server) as database, projects.folder() as folder:
        database.run(USERS + TEAMS + MEMBERS + NOTES + GRANTS)
        made = written(folder, database)
        migrated(folder)
        yield made, database


@pytest.mark.parametrize("table", ["notes", "plans"])
def test_documents_read_are_those_of_a_query_by_hand(
    place: tuple[Written, Database], table: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, database = place
    read = [0]
    own = Usage.read

    def counting(usage: Usage, bodies: list[str]) -> None:
        read[0] += len(bodies)
        own(usage, bodies)

    monkeypatch.setattr(Usage, "read", counting)
    assert made.module.visible[table].add == ()
    with sides(made, database, made.text + BY_HAND) as both:
        numbers = {name: number for number, name in both.deployment.table_names().items()}
        user = next(u for u in choose_users(both.connection, made.plan, numbers, None).users if u.id == BOB)

        def asked(deployment: Deployment, name: str) -> tuple[set[str], int]:
            read[0] = 0
            outcome = call(deployment, f"{MODULE}:byIndex", {"name": name}, user)
            assert outcome.failure is None, outcome.failure
            return set(json.loads(outcome.value or "[]")), read[0]

        visible = asked(both.deployment, f"visible{table.title()}")
        assert visible == asked(both.deployment, f"{table}ByHand")
    assert 10 < len(visible[0]) < 90
