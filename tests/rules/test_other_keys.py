"""References to a unique column that is not the key of its table: ids are not mistaken for those of the key."""

from supavex.postgres import server as servers
from tests import projects
from tests.databases import new_database
from tests.rules.test_agreement import ANN, BOB, CAT, GRANTS, MEMBERS, TEAMS, USERS
from tests.rules.tried import migrated, tried, written

#: The code of one place is the key of another one.
PLACES = f"""
CREATE TABLE places (id uuid PRIMARY KEY, code uuid NOT NULL UNIQUE, word text NOT NULL UNIQUE, spare uuid UNIQUE, owner uuid);
INSERT INTO places VALUES ('{ANN}', '{BOB}', 'ann', '{ANN}', '{ANN}'), ('{BOB}', '{ANN}', 'bob', NULL, '{BOB}'), ('{CAT}', '{CAT}', 'cat', '{BOB}', '{CAT}');
CREATE TABLE tags (id text PRIMARY KEY, word text NOT NULL UNIQUE);
INSERT INTO tags VALUES ('a', 'b'), ('b', 'a'), ('c', 'c');
"""
NOTES = f"""
CREATE TABLE notes (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), code uuid REFERENCES places (code), place uuid REFERENCES places,
  spare uuid REFERENCES places (spare), word text REFERENCES tags (word));
INSERT INTO notes (code, place, spare, word) VALUES ('{ANN}', '{ANN}', '{ANN}', 'a'), ('{BOB}', '{BOB}', NULL, 'b'), ('{CAT}', '{CAT}', '{BOB}', 'c'), (NULL, '{ANN}', NULL, NULL);
ALTER TABLE notes ENABLE ROW LEVEL SECURITY;
"""
#: Conditions, and whether they are translated.
CONDITIONS = {
    "EXISTS (SELECT 1 FROM places p WHERE p.id = notes.code AND p.owner = auth.uid())": False,
    "NOT EXISTS (SELECT 1 FROM places p WHERE p.id = notes.code AND p.owner = auth.uid())": False,
    "EXISTS (SELECT 1 FROM places p WHERE p.code = notes.code AND p.owner = auth.uid())": True,
    "NOT EXISTS (SELECT 1 FROM places p WHERE p.code = notes.code AND p.owner = auth.uid())": True,
    "EXISTS (SELECT 1 FROM places p WHERE p.code <> notes.code AND p.owner = auth.uid())": True,
    "code IN (SELECT p.code FROM places p WHERE p.owner = auth.uid())": True,
    "code IN (SELECT p.id FROM places p WHERE p.owner = auth.uid())": False,
    "EXISTS (SELECT 1 FROM places p WHERE p.spare = notes.spare AND p.owner = auth.uid())": False,
    "EXISTS (SELECT 1 FROM places p WHERE p.code = notes.spare)": False,
    "EXISTS (SELECT 1 FROM places p WHERE p.id = notes.place AND p.owner = auth.uid())": True,
    "code = place": False,
    "code <> place": False,
    f"code = '{ANN}'": False,
    f"code <> '{ANN}'": False,
    f"code IN ('{ANN}', '{BOB}')": False,
    f"code = ANY (ARRAY['{ANN}'::uuid])": False,
    "code = auth.uid()": False,
    "word = 'a'": False,
    "word <> 'a'": False,
    "EXISTS (SELECT 1 FROM tags t WHERE t.id = notes.word AND t.word = 'a')": False,
    "EXISTS (SELECT 1 FROM tags t WHERE t.word = notes.word AND t.id = 'a')": True,
    "code::text = place::text": False,
    "coalesce(code, place) IS NOT NULL": False,
    "code IS NULL": True,
    "code = (SELECT o.code FROM notes o WHERE o.word = notes.word LIMIT 1)": True,
    "of_code(code)": False,
    "of_place(code)": False,
    "place = returned(place)": False,
    "place <> returned(place)": False,
    "place <> kept(place)": True,
    "place <> mixed(place)": False,
    "place <> later(place)": True,
    "place <> begun(place)": True,
    "place <> chosen(place)": False,
}
FUNCTIONS = """
CREATE FUNCTION of_code(one uuid) RETURNS boolean LANGUAGE sql STABLE SECURITY DEFINER AS
  $$ SELECT EXISTS (SELECT 1 FROM places p WHERE p.code = one AND p.owner = auth.uid()) $$;
CREATE FUNCTION of_place(one uuid) RETURNS boolean LANGUAGE sql STABLE SECURITY DEFINER AS
  $$ SELECT EXISTS (SELECT 1 FROM places p WHERE p.id = one AND p.owner = auth.uid()) $$;
CREATE TABLE spots (id uuid PRIMARY KEY, owner uuid);
INSERT INTO spots SELECT id, owner FROM places;
CREATE FUNCTION returned(one uuid) RETURNS uuid LANGUAGE plpgsql STABLE SECURITY DEFINER AS $$
BEGIN
  IF one IS NULL THEN RETURN (SELECT p.id FROM places p LIMIT 1); END IF;
  RETURN (SELECT s.id FROM spots s WHERE s.id = one);
END $$;
CREATE FUNCTION kept(one uuid) RETURNS uuid LANGUAGE plpgsql STABLE SECURITY DEFINER AS $$
DECLARE v uuid; BEGIN
  SELECT p.id INTO v FROM places p WHERE p.owner = auth.uid();
  IF v IS NULL THEN SELECT s.id INTO v FROM spots s WHERE s.id = one; END IF;
  RETURN v;
END $$;
CREATE FUNCTION mixed(one uuid) RETURNS uuid LANGUAGE plpgsql STABLE SECURITY DEFINER AS $$
DECLARE v uuid; BEGIN
  v := auth.uid();
  IF v IS NULL THEN SELECT s.id INTO v FROM spots s WHERE s.id = one; END IF;
  RETURN v;
END $$;
CREATE FUNCTION later(one uuid) RETURNS uuid LANGUAGE plpgsql STABLE SECURITY DEFINER AS $$
DECLARE v uuid; BEGIN
  SELECT s.id INTO v FROM spots s WHERE s.id = one;
  IF auth.uid() IS NOT NULL THEN v := auth.uid(); END IF;
  RETURN v;
END $$;
CREATE FUNCTION begun(one uuid) RETURNS uuid LANGUAGE plpgsql STABLE SECURITY DEFINER AS $$
DECLARE v uuid := (SELECT s.id FROM spots s WHERE s.owner = auth.uid()); BEGIN
  IF v IS NULL THEN RETURN NULL; END IF;
  RETURN v;
END $$;
CREATE FUNCTION chosen(one uuid) RETURNS uuid LANGUAGE plpgsql STABLE SECURITY DEFINER AS $$
BEGIN
  IF auth.uid() IS NULL THEN RETURN '00000000-0000-4000-8000-000000000001'; END IF;
  RETURN one;
END $$;
"""


def test_an_id_by_another_unique_column_is_not_one_by_the_key(server: servers.Server) -> None:
    names, sql = {}, PLACES + FUNCTIONS
    for number, condition in enumerate(CONDITIONS):
        names[f"notes{number}"] = condition
        sql += f"{NOTES}CREATE POLICY p ON notes USING ({condition});".replace("notes", f"notes{number}")
    with new_database(server) as database, projects.folder() as folder:
        database.run(USERS + TEAMS + MEMBERS + sql + GRANTS)
        made = written(folder, database)
        refused = {table.target for table, _ in made.rules.refused}
        migrated(folder)
        findings = tried(made, database, users=2, written=[])
    assert sorted({names[d.table.removeprefix("public.")] for d in findings.differences}) == []
    assert [c for n, c in names.items() if (n not in refused) != CONDITIONS[c]] == []
