"""Where PostgreSQL raises an error, rules.ts raises one too or refuses: numbers out of range, real, inner blocks, handlers."""

from __future__ import annotations

import json

from supavex.mapping.check import checked_plan
from supavex.postgres import server as servers
from supavex.rules.writing import rules_of
from supavex.settings.reading import load_settings
from tests import projects
from tests.databases import new_database
from tests.projects import supavex
from tests.rules.test_agreement import GRANTS, MEMBERS, TEAMS, USERS
from tests.rules.tried import Written, migrated, tried, written

NUMBERS = """
CREATE TABLE notes (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), s smallint, n int, b bigint, f real, d double precision,
  p numeric(6,2), t text);
ALTER TABLE notes ENABLE ROW LEVEL SECURITY;
"""
SMALL = "INSERT INTO notes (s, n, b) VALUES (1, 1, 1), (-2, -2, -2), (NULL, 7, 5000000000), (0, NULL, NULL);"
LARGE = (
    "INSERT INTO notes (s, n, b) VALUES (32767, 2147483647, 4000000000), (-32768, -2147483648, -4000000000), (1, 1, 1);"
)
SHARED = """
CREATE FUNCTION narrow(x bigint) RETURNS int LANGUAGE sql IMMUTABLE AS $$ SELECT x $$;
CREATE FUNCTION widened(x bigint) RETURNS bigint LANGUAGE sql IMMUTABLE AS $$ SELECT x + 1 $$;
CREATE FUNCTION added(x int) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS
  $$ DECLARE y smallint := 1; BEGIN y := y + x; RETURN y <> 3; END $$;
CREATE FUNCTION halved(x numeric) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$ SELECT x / 2 <> 0 $$;
CREATE FUNCTION mixed(x real, y double precision) RETURNS double precision LANGUAGE sql IMMUTABLE AS $$ SELECT coalesce(x, y) $$;
CREATE FUNCTION cut(x text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$ DECLARE y varchar(3) := 'a'; BEGIN y := x; RETURN y; END $$;
"""
SUMS = [
    "n + 1 <> 3", "n - 1 <> 3", "n * 2 <> 4", "-n <> 3", "abs(n) <> 1", "n / -1 <> 3", "s + s <> 2", "s + 1 <> 3", "s * s <> 4",
    "-s <> 2", "abs(s) <> 1", "b * b <> 4", "b + n <> 2", "n::bigint + 1 <> 3", "(b::int) <> 1", "coalesce(s, n) + 1 <> 3",
    "greatest(s, b) + 1 <> 2", "narrow(b) <> 1", "narrow(n) <> 1", "widened(n) <> 3", "added(n)", "n::smallint <> 1", "n % -1 = 0",
    "n + 3000000000 <> 1", "(CASE WHEN s > 0 THEN s ELSE s END) + s <> 2",
]  # fmt: skip
REALS = [
    "f = 0.1", "f <> 0.1", "f > 0.1", "f <= 0.1", "f = '0.1'", "f = 0.5", "f IN (0.1, 0.5)", "f BETWEEN 0.1 AND 0.5",
    "coalesce(f, 0.1) = 0.1", "f = d", "f < d", "f = p", "f IS DISTINCT FROM 0.1", "f = ANY (ARRAY[0.1, 0.5])",
    "f::double precision = 0.1", "f = 16777217", "f = ANY ('{0.1}')", "NOT (f = 0.1)", "f >= 1", "(CASE WHEN d > 0 THEN f END) < 0.11",
    "greatest(f, d) > 0.1", "f::real = 0.1", "coalesce(f, d) = 0.1",
]  # fmt: skip
REAL_ROWS = """
INSERT INTO notes (f, d, p) VALUES (0.1, 0.1, 0.1), (0.5, 0.5, 0.5), (16777216, 16777217, 3), (NULL, NULL, NULL), (1.1, 1, 1.1);
"""


def test_numbers_out_of_range_raise_as_in_postgresql(server: servers.Server) -> None:
    sql, names = SHARED, dict[str, str]()
    for number, condition in enumerate(SUMS):
        for word, rows in (("small", SMALL), ("large", LARGE)):
            name = f"{word}{number}"
            names[f"public.{name}"] = condition
            sql += (NUMBERS + rows + f"CREATE POLICY p ON notes USING ({condition});").replace("notes", name)
    made, findings = _found(server, sql, names)
    assert made.rules.refused == []
    assert [(names[d.table], d.detail) for d in findings.differences] == []


def test_decimals_that_no_translation_has_refuse(server: servers.Server) -> None:
    conditions = [
        "halved(n)",
        "n::numeric / 2 <> 0",
        "abs(p) + 1 <> 2",
        "coalesce(n, 0.5) + 1 <> 2",
        "mixed(f, d) = 0.1",
    ]
    sql = SHARED
    for number, condition in enumerate(conditions):
        sql += (NUMBERS + f"CREATE POLICY p ON notes USING ({condition});").replace("notes", f"notes{number}")
    with new_database(server) as database, projects.folder() as folder:
        database.run(USERS + TEAMS + MEMBERS + sql + GRANTS)
        assert len(written(folder, database).rules.refused) == len(conditions)


def test_a_real_compares_by_its_24_bits(server: servers.Server) -> None:
    sql, names = "", dict[str, str]()
    for number, condition in enumerate(REALS):
        names[f"public.notes{number}"] = condition
        text = NUMBERS + REAL_ROWS + f"CREATE POLICY p ON notes USING ({condition});"
        sql += text.replace("notes", f"notes{number}")
    made, findings = _found(server, sql, names)
    assert made.rules.refused == []
    assert [(names[d.table], d.detail) for d in findings.differences] == []


def test_a_text_is_cut_by_a_cast_and_refused_by_a_variable(server: servers.Server) -> None:
    sql, names = SHARED, dict[str, str]()
    rows = "INSERT INTO notes (t) VALUES ('on'), ('off'), ('o'), ('öxé'), (NULL);"
    for number, condition in enumerate(
        ["t::varchar(2) <> 'on'", "CAST(t AS varchar(2)) = 'of'", "cut(t) <> 'on'", "cut(t || 'xx') <> 'on'"]
    ):
        names[f"public.notes{number}"] = condition
        text = NUMBERS + rows + f"CREATE POLICY p ON notes USING ({condition});"
        sql += text.replace("notes", f"notes{number}")
    made, findings = _found(server, sql, names)
    assert made.rules.refused == []
    assert [(names[d.table], d.detail) for d in findings.differences] == []


def test_the_default_of_an_inner_block_refuses(server: servers.Server) -> None:
    """PostgreSQL evaluates it when the block begins, and not at the function's start."""
    body = "DECLARE a boolean := false; BEGIN a := true; DECLARE b boolean := {}; BEGIN RETURN b; END; END"
    sql = ""
    for number, default in enumerate(["a", "false"]):
        sql += (
            f"CREATE FUNCTION inner{number}() RETURNS boolean LANGUAGE plpgsql STABLE AS $$ {body.format(default)} $$;"
        )
        text = NUMBERS + SMALL + f"CREATE POLICY p ON notes USING (inner{number}());"
        sql += text.replace("notes", f"notes{number}")
    made, findings = _found(server, sql, {})
    assert [table.target for table, _ in made.rules.refused] == ["notes0"]
    assert "the variable b of an inner block" in made.rules.refused[0][1].reason
    assert findings.differences == []


def test_a_handler_around_a_policy_that_may_raise_refuses(server: servers.Server) -> None:
    """PostgreSQL's handler may run where TypeScript's does not."""
    sql = """CREATE TABLE plain (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), t text, n int);
    CREATE TABLE raising (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), t text, n int);
    INSERT INTO plain (t, n) VALUES ('1', 1); INSERT INTO raising (t, n) VALUES ('1', 1), ('x', 2147483647);
    ALTER TABLE plain ENABLE ROW LEVEL SECURITY; ALTER TABLE raising ENABLE ROW LEVEL SECURITY;
    CREATE POLICY a ON plain FOR SELECT USING (n = 1); CREATE POLICY b ON raising FOR SELECT USING (n + 1 > 0 OR t::int > 0);"""
    for name in ("plain", "raising"):
        sql += f"""CREATE FUNCTION of_{name}() RETURNS boolean LANGUAGE plpgsql STABLE AS $$
          BEGIN RETURN EXISTS (SELECT 1 FROM {name} WHERE n = 1); EXCEPTION WHEN OTHERS THEN RETURN true; END $$;"""
        text = NUMBERS + SMALL + f"CREATE POLICY p ON notes USING (of_{name}());"
        sql += text.replace("notes", f"notes_of_{name}")
    sql += "ALTER TABLE notes_of_plain ADD CHECK (of_raising() OR n > 0);"
    made, findings = _found(server, sql, {})
    assert [table.target for table, _ in made.rules.refused] == ["notesOfRaising"]
    assert "reads raising, whose policy b may raise an error" in made.rules.refused[0][1].reason
    assert [
        (left.table, "raising" in left.reason) for left in made.constraints.left if left.table != "public.members"
    ] == [("public.notes_of_plain", True)]
    assert findings.differences == []


def test_a_check_of_a_new_key_is_left(server: servers.Server) -> None:
    """Convex chooses the id of a new document, so that a table of one row has no check that keeps it so."""
    sql = """CREATE TABLE settings (id int PRIMARY KEY DEFAULT 1 CHECK (id = 1), name text);
    CREATE TABLE folders (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), parent uuid REFERENCES folders, CHECK (parent <> id));
    INSERT INTO settings (name) VALUES ('one'); INSERT INTO folders (parent) VALUES (NULL), (NULL);
    ALTER TABLE settings ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON settings USING (true);"""
    made, findings = _found(server, sql, {}, writes=True)
    assert [(left.table, left.constraint) for left in made.constraints.left if left.table != "public.members"] == [
        ("public.settings", "settings_id_check")
    ]
    assert findings.differences == []


def test_grants_of_some_columns_are_counted_and_said(server: servers.Server) -> None:
    sql = """CREATE TABLE notes (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), t text); INSERT INTO notes (t) VALUES ('a');
    REVOKE UPDATE ON notes FROM authenticated, anon; GRANT UPDATE (t) ON notes TO authenticated;"""
    with new_database(server) as database, projects.folder() as folder:
        database.run(
            USERS
            + GRANTS.replace("ALL TABLES IN SCHEMA public", "notes").replace("GRANT ALL ON notes", sql + "SELECT 1; --")
        )
        made = written(folder, database)
        ran = supavex("rules", "-C", folder)
        found = json.loads(supavex("rules", "--json", "-C", folder).out)["grants"]["refused"]
    assert "grants of some columns, refused for the whole table: 1.\n    notes: UPDATE to authenticated" in ran.out
    assert [(one["table"], one["role"], one["command"]) for one in found] == [
        ("public.notes", "authenticated", "UPDATE")
    ]
    assert "// PostgreSQL grants UPDATE to authenticated for some columns." in made.text


def _found(server: servers.Server, sql: str, names: dict[str, str], *, writes: bool = False) -> tuple[Written, object]:
    with new_database(server) as database, projects.folder() as folder:
        database.run(USERS + TEAMS + MEMBERS + sql + GRANTS)
        made = written(folder, database)
        migrated(folder)
        return made, tried(made, database, written=None if writes else [], users=1)


#: Calls for their effects, and whether they are known to have none and to raise no error.
PERFORMED = {
    "PERFORM logged(auth.uid(), 'role', NULL);": True,
    "PERFORM logged(v, 'role', jsonb_build_object('a', v, 'b', coalesce(array_length(w, 1), 0)));": True,
    "PERFORM logged(auth.uid(), 'role', jsonb_build_object('a', x::int));": False,
    "PERFORM logged(auth.uid(), 'role', jsonb_build_object(x, 1));": False,
    "PERFORM logged(x::uuid, 'role', NULL);": False,
    "PERFORM divided('role');": False,
    "PERFORM barred();": False,
    "PERFORM barred(); -- of its owner": True,
}


def test_a_function_performed_for_its_notices_is_left_out(server: servers.Server) -> None:
    sql = """CREATE FUNCTION logged(who uuid, kind text, data jsonb) RETURNS void LANGUAGE plpgsql AS
      $$ BEGIN RAISE NOTICE '% % %', who, kind, data; EXCEPTION WHEN OTHERS THEN NULL; END $$;
    CREATE FUNCTION divided(kind text) RETURNS void LANGUAGE plpgsql AS $$ BEGIN RAISE NOTICE '%', 1 / 0; END $$;
    CREATE FUNCTION barred() RETURNS void LANGUAGE plpgsql AS $$ BEGIN RETURN; END $$;
    REVOKE EXECUTE ON FUNCTION barred() FROM PUBLIC, anon;"""
    for number, call in enumerate(PERFORMED):
        rights = "SECURITY DEFINER" if "owner" in call else ""
        sql += f"""CREATE FUNCTION logs{number}(x text) RETURNS boolean LANGUAGE plpgsql STABLE {rights} AS $$
          DECLARE v uuid := auth.uid(); w text[]; BEGIN {call}
          RETURN v IS NOT NULL; END $$;"""
        text = NUMBERS + SMALL + f"CREATE POLICY p ON notes USING (logs{number}('x'));"
        sql += text.replace("notes", f"notes{number}")
    made, findings = _found(server, sql, {})
    refused = {table.target for table, _ in made.rules.refused}
    assert [f"notes{number}" not in refused for number in range(len(PERFORMED))] == list(PERFORMED.values())
    assert findings.differences == []


def test_a_default_that_is_left_and_a_key_that_postgresql_makes_are_no_differences(server: servers.Server) -> None:
    sql = """CREATE TABLE counted (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), n bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
      d text DEFAULT to_char(now(), 'YYYY'), p numeric(6,2));
    INSERT INTO counted (d, p) VALUES (NULL, 12.30), ('a', 12.30);"""
    made, findings = _found(server, sql, {}, writes=True)
    assert [left.constraint for left in made.constraints.left if left.table == "public.counted"] == [
        "default of d",
        "n",
    ]
    assert findings.differences == []


#: Conditions, and whether they are translated.
ROUNDED = {
    "now() - at > interval '1 day'": True,
    "at - '2020-01-01'::timestamptz < interval '40 days'": True,
    "listed()": True,
    "unlisted(d)": False,
    "f::numeric <> 0.1": False,
    "d::numeric <> 0.1": True,
    "rounded(d) = 0.1": True,
    "spaced(t) <> 'a'": True,
    "of_d = 0.1": True,
    "of_d <> 0.1": True,
    "of_p <> 12.25": False,
    "of_n <> 1": True,
    "EXISTS (SELECT 1 FROM others o WHERE o.n = n5)": True,
    "beyond()": False,
    "broken()": False,
    "f = ANY (ARRAY[]::real[])": False,
}


def test_values_are_rounded_and_cut_as_in_postgresql(server: servers.Server) -> None:
    sql = """SET check_function_bodies = off;
    CREATE TABLE others (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), f real, n int); CREATE INDEX ON others (n);
    INSERT INTO others (f, n) VALUES (0.1, 0);
    CREATE FUNCTION listed() RETURNS boolean LANGUAGE sql STABLE AS
      $$ SELECT EXISTS (SELECT 1 FROM others o WHERE o.f NOT IN (0.1, 0.5, NULL) IS NOT FALSE) $$;
    CREATE FUNCTION unlisted(x double precision) RETURNS boolean LANGUAGE sql STABLE AS
      $$ SELECT EXISTS (SELECT 1 FROM others o WHERE o.f NOT IN (x, 0.5)) $$;
    CREATE FUNCTION rounded(x double precision) RETURNS numeric LANGUAGE sql STABLE AS $$ SELECT x $$;
    CREATE FUNCTION spaced(x text) RETURNS text LANGUAGE plpgsql STABLE AS
      $$ DECLARE y varchar(2); BEGIN y := x; RETURN y; END $$;
    CREATE FUNCTION beyond() RETURNS boolean LANGUAGE plpgsql STABLE AS $$ DECLARE y smallint := 70000; BEGIN RETURN y > 1; END $$;
    CREATE FUNCTION broken() RETURNS boolean LANGUAGE plpgsql STABLE AS $$ BEGIN RETURN 1 < '1.5'::int; END $$;"""
    names = {}
    for number, condition in enumerate(ROUNDED):
        names[f"notes{number}"] = condition
        columns = """ADD at timestamptz DEFAULT now() - interval '40 days', ADD of_d real GENERATED ALWAYS AS (d) STORED,
          ADD of_p numeric(6,0) GENERATED ALWAYS AS (p) STORED, ADD of_n smallint GENERATED ALWAYS AS (n) STORED"""
        rows = """INSERT INTO notes (n, d, f, p, t, at) VALUES (1, 0.1, 0.1, 12.25, 'a   ', '2020-01-31T10:00:00.123457Z'),
          (-5, 0.1, 0.5, 1, 'b', now());"""
        text = NUMBERS + f"ALTER TABLE notes {columns}; {rows} CREATE POLICY p ON notes USING ({condition});"
        sql += text.replace("n5", "notes.n % 5").replace("notes", f"notes{number}")
    made, findings = _found(server, sql, {})
    refused = {names[table.target] for table, _ in made.rules.refused}
    assert refused == {one for one, translated in ROUNDED.items() if not translated}
    assert [(names[d.table.removeprefix("public.")], d.detail) for d in findings.differences] == []


def test_a_check_with_a_handler_around_a_policy_that_is_not_translated_is_left(server: servers.Server) -> None:
    """PostgreSQL's policy may raise an error, and then the handler decides."""
    sql = """CREATE TABLE raising (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), p numeric(6,2));
    INSERT INTO raising (p) VALUES (0), (1); ALTER TABLE raising ENABLE ROW LEVEL SECURITY;
    CREATE POLICY a ON raising FOR SELECT USING (1 / p > 2); CREATE POLICY b ON raising FOR SELECT USING (p = 1);
    CREATE FUNCTION reading() RETURNS boolean LANGUAGE plpgsql STABLE AS
      $$ BEGIN RETURN EXISTS (SELECT 1 FROM raising); EXCEPTION WHEN OTHERS THEN RETURN false; END $$;"""
    checked = "CREATE POLICY p ON notes USING (true); ALTER TABLE notes ADD CHECK (reading() OR n > 9);"
    made, findings = _found(server, sql + NUMBERS + SMALL + checked, {}, writes=True)
    left = {one.table: one.reason for one in made.constraints.left}
    assert "reads raising, whose policy a may raise an error" in left["public.notes"]
    assert [difference for difference in findings.differences if difference.table == "public.notes"] == []


#: Conditions of a bigint that Convex holds as int64, and of a double precision with NaN; and whether they are translated.
BEYOND = {
    **dict.fromkeys(("big = 5", "5 = big", "big <> 9007199254740992", "big > n", "n < big", "big >= 0"), True),
    **dict.fromkeys(("coalesce(n, big) > 1", "coalesce(big, n) > 1", "greatest(n, big) > 5", "big IN (1, 5)"), True),
    **dict.fromkeys(("five()", "big IS DISTINCT FROM 5", "big BETWEEN 1 AND 6", "(big::text) <> '5'"), True),
    **dict.fromkeys(("big + 1 > 2", "coalesce(n, big) + 1 > 1", "abs(big) > 1"), False),
    **dict.fromkeys(
        ("d <> 'NaN'", "(d > 5) IS NOT TRUE", "d IS DISTINCT FROM 'NaN'", "NOT (d < 5)", "d > 5", "d <= 5"), True
    ),
    **dict.fromkeys(("CASE WHEN d > 100 THEN false ELSE true END", "greatest(d, 1) = 1", "least(d, 0) = 0"), True),
    **dict.fromkeys(("d = d", "d <> d", "d IN (1, 'NaN')", "nullif(d, 'NaN') IS NULL"), True),
    **dict.fromkeys(
        ("NOT EXISTS (SELECT 1 FROM others o WHERE o.d = notes.d)", "(SELECT max(d) FROM others) > 5"), True
    ),
    **dict.fromkeys(
        ("(SELECT o.n FROM others o ORDER BY o.d DESC LIMIT 1) = 5", "n = (SELECT count(*) FROM others)"), True
    ),
}


def test_integers_beyond_2_to_the_53rd_and_nan_compare_as_in_postgresql(server: servers.Server) -> None:
    sql = """CREATE TABLE others (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), n int, big bigint, d double precision);
    CREATE INDEX ON others (d); INSERT INTO others (n, big, d) VALUES (5, 5, 'NaN'), (0, 9007199254740993, 1);
    CREATE FUNCTION five() RETURNS boolean LANGUAGE sql STABLE AS $$ SELECT EXISTS (SELECT 1 FROM others o WHERE 5.0 = o.big) $$;"""
    names = {}
    for number, condition in enumerate(BEYOND):
        names[f"notes{number}"] = condition
        text = f"""ALTER TABLE notes ADD big bigint; INSERT INTO notes (n, big, d) VALUES (1, 1, 1), (5, 5, 0.5),
          (-5, 1152921504606846977, 'NaN'), (2, 9007199254740993, 200), (NULL, NULL, NULL); CREATE POLICY p ON notes USING ({condition});"""
        sql += (NUMBERS + text).replace("notes", f"notes{number}")
    with new_database(server) as database, projects.folder() as folder:
        database.run(USERS + TEAMS + MEMBERS + sql + GRANTS)
        written(folder, database, '[columns.d]\nnonfinite = "keep"\n')
        schema = next(folder.rglob("schema.py"))
        text = schema.read_text().replace('"big": v.optional(v.number())', '"big": v.optional(v.int64())')
        assert "v.int64()" in text
        schema.write_text(text)
        plan, _ = checked_plan(load_settings(folder))
        made = Written(folder, plan, *rules_of(plan))
        migrated(folder)
        findings = tried(made, database, written=[], users=1)
    refused = {names[table.target] for table, _ in made.rules.refused}
    assert refused == {one for one, translated in BEYOND.items() if not translated}
    assert [(names[d.table.removeprefix("public.")], d.detail) for d in findings.differences] == []


def test_a_write_of_one_row_is_not_refused_for_what_the_policy_raises_at_another(server: servers.Server) -> None:
    sql = """CREATE FUNCTION cut2(x text) RETURNS boolean LANGUAGE plpgsql STABLE AS
      $$ DECLARE v varchar(2); BEGIN v := x; RETURN v <> 'on'; END $$;"""
    rows = "INSERT INTO notes (t) VALUES ('1'), (''), ('off');"
    made, findings = _found(server, sql + NUMBERS + rows + "CREATE POLICY p ON notes USING (cut2(t));", {}, writes=True)
    assert made.rules.refused == []
    assert findings.differences == []
    assert findings.taken
