"""Random tables, memberships, policies and rows: PostgreSQL and rules.ts show the same, and take the same writes.

The profile ``explore`` (``pytest --hypothesis-profile explore``) tries thousands of tables.
"""

from __future__ import annotations

from collections import Counter
from random import Random

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from supavex.postgres import server as servers
from tests import projects
from tests.databases import new_database
from tests.rules.random_tables import Maker
from tests.rules.test_agreement import GRANTS
from tests.rules.tried import migrated, tried, written

#: Tables of one project, and projects.
TABLES, EXAMPLES = (50, 50) if settings.get_current_profile_name() == "explore" else (12, 1)
#: What all examples together tried.
TRIED: Counter[str] = Counter()


def test_random_tables_agree(server: servers.Server) -> None:
    agree(server)
    assert TRIED["reads"] > 4 * TRIED["tables"] > 0
    assert TRIED["writes"] > 10 * TRIED["tables"]
    assert TRIED["taken"] > TRIED["tables"]
    assert TRIED["grants"] > 0


@settings(max_examples=EXAMPLES, phases=[Phase.generate], suppress_health_check=list(HealthCheck), deadline=None)
@given(seed=st.integers(0, 2**64 - 1))
def agree(server: servers.Server, seed: int) -> None:
    shared, tables = Maker(Random(seed)).project(TABLES)
    with new_database(server) as database, projects.folder() as folder:
        # The grants come before the tables, which take some of them away.
        grants = "ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT ALL ON TABLES TO anon, authenticated;"
        database.run(grants + shared + GRANTS)
        database.run("".join(sql.replace("posts", name) for name, sql in tables.items()))
        found = written(folder, database)
        refused = [(rule.policy.using, rule.policy.with_check, rule.reason) for _, rule in found.rules.refused]
        # Of all that the strategies make, only casts with a modifier have no translation.
        assert [one for one in refused if "with a modifier is not translated" not in one[-1]] == []
        TRIED["grants"] += sum(table.grants is not None for table in found.rules.tables.values())
        TRIED["refused"] += len(refused)
        TRIED["grants of columns"] += len(found.rules.grants_by_column)
        migrated(folder)
        findings = tried(found, database, written=list(tables), users=3, in_turn=True)
    TRIED.update(tables=TABLES, reads=findings.reads, writes=findings.writes, taken=findings.taken)
    print(f"tried so far: {dict(TRIED)}")
    problems = [
        f"{d.table} as {d.user}: {d.detail}\n{tables.get(d.table.removeprefix('public.').partition('_')[0], '').partition('DO $$')[0]}"
        for d in findings.differences[:5]
    ]
    assert not problems, "\n\n".join(problems)
