"""Unique keys over arrays, JSON, bytes and NaN are compared by value, as in PostgreSQL."""

from supavex.postgres import server as servers
from tests import projects
from tests.databases import new_database
from tests.rules.test_agreement import GRANTS, MEMBERS, TEAMS, USERS
from tests.rules.tried import migrated, tried, written

COLUMNS = {
    "text[] NOT NULL": ("'{x,y}'", "'{x}'", "'{}'"),
    "text[]": ("'{x,NULL}'", "'{y}'", "NULL"),
    "jsonb": ("""'{"a": [1, {"b": null}]}'""", "'[]'", "NULL"),
    "jsonb NOT NULL": ("'{}'", "'1'", "'\"t\"'"),
    "bytea": (r"'\x0102'", r"'\x0103'", r"'\x'"),
    "double precision": ("'NaN'", "1.5", "NULL"),
    "double precision[]": ("'{NaN,1}'", "'{1}'", "NULL"),
}


def test_keys_of_values_are_unique_as_in_postgresql(server: servers.Server) -> None:
    sql, toml = "", ""
    for number, (column, values) in enumerate(COLUMNS.items()):
        name = f"keys{number}"
        rows = ", ".join(f"({value}, {at})" for at, value in enumerate(values))
        sql += f"CREATE TABLE {name} (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), value {column}, n int, UNIQUE (value));"
        sql += (
            f"INSERT INTO {name} (value, n) VALUES {rows}; CREATE UNIQUE INDEX ON {name} (n, value) NULLS NOT DISTINCT;"
        )
        toml += f'[tables."public.{name}"]\ncolumns.value.nonfinite = "keep"\n' if "double" in column else ""
    with new_database(server) as database, projects.folder() as folder:
        database.run(USERS + TEAMS + MEMBERS + sql + GRANTS)
        made = written(folder, database, toml)
        migrated(folder)
        findings = tried(made, database, written=[f"keys{number}" for number in range(len(COLUMNS))], users=0)
    assert [(d.table, d.detail) for d in findings.differences] == []
    assert findings.taken > len(COLUMNS)
    assert len([one for one in made.constraints.tables if made.constraints.tables[one].unique]) >= len(COLUMNS)
