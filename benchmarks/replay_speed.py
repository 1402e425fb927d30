"""How long `supavex inspect` takes over a large set of migrations, against the server's own time for the same SQL.

    python -m benchmarks.replay_speed [--files 500]

The floor is one session that runs every file's SQL in one go, in the same run; starting a server is in both.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from benchmarks.figures import Figure, Size
from benchmarks.timing import in_turn
from supavex.mapping.inspect import Inspection, inspect
from supavex.postgres import server as servers
from supavex.postgres.connection import connect
from supavex.postgres.replay import prelude


def migration(number: int) -> str:
    """A file as projects have them: a table, its policies, a trigger, an index, and a change of the table before."""
    table = f"table_{number}"
    before = f"ALTER TABLE table_{number - 1} ADD COLUMN note_{number} text DEFAULT 'x';" if number else ""
    parent = f"parent_id uuid REFERENCES table_{number - 1} ON DELETE CASCADE," if number else ""
    return f"""
-- migration {number}
CREATE TABLE {table} (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), {parent} owner_id uuid REFERENCES auth.users,
  title text NOT NULL, status text NOT NULL DEFAULT 'new' CHECK (status IN ('new', 'done')), data jsonb DEFAULT '{{}}',
  created_at timestamptz NOT NULL DEFAULT now());
CREATE INDEX {table}_owner ON {table} (owner_id, created_at DESC);
ALTER TABLE {table} ENABLE ROW LEVEL SECURITY;
CREATE POLICY "own rows" ON {table} FOR ALL USING (auth.uid() = owner_id);
CREATE OR REPLACE FUNCTION touch_{number}() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  NEW.created_at = now(); -- a semicolon; inside
  RETURN NEW;
END $$;
CREATE TRIGGER touch BEFORE UPDATE ON {table} FOR EACH ROW EXECUTE FUNCTION touch_{number}();
{before}
GRANT SELECT ON {table} TO authenticated;
"""


def floor(files: list[Path]) -> None:
    """A new server runs all the files, each in one go."""
    with servers.temporary() as server:
        servers.execute_script(server, prelude())
        with connect(server.url(), settings={"search_path": "public, extensions"}) as connection:
            for file in files:
                connection.execute(file.read_bytes())


def write_migrations(folder: Path, count: int) -> list[Path]:
    """Writes so many migration files into ``folder``."""
    folder.mkdir(parents=True)
    for number in range(count):
        (folder / f"{number:05d}_step.sql").write_text(migration(number))
    return sorted(folder.iterdir())


def replays(count: int, runs: int) -> tuple[list[float], list[float], Inspection]:
    """Seconds of ``supavex inspect`` over so many files, and of the floor; and what it found."""
    with tempfile.TemporaryDirectory(prefix="supavex-bench-", dir="/tmp") as name:
        folder = Path(name)
        folder.chmod(0o755)
        files = write_migrations(folder / "migrations", count)
        found: list[Inspection] = []

        def inspected() -> None:
            found.append(inspect(str(folder / "migrations"), ["public"], folder / f"scratch {len(found)}"))

        base, took = in_turn(runs, lambda: floor(files), inspected)
        assert len(found[-1].catalog.tables) == count, "every table is found"
        return took, base, found[-1]


def measure(size: Size) -> list[Figure]:
    """`supavex inspect` over 500 files, or a share of them."""
    count = size.of(500)
    took, base, _ = replays(count, size.runs)
    return [Figure.of("inspect of migration files", "one session, each file whole", took, base)]


def main() -> None:
    """The command line; see the module."""
    parser = argparse.ArgumentParser(description="inspect over a set of migrations")
    parser.add_argument("--files", type=int, default=500)
    options = parser.parse_args()
    (took,), (base,), found = replays(options.files, 1)
    assert found.replay is not None
    print(f"{options.files} files, {found.replay.statements:,} statements, {len(found.catalog.tables)} tables")
    print(f"floor (one session, a file at a time): {base:6.2f} s")
    print(f"supavex inspect:                       {took:6.2f} s   {took / base:.2f} times the floor")


if __name__ == "__main__":
    main()
