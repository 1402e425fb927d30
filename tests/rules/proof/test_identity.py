"""How a Convex identity is ``auth.uid()``: a field of a table, Convex Auth's id of a user, or the subject itself."""

from __future__ import annotations

import pytest

from supavex.postgres import server as servers
from tests import projects
from tests.databases import new_database
from tests.rules.test_agreement import ANN, BOB, CAT, GRANTS, USERS
from tests.rules.tried import migrated, tried, written

NOTES = f"""
CREATE TABLE profiles (id uuid PRIMARY KEY REFERENCES auth.users, clerk_id text UNIQUE);
INSERT INTO profiles VALUES ('{ANN}', 'user_ann'), ('{BOB}', 'user_bob'), ('{CAT}', NULL);
CREATE TABLE notes (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), owner uuid REFERENCES profiles ON DELETE CASCADE,
  writer uuid REFERENCES auth.users, body text);
INSERT INTO notes (owner, writer, body) VALUES ('{ANN}', '{BOB}', 'a'), ('{BOB}', '{ANN}', 'b'), (NULL, NULL, 'c');
ALTER TABLE notes ENABLE ROW LEVEL SECURITY;
ALTER TABLE profiles ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON notes USING (owner = auth.uid());
CREATE POLICY written ON notes FOR SELECT USING (writer = auth.uid());
CREATE POLICY self ON profiles FOR SELECT USING (id = auth.uid());
"""


@pytest.mark.parametrize(
    ("toml", "words"),
    [
        ("", "uid = identity.subject;"),
        ('[users]\nfield = "profiles.clerk_id"\n', '"profiles", { clerk_id: identity.subject }, "by_clerk'),
        ('[users]\nfor = "convex-auth"\n', 'identity.subject.split("|")[0]!'),
    ],
    ids=["subject", "field", "convex-auth"],
)
def test_an_identity_is_the_user_that_policies_ask_for(server: servers.Server, toml: str, words: str) -> None:
    with new_database(server) as database, projects.folder() as folder:
        database.run(USERS + NOTES + GRANTS)
        made = written(folder, database, toml)
        assert [(rule.policy.name, rule.reason) for _, rule in made.rules.refused] == []
        assert words in made.text
        migrated(folder)
        findings = tried(made, database, written=["notes"])
    assert findings.differences == []
    # Each user's own document can be written, and is.
    assert findings.taken > 3
    assert findings.reads > 6
