"""Random policies over random rows: PostgreSQL and rules.ts show the same, as nobody and as three users."""

from __future__ import annotations

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from supavex.postgres import server as servers
from tests import projects
from tests.databases import new_database, server
from tests.rules.test_agreement import ANN, BOB, CAT, EXPRESSIONS, GRANTS, MEMBERS, POSTS, TEAMS, USERS
from tests.rules.tried import migrated, tried, written

__all__ = ["server"]

#: Conditions that always have a value of the row's: the others are combinations of these.
ATOMS = [expression for expression in EXPRESSIONS if "current_date" not in expression and "interval" not in expression]
TABLES = 50
_TEAMS = [f"'a0000000-0000-4000-8000-00000000000{n}'" for n in (1, 2, 3)]


def combined(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        st.tuples(inner, inner).map(lambda two: f"({two[0]}) AND ({two[1]})"),
        st.tuples(inner, inner).map(lambda two: f"({two[0]}) OR ({two[1]})"),
        inner.map(lambda one: f"NOT ({one})"),
        inner.map(lambda one: f"({one}) IS NOT TRUE"),
        inner.map(lambda one: f"({one}) IS NULL"),
        st.tuples(inner, inner).map(lambda two: f"coalesce({two[0]}, {two[1]})"),
        st.tuples(inner, inner, inner).map(lambda three: "CASE WHEN {} THEN {} ELSE {} END".format(*three)),
        st.tuples(inner, inner).map(lambda two: f"({two[0]}) IS DISTINCT FROM ({two[1]})"),
    )


CONDITIONS = st.recursive(st.sampled_from(ATOMS), combined, max_leaves=5)
MAYBE = {
    "team_id": st.sampled_from(["NULL", *_TEAMS]),
    "author": st.sampled_from(["NULL", *(f"'{user}'" for user in (ANN, BOB, CAT))]),
    "title": st.sampled_from(["'one'", "'two'", "'t'", "'four'"]),
    "stars": st.sampled_from(["NULL", "0", "1", "5"]),
    "tags": st.sampled_from(["'{}'", "'{x}'", "'{x,y}'", "'{z}'"]),
    "meta": st.sampled_from(["NULL", """'{"k": "v", "n": 2}'""", """'{"k": null}'""", """'{"list": ["a"]}'"""]),
    "published": st.booleans().map(str),
}
ROWS = st.lists(st.fixed_dictionaries(MAYBE), min_size=6, max_size=10)


@settings(max_examples=3, phases=[Phase.generate], suppress_health_check=list(HealthCheck), deadline=None)
@given(policies=st.lists(st.tuples(CONDITIONS, CONDITIONS, st.booleans()), min_size=TABLES, max_size=TABLES), rows=ROWS)
def test_random_policies_agree(
    server: servers.Server, policies: list[tuple[str, str, bool]], rows: list[dict[str, str]]
) -> None:
    names = {f"posts{number}": each for number, each in enumerate(policies)}
    sql = [USERS, TEAMS, MEMBERS, "CREATE POLICY t ON teams FOR SELECT USING (open IS NOT FALSE);"]
    for name, (first, second, restrictive) in names.items():
        kind = "AS RESTRICTIVE" if restrictive else ""
        made = f"CREATE POLICY a ON posts USING ({first}); CREATE POLICY b ON posts {kind} USING ({second});"
        columns = ", ".join(MAYBE)
        values = ", ".join(f"({', '.join(row[name] for name in MAYBE)})" for row in rows)
        made += f"INSERT INTO posts ({columns}) VALUES {values};"
        sql.append((POSTS + made).replace("posts", name))
    with new_database(server) as database, projects.folder() as folder:
        database.run("".join(sql) + GRANTS)
        found = written(folder, database)
        assert [(rule.policy.using, rule.reason) for _, rule in found.rules.refused] == []
        migrated(folder)
        findings = tried(found, database, written=[])
    assert findings.reads >= TABLES * 4 * 6
    problems = [(names.get(d.table.removeprefix("public.")), d.detail, d.user) for d in findings.differences[:5]]
    assert problems == []
