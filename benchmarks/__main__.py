"""All benchmarks, each in a process of its own, and how they compare with the figures of RESULTS.md.

    make bench [SIZE=full] [RECORD=1]
    python -m benchmarks [NAME …] [--size quick|full] [--json] [--record]

Prints how many times its floor each thing takes: the least, the median and the most of several runs, each held against
the floor of the same run. Slower than recorded by more than a quarter is said. Exit code 1: something is slower, or a
benchmark failed. What a benchmark says beside its figures goes to standard error.
"""

from __future__ import annotations

import argparse
import datetime
import json
import sys
from pathlib import Path

from benchmarks.figures import SIZES, Recorded, compare, left_out, read_figures, table, write_figures
from benchmarks.running import run

#: Each is a module with ``measure(size) -> list[Figure]``, in the order of a move.
BENCHMARKS = (
    "first_answers",
    "replay_speed",
    "replay_inserts",
    "stages",
    "copy",
    "import_speed",
    "verify_speed",
    "rehearsal",
    "changes_speed",
    "read_speed",
    "functions_speed",
    "subscriptions",
    "under_load",
)
RESULTS = Path(__file__).with_name("RESULTS.md")


def main(arguments: list[str] | None = None) -> int:
    """The command; see the module."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="all benchmarks, or those that are named")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(BENCHMARKS)}")
    parser.add_argument("--size", choices=SIZES, default="quick", help="quick: some minutes. Default: quick")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    parser.add_argument("--record", action="store_true", help="write the figures into RESULTS.md")
    options = parser.parse_args(arguments)
    unknown = [name for name in options.names if name not in BENCHMARKS]
    if unknown:
        parser.error(f"there is no benchmark {unknown[0]!r}. There are {', '.join(BENCHMARKS)}.")
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    recorded = read_figures(RESULTS.read_text(encoding="utf-8"))
    measured: list[Recorded] = []
    without: dict[str, str] = {}
    for name in options.names or BENCHMARKS:
        print(f"{name} …", file=sys.stderr, flush=True)
        found = run(name, options.size)
        if isinstance(found, str):
            without[name] = found
        else:
            new = [Recorded(name, options.size, figure, today) for figure in found]
            measured += new
            if options.record:  # at once: an interrupted run has recorded what it has measured
                RESULTS.write_text(write_figures(RESULTS.read_text(encoding="utf-8"), new), encoding="utf-8")
    compared, gone = compare(measured, recorded), left_out(measured, recorded)
    if options.json:
        figures = [each.to_json() for each in compared]
        print(json.dumps({"size": options.size, "figures": figures, "without": without}, indent=2))
    else:
        print(table(compared))
        for name, why in without.items():
            print(f"{name}: {why}")
        for each in gone:
            print(f"{each.benchmark}: {each.figure.what} is recorded, and was not measured.")
    failed = any(why.startswith("failed") for why in without.values())
    return 1 if failed or any(each.slower for each in compared) else 0


if __name__ == "__main__":
    sys.exit(main())
