"""Random databases, filled with nasty rows, go the whole way: scaffold, check, build, deploy, migrate, verify."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

from hypothesis import HealthCheck, Phase, event, given, settings
from hypothesis import strategies as st

from supavex.postgres import server as servers
from tests import catalogs, faker, projects
from tests.databases import Database, new_database
from tests.projects import supavex

#: Why a row that the faker makes may not go: Convex can't hold the value, or it refers to a row that did not go.
EXPLAINED = {
    "DuplicateKey", "InexactNumber", "InexactTime", "InfiniteTime", "InvalidValue", "NonFiniteNumber", "NullElement",
    "DoesNotFitValidator", "RejectedParent", "TooNestedError",
}  # fmt: skip


def make(database: Database, sql: str) -> None:
    database.run(catalogs.PRELUDE, role=servers.SUPERUSER)
    database.run(sql, role=servers.SUPERUSER)


def project_of(folder: Path, database: Database) -> None:
    url = database.url(servers.SUPERUSER)
    (folder / "supavex.toml").write_text(f"[source]\ndatabase_url = {json.dumps(url)}\n")


@settings(max_examples=20, phases=[Phase.generate], suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sql=catalogs.databases(), seed=st.integers(0, 99))
def test_a_random_database_arrives_whole(server: servers.Server, sql: str, seed: int) -> None:
    with new_database(server) as database, projects.folder() as folder:
        make(database, sql)
        filled = faker.fill(database.url(servers.SUPERUSER), database.catalog(), rows=12, seed=seed)
        project_of(folder, database)
        for command in (["scaffold"], ["check"], ["build"], ["deploy"]):
            ran = supavex(*command, "-C", folder)
            assert ran.code == 0, ran.out + ran.err
        assert supavex("scaffold", "-C", folder).out.startswith("Nothing to add")

        migrated = supavex("migrate", "-C", folder, "--max-rejects", "1000000", "--json")
        assert migrated.code == 0, migrated.out + migrated.err
        rows = {table["source"]: table["rows"] for table in migrated.json["tables"]}
        assert rows == filled.rows
        lines = (folder / ".supavex/migration/rejects.jsonl").read_text().split("\n")[:-1]
        codes = Counter(json.loads(line)["code"] for line in lines)
        assert set(codes) <= EXPLAINED, lines
        for code in codes:
            event(f"rejected: {code}")

        verified = supavex("verify", "-C", folder, "--json")
        assert verified.code == 0, verified.out + verified.err
        assert verified.json["proof"] is True
        proven = {table["source"]: table["matched"] + table["rejected"] for table in verified.json["tables"]}
        assert proven == rows
