"""ON DELETE in several steps: a removal is refused, or reaches the same rows, as in PostgreSQL."""

import pytest

from supavex.postgres import server as servers
from tests import projects
from tests.databases import new_database
from tests.rules.test_agreement import GRANTS, MEMBERS, TEAMS, USERS
from tests.rules.tried import migrated, tried, written

TABLES = """
CREATE TABLE posts (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), t text);
CREATE TABLE notes (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), parent uuid NOT NULL REFERENCES posts ON DELETE CASCADE);
CREATE TABLE marks (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), note uuid REFERENCES notes ON DELETE CASCADE,
  post uuid REFERENCES posts ON DELETE {action});
INSERT INTO posts (id, t) VALUES ('{p}1', 'both'), ('{p}2', 'of a note'), ('{p}3', 'bare');
INSERT INTO notes (id, parent) VALUES ('{n}1', '{p}1'), ('{n}2', '{p}2');
INSERT INTO marks (note, post) VALUES ('{n}1', '{p}1'), ('{n}2', NULL);
"""


@pytest.mark.parametrize("action", ["NO ACTION", "RESTRICT", "SET NULL", "CASCADE"])
def test_a_second_reference_is_looked_at_before_the_rows_below_are_removed(server: servers.Server, action: str) -> None:
    ids = {name: f"{digit * 8}-0000-4000-8000-00000000000" for name, digit in (("p", "1"), ("n", "2"))}
    with new_database(server) as database, projects.folder() as folder:
        database.run(USERS + TEAMS + MEMBERS + TABLES.format(action=action, **ids) + GRANTS)
        made = written(folder, database)
        migrated(folder)
        findings = tried(made, database, written=["posts", "notes", "marks"], users=1)
    assert [(d.table, d.detail) for d in findings.differences] == []
    assert findings.taken
