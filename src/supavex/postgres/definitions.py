"""The statements that create a live database's own objects in another database, read from its catalog alone.

PostgreSQL prints most of each statement itself (``pg_get_functiondef``, ``pg_get_constraintdef`` and the like). The
order need not be exact: a replay runs a failed statement again. No function of the source database is called, and
nothing is written to it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import psycopg

from supavex.postgres.inspection import SYSTEM_SCHEMAS

#: The roles of every Supabase project that get rights from the default privileges of the prelude.
_API_ROLES = "anon, authenticated, service_role"


def _of_extension(catalog: str, oid: str) -> str:
    return (
        "EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.deptype = 'e' "
        f"AND d.classid = 'pg_catalog.{catalog}'::regclass AND d.objid = {oid})"
    )


_SCHEMAS = f"""
SELECT n.nspname FROM pg_catalog.pg_namespace n
WHERE (n.nspname = ANY(%(schemas)s) OR n.nspname NOT LIKE 'pg\\_%%' AND n.nspname <> ALL(%(system)s))
  AND NOT {_of_extension("pg_namespace", "n.oid")} ORDER BY n.nspname
"""
#: Memberships by which the API's roles inherit rights from other roles, directly or through roles between. A
#: membership that does not inherit gives no rights. Before PostgreSQL 16, INHERIT is a property of the member and not
#: of the membership.
_HELD = """
WITH RECURSIVE inherited AS (
  SELECT a.roleid, a.member, m.rolname FROM pg_catalog.pg_auth_members a
  JOIN pg_catalog.pg_roles m ON m.oid = a.member
  WHERE coalesce((pg_catalog.to_jsonb(a) ->> 'inherit_option')::boolean, m.rolinherit)
), held AS (
  SELECT i.roleid, i.member FROM inherited i WHERE i.rolname IN ('anon', 'authenticated')
  UNION SELECT i.roleid, i.member FROM inherited i JOIN held h ON h.roleid = i.member
)
"""
#: The roles that policies and the rights of the API's roles may name.
_NAMED = f"""
SELECT own.oid FROM pg_catalog.pg_policy p, pg_catalog.unnest(p.polroles) AS own(oid)
UNION (SELECT named.roleid FROM ({_HELD} SELECT roleid FROM held) AS named)
UNION SELECT r.oid FROM pg_catalog.pg_roles r WHERE r.rolname IN ('anon', 'authenticated', 'service_role')
"""
_ROLES = f"""
SELECT format('DO $$ BEGIN CREATE ROLE %%I; EXCEPTION WHEN duplicate_object THEN NULL; END $$', r.rolname)
FROM pg_catalog.pg_roles r WHERE r.oid IN ({_NAMED}) AND r.rolname NOT LIKE 'pg\\_%%'
"""
_MEMBERS = f"""
{_HELD}
SELECT DISTINCT format('GRANT %%I TO %%I', r.rolname, m.rolname)
FROM held h JOIN pg_catalog.pg_roles r ON r.oid = h.roleid JOIN pg_catalog.pg_roles m ON m.oid = h.member
"""
_EXTENSIONS = """
SELECT format('CREATE SCHEMA IF NOT EXISTS %%I; CREATE EXTENSION IF NOT EXISTS %%I WITH SCHEMA %%I', n.nspname,
              e.extname, n.nspname)
FROM pg_catalog.pg_extension e JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace
WHERE n.nspname <> 'pg_catalog' ORDER BY e.oid
"""
_TYPES = f"""
SELECT CASE t.typtype
  WHEN 'e' THEN format('CREATE TYPE %%I.%%I AS ENUM (%%s)', n.nspname, t.typname,
    (SELECT pg_catalog.string_agg(pg_catalog.quote_literal(e.enumlabel), ', ' ORDER BY e.enumsortorder)
     FROM pg_catalog.pg_enum e WHERE e.enumtypid = t.oid))
  WHEN 'd' THEN format('CREATE DOMAIN %%I.%%I AS %%s%%s%%s%%s', n.nspname, t.typname,
    pg_catalog.format_type(t.typbasetype, t.typtypmod),
    ' DEFAULT ' || pg_catalog.pg_get_expr(t.typdefaultbin, 0), CASE WHEN t.typnotnull THEN ' NOT NULL' END,
    (SELECT pg_catalog.string_agg(format(' CONSTRAINT %%I %%s', c.conname, pg_catalog.pg_get_constraintdef(c.oid)), '')
     FROM pg_catalog.pg_constraint c WHERE c.contypid = t.oid AND c.contype = 'c'))
  WHEN 'r' THEN (SELECT format('CREATE TYPE %%I.%%I AS RANGE (SUBTYPE = %%s)', n.nspname, t.typname,
    pg_catalog.format_type(r.rngsubtype, NULL)) FROM pg_catalog.pg_range r WHERE r.rngtypid = t.oid)
  ELSE format('CREATE TYPE %%I.%%I AS (%%s)', n.nspname, t.typname,
    (SELECT pg_catalog.string_agg(format('%%I %%s', a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod)), ', '
            ORDER BY a.attnum)
     FROM pg_catalog.pg_attribute a WHERE a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped)) END
FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
WHERE n.nspname = ANY(%(schemas)s) AND NOT {_of_extension("pg_type", "t.oid")}
  AND (t.typtype IN ('e', 'd', 'r')
       OR t.typtype = 'c' AND (SELECT c.relkind FROM pg_catalog.pg_class c WHERE c.oid = t.typrelid) = 'c')
ORDER BY t.oid
"""
#: CREATE SEQUENCE statements. Sequences of identity columns come with their tables.
_SEQUENCES = f"""
SELECT format('CREATE SEQUENCE %%I.%%I AS %%s INCREMENT BY %%s', n.nspname, c.relname,
              pg_catalog.format_type(s.seqtypid, NULL), s.seqincrement)
FROM pg_catalog.pg_sequence s JOIN pg_catalog.pg_class c ON c.oid = s.seqrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = ANY(%(schemas)s) AND NOT {_of_extension("pg_class", "c.oid")}
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.objid = c.oid AND d.deptype = 'i'
                  AND d.classid = 'pg_catalog.pg_class'::regclass)
ORDER BY c.oid
"""
_FUNCTION_PLACE = f"""
FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
JOIN pg_catalog.pg_language l ON l.oid = p.prolang
WHERE p.prokind IN ('f', 'p') AND l.lanname IN ('sql', 'plpgsql') AND NOT {_of_extension("pg_proc", "p.oid")}
  AND (n.nspname = ANY(%(schemas)s)
       OR n.nspname = 'auth' AND p.proname NOT IN ('uid', 'role', 'email', 'jwt'))
"""
_FUNCTIONS = f"SELECT pg_catalog.pg_get_functiondef(p.oid) {_FUNCTION_PLACE} ORDER BY p.oid"
_TABLES = f"""
SELECT CASE WHEN c.relispartition
  THEN format('CREATE TABLE %%I.%%I PARTITION OF %%s %%s', n.nspname, c.relname,
    (SELECT i.inhparent::regclass FROM pg_catalog.pg_inherits i WHERE i.inhrelid = c.oid),
    pg_catalog.pg_get_expr(c.relpartbound, c.oid))
  ELSE format('CREATE TABLE %%I.%%I (%%s)%%s', n.nspname, c.relname,
    (SELECT pg_catalog.string_agg(format('%%I %%s%%s%%s%%s', a.attname,
        pg_catalog.format_type(a.atttypid, a.atttypmod),
        (SELECT format(' COLLATE %%I.%%I', cn.nspname, co.collname) FROM pg_catalog.pg_collation co
         JOIN pg_catalog.pg_namespace cn ON cn.oid = co.collnamespace JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
         WHERE co.oid = a.attcollation AND co.oid <> t.typcollation),
        CASE a.attidentity WHEN 'a' THEN ' GENERATED ALWAYS AS IDENTITY'
          WHEN 'd' THEN ' GENERATED BY DEFAULT AS IDENTITY' ELSE CASE WHEN a.attgenerated <> '' THEN (
            SELECT format(' GENERATED ALWAYS AS (%%s) %%s', pg_catalog.pg_get_expr(g.adbin, g.adrelid),
                          CASE a.attgenerated WHEN 's' THEN 'STORED' ELSE 'VIRTUAL' END)
            FROM pg_catalog.pg_attrdef g WHERE g.adrelid = c.oid AND g.adnum = a.attnum) END END,
        CASE WHEN a.attnotnull THEN ' NOT NULL' END), ', ' ORDER BY a.attnum)
     FROM pg_catalog.pg_attribute a
     WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attislocal),
    CASE WHEN c.relkind = 'p' THEN ' PARTITION BY ' || pg_catalog.pg_get_partkeydef(c.oid)
      ELSE (SELECT format(' INHERITS (%%s)',
                          pg_catalog.string_agg(i.inhparent::regclass::text, ', ' ORDER BY i.inhseqno))
            FROM pg_catalog.pg_inherits i WHERE i.inhrelid = c.oid HAVING count(*) > 0) END) END
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND c.relpersistence <> 't' AND n.nspname = ANY(%(schemas)s)
  AND NOT {_of_extension("pg_class", "c.oid")} ORDER BY c.oid
"""
_OF_TABLE = f"""
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = ANY(%(schemas)s) AND NOT {_of_extension("pg_class", "c.oid")}
"""
#: :data:`_OF_TABLE`, extended by single tables of other schemas.
_OF_TABLE_ALSO = _OF_TABLE.replace(
    "n.nspname = ANY(%(schemas)s)",
    "(n.nspname = ANY(%(schemas)s) OR n.nspname || '.' || c.relname = ANY(%(also)s))",
)
_DEFAULTS = f"""
SELECT format('ALTER TABLE %%s ALTER COLUMN %%I SET DEFAULT %%s', c.oid::regclass, a.attname,
              pg_catalog.pg_get_expr(g.adbin, g.adrelid))
FROM pg_catalog.pg_attrdef g JOIN pg_catalog.pg_attribute a ON a.attrelid = g.adrelid AND a.attnum = g.adnum
JOIN pg_catalog.pg_class c ON c.oid = g.adrelid {_OF_TABLE} AND a.attgenerated = '' AND c.relkind IN ('r', 'p')
ORDER BY c.oid, a.attnum
"""
_CONSTRAINTS = f"""
SELECT format('ALTER TABLE %%s ADD CONSTRAINT %%I %%s', c.oid::regclass, k.conname,
              pg_catalog.pg_get_constraintdef(k.oid))
FROM pg_catalog.pg_constraint k JOIN pg_catalog.pg_class c ON c.oid = k.conrelid {_OF_TABLE}
  AND k.contype IN ('p', 'u', 'c', 'x', 'f') AND k.conislocal AND k.conparentid = 0
ORDER BY pg_catalog.array_position(ARRAY['p', 'u', 'c', 'x', 'f'], k.contype::text), c.oid, k.conname
"""
_INDEXES = f"""
SELECT pg_catalog.pg_get_indexdef(i.indexrelid) FROM pg_catalog.pg_index i
JOIN pg_catalog.pg_class c ON c.oid = i.indrelid {_OF_TABLE} AND c.relkind IN ('r', 'p') AND i.indisvalid
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_constraint k
                  WHERE k.conindid = i.indexrelid AND k.contype IN ('p', 'u', 'x'))
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_inherits h WHERE h.inhrelid = i.indexrelid)
ORDER BY i.indexrelid
"""
_VIEWS = f"""
SELECT format('CREATE %%sVIEW %%s%%s AS %%s', CASE c.relkind WHEN 'm' THEN 'MATERIALIZED ' END, c.oid::regclass,
              ' WITH (' || pg_catalog.array_to_string(c.reloptions, ', ') || ')',
              pg_catalog.rtrim(pg_catalog.pg_get_viewdef(c.oid), '; '))
FROM pg_catalog.pg_class c {_OF_TABLE} AND c.relkind IN ('v', 'm') ORDER BY c.oid
"""
_TRIGGERS = f"""
SELECT pg_catalog.pg_get_triggerdef(g.oid) || CASE WHEN g.tgenabled = 'D'
       THEN format('; ALTER TABLE %%s DISABLE TRIGGER %%I', c.oid::regclass, g.tgname) ELSE '' END
FROM pg_catalog.pg_trigger g JOIN pg_catalog.pg_class c ON c.oid = g.tgrelid {_OF_TABLE_ALSO}
  AND NOT g.tgisinternal AND g.tgparentid = 0 ORDER BY c.oid, g.tgname
"""
_SECURITY = f"""
SELECT format('ALTER TABLE %%s ENABLE ROW LEVEL SECURITY', c.oid::regclass)
FROM pg_catalog.pg_class c {_OF_TABLE_ALSO} AND c.relrowsecurity ORDER BY c.oid
"""
_POLICIES = f"""
SELECT format('CREATE POLICY %%I ON %%s AS %%s FOR %%s TO %%s%%s%%s', p.polname, c.oid::regclass,
  CASE WHEN p.polpermissive THEN 'PERMISSIVE' ELSE 'RESTRICTIVE' END,
  CASE p.polcmd WHEN 'r' THEN 'SELECT' WHEN 'a' THEN 'INSERT' WHEN 'w' THEN 'UPDATE' WHEN 'd' THEN 'DELETE'
    ELSE 'ALL' END,
  (SELECT pg_catalog.string_agg(CASE own.oid WHEN 0 THEN 'PUBLIC' ELSE pg_catalog.quote_ident(
     pg_catalog.pg_get_userbyid(own.oid)) END, ', ') FROM pg_catalog.unnest(p.polroles) AS own(oid)),
  ' USING (' || pg_catalog.pg_get_expr(p.polqual, p.polrelid) || ')',
  ' WITH CHECK (' || pg_catalog.pg_get_expr(p.polwithcheck, p.polrelid) || ')')
FROM pg_catalog.pg_policy p JOIN pg_catalog.pg_class c ON c.oid = p.polrelid {_OF_TABLE_ALSO} ORDER BY c.oid, p.polname
"""
_TO = """(SELECT format('GRANT %%s ON {kind} %%s TO %%s', pg_catalog.string_agg(x.privilege_type, ', '), {object},
  CASE x.grantee WHEN 0 THEN 'PUBLIC' ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(x.grantee)) END)
  FROM pg_catalog.aclexplode({acl}) AS x WHERE x.grantee <> {owner} AND {named} GROUP BY x.grantee)"""
_ONLY_NAMED = f"(x.grantee = 0 OR x.grantee IN ({_NAMED}))"


def _granted(kind: str, name: str, acl: str, owner: str) -> str:
    """SQL for the statements that revoke all rights of the API's roles and grant the rights of an ACL."""
    given = _TO.format(kind=kind, object=name, acl=acl, owner=owner, named=_ONLY_NAMED)
    revoked = f"format('REVOKE ALL ON {kind} %%s FROM PUBLIC, {_API_ROLES}', {name})"
    return f"pg_catalog.unnest({revoked} || ARRAY{given}) AS made(statement)"


def _granted_on_tables(place: str, condition: str = "") -> str:
    """SQL for the statements that give the rights on tables, and on their columns. ``place``: the joins and conditions
    that select the tables.
    """
    acl = "coalesce(c.relacl, pg_catalog.acldefault('r', c.relowner))"
    whole = place.replace(
        "WHERE", f"CROSS JOIN LATERAL {_granted('TABLE', 'c.oid::regclass::text', acl, 'c.relowner')} WHERE"
    )
    return f"""
SELECT made.statement FROM pg_catalog.pg_class c {whole} {condition}
UNION ALL
SELECT format('GRANT %%s (%%I) ON %%s TO %%s', x.privilege_type, a.attname, c.oid::regclass,
  CASE x.grantee WHEN 0 THEN 'PUBLIC' ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(x.grantee)) END)
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attacl IS NOT NULL
{place.replace("WHERE", "CROSS JOIN LATERAL pg_catalog.aclexplode(a.attacl) AS x WHERE")}
AND NOT a.attisdropped AND {_ONLY_NAMED}
"""


_GRANTS = f"""
{_granted_on_tables(_OF_TABLE, "AND c.relkind IN ('r', 'p', 'v', 'm')")}
UNION ALL
SELECT made.statement FROM pg_catalog.pg_class c {
    _OF_TABLE.replace(
        "WHERE",
        "CROSS JOIN LATERAL "
        + _granted(
            "SEQUENCE",
            "c.oid::regclass::text",
            "coalesce(c.relacl, pg_catalog.acldefault('s', c.relowner))",
            "c.relowner",
        )
        + " WHERE",
    )
} AND c.relkind = 'S'
UNION ALL
SELECT made.statement {
    _FUNCTION_PLACE.replace(
        "WHERE p.prokind",
        "CROSS JOIN LATERAL "
        + _granted(
            "ROUTINE",
            "p.oid::regprocedure::text",
            "coalesce(p.proacl, pg_catalog.acldefault('f', p.proowner))",
            "p.proowner",
        )
        + " WHERE p.prokind",
    )
}
UNION ALL
SELECT made.statement FROM pg_catalog.pg_namespace n CROSS JOIN LATERAL {
    _granted(
        "SCHEMA",
        "pg_catalog.quote_ident(n.nspname)",
        "coalesce(n.nspacl, pg_catalog.acldefault('n', n.nspowner))",
        "n.nspowner",
    )
}
WHERE n.nspname = ANY(%(schemas)s)
"""
#: The rights of the API's roles on single tables of other schemas, and on their columns.
_ACCESS = _granted_on_tables(_OF_TABLE_ALSO)
_STEPS = (
    _ROLES, _MEMBERS, _EXTENSIONS, _TYPES, _SEQUENCES, _FUNCTIONS, _TABLES, _DEFAULTS, _CONSTRAINTS, _INDEXES, _VIEWS,
    _TRIGGERS, _SECURITY, _POLICIES, _GRANTS,
)  # fmt: skip


def own_schemas(connection: psycopg.Connection, schemas: list[str]) -> list[str]:
    """``schemas``, and every other schema that belongs neither to PostgreSQL, to Supabase nor to an extension."""
    found = connection.execute(_SCHEMAS, {"schemas": schemas, "system": list(SYSTEM_SCHEMAS)})
    return [name for (name,) in found]


def object_statements(connection: psycopg.Connection, schemas: list[str], also: Sequence[str] = ()) -> Iterator[str]:
    """The statements that create all objects in ``schemas`` on which rows, rules and constraints depend.

    For the tables ``also`` (``schema.table``) that exist, they create row level security, policies and triggers.
    ``connection`` has an empty search path, so that PostgreSQL prints qualified names.
    """
    yield "SET check_function_bodies = off"
    for name in schemas:
        yield f"CREATE SCHEMA IF NOT EXISTS {_identifier(name)}"
    for step in _STEPS:
        for (statement,) in connection.execute(step.encode(), {"schemas": schemas, "also": list(also)}):
            if statement:
                yield statement


def access_statements(connection: psycopg.Connection, table: str) -> Iterator[str]:
    """The statements that give a table of Supabase's (``schema.table``) its row level security, policies and rights."""
    for step in (_SECURITY, _POLICIES, _ACCESS):
        for (statement,) in connection.execute(step.encode(), {"schemas": [], "also": [table]}):
            if statement:
                yield statement


def _identifier(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
