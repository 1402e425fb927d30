"""A unique key that others refer to changes: the change is refused, or the documents that refer to it follow."""

from supavex.postgres import server as servers
from tests import projects
from tests.databases import new_database
from tests.rules.test_agreement import GRANTS, MEMBERS, TEAMS, USERS
from tests.rules.tried import migrated, tried, written

#: A table ``places`` with a key of its own, and tables that refer to it by another one, in each way and in two steps.
TABLES = """
CREATE TABLE places (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), code text UNIQUE, note text);
INSERT INTO places (code, note) VALUES ('a', 'one'), ('b', 'two'), ('c', 'three');
CREATE TABLE words (word text PRIMARY KEY, note text);
INSERT INTO words VALUES ('a', 'one'), ('b', 'two'), ('c', 'three');
CREATE TABLE of_words (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), word text REFERENCES words ON UPDATE {action});
INSERT INTO of_words (word) VALUES ('a'), ('a'), ('b');
CREATE TABLE kids (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), code text UNIQUE REFERENCES places (code) ON UPDATE {action}
  ON DELETE SET NULL,
  updated_at timestamptz NOT NULL DEFAULT '2020-01-01', n int);
INSERT INTO kids (code, n) VALUES ('a', 1), ('b', 2), (NULL, 3);
CREATE TRIGGER touch BEFORE UPDATE ON kids FOR EACH ROW EXECUTE FUNCTION touch();
CREATE TABLE toys (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), code text REFERENCES kids (code) ON UPDATE {second}, t text);
INSERT INTO toys (code, t) VALUES ('b', 'ball');
CREATE TABLE trees (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), code int UNIQUE, parent int REFERENCES trees (code) ON UPDATE {action});
INSERT INTO trees (code, parent) VALUES (1, 1), (2, 1);
"""
ACTIONS = [
    ("NO ACTION", "CASCADE"), ("RESTRICT", "CASCADE"), ("CASCADE", "NO ACTION"), ("CASCADE", "CASCADE"), ("SET NULL", "SET NULL"),
    ("CASCADE", "SET NULL"),
]  # fmt: skip


def test_a_key_is_changed_under_its_children_as_in_postgresql(server: servers.Server) -> None:
    sql, names = USERS + TEAMS + MEMBERS, list[str]()
    for number, (action, second) in enumerate(ACTIONS):
        own = TABLES.format(action=action, second=second)
        for name in ("places", "of_words", "kids", "toys", "trees"):
            own = own.replace(name, f"{name}{number}")
        own = own.replace("TABLE words", f"TABLE words{number}").replace("INTO words", f"INTO words{number}")
        sql += own.replace("REFERENCES words", f"REFERENCES words{number}")
        names += [f"places{number}", f"words{number}", f"kids{number}", f"trees{number}"]
    with new_database(server) as database, projects.folder() as folder:
        database.run(sql + GRANTS)
        made = written(folder, database)
        migrated(folder)
        findings = tried(made, database, written=names, users=0)
    assert [(d.table, d.detail) for d in findings.differences] == []
    assert findings.taken
    assert {one.table for one in made.constraints.left} == {"public.members"}


def test_a_key_of_several_columns_is_changed_only_without_children(server: servers.Server) -> None:
    sql = """
    CREATE TABLE rooms (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), house int NOT NULL, no int NOT NULL, UNIQUE (house, no));
    INSERT INTO rooms (house, no) VALUES (1, 1), (2, 2);
    CREATE TABLE beds (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), house int, no int,
      FOREIGN KEY (house, no) REFERENCES rooms (house, no) ON UPDATE {action});
    INSERT INTO beds (house, no) VALUES (1, 1), (2, 2);"""
    both = sql.format(action="NO ACTION") + sql.format(action="CASCADE").replace("rooms", "halls").replace(
        "beds", "cots"
    )
    with new_database(server) as database, projects.folder() as folder:
        database.run(USERS + TEAMS + MEMBERS + both + GRANTS)
        made = written(folder, database)
        migrated(folder)
        findings = tried(made, database, written=["rooms", "beds"], users=0)
    assert [(d.table, d.detail) for d in findings.differences] == []
    reason = "ON UPDATE CASCADE of several columns is not translated: the change is refused instead"
    assert [one.reason for one in made.constraints.left if one.table == "public.cots"] == [reason]
