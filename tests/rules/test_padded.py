"""Texts of char(n), which PostgreSQL pads and compares without the padding."""

from supavex.postgres import server as servers
from tests import projects
from tests.databases import new_database
from tests.rules.test_agreement import GRANTS, MEMBERS, TEAMS, USERS
from tests.rules.tried import migrated, tried, written

CONDITIONS = [
    "c = 'a'",
    "c <> 'a'",
    "c = 'a  '",
    "c IN ('a', 'abc')",
    "length(c) = 1",
    "c || 'x' = 'ax'",
    "c::text = 'a'",
    "c LIKE 'a'",
    "c LIKE 'a  '",
    "c = t",
    "c <> t",
    "upper(c) = 'A'",
    "c IS DISTINCT FROM 'a'",
    "coalesce(c, 'a') = 'a'",
    "c = ANY (ARRAY['a', 'b'])",
    "left(c, 2) = 'a'",
    "'a' = c",
    "cs @> ARRAY['a']::char(3)[]",
    "m ->> 'k' = c",
    "c = d",
    "starts_with(c, 'a ')",
    "concat(c, 'x') = 'ax'",
    "replace(c, ' ', '') = 'a'",
    "CASE c WHEN 'a' THEN true ELSE false END",
    "nullif(c, 'a') IS NULL",
    "c ~ '^a$'",
    "EXISTS (SELECT 1 FROM others o WHERE o.c = notes.c)",
]


def test_padded_texts_are_compared_as_in_postgresql(server: servers.Server) -> None:
    sql, names = "CREATE TABLE others (id int PRIMARY KEY, c char(5)); INSERT INTO others VALUES (1, 'a');", {}
    for number, condition in enumerate(CONDITIONS):
        names[f"public.notes{number}"] = condition
        sql += f"""CREATE TABLE notes (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), c char(3), d char(5), t text, cs char(3)[], m jsonb, UNIQUE (c));
        INSERT INTO notes (c, d, t, cs, m) VALUES ('a', 'a', 'a', '{{a,b}}', '{{"k": "a"}}'), ('abc', 'abc', 'x', '{{}}', '{{"k": "x"}}'), (NULL, 'a', 'a', NULL, NULL), ('b ', 'c', 'b ', NULL, NULL);
        ALTER TABLE notes ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON notes USING ({condition});""".replace(
            "notes", f"notes{number}"
        )
    with new_database(server) as database, projects.folder() as folder:
        database.run(USERS + TEAMS + MEMBERS + sql + GRANTS)
        made = written(folder, database)
        refused = {names[f"public.{table.target}"] for table, _ in made.rules.refused}
        migrated(folder)
        findings = tried(made, database, users=0, written=["notes0"])
    # There the spaces count, or an element has them.
    assert refused == {
        "c LIKE 'a'",
        "c LIKE 'a  '",
        "concat(c, 'x') = 'ax'",
        "c ~ '^a$'",
        "cs @> ARRAY['a']::char(3)[]",
    }
    assert findings.taken
    assert sorted({(names[d.table], d.detail.partition(":")[2]) for d in findings.differences}) == []
