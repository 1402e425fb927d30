"""JSON's null is a value in PostgreSQL, and not NULL."""

from supavex.mapping.check import checked_plan
from supavex.postgres import server as servers
from supavex.rules.writing import rules_of
from supavex.settings.reading import load_settings
from tests import projects
from tests.databases import new_database
from tests.rules.test_agreement import GRANTS, MEMBERS, TEAMS, USERS
from tests.rules.tried import Written, migrated, tried, written

NOTES = """
CREATE TABLE notes (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), meta jsonb, kept jsonb NOT NULL, t text);
INSERT INTO notes (meta, kept, t) SELECT a::jsonb, b::jsonb, c
  FROM (VALUES (NULL), ('null'), ('{}'), ('{"k": null}'), ('{"k": "v"}'), ('[null, "k"]'), ('"k"'), ('[]')) AS a (a),
    (VALUES ('null'), ('{"k": null}')) AS b (b), (VALUES ('k'), (NULL)) AS c (c);
ALTER TABLE notes ENABLE ROW LEVEL SECURITY;
CREATE FUNCTION meta_of(m jsonb) RETURNS jsonb LANGUAGE plpgsql STABLE AS $$
DECLARE v jsonb; BEGIN IF m IS NOT NULL THEN v := m; END IF; RETURN v; END $$;
CREATE FUNCTION k_of(m jsonb) RETURNS jsonb LANGUAGE sql STABLE AS $$ SELECT m -> 'k' $$;
CREATE FUNCTION strict_of(m jsonb) RETURNS boolean LANGUAGE sql STABLE STRICT AS $$ SELECT m -> 'k' IS NULL $$;
CREATE FUNCTION known(one text) RETURNS boolean LANGUAGE plpgsql STABLE STRICT AS $$ BEGIN RETURN coalesce(one, 'none') <> 'j'; END $$;
CREATE FUNCTION words(one text) RETURNS SETOF text LANGUAGE sql STABLE STRICT AS $$ SELECT coalesce(one, 'none') $$;
"""
CONDITIONS = [
    "meta IS NULL", "meta IS NOT NULL", "kept IS NULL", "meta ->> 'k' IS NULL", "meta -> 'k' IS NULL", "meta -> 'k' IS NOT NULL",
    "meta = '{}'", "meta <> '{}'", "NOT (meta = '{}')", "meta IS DISTINCT FROM '{}'", "meta IS NOT DISTINCT FROM '{}'",
    "coalesce(meta, '{}') = '{}'", "coalesce(meta, '{\"k\": 1}') ? 'k'", "coalesce(meta -> 'k', '1') IS NULL", "coalesce(meta, kept) ? 'k'",
    "meta ? 'k'", "NOT (meta ? 'k')", "(meta ? t) IS NULL", "meta ?| ARRAY['k']", "NOT (meta ?& ARRAY['k'])",
    "meta @> '{}'", "NOT (meta @> '{\"k\": null}')", "meta @> '[null]'", "meta <@ '{\"k\": \"v\"}'", "NOT (meta <@ '[null]')",
    "kept @> meta", "NOT (meta @> kept)", "jsonb_typeof(meta) = 'null'", "jsonb_typeof(meta -> 'k') <> 'null'", "jsonb_typeof(meta) IS NULL",
    "meta::text = 'null'", "NOT (meta::text <> 'null')", "num_nulls(meta, t) = 1", "num_nonnulls(meta, kept) = 2",
    "CASE WHEN t = 'k' THEN meta END IS NULL", "CASE WHEN t = 'k' THEN meta ELSE kept END IS NOT NULL", "nullif(meta, '{}') IS NULL",
    "meta_of(meta) IS NULL", "meta_of(meta) IS NOT NULL", "k_of(meta) IS NULL", "strict_of(meta)", "strict_of(meta) IS NULL", "known(t)", "NOT known(t) IS NOT NULL", "'none' IN (SELECT words(t))",
    "(SELECT n.meta FROM all_notes n WHERE n.id = notes.id) IS NULL", "(SELECT n.kept FROM all_notes n WHERE n.id = notes.id) IS NULL",
    "(SELECT n.meta FROM all_notes n ORDER BY n.meta IS NULL LIMIT 1) IS NOT NULL",
    "EXISTS (SELECT 1 FROM all_notes n WHERE n.meta IS NULL)", "(SELECT count(n.meta) FROM all_notes n) = 28",
    "EXISTS (SELECT 1 FROM all_notes n LEFT JOIN all_notes o ON o.id = notes.id WHERE o.kept IS NULL)",
    "jsonb_array_length(coalesce(meta -> 'none', '[]')) = 0", "meta #> '{k}' IS NULL", "meta #>> '{k}' IS NULL", "meta = 'null'", "meta <> 'null'",
    "(auth.jwt() -> 'none') IS NULL", "meta -> 'k' = 'null'", "(meta, t) = ('{}', 'k')",
]  # fmt: skip


def test_json_null_is_a_value(server: servers.Server) -> None:
    names, sql = {}, f"{NOTES}CREATE POLICY a ON notes USING (true);".replace("notes", "all_notes")
    rows = NOTES[: NOTES.index("CREATE FUNCTION")]
    for number, condition in enumerate(CONDITIONS):
        names[f"notes{number}"] = condition
        own = condition.replace("all_notes", "ALL").replace("notes", f"notes{number}").replace("ALL", "all_notes")
        sql += f"{rows}CREATE POLICY p ON notes USING (".replace("notes", f"notes{number}") + f"{own});"
    with new_database(server) as database, projects.folder() as folder:
        database.run(USERS + TEAMS + MEMBERS + sql + GRANTS)
        made = written(folder, database)
        refused = {names[table.target] for table, _ in made.rules.refused}
        migrated(folder)
        findings = tried(made, database, users=0, written=[])
    # A constant null would be taken for NULL.
    assert refused == {"meta = 'null'", "meta <> 'null'", "meta -> 'k' = 'null'"}
    assert sorted({names[d.table.removeprefix("public.")] for d in findings.differences}) == []


def test_a_field_that_holds_null_for_null_is_null(server: servers.Server) -> None:
    conditions = ["meta IS NULL", "meta IS NOT NULL", "coalesce(meta, '{}') = '{}'", "NOT (meta ? 'k')"]
    rows = NOTES[: NOTES.index("CREATE FUNCTION")].replace("('null'), ('{}')", "('{}')")
    sql = "".join(
        f"{rows}CREATE POLICY p ON notes USING ({condition});".replace("notes", f"notes{number}")
        for number, condition in enumerate(conditions)
    )
    with new_database(server) as database, projects.folder() as folder:
        database.run(USERS + TEAMS + MEMBERS + sql + GRANTS)
        written(folder, database)
        schema = folder / "schema.py"
        text = schema.read_text()
        assert text.count('"meta": v.optional(v.any())') == len(conditions)
        schema.write_text(text.replace('"meta": v.optional(v.any())', '"meta": v.any()'))
        plan, _ = checked_plan(load_settings(folder))
        made = Written(folder, plan, *rules_of(plan))
        migrated(folder)
        findings = tried(made, database, users=0, written=[])
    assert made.rules.refused == []
    assert [(d.table, d.detail) for d in findings.differences] == []


def test_json_of_several_kinds_in_one_column_is_tried(server: servers.Server) -> None:
    sql = """CREATE TABLE notes (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), meta jsonb, CHECK (meta <> '"z"'), UNIQUE (meta));
    INSERT INTO notes (meta) VALUES ('"x"'), ('{"a": 1}'), ('[1, null]'), ('5'), ('true'), ('null'), (NULL);
    ALTER TABLE notes ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON notes USING (meta = '"x"' OR meta = '5' OR meta ? 'a');"""
    with new_database(server) as database, projects.folder() as folder:
        database.run(USERS + TEAMS + MEMBERS + sql + GRANTS)
        made = written(folder, database)
        migrated(folder)
        findings = tried(made, database, users=0, written=["notes"])
    assert [(d.table, d.detail) for d in findings.differences] == []
    assert findings.taken
