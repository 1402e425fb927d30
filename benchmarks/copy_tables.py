"""The tables that the copy is measured on: payments (many short columns) and articles (about 2 KB of text each)."""

from __future__ import annotations

import random
from pathlib import Path

import psycopg

from supavex.mapping.make_plan import make_plan
from supavex.mapping.plan import Plan
from supavex.postgres.inspection import inspect_catalog
from supavex.settings.reading import load_settings
from supavex.settings.schema_file import load_schema

WORKSPACES, CONVERSATIONS, PARAGRAPHS = 1000, 100_000, 4000
_PARENTS = f"""
CREATE TABLE workspaces (id uuid PRIMARY KEY, name text NOT NULL, created_at timestamptz NOT NULL);
INSERT INTO workspaces SELECT md5('w' || n)::uuid, 'Workspace ' || n, '2024-01-01'::timestamptz + n * interval '1 s'
FROM generate_series(0, {WORKSPACES - 1}) AS n;
CREATE TABLE conversations (id uuid PRIMARY KEY, created_at timestamptz NOT NULL);
INSERT INTO conversations SELECT md5('c' || n)::uuid, '2024-01-01'::timestamptz + n * interval '1 s'
FROM generate_series(0, {CONVERSATIONS - 1}) AS n;
"""
#: 14 columns: three uuids, jsonb with a nested object, four timestamps, columns that may be NULL.
_PAYMENTS = f"""
CREATE TABLE payments (
  id uuid PRIMARY KEY, conversation_id uuid NOT NULL, workspace_id uuid NOT NULL,
  amount numeric(12,2) NOT NULL, currency varchar(3), payment_method text, gateway text NOT NULL,
  gateway_transaction_id text, gateway_response jsonb, status text NOT NULL, expires_at timestamptz,
  paid_at timestamptz, created_at timestamptz NOT NULL, updated_at timestamptz NOT NULL);
INSERT INTO payments SELECT
  gen_random_uuid(), md5('c' || mod(n * 7919::bigint, {CONVERSATIONS}))::uuid,
  md5('w' || mod(n * 104729::bigint, {WORKSPACES}))::uuid, mod(n * 7919::bigint, 100000000) / 100.0,
  CASE WHEN mod(n, 10) > 0 THEN 'IDR' END, (ARRAY['bank_transfer', 'gopay', NULL])[mod(n, 3) + 1], 'midtrans',
  md5(n::text), jsonb_build_object('status_code', '200', 'fraud_status', 'accept', 'nested',
    jsonb_build_object('bank', 'bca', 'va_number', (70000000000 + n)::text, 'n', n), 'list',
    jsonb_build_array(1, 2.5, 'x')),
  (ARRAY['pending', 'success', 'failed'])[mod(n, 3) + 1],
  CASE WHEN mod(n, 4) > 0 THEN '2024-01-01'::timestamptz + n * interval '1.000123 seconds' END,
  CASE WHEN mod(n, 2) > 0 THEN '2024-01-01'::timestamptz + n * interval '1.5 seconds' END,
  '2024-01-01'::timestamptz + n * interval '1 second', '2024-01-01'::timestamptz + n * interval '1.000001 seconds'
FROM generate_series(%(first)s, %(last)s) AS n;
ALTER TABLE payments ADD FOREIGN KEY (conversation_id) REFERENCES conversations,
  ADD FOREIGN KEY (workspace_id) REFERENCES workspaces;
"""
_ARTICLES = f"""
CREATE TABLE articles (
  id uuid PRIMARY KEY, workspace_id uuid NOT NULL REFERENCES workspaces, title text NOT NULL, slug text NOT NULL,
  content text, status text NOT NULL, published_at timestamptz, created_at timestamptz NOT NULL);
INSERT INTO articles SELECT
  gen_random_uuid(), md5('w' || mod(n * 104729::bigint, {WORKSPACES}))::uuid, 'Kuliah di luar negeri "' || n || '"',
  'artikel-' || n, concat_ws(E'\\n\\n', p[1 + mod(n * 7::bigint, {PARAGRAPHS})],
    p[1 + mod(n * 31::bigint, {PARAGRAPHS})], p[1 + mod(n * 101::bigint, {PARAGRAPHS})],
    p[1 + mod(n * 997::bigint, {PARAGRAPHS})],
    p[1 + mod(n * 2003::bigint, {PARAGRAPHS})]), 'published',
  '2024-01-01'::timestamptz + n * interval '1 minute', '2024-01-01'::timestamptz + n * interval '1 second'
FROM generate_series(%(first)s, %(last)s) AS n, (SELECT array_agg(text) AS p FROM paragraphs) AS texts;
"""
_SCHEMA = """
from supavex.schema import define_schema, define_table, v
schema = define_schema({
    "workspaces": define_table({"name": v.string()}),
    "conversations": define_table({}),
    "payments": define_table({
        "conversation_id": v.id("conversations"), "workspace_id": v.id("workspaces"), "amount": v.number(),
        "currency": v.string(default="IDR"), "payment_method": v.optional(v.string()), "gateway": v.string(),
        "gateway_transaction_id": v.optional(v.string()), "gateway_response": v.optional(v.any()),
        "status": v.string(one_of=["pending", "success", "failed"]), "expires_at": v.optional(v.number()),
        "paid_at": v.optional(v.number()), "created_at": v.number(), "updated_at": v.number(),
    }),
    "articles": define_table({
        "workspace_id": v.id("workspaces"), "title": v.string(), "slug": v.string(),
        "content": v.optional(v.string()), "status": v.string(), "published_at": v.optional(v.number()),
        "created_at": v.number(),
    }),
})
"""
_WORDS = (  # noqa: SIM905 - as a list it would be longer
    "biaya kuliah naik tahun ini pendaftaran universitas beasiswa jurusan semester kampus mahasiswa konsultan jadwal "
    "dokumen visa sertifikat bahasa asing pengalaman kerja magang asrama kota negara transportasi makanan budaya the "
    "of and admission requirement scholarship deadline interview portfolio recommendation transcript language score "
    "tuition living cost accommodation insurance application process student international program degree master "
    "bachelor research professor faculty campus library laboratory exchange credit course lecture seminar workshop "
    "career alumni network opportunity experience embassy translation legalisation apostille bank statement sponsor"
).split()
_ODD = ["“panduan”", '"ini"', "—", "🎓", "naïve", "(IELTS 6.5)", "10%", "\\", "é", "东京"]


def _paragraph(rng: random.Random) -> str:
    words = [rng.choice(_ODD) if rng.random() < 0.03 else rng.choice(_WORDS) for _ in range(52)]
    return " ".join(words).capitalize() + ".\n"


def make_tables(url: str, rows: dict[str, int]) -> None:
    """Fills the database at ``url``: ``rows`` of payments and of articles, and what they refer to."""
    rng = random.Random(1)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE TABLE paragraphs (text text)")
        with connection.cursor().copy("COPY paragraphs FROM STDIN") as copy:
            for _ in range(PARAGRAPHS):
                copy.write_row((_paragraph(rng),))
        made = {"payments": _PAYMENTS, "articles": _ARTICLES}
        for script in [_PARENTS, *(made[table] % {"first": 1, "last": count} for table, count in rows.items())]:
            for statement in script.split(";\n"):
                if statement.strip():
                    connection.execute(statement.encode())
        connection.execute("DROP TABLE paragraphs")
        connection.execute("VACUUM ANALYZE")


def add_payments(url: str, first: int, last: int) -> None:
    """Adds the payments number ``first`` to ``last``."""
    insert = _PAYMENTS[_PAYMENTS.index("INSERT") : _PAYMENTS.index(";\nALTER")]
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute((insert % {"first": first, "last": last}).encode())
        connection.execute("VACUUM ANALYZE payments")


def plan_of(folder: Path, url: str) -> Plan:
    """The plan to move the tables; supavex.toml and schema.py are written to ``folder``."""
    (folder / "supavex.toml").write_text('fill = "defaults"\n')
    (folder / "schema.py").write_text(_SCHEMA)
    with psycopg.connect(url, autocommit=True) as connection:
        catalog = inspect_catalog(connection, ["public"])
    project = load_settings(folder)
    return make_plan(project, load_schema(project), catalog)
