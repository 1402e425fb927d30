"""The objects of a database other than tables, by name: views, functions, enums, and objects in Supabase's schemas."""

from __future__ import annotations

from supavex.postgres.catalog import NamedObject
from supavex.postgres.driver import psycopg

_OTHERS = """
SELECT CASE c.relkind WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view' WHEN 'f' THEN 'foreign table'
       ELSE 'sequence' END, n.nspname || '.' || c.relname, ''
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('v', 'm', 'f', 'S') AND n.nspname = ANY(%(schemas)s)
  AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_depend d
                  WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = c.oid
                    AND d.deptype IN ('e', 'i', 'a'))
UNION ALL
SELECT CASE p.prokind WHEN 'p' THEN 'procedure' WHEN 'a' THEN 'aggregate' ELSE 'function' END,
       n.nspname || '.' || p.proname,
       pg_catalog.pg_get_function_identity_arguments(p.oid)
FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
WHERE n.nspname = ANY(%(schemas)s)
  AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_depend d
                  WHERE d.classid = 'pg_catalog.pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e')
UNION ALL
SELECT 'enum', n.nspname || '.' || t.typname,
       (SELECT pg_catalog.string_agg(e.enumlabel, ', ' ORDER BY e.enumsortorder) FROM pg_catalog.pg_enum e
        WHERE e.enumtypid = t.oid)
FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
WHERE t.typtype = 'e' AND n.nspname = ANY(%(schemas)s)
UNION ALL
SELECT 'domain', n.nspname || '.' || t.typname,
       pg_catalog.string_agg(pg_catalog.pg_get_constraintdef(c.oid), ' ' ORDER BY c.conname)
FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
JOIN pg_catalog.pg_constraint c ON c.contypid = t.oid
WHERE t.typtype = 'd' AND n.nspname = ANY(%(schemas)s) GROUP BY 1, 2
UNION ALL
SELECT 'exclusion', n.nspname || '.' || r.relname, pg_catalog.pg_get_constraintdef(c.oid)
FROM pg_catalog.pg_constraint c JOIN pg_catalog.pg_class r ON r.oid = c.conrelid
JOIN pg_catalog.pg_namespace n ON n.oid = r.relnamespace
WHERE c.contype = 'x' AND n.nspname = ANY(%(schemas)s)
UNION ALL
SELECT 'publication', p.pubname, pg_catalog.string_agg(t.schemaname || '.' || t.tablename, ', '
       ORDER BY t.schemaname, t.tablename)
FROM pg_catalog.pg_publication p JOIN pg_catalog.pg_publication_tables t ON t.pubname = p.pubname
WHERE t.schemaname = ANY(%(schemas)s) GROUP BY p.pubname
ORDER BY 1, 2, 3
"""

#: Objects of a project in Supabase's schemas: a table that must exist and be readable, and the SQL that lists them.
_ELSEWHERE = (
    ("cron.job", "SELECT 'cron job', coalesce(jobname, 'job ' || jobid), schedule || ' ' || command FROM cron.job"),
    ("storage.buckets", "SELECT 'bucket', id, CASE WHEN public THEN 'public' ELSE 'private' END FROM storage.buckets"),
    ("pg_catalog.pg_extension", "SELECT 'extension', extname, '' FROM pg_catalog.pg_extension"),
    (
        "pg_catalog.pg_trigger",
        "SELECT 'trigger', g.tgrelid::regclass::text, g.tgname || ' ' || pg_catalog.pg_get_triggerdef(g.oid) "
        "FROM pg_catalog.pg_trigger g JOIN pg_catalog.pg_class c ON c.oid = g.tgrelid "
        "JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace "
        "WHERE NOT g.tgisinternal AND n.nspname IN ('auth', 'storage', 'realtime') AND n.nspname <> ALL(%(schemas)s)",
    ),
    (
        "pg_catalog.pg_policy",
        "SELECT 'policy', p.polrelid::regclass::text, p.polname "
        "FROM pg_catalog.pg_policy p JOIN pg_catalog.pg_class c ON c.oid = p.polrelid "
        "JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace "
        "WHERE n.nspname IN ('auth', 'storage', 'realtime') AND n.nspname <> ALL(%(schemas)s)",
    ),
)
#: The extensions of a new Supabase project.
_EVERYWHERE = ("pg_graphql", "pg_stat_statements", "pgcrypto", "plpgsql", "supabase_vault", "supavex", "uuid-ossp")


def named_objects(connection: psycopg.Connection, schemas: list[str]) -> list[NamedObject]:
    """The objects of ``schemas`` other than tables, then those of Supabase's schemas; each by kind and name."""
    own = [NamedObject(*row) for row in connection.execute(_OTHERS, {"schemas": schemas})]
    elsewhere = _elsewhere(connection, schemas)
    return own + sorted(elsewhere, key=lambda other: (other.kind, other.name, other.detail))


def _elsewhere(connection: psycopg.Connection, schemas: list[str]) -> set[NamedObject]:
    found = set()
    for table, sql in _ELSEWHERE:
        # The privilege on a missing table is NULL.
        readable = "SELECT pg_catalog.has_table_privilege(pg_catalog.to_regclass(%s), 'SELECT')"
        try:
            with connection.transaction():
                row = connection.execute(readable, (table,)).fetchone()
                if not row or not row[0]:
                    continue
                found |= {NamedObject(*values) for values in connection.execute(sql.encode(), {"schemas": schemas})}
        except psycopg.Error:
            continue  # This role may not use the schema, or the table has another shape.
    return {other for other in found if other.kind != "extension" or other.name not in _EVERYWHERE}
