"""The source of a project: a live database, or the replay of its migration files."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace

from supavex.files import read_own, write_whole
from supavex.mapping import convex_auth
from supavex.mapping.convex_auth import rule_of
from supavex.postgres import key_values
from supavex.postgres import replay as replays
from supavex.postgres.budget import Limits
from supavex.postgres.catalog import Catalog
from supavex.postgres.connection import connect, without_password
from supavex.postgres.inspection import ask_types, inspect_catalog, user_schemas
from supavex.postgres.key_values import Answer, Asked, answer_from_json
from supavex.postgres.programs import chosen_programs
from supavex.postgres.report import Report
from supavex.postgres.source_files import find_files
from supavex.settings.settings import Settings


@dataclass(frozen=True, slots=True)
class Source:
    """The source of a project's catalog and rows."""

    project: Settings

    @property
    def described(self) -> str:
        """A short description of the source, without a password."""
        if self.project.database_url:
            return without_password(self.project.database_url)
        return self.project.shown(self.project.migrations)

    def replay(self) -> replays.Replay:
        """The replay of the project's files. All commands of the project share it."""
        project = self.project
        files = find_files(project.root, project.migrations, project.seeds, chosen=project.migrations_chosen)
        self.project.make_state()
        limits = Limits(self.project.replay_gb, self.project.replay_minutes)
        chosen = chosen_programs(project.postgres_bin, project.root) if project.postgres_bin else None
        return replays.Replay(project.state / "source", files, project.schemas, limits, self._also, chosen)

    @property
    def _also(self) -> list[str]:
        """The moving tables of other schemas, by name."""
        return list(convex_auth.SOURCES) if self.project.users.kind == "convex-auth" else []

    def catalog(self) -> tuple[Catalog, Report | None]:
        """The catalog, and the report of the replay, if the source is files. A cached replay needs no server.

        PostgreSQL also gives the types of the project's ``sql`` expressions.
        """
        if self.project.database_url:
            with connect(self.project.database_url) as connection:
                catalog = inspect_catalog(connection, list(self.project.schemas), self._also)
                return replace(catalog, expressions=tuple(ask_types(connection, self._expressions(catalog)))), None
        return self.replay().types(self._expressions)

    def _expressions(self, catalog: Catalog) -> list[tuple[str, str, str]]:
        """The ``sql`` expressions of supavex.toml over existing tables and columns, each once."""
        found: dict[tuple[str, str, str], None] = {}
        for table in catalog:
            rule = rule_of(self.project, table)
            columns = [self.project.column_rule(rule, column.name).sql for column in table.columns]
            for sql in (*columns, *(field.sql for field in rule.fields.values())) if rule.skip is None else ():
                if sql:
                    found[table.schema, table.name, sql] = None
        return list(found)

    def look(self, asked: Sequence[Asked]) -> list[Answer]:
        """Tests in the rows which columns hold keys (see :mod:`supavex.postgres.key_values`).

        For replayed files, the answers are cached as long as the replay is the same.
        """
        if self.project.database_url:
            with connect(self.project.database_url) as connection:
                return key_values.look(connection, asked)
        made = self.replay()
        made.catalog()
        known = made.folder / "key_values.json"
        mark = hashlib.sha256((made.folder / "catalog.json").read_bytes() + repr(asked).encode()).hexdigest()
        with suppress(OSError, ValueError, TypeError, KeyError):
            data = json.loads(read_own(known))
            if data["of"] == mark:
                return [answer_from_json(answer) for answer in data["answers"]]
        with made.running() as url, connect(url) as connection:
            answers = key_values.look(connection, asked)
        write_whole(known, json.dumps({"of": mark, "answers": [asdict(answer) for answer in answers]}))
        return answers

    def schemas(self) -> list[str]:
        """The schemas of the source that hold the project's own tables."""
        with self.running() as url, connect(url) as connection:
            return user_schemas(connection)

    @contextmanager
    def running(self) -> Iterator[str]:
        """The connection string of the database with the rows, until the block ends."""
        if self.project.database_url:
            yield self.project.database_url
            return
        with self.replay().running() as url:
            yield url
