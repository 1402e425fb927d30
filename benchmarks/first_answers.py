"""How soon a command answers, against an interpreter that starts and does nothing, and one session that runs the files.

    python -m benchmarks.first_answers [--files 500] [--runs 5]

``supavex --help``; ``supavex check`` of the example project when its files have been replayed; ``supavex init`` of a
folder of migration files. Commands are processes of their own, timed from their start to their end.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from benchmarks.figures import Figure, Size
from benchmarks.replay_speed import floor, write_migrations
from benchmarks.timing import in_turn

PROJECT = Path(__file__).parent.parent / "projects/my21staff"
#: Where the modules that these commands load are compiled to, once for all runs.
COMPILED = os.path.join(tempfile.gettempdir(), "supavex-benchmark-compiled")
NOTHING, SESSION = "python -c pass", "one session, each file whole"


def supavex(*arguments: str, folder: Path) -> None:
    """Runs a command in a folder, its modules compiled as those of an installation are. Raises where it fails."""
    command = [sys.executable, "-m", "supavex", *arguments]
    environment = {
        **os.environ,
        "PYTHONSAFEPATH": "1",
        "PYTHONPYCACHEPREFIX": COMPILED,
    }
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True, stdin=subprocess.DEVNULL)


def nothing() -> None:
    """Starts Python and ends it."""
    subprocess.run([sys.executable, "-c", "pass"], check=True, stdin=subprocess.DEVNULL)


def answers(files: int, runs: int) -> dict[str, tuple[str, list[float], list[float]]]:
    """By what is asked: the floor, the seconds of the command, and those of its floor, by run."""
    with tempfile.TemporaryDirectory(prefix="supavex-bench-", dir="/tmp") as name:
        folder = Path(name)
        folder.chmod(0o755)
        shutil.copytree(PROJECT, folder / "project", ignore=shutil.ignore_patterns(".supavex", "node_modules"))
        supavex("check", folder=folder / "project")
        migrations = write_migrations(folder / "new/supabase/migrations", files)

        def init() -> None:
            for made in ("supavex.toml", "schema.py"):
                (folder / "new" / made).unlink(missing_ok=True)
            shutil.rmtree(folder / "new/.supavex", ignore_errors=True)
            supavex("init", folder=folder / "new")

        asked: dict[str, tuple[str, Callable[[], None], Callable[[], None], int]] = {
            "supavex --help": (NOTHING, lambda: supavex("--help", folder=folder), nothing, 3 * runs),
            "supavex check, warm": (NOTHING, lambda: supavex("check", folder=folder / "project"), nothing, 3 * runs),
            f"supavex init, {files} files": (SESSION, init, lambda: floor(migrations), runs),
        }
        found = {}
        for what, (base, work, rest, count) in asked.items():
            floors, seconds = in_turn(count, rest, work)
            found[what] = base, seconds, floors
        return found


def measure(size: Size) -> list[Figure]:
    """The answers, with 500 migration files or a share of them."""
    return [Figure.of(what, *rest) for what, rest in answers(size.of(500), size.runs).items()]


def main() -> None:
    """The command line; see the module."""
    parser = argparse.ArgumentParser(description="how soon a command answers")
    parser.add_argument("--files", type=int, default=500)
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    for what, (base, seconds, floors) in answers(options.files, options.runs).items():
        mine, least = statistics.median(seconds), statistics.median(floors)
        print(f"{what:<28}{mine:7.3f} s   {base} {least:7.3f} s   {mine / least:6.2f} times")


if __name__ == "__main__":
    main()
