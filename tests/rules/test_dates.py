"""Dates before Christ, beyond the year 9999, and infinite ones have PostgreSQL's order."""

from supavex.postgres import server as servers
from tests import projects
from tests.databases import new_database
from tests.rules.test_agreement import GRANTS, MEMBERS, TEAMS, USERS
from tests.rules.tried import migrated, tried, written

DAYS = ["0044-03-15 BC", "0001-01-01", "0001-12-31 BC", "1969-12-31", "2020-02-29", "9999-12-31", "10000-01-01",
        "200000-06-01", "infinity", "-infinity"]  # fmt: skip
PLANS = f"""
CREATE TABLE plans (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), day date, other date, at timestamptz);
INSERT INTO plans (day, other, at) SELECT d::date, o::date, CASE WHEN isfinite(d::date) THEN d::timestamptz + interval '1 hour' END
  FROM unnest(ARRAY{DAYS}) d, unnest(ARRAY['0044-03-16 BC', '2020-02-29', '10000-01-02', NULL]) o;
ALTER TABLE plans ENABLE ROW LEVEL SECURITY;
"""
CONDITIONS = [
    "day < '2020-02-29'", "NOT (day <= '2020-02-29')", "day > other", "day >= other", "day < current_date",
    "day BETWEEN '1000-01-01' AND '2020-02-29'", "greatest(day, other) = day", "least(day, other) = other", "day + 1 = other",
    "day - 1 < other", "day::timestamptz < now()", "at::date = day", "at::date < '2020-01-01'", "day < at", "day::timestamptz = at",
    "CASE WHEN day > '-infinity' AND day < 'infinity' THEN other - day > 30 END", "day = (SELECT max(p.other) FROM all_days p)",
    "day < (SELECT p.day FROM all_days p ORDER BY p.day DESC LIMIT 1)", "day = (SELECT p.day FROM all_days p ORDER BY p.day LIMIT 1)",
    "at + interval '1 month' > now()", "at - interval '1 month' < '0001-01-01T00:00:00Z'", "day < 'infinity'", "at < 'infinity'",
    "(at - interval '1 day')::date < day", "day::text = '0044-03-15 BC'",
]  # fmt: skip


def test_dates_of_every_year_are_ordered_as_in_postgresql(server: servers.Server) -> None:
    names = {f"plans{number}": condition for number, condition in enumerate(CONDITIONS)}
    sql = "".join(f"{PLANS}CREATE POLICY p ON plans USING ({c});".replace("plans", n) for n, c in names.items())
    sql = f"{PLANS}CREATE POLICY a ON plans USING (true);".replace("plans", "all_days") + sql
    with new_database(server) as database, projects.folder() as folder:
        database.run(USERS + TEAMS + MEMBERS + sql + GRANTS)
        made = written(folder, database)
        assert [(table.target, rule.reason) for table, rule in made.rules.refused] == []
        migrated(folder)
        findings = tried(made, database, users=0, written=[])
    assert sorted({names[d.table.removeprefix("public.")] for d in findings.differences}) == []
    assert findings.reads >= len(DAYS) * 4 * (len(CONDITIONS) + 1)
