"""What a column's type takes, and how the column holds it, is the same in rules.ts as in PostgreSQL."""

from __future__ import annotations

import pytest

from supavex.postgres import server as servers
from supavex.rules.proof.convex import ConvexSide
from supavex.rules.proof.postgres import PostgresSide
from supavex.rules.proof.states import same as equal
from supavex.rules.proof.users import choose_users
from tests import projects
from tests.databases import new_database
from tests.rules.test_agreement import ANN, GRANTS, MEMBERS, TEAMS, USERS
from tests.rules.tried import migrated, sides, tried, written

THINGS = f"""
CREATE TABLE things (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), small smallint, whole int, big bigint, price numeric(6,2), wide numeric(20,4),
  fine numeric, ratio real, far double precision, who uuid, day date, at timestamptz, naive timestamp, clock time, several int[], people uuid[], t text);
INSERT INTO things (small, whole, big, price, wide, fine, ratio, far, who, day, at, naive, clock, several, people, t) VALUES
  (1, 1, 1, 1.5, 1.5, 1.5, 0.1, 0.1, '{ANN}', '2020-01-01', '2020-01-01', '2020-01-01', '10:00', '{{1,2}}', '{{{ANN}}}', 'a'),
  (2, 2, 2, 2.5, 2.5, 2.5, 0.2, 0.2, 'a0000000-0000-4000-8000-00000000000b', '0044-03-15 BC', '1800-01-01', '1800-01-01', '24:00', '{{}}', NULL, 'b');
"""
#: Values of fields, with whether rules.ts takes each.
VALUES: dict[str, dict[object, bool]] = {
    "small": {0.0: True, -32768.0: True, 32767.0: True, 32768.0: False, -32769.0: False, 0.5: False, 1e300: False},
    "whole": {2.0**31 - 1: True, -(2.0**31): True, 2.0**31: False, 1.25: False},
    "big": {2.0**53: True, 2.0**63: False, -0.5: False},
    "price": {9999.99: True, 9999.994: True, 9999.995: False, -9999.99: True, -1e4: False, 1e300: False, 1.005: True,
              -1.005: True, 2.675: True, 0.001: True, 1e-9: True, -0.005: True, float("nan"): True, float("inf"): False},
    "wide": {"1234567890123456.7891": True, "1234.56789": True, "-0.00005": True, "-0.00004": True, "1.00005": True, "10000000000000000": False,
             "9999999999999999.99995": False, "7": True, "NaN": True, "Infinity": False, "much": False, "": False},
    "fine": {1e300: True, 1.23456789: True},
    "ratio": {0.1: True, 1.23456789: True, 16777217.0: True, 3.4028235e38: True, 3.5e38: False, 1e-60: False, 1e-40: True, 123456.789: True},
    "far": {1e308: True, 0.1: True},
    "who": {ANN.upper(): True, "A0000000-0000-4000-8000-00000000000B": True, "{a0000000-0000-4000-8000-00000000000b}": True,
            "a0000000000040008000000000000c0c": True, "": False, "ann": False, "a0000000-0000-4000-8000-0000000000": False},
    "day": {"2020-02-29": True, "2019-02-29": False, "2020-13-01": False, "0044-03-15 BC": True, "10000-01-01": True, "5874897-12-31": True,
            "5874898-01-01": False, "4714-11-24 BC": True, "4714-11-23 BC": False, "infinity": True, "-infinity": True, "nonsense": False, "": False},
    "at": {0.0: True, -210866803200000.0: True, -210866803200001.0: False, 9224318016000000.0: False, 9224318015999000.0: True},
    "naive": {1e15: True, 1e17: False},
    "clock": {"24:00:00": True, "23:59:59.5": True, "24:00:01": False, "25:00:00": False, "x": False, "10:60:00": False},
    "several": {(1.0, 2.0): True, (1.5,): False, (2.0**40,): False, (): True},
    "people": {(ANN.upper(),): True, ("x",): False},
}  # fmt: skip


def test_types_take_what_postgresql_takes(server: servers.Server) -> None:
    with new_database(server) as database, projects.folder() as folder:
        database.run(USERS + TEAMS + MEMBERS + THINGS + GRANTS)
        made = written(folder, database, '[tables."public.things"]\ncolumns.at.nonfinite = "keep"\n')
        migrated(folder)
        assert "price: numericType(6, 2)," in made.text
        with sides(made, database) as both:
            numbers = {name: number for number, name in both.deployment.table_names().items()}
            postgres, convex = (
                PostgresSide(both.connection, both.tables, numbers),
                ConvexSide(both.deployment, both.tables),
            )
            postgres.begin({})
            user = choose_users(both.connection, made.plan, numbers, 0).users[0]
            one = sorted(convex.ids("things"))[0]
            found = []
            for name, values in VALUES.items():
                for value, taken in values.items():
                    given = {name: list(value) if isinstance(value, tuple) else value}
                    left, right = (
                        side.attempt(user, "update", "things", one, given, ["things"]) for side in (postgres, convex)
                    )
                    states = [
                        side.after["things"][one].get(name) if side.taken else side.code for side in (left, right)
                    ]
                    agree = (left.taken, right.taken) == (taken, taken)
                    same = agree and (equal(*states) if taken else right.code == "type")
                    found += [] if same else [(name, value, states)]
    assert found == []


@pytest.mark.parametrize("kinds", [None, '["unique"]'])
def test_the_proof_tries_values_that_types_refuse(server: servers.Server, kinds: str | None) -> None:
    toml = f"[tables.things]\nenforce = {kinds}\n" if kinds else ""
    with new_database(server) as database, projects.folder() as folder:
        database.run(USERS + TEAMS + MEMBERS + THINGS + GRANTS)
        made = written(folder, database, toml)
        migrated(folder)
        findings = tried(made, database, written=["things"], users=1)
        unchecked = tried(
            made, database, made.text.replace("held(found[name])", "found[name]"), written=["things"], users=0
        )
    assert [(d.table, d.detail) for d in findings.differences] == []
    assert bool(made.constraints.tables["things"].types) == (kinds is None)
    wrong = {d.detail.partition("takes it: ")[2].partition(" ")[0] for d in unchecked.differences}
    assert wrong - {""} == (set(VALUES) - {"fine", "far"} if kinds is None else set())
