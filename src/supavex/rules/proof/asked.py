"""Finds the tables that the rules of a live source may read: in policies, constraints, and the functions that these
call.

It searches texts for names, because a function's body has no other structure. A name with another meaning only copies
an unneeded table.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import psycopg

_NO_EXTENSION = """NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.deptype = 'e' AND d.objid = {oid}
  AND d.classid = 'pg_catalog.{catalog}'::regclass)"""
#: The texts that PostgreSQL itself evaluates: kind, table, text.
_ROOTS = """
SELECT 'policy', tablename, pg_catalog.concat_ws(' ', qual, with_check) FROM pg_catalog.pg_policies
WHERE schemaname = ANY(%(schemas)s) OR schemaname || '.' || tablename = ANY(%(services)s)
UNION ALL SELECT 'constraint', '', pg_catalog.pg_get_constraintdef(k.oid) FROM pg_catalog.pg_constraint k
JOIN pg_catalog.pg_namespace n ON n.oid = k.connamespace WHERE n.nspname = ANY(%(schemas)s) AND k.contype = 'c'
UNION ALL SELECT 'default', '', pg_catalog.pg_get_expr(g.adbin, g.adrelid) FROM pg_catalog.pg_attrdef g
JOIN pg_catalog.pg_class c ON c.oid = g.adrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = ANY(%(schemas)s)
UNION ALL SELECT 'rule', '', pg_catalog.pg_get_ruledef(r.oid) FROM pg_catalog.pg_rewrite r
JOIN pg_catalog.pg_class c ON c.oid = r.ev_class JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = ANY(%(schemas)s) AND c.relkind IN ('r', 'p')
"""
#: The texts that others may name: kind, name, text. An operator has its function's name.
_NAMED = f"""
SELECT 'function', p.proname, pg_catalog.pg_get_functiondef(p.oid) FROM pg_catalog.pg_proc p
JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
WHERE p.prokind IN ('f', 'p', 'w') AND p.prorettype <> 'pg_catalog.trigger'::regtype
  AND (n.nspname = ANY(%(schemas)s) OR n.nspname = 'auth' AND p.proname NOT IN ('uid', 'role', 'email', 'jwt'))
  AND {_NO_EXTENSION.format(oid="p.oid", catalog="pg_proc")}
UNION ALL SELECT 'view', c.relname, pg_catalog.pg_get_viewdef(c.oid) FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('v', 'm') AND n.nspname = ANY(%(schemas)s)
  AND {_NO_EXTENSION.format(oid="c.oid", catalog="pg_class")}
"""
_NAME = r'(?:"(?:[^"]|"")+"|[\w$]+)'
_FROM = re.compile(rf"(?:FROM|JOIN|,)\s+\(*(?:ONLY\s+)?(?:{_NAME}\.)?({_NAME})", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Text:
    """A text of the source. ``name``: a function's or a view's. ``table``: a policy's table.

    ``reached``: whether a policy or a constraint may use it.
    """

    kind: str
    name: str
    table: str
    sql: str
    reached: bool = True

    def names(self, name: str) -> bool:
        """Whether the text may read a table of that name."""
        if self.kind == "policy" and name == self.table:
            # The name may be one of the table's own columns.
            return name in {found.strip('"').replace('""', '"') for found in _FROM.findall(self.sql)}
        return _has(self.sql, name)

    def names_in(self, schema: str, name: str) -> bool:
        """Whether the text may read a table of another schema: by its qualified name, or through the function's search
        path.
        """
        whole = rf'(?<![\w$])"?{re.escape(schema)}"?\s*\.\s*"?{re.escape(name)}(?![\w$])'
        path = rf"(?:\A|\n)\s*SET search_path TO [^\n]*'\"?{re.escape(schema)}\"?'"
        if re.search(whole, self.sql, re.IGNORECASE):
            return True
        return self.kind == "function" and re.search(path, self.sql) is not None and _has(self.sql, name)


def _has(sql: str, name: str) -> bool:
    return re.search(rf"(?<![\w$]){re.escape(name)}(?![\w$])", sql, re.IGNORECASE) is not None


def _comes_to(sql: str, other: Text) -> bool:
    """Whether a text names a view, or calls a function."""
    call = r'"?\s*\(' if other.kind == "function" else r"(?![\w$])"
    return re.search(rf"(?<![\w$]){re.escape(other.name)}{call}", sql, re.IGNORECASE) is not None


def texts(live: psycopg.Connection, schemas: list[str], services: Sequence[str]) -> list[Text]:
    """All texts that may read tables: those of the source's own schemas, and policies of ``services``
    (``schema.table``).
    """
    rows = live.execute(_ROOTS, {"schemas": schemas, "services": list(services)})
    roots = [Text(kind, "", table, sql) for kind, table, sql in rows if sql]
    named = [Text(kind, name, "", sql) for kind, name, sql in live.execute(_NAMED, {"schemas": schemas}) if sql]
    return [*roots, *_reached(roots, named, everything=_has_hidden_calls(live, schemas))]


def _has_hidden_calls(live: psycopg.Connection, schemas: list[str]) -> bool:
    """Whether the source has its own operators, casts or aggregates, whose uses do not name a function."""
    sql = f"""SELECT EXISTS (
        SELECT FROM pg_catalog.pg_operator o JOIN pg_catalog.pg_namespace n ON n.oid = o.oprnamespace
        WHERE n.nspname = ANY(%(schemas)s) AND {_NO_EXTENSION.format(oid="o.oid", catalog="pg_operator")})
      OR EXISTS (SELECT FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
        WHERE p.prokind = 'a' AND n.nspname = ANY(%(schemas)s)
          AND {_NO_EXTENSION.format(oid="p.oid", catalog="pg_proc")})
      OR EXISTS (SELECT FROM pg_catalog.pg_cast c JOIN pg_catalog.pg_proc p ON p.oid = c.castfunc
        JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
        WHERE n.nspname = ANY(%(schemas)s) AND {_NO_EXTENSION.format(oid="c.oid", catalog="pg_cast")})"""
    row = live.execute(sql.encode(), {"schemas": schemas}).fetchone()
    return bool(row and row[0])


def _reached(roots: list[Text], named: list[Text], *, everything: bool) -> Iterator[Text]:
    """``named``, each with whether a reached text contains its name."""
    found, left = list(roots), list(named)
    for text in found:
        called = left if everything else [one for one in left if _comes_to(text.sql, one)]
        left = [one for one in left if one not in called]
        found += called
        yield from called
    for one in left:
        yield Text(one.kind, one.name, one.table, one.sql, reached=False)
