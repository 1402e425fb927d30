"""Random tables, memberships, policies of the grammar, constraints and rows, as SQL."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from tests.rules.test_agreement import ANN, BOB, CAT, EXPRESSIONS, MEMBERS, TEAMS, USERS

_TEAMS = [f"a0000000-0000-4000-8000-00000000000{n}" for n in (1, 2, 3)]
#: Conditions as people write them; the others are made of the grammar.
_PLAIN = [one for one in EXPRESSIONS if "current_date" not in one and "updated_at" not in one]
_UUIDS = [
    "author", "team_id", "posts.id", "auth.uid()", "(SELECT auth.uid())", "(auth.jwt() ->> 'sub')::uuid",
    "coalesce(author, auth.uid())", "nullif(author, auth.uid())", *(f"'{id_}'::uuid" for id_ in [*_TEAMS[:2], ANN, BOB]),
    "CASE WHEN published THEN author ELSE auth.uid() END",
]  # fmt: skip
_TEXTS = [
    "title", "slug", "'one'", "'t'", "''", "kind::text", "auth.role()", "auth.email()", "meta ->> 'k'",
    "auth.jwt() ->> 'email'", "auth.jwt() -> 'app_metadata' ->> 'role'", "NULL::text", "role_in(team_id)",
    "(SELECT name FROM teams WHERE teams.id = posts.team_id)", "author::text", "auth.uid()::text", "short", "loud",
    "meta #>> '{list,0}'", "jsonb_typeof(meta -> 'k')", "split_part(title, 'o', 1)", "auth.jwt() ->> 'none'",
    "current_setting('request.jwt.claims', true)::jsonb ->> 'role'", "first_of(tags)", "t_of(author, slug)",
]  # fmt: skip
_NUMBERS = [
    "stars",
    "0",
    "1",
    "-2",
    "array_length(tags, 1)",
    "cardinality(tags)",
    "(meta ->> 'n')::int",
    "NULL::int",
    "n_of(stars, title)",
    "big",
    "small",
    "abs(stars)",
    "stars::bigint",
    "jsonb_array_length(meta -> 'list')",
]
_MOMENTS = [
    "at", "now()", "at + interval '1 month'", "at - interval '3 days'", "now() - interval '1 year'", "day::timestamptz",
    "'2020-02-29T12:00:00Z'::timestamptz",
]  # fmt: skip
_JSON = [
    "meta ? 'k'", "meta ?| ARRAY['k', 'list']", "meta ?& ARRAY['k', 'n']", """meta @> '{"k": "v"}'""", "meta -> 'k' = '\"v\"'",
    "meta -> 'k' IS NULL", "(meta ->> 'k') IS NULL", "meta -> 'list' ? 'a'", "meta = '{}'", "meta <@ '{\"k\": \"v\", \"n\": 2}'",
    "(auth.jwt() -> 'app_metadata' -> 'teams') ? title", "(auth.jwt() -> 'app_metadata') ? 'role'", "tags @> ARRAY['x']",
    "tags <@ ARRAY['x', 'one', title]", "tags && ARRAY[title, 'y']", "tags[1] = 'x'", "tags = '{}'", "tags <> ARRAY['x']",
]  # fmt: skip
#: Casts with a modifier, which rules.ts does not translate.
MODIFIED = ["price::numeric(4,0) = 12", "at::timestamptz(0) = at", "short::char(2) = 'a'", "ratio::numeric(3,1) > 0"]
_PATTERNS = ["'%o%'", "'_n_'", "'A\\%\\_'", "'%'", "''", "'T'", "'o%e'"]
_DAYS = ["'2020-01-31'", "current_date", "current_date - 1", "date '1999-12-31' + 1", "at::date"]
_WHERES = [
    "m.user_id = auth.uid()", "m.team_id = posts.team_id", "m.role = 'admin'", "m.user_id = posts.author",
    "m.user_id IS DISTINCT FROM auth.uid()", "m.team_id <> posts.team_id", "m.role::text = posts.title",
]  # fmt: skip
_UNIQUES = [
    "(slug)", "(team_id, title)", "NULLS NOT DISTINCT (author, stars)", "(author, day)", "NULLS NOT DISTINCT (slug)",
    "(short, kind, team_id)",
]  # fmt: skip
_CHECKS = [
    "stars >= 0", "char_length(title) BETWEEN 1 AND 30", "published OR stars IS NOT NULL", "slug <> ''",
    "NOT (published AND slug IS NULL) OR title IN ('one', 'two')", "kind <> 'admin' OR author IS NOT NULL",
    "stars IS NULL OR stars BETWEEN 0 AND 5", "price > 0.5", "kind = 'member' OR published", "title NOT LIKE '%x_'",
    "cardinality(tags) < 3", "day < '2021-01-01'", "meta IS NULL OR jsonb_typeof(meta) = 'object'", "num_nonnulls(slug, stars) >= 1",
]  # fmt: skip
_INDEXES = [
    "(title) WHERE published", "(slug, kind)", "(author) WHERE kind = 'admin' AND published",
    "(team_id) NULLS NOT DISTINCT WHERE NOT published", "(short) WHERE stars IS NULL",
]  # fmt: skip
#: Functions that policies, checks and defaults call, each with the rights of its owner or of its caller.
_FUNCTIONS = """
CREATE FUNCTION posts_a(who uuid, team uuid) RETURNS boolean LANGUAGE sql STABLE {rights} AS
  $$ SELECT EXISTS (SELECT 1 FROM members m WHERE m.team_id = team AND m.user_id = who) $$;
CREATE FUNCTION posts_seen() RETURNS void LANGUAGE plpgsql AS $$ BEGIN RAISE NOTICE 'seen'; END $$;
CREATE FUNCTION posts_b(team uuid, wanted text DEFAULT 'admin') RETURNS boolean LANGUAGE plpgsql STABLE {rights} AS $$
DECLARE found_role text; n int := 0;
BEGIN
  PERFORM posts_seen();
  IF auth.uid() IS NULL THEN RETURN {one}; END IF;
  SELECT m.role::text INTO found_role FROM members m WHERE m.team_id = team AND m.user_id = auth.uid();
  SELECT count(*) INTO n FROM members m WHERE m.team_id = team;
  IF found_role IS NULL AND n > 1 THEN RETURN {other};
  ELSIF found_role = wanted THEN RETURN true;
  ELSE n := n + 1; END IF;
  RETURN n > 2;
END $$;
CREATE FUNCTION posts_c(who uuid) RETURNS boolean LANGUAGE plpgsql STABLE {rights} AS $$
BEGIN
  RETURN (SELECT m.role = 'admin' FROM members m WHERE m.user_id = who);
EXCEPTION WHEN OTHERS THEN RETURN {one};
END $$;
CREATE FUNCTION posts_d() RETURNS SETOF uuid LANGUAGE sql STABLE {rights} AS
  $$ SELECT m.team_id FROM members m WHERE m.user_id = auth.uid() AND m.role IS DISTINCT FROM '{role}' $$;
CREATE FUNCTION posts_e() RETURNS uuid LANGUAGE sql STABLE {rights} AS
  $$ SELECT m.team_id FROM members m WHERE m.user_id = auth.uid() ORDER BY m.number LIMIT 1 $$;
"""
_SHARED = """
CREATE FUNCTION n_of(n int, t text) RETURNS int LANGUAGE sql IMMUTABLE AS $$ SELECT coalesce(n, length(t)) $$;
CREATE FUNCTION t_of(a uuid, b text) RETURNS text LANGUAGE sql STABLE AS
  $$ SELECT CASE WHEN a = auth.uid() THEN b ELSE 'other' END $$;
CREATE FUNCTION first_of(a text[]) RETURNS text LANGUAGE sql IMMUTABLE STRICT AS $$ SELECT a[1] $$;
"""
_CALLS = [
    "posts_a(author, team_id)", "posts_a(auth.uid(), team_id)", "posts_b(team_id)", "posts_b(team_id, kind::text)",
    "posts_c(auth.uid())", "posts_c(author)", "team_id IN (SELECT posts_d())", "team_id NOT IN (SELECT posts_d())",
    "team_id = posts_e()", "team_id = ANY (SELECT d FROM posts_d() d)",
]  # fmt: skip
_DEFAULTS = {
    "author": ["auth.uid()", "NULL"], "team_id": ["posts_e()", "NULL"], "stars": ["1 + 1", "length('abc')", "NULL"],
    "slug": ["lower('ABC')", "coalesce(auth.jwt() ->> 'email', 'none')", "auth.role()"], "day": ["current_date", "NULL"],
    "short": ["'abc'", "NULL"], "at": ["now()"], "meta": ["""'{"k": "v"}'""", "'{}'"],
}  # fmt: skip
_DELETES = ["CASCADE", "SET NULL", "RESTRICT", "NO ACTION"]
_COMMANDS = ["ALL", "ALL", "SELECT", "SELECT", "INSERT", "UPDATE", "DELETE"]
_COLUMNS = {
    "team_id": ["NULL", *(f"'{id_}'" for id_ in _TEAMS)],
    "author": ["NULL", *(f"'{user}'" for user in (ANN, BOB, CAT))],
    "title": ["'one'", "'two'", "'t'", "'four'"],
    "stars": ["NULL", "0", "1", "5"],
    "tags": ["'{}'", "'{x}'", "'{x,y}'", "'{one,NULL}'"],
    "meta": ["NULL", """'{"k": "v", "n": 2}'""", """'{"k": null}'""", """'{"list": ["a"]}'"""],
    "published": ["true", "false"],
    "slug": ["NULL", "'s'", "'t'", "'one'"],
    "at": ["NULL", "'2020-01-31T10:00:00Z'", "'2020-02-29T12:00:00Z'"],
    "day": ["NULL", "'2020-01-31'", "'1999-12-31'"],
    "kind": ["NULL", "'member'", "'admin'"],
    "short": ["NULL", "'abc'", "'A%_'", "''"],
    "price": ["NULL", "0.5", "12.25", "1.00"],
    "big": ["NULL", "1", "5000000000"],
    "small": ["NULL", "2", "-30000"],
    "ratio": ["NULL", "0.1", "0.5", "16777217"],
}


@dataclass(frozen=True, slots=True)
class Maker:
    """Makes SQL by chance."""

    chance: Random

    def one(self, *choices: str) -> str:
        return self.chance.choice(choices)

    def some(self, choices: list[str], most: int) -> list[str]:
        return self.chance.sample(choices, self.chance.randint(0, most))

    def _inner(self, leaves: list[str], depth: int, forms: list[Callable[[int], str]]) -> str:
        if depth <= 0 or self.chance.random() < 0.5:
            return self.one(*leaves)
        return self.chance.choice(forms)(depth - 1)

    def text(self, depth: int) -> str:
        forms: list[Callable[[int], str]] = [
            lambda d: f"lower({self.text(d)})",
            lambda d: f"upper({self.text(d)})",
            lambda d: f"coalesce({self.text(d)}, {self.text(d)})",
            lambda d: f"nullif({self.text(d)}, {self.text(d)})",
            lambda d: f"left({self.text(d)}, 2)",
            lambda d: f"({self.text(d)})::varchar({self.one('1', '3', '20')})",
            lambda d: f"(({self.text(d)}) || ({self.text(d)}))",
            lambda d: f"CASE WHEN {self.condition(d)} THEN {self.text(d)} END",
        ]
        return self._inner(_TEXTS, depth, forms)

    def number(self, depth: int) -> str:
        forms: list[Callable[[int], str]] = [
            lambda d: f"length({self.text(d)})",
            lambda d: f"coalesce({self.number(d)}, 1)",
            lambda d: f"({self.number(d)} {self.one('+', '-', '*')} {self.number(d)})",
            lambda d: f"{self.one('greatest', 'least')}({self.number(d)}, {self.number(d)})",
            lambda d: f"CASE WHEN {self.condition(d)} THEN {self.number(d)} ELSE {self.number(d)} END",
        ]
        return self._inner(_NUMBERS, depth, forms)

    def atom(self, depth: int) -> str:
        uuid, where = self.one(*_UUIDS), self.one(*_WHERES)
        text, number = self.text(depth), self.number(depth)
        return self.one(
            self.one(*_PLAIN),
            f"{uuid} {self.one('=', '<>', 'IS DISTINCT FROM')} {self.one(*_UUIDS)}",
            f"{text} {self.one('=', '<>', 'IS NOT DISTINCT FROM')} {self.text(depth)}",
            f"{number} {self.one('=', '<>', '<', '<=', '>', '>=')} {self.number(depth)}",
            f"{self.one(*_MOMENTS)} {self.one('<', '<=', '>', '>=', '=')} {self.one(*_MOMENTS)}",
            f"{text} {self.one('IN', 'NOT IN')} ({self.text(depth)}, {self.text(depth)})",
            f"{self.one(uuid, text, number)} IS NULL",
            f"{text} {self.one('LIKE', 'NOT ILIKE')} 't%'",
            f"{text} {self.one('= ANY', '<> ALL', '<> ANY', '= ALL')} (tags)",
            f"EXISTS (SELECT 1 FROM members m WHERE {where} {self.one('AND', 'OR')} {self.one(*_WHERES)})",
            f"{uuid} {self.one('IN', 'NOT IN')} (SELECT m.team_id FROM members m WHERE {where})",
            f"(SELECT count(*) FROM members m WHERE {where}) {self.one('=', '>', '<')} 1",
            f"{uuid} = ANY (ARRAY(SELECT m.user_id FROM members m WHERE {where}))",
            f"EXISTS (SELECT 1 FROM members m JOIN teams t ON t.id = m.team_id WHERE {where} AND t.open)",
            f"({self.one(*_CALLS)}) {self.one('', '', 'IS NOT TRUE', 'IS NULL')}",
            self.one(*_JSON),
            f"{text} {self.one('LIKE', 'NOT LIKE', 'ILIKE')} {self.one(*_PATTERNS)}",
            f"{number} {self.one('BETWEEN', 'NOT BETWEEN')} {self.number(0)} AND {self.number(0)}",
            f"{number} {self.one('IN', 'NOT IN')} (0, 1, {self.number(0)})",
            f"{self.one('ratio', 'ratio', 'coalesce(ratio, 0.5)')} {self.one('<', '<=', '=', '>=', '<>')} {self.one('0.1', '0.5', 'price')}",
            f"price {self.one('<', '<=', '=', '>=', '<>')} {self.one('0.5', '12.25', '1')}",
            f"{self.one('day', 'at::date')} {self.one('=', '<', '>=')} {self.one(*_DAYS)}",
            f"({uuid}, {text}) {self.one('=', '<>')} ({self.one(*_UUIDS)}, {self.text(0)})",
            f"{uuid} {self.one('IN', 'NOT IN')} ({self.one(*_UUIDS)}, {self.one(*_UUIDS)}, NULL)",
            f"(SELECT {self.one('max', 'min')}(m.created) FROM members m WHERE {where}) > now() - interval '1 year'",
            f"(SELECT bool_or(m.role = 'admin') FROM members m WHERE {where})",
            f"{text} = ANY (ARRAY[{self.text(0)}, 'one', {self.text(0)}])",
        )

    def condition(self, depth: int) -> str:
        if depth <= 0 or self.chance.random() < 0.4:
            return self.atom(depth)
        one, other, third = (f"({self.condition(depth - 1)})" for _ in range(3))
        return self.one(
            f"{one} AND {other}",
            f"{one} OR {other}",
            f"NOT {one}",
            f"{one} IS NOT TRUE",
            f"{one} IS NULL",
            f"coalesce({one}, {other})",
            f"CASE WHEN {one} THEN {other} ELSE {third} END",
            f"{one} IS DISTINCT FROM {other}",
        )

    def table(self) -> str:
        """A table ``posts`` with its constraints, a table that refers to it, policies, and rows."""
        lines = [
            "id uuid PRIMARY KEY DEFAULT gen_random_uuid()",
            f"team_id uuid REFERENCES teams ON DELETE {self.one(*_DELETES)}",
            "author uuid",
            f"title text {self.one('', 'NOT NULL')} DEFAULT 'two'",
            "stars int",
            "short varchar(5)",
            "price numeric(6,2)",
            "big bigint",
            "small smallint",
            "ratio real",
            "loud text GENERATED ALWAYS AS (upper(title)) STORED",
            f"parent uuid REFERENCES posts ON DELETE {self.one(*_DELETES)}",
            f"updated_at timestamptz {self.one('', 'NOT NULL')} DEFAULT now()",
            "tags text[] NOT NULL DEFAULT '{}'",
            "meta jsonb",
            f"published boolean {self.one('', 'NOT NULL')} DEFAULT false",
            "slug text",
            "at timestamptz",
            "day date",
            "kind app_role",
            *(f"UNIQUE {one}" for one in self.some(_UNIQUES, 2)),
            *(f"CHECK ({one})" for one in self.some(_CHECKS, 2)),
        ]
        words = {"one": self.one("true", "false", "NULL"), "other": self.one("true", "false", "NULL")}
        rights = self.one("SECURITY DEFINER", "SECURITY DEFINER", "")
        sql = _FUNCTIONS.format(rights=rights, role=self.one("admin", "member"), **words)
        sql += f"CREATE TABLE posts ({', '.join(lines)});"
        for name in self.some(sorted(_DEFAULTS), 3):
            sql += f"ALTER TABLE posts ALTER {name} SET DEFAULT {self.one(*_DEFAULTS[name])};"
        if self.chance.random() < 0.4:
            sql += "CREATE TRIGGER touch BEFORE UPDATE ON posts FOR EACH ROW EXECUTE FUNCTION touch();"
        sql += "".join(f"CREATE UNIQUE INDEX ON posts {one};" for one in self.some(_INDEXES, 1))
        sql += f"""CREATE TABLE posts_notes (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), parent uuid
            {self.one("", "NOT NULL")} REFERENCES posts ON DELETE {self.one(*_DELETES)}, author uuid);
            CREATE TABLE posts_marks (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), note uuid
            REFERENCES posts_notes ON DELETE {self.one(*_DELETES)}, post uuid REFERENCES posts ON DELETE {self.one(*_DELETES)},
            CHECK (note IS NOT NULL OR post IS NOT NULL OR {self.one("true", "false")}));"""
        if self.chance.random() < 0.5:
            sql += "ALTER TABLE posts_notes ENABLE ROW LEVEL SECURITY;"
            sql += "CREATE POLICY n ON posts_notes USING (EXISTS (SELECT 1 FROM posts WHERE posts.id = parent));"
        sql += "ALTER TABLE posts ENABLE ROW LEVEL SECURITY;"
        sql += "".join(self.policy(number) for number in range(self.chance.randint(1, 5)))
        if self.chance.random() < 0.15:
            sql += f"REVOKE {self.one('SELECT', 'INSERT', 'UPDATE', 'DELETE')} ON posts FROM {self.one('anon', 'authenticated')};"
        if self.chance.random() < 0.15:
            command, role = self.one("SELECT", "INSERT", "UPDATE"), self.one("anon", "authenticated")
            columns = ", ".join(["id", *self.some(sorted(_COLUMNS), 6)])
            sql += f"REVOKE {command} ON posts FROM {role}; GRANT {command} ({columns}) ON posts TO {role};"
        if self.chance.random() < 0.1:
            sql += f"REVOKE EXECUTE ON FUNCTION posts_{self.one('a(uuid, uuid)', 'c(uuid)', 'd()')} FROM PUBLIC, anon;"
            sql += "GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA public TO service_role;"
        for _ in range(self.chance.randint(4, 8)):
            row = {name: self.one(*values) for name, values in _COLUMNS.items()}
            insert = f"INSERT INTO posts ({', '.join(row)}) VALUES ({', '.join(row.values())})"
            sql += f"DO $$ BEGIN {insert}; EXCEPTION WHEN integrity_constraint_violation THEN NULL; END $$;"
        sql += f"INSERT INTO posts_notes (parent, author) SELECT id, '{BOB}' FROM posts LIMIT 3;"
        sql += "UPDATE posts p SET parent = (SELECT id FROM posts q WHERE q.id <> p.id ORDER BY id LIMIT 1) WHERE stars = 1;"
        return sql + "INSERT INTO posts_marks (note, post) SELECT n.id, n.parent FROM posts_notes n LIMIT 2;"

    def policy(self, number: int) -> str:
        command = "ALL" if not number and self.chance.random() < 0.5 else self.one(*_COMMANDS)
        # Writes are often taken where some conditions are easy to meet.
        easy = (
            [] if self.chance.random() < 0.6 else ["true", "author = auth.uid() OR published", "auth.uid() IS NOT NULL"]
        )
        using, check = (self.one(*easy) if easy else self.condition(2) for _ in range(2))
        parts = f"USING ({using})" if command != "INSERT" else ""
        if command == "INSERT" or (command in ("ALL", "UPDATE") and self.chance.random() < 0.4):
            parts += f" WITH CHECK ({check})"
        if self.chance.random() < 0.02:
            parts = parts.replace("(", f"({self.one(*MODIFIED)} OR ", 1)
        kind = "AS RESTRICTIVE" if number and self.chance.random() < 0.3 else ""
        role = self.one("public", "public", "authenticated", "anon")
        return f"CREATE POLICY p{number} ON posts {kind} FOR {command} TO {role} {parts};"

    def project(self, tables: int) -> tuple[str, dict[str, str]]:
        """What all tables share, and the SQL of each table by its name."""
        sql = [USERS, TEAMS, "DELETE FROM members;", "CREATE POLICY t ON teams FOR SELECT USING (open IS NOT FALSE);"]
        pairs = [(team, user) for team in _TEAMS for user in (ANN, BOB, CAT)]
        for team, user in self.chance.sample(pairs, self.chance.randint(0, 5)):
            sql.append(
                f"INSERT INTO members (team_id, user_id, role) VALUES ('{team}', '{user}', {self.one(*_COLUMNS['kind'][1:])});"
            )
        sql.append("ALTER TABLE members ADD created timestamptz DEFAULT now(), ADD number serial;" + _SHARED)
        own = self.chance.random() < 0.5
        sql.append(MEMBERS if own else "CREATE POLICY m ON members FOR SELECT USING (true);")
        return "".join(sql), {f"posts{number}": self.table() for number in range(tables)}
