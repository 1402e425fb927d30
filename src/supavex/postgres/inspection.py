"""Reads the catalog of a database, in the same way from a replay and from a live database.

Source: PostgreSQL's manual, chapter "System Catalogs". Each kind of object is read in one statement, with an empty
search path, so that expressions have qualified names.
"""

from __future__ import annotations

from collections.abc import Sequence

from supavex.postgres.catalog import (
    Catalog,
    Expression,
    View,
    function_from_json,
    table_from_json,
    type_from_json,
)
from supavex.postgres.connection import quoted
from supavex.postgres.driver import pq, psycopg
from supavex.postgres.named_objects import named_objects

#: Schemas of PostgreSQL and Supabase. A project's ``schemas`` may name one of Supabase's.
SYSTEM_SCHEMAS = (
    "auth", "cron", "extensions", "graphql", "graphql_public", "information_schema", "net", "pgbouncer", "pgmq",
    "pgsodium", "pgsodium_masks", "realtime", "storage", "supabase_functions", "supabase_migrations", "supavex",
    "vault",
)  # fmt: skip

_TABLES = """
WITH wanted AS (
    SELECT c.oid, n.nspname, c.relname, c.relrowsecurity
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relpersistence <> 't'
      AND (n.nspname = ANY(%(schemas)s) OR n.nspname || '.' || c.relname = ANY(%(also)s))
      AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_depend d
                      WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
)
SELECT pg_catalog.jsonb_build_object(
    'schema', w.nspname, 'name', w.relname, 'row_security', w.relrowsecurity,
    'comment', coalesce(pg_catalog.obj_description(w.oid, 'pg_class'), ''),
    'columns', coalesce((
        SELECT pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object(
            'name', a.attname,
            'type_oid', a.atttypid::int8, 'typmod', a.atttypmod,
            'type_name', pg_catalog.format_type(a.atttypid, a.atttypmod),
            -- PostgreSQL 18 also sets attnotnull for a NOT NULL that is NOT VALID.
            'nullable', NOT a.attnotnull OR EXISTS (
                SELECT 1 FROM pg_catalog.pg_constraint v WHERE v.conrelid = w.oid AND v.contype = 'n'
                AND NOT v.convalidated AND a.attnum = ANY(v.conkey)), 'dimensions', a.attndims,
            'default', CASE WHEN a.attgenerated = '' THEN pg_catalog.pg_get_expr(d.adbin, d.adrelid) END,
            'expression', CASE WHEN a.attgenerated = '' THEN '' ELSE pg_catalog.pg_get_expr(d.adbin, d.adrelid) END,
            'generated', CASE a.attgenerated WHEN 's' THEN 'stored' WHEN 'v' THEN 'virtual' ELSE '' END,
            'identity', CASE a.attidentity WHEN 'a' THEN 'always' WHEN 'd' THEN 'by default' ELSE '' END,
            'comment', coalesce(pg_catalog.col_description(w.oid, a.attnum), ''),
            'collation', CASE WHEN l.collprovider <> 'd'
                         THEN pg_catalog.quote_ident(ln.nspname) || '.' || pg_catalog.quote_ident(l.collname)
                         ELSE '' END,
            'deterministic', coalesce(l.collisdeterministic, true)) ORDER BY a.attnum)
        FROM pg_catalog.pg_attribute a
        LEFT JOIN pg_catalog.pg_collation l ON l.oid = a.attcollation
        LEFT JOIN pg_catalog.pg_namespace ln ON ln.oid = l.collnamespace
        LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
        WHERE a.attrelid = w.oid AND a.attnum > 0 AND NOT a.attisdropped), '[]'),
    'primary_key', coalesce((
        SELECT pg_catalog.jsonb_agg(a.attname ORDER BY k.position)
        FROM pg_catalog.pg_constraint p, pg_catalog.unnest(p.conkey) WITH ORDINALITY AS k(attnum, position),
             pg_catalog.pg_attribute a
        WHERE p.conrelid = w.oid AND p.contype = 'p' AND a.attrelid = w.oid AND a.attnum = k.attnum), '[]'),
    'foreign_keys', coalesce((
        SELECT pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object(
            'name', f.conname,
            'columns', (SELECT pg_catalog.jsonb_agg(a.attname ORDER BY k.position)
                        FROM pg_catalog.unnest(f.conkey) WITH ORDINALITY AS k(attnum, position)
                        JOIN pg_catalog.pg_attribute a ON a.attrelid = f.conrelid AND a.attnum = k.attnum),
            'referenced_schema', rn.nspname, 'referenced_table', rc.relname,
            'referenced_columns', (SELECT pg_catalog.jsonb_agg(a.attname ORDER BY k.position)
                        FROM pg_catalog.unnest(f.confkey) WITH ORDINALITY AS k(attnum, position)
                        JOIN pg_catalog.pg_attribute a ON a.attrelid = f.confrelid AND a.attnum = k.attnum),
            'on_delete', CASE f.confdeltype WHEN 'a' THEN 'NO ACTION' WHEN 'r' THEN 'RESTRICT' WHEN 'c' THEN 'CASCADE'
                         WHEN 'n' THEN 'SET NULL' ELSE 'SET DEFAULT' END,
            'on_update', CASE f.confupdtype WHEN 'a' THEN 'NO ACTION' WHEN 'r' THEN 'RESTRICT' WHEN 'c' THEN 'CASCADE'
                         WHEN 'n' THEN 'SET NULL' ELSE 'SET DEFAULT' END,
            'validated', f.convalidated) ORDER BY f.conkey, f.conname)
        FROM pg_catalog.pg_constraint f
        JOIN pg_catalog.pg_class rc ON rc.oid = f.confrelid
        JOIN pg_catalog.pg_namespace rn ON rn.oid = rc.relnamespace
        WHERE f.conrelid = w.oid AND f.contype = 'f' AND f.conparentid = 0), '[]'),
    'uniques', coalesce((
        SELECT pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object(
            'name', ic.relname,
            'columns', (SELECT pg_catalog.jsonb_agg(a.attname ORDER BY k.position)
                        FROM pg_catalog.unnest(i.indkey) WITH ORDINALITY AS k(attnum, position)
                        JOIN pg_catalog.pg_attribute a ON a.attrelid = w.oid AND a.attnum = k.attnum
                        WHERE k.position <= i.indnkeyatts),
            'nulls_not_distinct', coalesce((pg_catalog.to_jsonb(i) ->> 'indnullsnotdistinct')::bool, false),
            'predicate', pg_catalog.pg_get_expr(i.indpred, i.indrelid)) ORDER BY ic.relname)
        FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class ic ON ic.oid = i.indexrelid
        WHERE i.indrelid = w.oid AND i.indisunique AND i.indisvalid AND NOT i.indisprimary
          AND i.indexprs IS NULL), '[]'),
    'checks', coalesce((
        SELECT pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object(
            'name', c.conname, 'expression', pg_catalog.pg_get_expr(c.conbin, c.conrelid),
            'columns', coalesce((SELECT pg_catalog.jsonb_agg(a.attname ORDER BY a.attnum)
                        FROM pg_catalog.pg_attribute a
                        WHERE a.attrelid = w.oid AND a.attnum = ANY(c.conkey)), '[]'),
            'validated', c.convalidated) ORDER BY c.conname)
        FROM pg_catalog.pg_constraint c WHERE c.conrelid = w.oid AND c.contype = 'c'), '[]'),
    'indexes', coalesce((
        SELECT pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object(
            'name', ic.relname, 'unique', i.indisunique AND i.indisvalid, 'method', am.amname,
            'definition', pg_catalog.pg_get_indexdef(i.indexrelid),
            'predicate', pg_catalog.pg_get_expr(i.indpred, i.indrelid),
            'columns', (SELECT pg_catalog.jsonb_agg(a.attname ORDER BY k.position)
                        FROM pg_catalog.unnest(i.indkey) WITH ORDINALITY AS k(attnum, position)
                        LEFT JOIN pg_catalog.pg_attribute a
                          ON a.attrelid = w.oid AND a.attnum = k.attnum AND k.attnum > 0
                        WHERE k.position <= i.indnkeyatts)) ORDER BY ic.relname)
        FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class ic ON ic.oid = i.indexrelid
        JOIN pg_catalog.pg_am am ON am.oid = ic.relam
        WHERE i.indrelid = w.oid AND NOT i.indisprimary), '[]'),
    'policies', coalesce((
        SELECT pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object(
            'name', p.polname, 'permissive', p.polpermissive,
            'command', CASE p.polcmd WHEN 'r' THEN 'SELECT' WHEN 'a' THEN 'INSERT' WHEN 'w' THEN 'UPDATE'
                       WHEN 'd' THEN 'DELETE' ELSE 'ALL' END,
            'roles', (SELECT pg_catalog.jsonb_agg(DISTINCT coalesce(r.rolname, 'public'))
                      FROM pg_catalog.unnest(p.polroles) AS o(oid) LEFT JOIN pg_catalog.pg_roles r ON r.oid = o.oid
                        OR o.oid <> 0 AND r.rolname IN ('anon', 'authenticated')
                           AND pg_catalog.pg_has_role(r.oid, o.oid, 'USAGE')),
            'using', pg_catalog.pg_get_expr(p.polqual, p.polrelid),
            'with_check', pg_catalog.pg_get_expr(p.polwithcheck, p.polrelid)) ORDER BY p.polname)
        FROM pg_catalog.pg_policy p WHERE p.polrelid = w.oid), '[]'),
    'triggers', coalesce((
        SELECT pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object(
            'name', g.tgname, 'definition', pg_catalog.pg_get_triggerdef(g.oid),
            'function', CASE WHEN tl.lanname IN ('sql', 'plpgsql') THEN tp.prosrc ELSE '' END) ORDER BY g.tgname)
        FROM pg_catalog.pg_trigger g
        JOIN pg_catalog.pg_proc tp ON tp.oid = g.tgfoid JOIN pg_catalog.pg_language tl ON tl.oid = tp.prolang
        WHERE g.tgrelid = w.oid AND NOT g.tgisinternal AND g.tgenabled IN ('O', 'A')), '[]'),
    'grants', coalesce((
        SELECT pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object(
            'role', r.rolname,
            'commands', (SELECT coalesce(pg_catalog.jsonb_agg(c.command), '[]')
                         FROM pg_catalog.unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) AS c(command)
                         WHERE pg_catalog.has_table_privilege(r.oid, w.oid, c.command)),
            'by_column', (SELECT coalesce(pg_catalog.jsonb_agg(c.command), '[]')
                          FROM pg_catalog.unnest(ARRAY['SELECT', 'INSERT', 'UPDATE']) AS c(command)
                          WHERE NOT pg_catalog.has_table_privilege(r.oid, w.oid, c.command)
                            AND pg_catalog.has_any_column_privilege(r.oid, w.oid, c.command))) ORDER BY r.rolname)
        FROM pg_catalog.pg_roles r WHERE r.rolname IN ('anon', 'authenticated')), '[]'),
    'constrained', coalesce((
        SELECT pg_catalog.jsonb_agg(a.attname ORDER BY a.attnum)
        FROM pg_catalog.pg_attribute a
        WHERE a.attrelid = w.oid AND a.attnum > 0 AND NOT a.attisdropped AND (
            EXISTS (SELECT 1 FROM pg_catalog.pg_constraint c
                    WHERE c.conrelid = w.oid AND c.contype IN ('c', 'u', 'x') AND a.attnum = ANY(c.conkey))
            OR EXISTS (SELECT 1 FROM pg_catalog.pg_index i
                       WHERE i.indrelid = w.oid AND NOT i.indisprimary AND (i.indisunique OR i.indisexclusion)
                         AND (a.attnum = ANY(i.indkey) OR EXISTS (
                             SELECT 1 FROM pg_catalog.pg_depend d
                             WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = i.indexrelid
                               AND d.refclassid = d.classid AND d.refobjid = w.oid AND d.refobjsubid = a.attnum)))
        )), '[]'))
FROM wanted w ORDER BY w.nspname, w.relname
"""

_TYPES = """
SELECT t.oid::int8, t.typname, n.nspname, t.typtype, t.typelem::int8, t.typcategory, t.typbasetype::int8, t.typtypmod,
       pg_catalog.format_type(t.oid, NULL),
       (SELECT pg_catalog.array_agg(e.enumlabel ORDER BY e.enumsortorder) FROM pg_catalog.pg_enum e
        WHERE e.enumtypid = t.oid),
       t.typnotnull, pg_catalog.pg_get_expr(t.typdefaultbin, 0),
       (SELECT pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object(
            'name', c.conname, 'expression', pg_catalog.pg_get_expr(c.conbin, 0), 'columns', '[]'::jsonb,
            'validated', c.convalidated) ORDER BY c.conname)
        FROM pg_catalog.pg_constraint c WHERE c.contypid = t.oid AND c.contype = 'c'),
       (SELECT pg_catalog.jsonb_agg(pg_catalog.jsonb_build_array(
            a.attname, a.atttypid::int8, a.atttypmod, pg_catalog.format_type(a.atttypid, a.atttypmod))
            ORDER BY a.attnum)
        FROM pg_catalog.pg_attribute a
        WHERE t.typtype = 'c' AND a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped)
FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
"""

#: Functions in SQL and PL/pgSQL. Types have the names that PostgreSQL prints with an empty search path.
_FUNCTIONS = """
SELECT pg_catalog.jsonb_build_object(
    'schema', n.nspname, 'name', p.proname,
    'parameters', coalesce((
        SELECT pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object(
            'name', coalesce(p.proargnames[a.position], ''), 'type', pg_catalog.format_type(a.oid, NULL),
            'default', pg_catalog.pg_get_function_arg_default(p.oid, a.position::int)) ORDER BY a.position)
        FROM pg_catalog.unnest(coalesce(p.proallargtypes, p.proargtypes::oid[])) WITH ORDINALITY AS a(oid, position)
        WHERE coalesce(p.proargmodes[a.position], 'i') IN ('i', 'b')), '[]'),
    'columns', coalesce((
        SELECT pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object(
            'name', coalesce(p.proargnames[a.position], ''), 'type', pg_catalog.format_type(a.oid, NULL),
            'default', NULL) ORDER BY a.position)
        FROM pg_catalog.unnest(p.proallargtypes) WITH ORDINALITY AS a(oid, position)
        WHERE p.proargmodes[a.position] IN ('t', 'o', 'b')), '[]'),
    'returns', pg_catalog.format_type(p.prorettype, NULL), 'returns_set', p.proretset, 'language', l.lanname,
    'security_definer', p.prosecdef, 'strict', p.proisstrict,
    'denied', (SELECT coalesce(pg_catalog.jsonb_agg(r.rolname ORDER BY r.rolname), '[]') FROM pg_catalog.pg_roles r
               WHERE r.rolname IN ('anon', 'authenticated')
                 AND NOT pg_catalog.has_function_privilege(r.oid, p.oid, 'EXECUTE')),
    'atomic', pg_catalog.to_jsonb(p) ->> 'prosqlbody' IS NOT NULL, 'body', p.prosrc,
    'definition', pg_catalog.pg_get_functiondef(p.oid))
FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
JOIN pg_catalog.pg_language l ON l.oid = p.prolang
WHERE p.prokind = 'f' AND l.lanname IN ('sql', 'plpgsql') AND (
    n.nspname = ANY(%(schemas)s) OR n.nspname <> ALL (%(system)s) AND n.nspname NOT LIKE 'pg\\_%%'
    OR n.nspname = 'auth' AND p.proname NOT IN ('uid', 'role', 'email', 'jwt'))
  AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_depend d
                  WHERE d.classid = 'pg_catalog.pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e')
ORDER BY n.nspname, p.proname, p.oid
"""

_VIEWS = """
SELECT n.nspname, c.relname,
       (SELECT pg_catalog.array_agg(a.attname::text ORDER BY a.attnum) FROM pg_catalog.pg_attribute a
        WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped),
       pg_catalog.pg_get_viewdef(c.oid),
       coalesce(c.reloptions::text[] && ARRAY['security_invoker=true', 'security_invoker=on', 'security_invoker=1'],
                false)
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'v' AND n.nspname = ANY(%(schemas)s)
  AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_depend d
                  WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
ORDER BY 1, 2
"""


def user_schemas(connection: psycopg.Connection) -> list[str]:
    """The schemas with tables, except PostgreSQL's and Supabase's; ``public`` first, then by name."""
    rows = connection.execute(
        "SELECT DISTINCT n.nspname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace "
        "WHERE c.relkind IN ('r', 'p') AND n.nspname NOT LIKE 'pg\\_%%' AND n.nspname <> ALL(%s) "
        "AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.pg_class'::regclass "
        "AND d.objid = c.oid AND d.deptype = 'e')",
        (list(SYSTEM_SCHEMAS),),
    )
    return sorted((row[0] for row in rows), key=lambda name: (name != "public", name))


def inspect_catalog(connection: psycopg.Connection, schemas: list[str], also: Sequence[str] = ()) -> Catalog:
    """The catalog of ``schemas``, and of the tables ``also`` (``schema.table``) of other schemas.

    Foreign keys may refer to tables of further schemas (``auth.users``).
    """
    types = {row[0]: row for row in connection.execute(_TYPES)}
    tables = []
    for (data,) in connection.execute(_TABLES, {"schemas": schemas, "also": list(also)}):
        for column in data["columns"]:
            oid, typmod, name = column.pop("type_oid"), column.pop("typmod"), column.pop("type_name")
            column["type"] = _type(types, oid, typmod, name)
            _domain(types, oid, column)
        tables.append(table_from_json(data))
    functions = connection.execute(_FUNCTIONS, {"schemas": schemas, "system": list(SYSTEM_SCHEMAS)})
    views = connection.execute(_VIEWS, {"schemas": schemas})
    (version,) = connection.execute("SHOW server_version").fetchone() or ("",)
    return Catalog(
        str(version).split()[0],
        tuple(tables),
        tuple(named_objects(connection, schemas)),
        functions=tuple(function_from_json(data) for (data,) in functions),
        views=tuple(
            View(schema, name, tuple(columns or ()), query, bool(own)) for schema, name, columns, query, own in views
        ),
    )


def ask_types(connection: psycopg.Connection, asked: Sequence[tuple[str, str, str]]) -> list[Expression]:
    """PostgreSQL's types of expressions, or its errors. Each expression has a schema, table and SQL; none is evaluated.

    ``connection`` is in autocommit mode, because an error ends a transaction.
    """
    found = list[tuple[str, str, str, tuple[int, int] | None, str]]()
    seen = set[tuple[int, int]]()
    for schema, table, sql in asked:
        # The whole row is selected as well, as the copy's queries do, so that an expression that gives several rows
        # is refused.
        query = f"SELECT t, ({sql}) FROM {quoted(schema, table)} AS t"
        said = connection.pgconn.prepare(b"", query.encode())
        if said.status == pq.ExecStatus.COMMAND_OK:
            said = connection.pgconn.describe_prepared(b"")
        if said.status != pq.ExecStatus.COMMAND_OK:
            words = (
                said.error_field(pq.DiagnosticField.MESSAGE_PRIMARY) or said.error_message or b"it is not an expression"
            )
            found.append((schema, table, sql, None, words.decode("utf-8", "replace").strip()))
            continue
        kind = (said.ftype(1), said.fmod(1))
        seen.add(kind)
        found.append((schema, table, sql, kind, "" if said.nfields == 2 else "it is more than one value"))
    types = {row[0]: row for row in connection.execute(_TYPES)} if seen else {}
    names = {
        kind: connection.execute("SELECT pg_catalog.format_type(%s::oid, %s::int4)", kind).fetchone() for kind in seen
    }
    made = {kind: type_from_json(_type(types, *kind, str((names[kind] or ("",))[0]))) for kind in seen}
    return [
        Expression(schema, table, sql, None if error or kind is None else made[kind], error)
        for schema, table, sql, kind, error in found
    ]


def _domain(types: dict[int, tuple], oid: int, column: dict[str, object]) -> None:  # type: ignore[type-arg]
    """Gives a column the default and NOT NULL of its domain, and of the domains under that."""
    if column["default"] is None and not column["generated"] and not column["identity"]:
        # When a domain is created, PostgreSQL copies the default of the domain under it.
        column["default"] = types[oid][11]
    while types[oid][3] == "d":
        column["nullable"] = column["nullable"] and not types[oid][10]
        oid = types[oid][6]


def _type(types: dict[int, tuple], oid: int, typmod: int, name: str) -> dict[str, object]:  # type: ignore[type-arg]
    _, typname, schema, typtype, typelem, category, basetype, basemod, _, labels, _, _, checks, attributes = types[oid]
    if typtype == "d":
        base = _type(types, basetype, basemod, types[basetype][8])
        inherited: list[object] = base.get("checks") or []  # type: ignore[assignment]
        return {**base, "name": name, "domain": f"{schema}.{typname}", "checks": [*inherited, *(checks or [])]}
    data: dict[str, object] = {"name": name, "base": typname, "schema": schema, "category": typtype}
    if category == "A" and typelem:
        data["element"] = _type(types, typelem, typmod, types[typelem][8])
    data["labels"] = tuple(labels or ())
    if attributes:
        data["attributes"] = [{"name": name, "type": _type(types, *kind)} for name, *kind in attributes]
    if typmod >= 4 and typname in ("varchar", "bpchar"):
        data["length"] = typmod - 4
    elif typmod >= 4 and typname == "numeric":
        # The scale is an 11-bit signed number (PostgreSQL 15 and later allow negative ones).
        scale = (typmod - 4) & 0x7FF
        data["precision"], data["scale"] = ((typmod - 4) >> 16) & 0xFFFF, (scale ^ 1024) - 1024
    return data
