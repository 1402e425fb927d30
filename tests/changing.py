"""A project whose source is a database that goes on changing, for tests of what a cutover does."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import psycopg

from supavex.deployment import Deployment
from supavex.postgres.server import Server
from tests import projects
from tests.projects import Ran, supavex

SQL = """
CREATE TYPE mood AS ENUM ('calm', 'wild');
CREATE TABLE authors (id uuid PRIMARY KEY, name text, secret text, mood mood, created_at timestamptz NOT NULL);
CREATE TABLE posts (id bigint PRIMARY KEY, author_id uuid, title text NOT NULL, created_at timestamptz NOT NULL);
CREATE TABLE comments (id uuid PRIMARY KEY, post_id bigint, body text, created_at timestamptz NOT NULL);
CREATE TABLE tags (post_id bigint, tag text, weight int, created_at timestamptz, PRIMARY KEY (post_id, tag));
CREATE TABLE notes (body text, created_at timestamptz);
INSERT INTO authors SELECT md5(n::text)::uuid, 'a' || n, 's', 'calm', '2024-01-01'::timestamptz + n * interval '1 s'
  FROM generate_series(1, 20) AS n;
INSERT INTO posts SELECT n, md5((1 + n % 20)::text)::uuid, 'title ' || n, '2024-01-01'
  FROM generate_series(1, 100) AS n;
INSERT INTO posts VALUES (500, md5('nobody')::uuid, 'an orphan', '2024-01-01');
INSERT INTO comments SELECT md5('c' || n)::uuid, n, 'body ' || n, '2024-01-01' FROM generate_series(1, 50) AS n;
INSERT INTO comments VALUES (md5('c500')::uuid, 500, 'to the orphan', '2024-01-01');
INSERT INTO tags SELECT n, 'tag' || n, n, '2024-01-01' FROM generate_series(1, 10) AS n;
INSERT INTO notes SELECT 'note ' || n / 2, NULL FROM generate_series(1, 10) AS n;
"""
SCHEMA = """
schema = define_schema({
    "authors": define_table({"name": v.string(), "mood": v.string()}),
    "posts": define_table({"author_id": v.id("authors"), "title": v.string()}),
    "comments": define_table({"post_id": v.id("posts"), "body": v.optional(v.string())}),
    "tags": define_table({"tag": v.string(), "weight": v.number()}),
    "notes": define_table({"body": v.string()}),
})
"""
TOML = """
max_rejects = 5
[source]
database_url_env = "CHANGES_DB"
[columns]
created_at = { skip = "it is _creationTime" }
[tables.authors.columns]
secret = { skip = "not for Convex" }
"""

_NUMBERS = itertools.count(1)


class Source:
    """A project on a database of its own, deployed and migrated into the local deployment."""

    def __init__(self, server: Server, folder: Path) -> None:
        self.server, self.folder, self.name = server, folder, f"changes_{next(_NUMBERS)}"
        with psycopg.connect(server.url("supabase_admin"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {self.name}".encode())
        self.url = server.url("supabase_admin", self.name)
        self.run(SQL)
        projects.write(folder, schema=SCHEMA, toml=TOML)

    def run(self, sql: str) -> None:
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(sql.encode())

    def command(self, *arguments: str | Path) -> Ran:
        return supavex(arguments[0], "-C", self.folder, *arguments[1:])

    def migrate(self, *options: str) -> Any:
        ran = self.command("migrate", "--json", *options)
        assert ran.code == 0, ran.out + ran.err
        return ran.json

    def changes(self, *options: str) -> dict[str, tuple[int, int, int, str]]:
        ran = self.command("changes", "--json", *options)
        assert ran.code in (0, 1), ran.err
        found = {
            table["source"].removeprefix("public."): (
                table["inserted"], table["updated"], table["deleted"], table["by"]
            )
            for table in ran.json["tables"]
        }  # fmt: skip
        some = any(any(counts[:3]) for counts in found.values())
        assert (ran.json["ok"], ran.code) == (not some, int(some))
        return found

    def documents(self, table: str) -> list[dict[str, Any]]:
        with Deployment(self.folder / ".supavex/deployment.sqlite3") as deployment:
            return sorted(deployment.documents(table), key=lambda document: str(document["_id"]))
