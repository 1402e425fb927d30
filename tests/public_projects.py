"""Takes real projects all the way, and reports on each: for checkouts of public repositories.

    python -m tests.public_projects CHECKOUT… [--rows 30] [--agree 3] [--json]

In each checkout every folder of migrations is found and replayed, with the SQL files and config.toml beside it. Its
tables are scaffolded and filled with made-up rows, and the rows are migrated and proven. The tables that are lost are
listed (the target is none), and of each failed statement that touches a table that moves, why it failed. A lost table
is left behind for the rest of the way. Policies are counted, and those that are not translated are listed. With
``--agree``, rules.ts is held against PostgreSQL as that many users. Exit code 1 where a project fails: a crash, a
lost table, a table without a definition, an error of the check, a row that the proof does not explain, a difference.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import sys
import time
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path

from supavex.mapping.check import checked_plan
from supavex.mapping.source import Source
from supavex.postgres import server as servers
from supavex.postgres.connection import connect
from supavex.rules.writing import rules_of
from supavex.settings.reading import load_settings
from supavex.text import table_text
from tests import faker, projects
from tests.projects import Ran, supavex
from tests.rules import tried


@dataclass
class Report:
    """What came of one project. ``problem`` is empty where it went well."""

    name: str
    files: int = 0
    failed_statements: int = 0
    lost: list[str] = field(default_factory=list)
    #: Failed statements that touch tables that move: code, place and reason of each.
    touching: list[str] = field(default_factory=list)
    tables: int = 0
    scaffolded: int = 0
    errors: int = 0
    rows: int = 0
    refused: int = 0
    empty: int = 0
    rejected: int = 0
    verified: int = 0
    policies: int = 0
    translated: int = 0
    #: Policies that refuse: table, policy and reason of each.
    untranslated: list[str] = field(default_factory=list)
    #: Writes that rules.ts and PostgreSQL were asked for, those that both took, and what differs.
    writes: int = 0
    taken: int = 0
    differences: list[str] = field(default_factory=list)
    seconds: float = 0.0
    problem: str = ""
    reasons: dict[str, int] = field(default_factory=dict)
    refusals: dict[str, str] = field(default_factory=dict)


def migration_folders(checkout: Path) -> list[Path]:
    """The folders of SQL files in a checkout that are a project's migrations."""
    found = sorted({path.parent for path in checkout.rglob("*.sql") if path.parent.name == "migrations"})
    return found or sorted({path.parent for path in checkout.rglob("*.sql")})[:1]


def try_project(name: str, migrations: Path, rows: int, users: int = 0) -> Report:
    """Takes the project of one folder of migrations all the way, and tries its rules as ``users`` users."""
    report, started = Report(name), time.monotonic()
    with projects.folder() as folder:
        _copy(migrations, folder)
        try:
            _go(report, folder, rows)
            if users and not report.problem:
                _agree(report, folder, users)
        except Exception as error:
            report.problem = f"{type(error).__name__}: {error}"
    report.seconds = round(time.monotonic() - started, 1)
    return report


def _copy(migrations: Path, folder: Path) -> None:
    """Copies the SQL files and settings of the folder that holds ``migrations``, and a schema.sql beside that."""

    def others(directory: str, names: list[str]) -> list[str]:
        paths = [Path(directory) / name for name in names]
        kept = (".sql", ".toml")
        skipped = ("node_modules", "functions", ".temp", ".branches")
        return [p.name for p in paths if p.is_symlink() or p.name in skipped or (p.is_file() and p.suffix not in kept)]

    if migrations.parent.name == "supabase":
        shutil.copytree(migrations.parent, folder / "supabase", ignore=others)
        for path in migrations.parent.parent.glob("*.sql"):
            shutil.copy(path, folder)
    else:
        shutil.copytree(migrations, folder / "supabase/migrations", ignore=others)


#: Codes of findings about statements that failed.
_FAILED = ("DataNotRun", "ColumnLost", "CodeNotRun", "OutOfOrder", "ForeignKeyLeftOut", "StatementFailed")


def _leave_behind(report: Report, folder: Path) -> None:
    """Lists the tables that are lost, and leaves them behind; lists the failed statements that touch other tables."""
    found = _ran(report, folder, "check", "--json", codes=(0, 1)).json["diagnostics"]
    lost = [d for d in found if d["code"] in ("TableLost", "BaseTableMissing") and d["severity"] == "error"]
    report.lost = [f"{d['code']} {d['where']}: {d['message']}" for d in lost]
    report.touching = [f"{d['code']} {d['where']}: {d['message']}" for d in found if d["code"] in _FAILED]
    tables = dict.fromkeys(d["where"].split()[-1] for d in lost)
    with (folder / "supavex.toml").open("a", encoding="utf-8") as file:
        file.writelines(f'[tables."{name.removeprefix("public.")}"]\nskip = "lost"\n' for name in tables)


def _ran(report: Report, folder: Path, *command: str, codes: tuple[int, ...] = (0,)) -> Ran:
    ran = supavex(*command, "-C", folder)
    if ran.code not in codes or "Traceback" in ran.err:
        report.problem = f"{command[0]} exits {ran.code}: {(ran.err or ran.out).strip()[:2000]}"
    return ran


def _go(report: Report, folder: Path, rows: int) -> None:
    started = _ran(report, folder, "init", codes=(0, 1))
    if not (folder / "supavex.toml").is_file():
        # Files without a table make no project, and every other command ends with an error that has no result.
        report.problem = report.problem or f"init makes no project: {started.err.strip()[-2000:]}"
        return
    inspected = _ran(report, folder, "inspect", "--json").json
    report.files = inspected["replay"]["files"]
    report.failed_statements = len(inspected["replay"]["failed"])
    report.tables = sum(table["schema"] == "public" for table in inspected["tables"])
    if not inspected["tables"]:
        report.problem = report.problem or "no table at all"
        return
    _leave_behind(report, folder)
    checked = _ran(report, folder, "check", "--json").json
    report.scaffolded = sum(table["status"] == "mapped" for table in checked["tables"])
    errors = [found for found in checked["diagnostics"] if found["severity"] == "error"]
    report.errors = len(errors)
    if errors:
        report.problem = json.dumps(errors[:3])
    for table in checked["tables"]:
        if table["status"] != "mapped":
            report.problem = f"{table['source']} is {table['status']}"
    if report.problem:
        return
    project = load_settings(folder)
    _rules(report, folder)
    with Source(project).running() as url:
        secret = (folder / ".supavex/source/database/password").read_text().split()[0]
        superuser = re.sub(r"user=\w+", f"user={servers.SUPERUSER} password={secret}", url)
        filled = faker.fill(superuser, Source(project).catalog()[0], rows)
        with connect(url) as connection:
            connection.execute("ANALYZE")
    report.rows, report.refused = sum(filled.rows.values()), sum(filled.refused.values())
    report.empty = sum(not count for count in filled.rows.values())
    report.refusals = filled.reasons
    for command in (["build"], ["deploy"], ["migrate", "--max-rejects", "1000000"]):
        _ran(report, folder, *command)
    rejects = (folder / ".supavex/migration/rejects.jsonl").read_text(encoding="utf-8").split("\n")[:-1]
    report.rejected = len(rejects)
    report.reasons = dict(Counter(json.loads(line)["code"] for line in rejects))
    proof = _ran(report, folder, "verify", "--json").json
    report.verified = sum(table["matched"] for table in proof["tables"])


def _agree(report: Report, folder: Path, users: int) -> None:
    """Holds the project's rules.ts against PostgreSQL."""
    project = load_settings(folder)
    plan, _ = checked_plan(project)
    made = tried.Written(folder, plan, *rules_of(plan))
    with Source(project).running() as url:
        findings = tried.tried(made, url, users=users)
    report.writes, report.taken = findings.writes, findings.taken
    report.differences = [f"{d.kind} {d.table} as {d.user}: {d.detail} ({d.policy})" for d in findings.differences]
    if findings.wrong:
        report.problem = f"rules.ts differs from PostgreSQL {findings.wrong} times"


def _rules(report: Report, folder: Path) -> None:
    """Counts the project's policies, and those that are translated."""
    found = _ran(report, folder, "rules", "--json", codes=(0, 1)).json["policies"]
    report.policies, report.translated = found["found"], found["translated"]
    report.untranslated = [f"{one['table']}: {one['policy']}: {one['reason']}" for one in found["refused"]]


def main() -> int:
    """The command line; see the module."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("checkouts", nargs="+", type=Path)
    parser.add_argument("--rows", type=int, default=30)
    parser.add_argument("--agree", type=int, default=0, metavar="USERS")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    reports = []
    for checkout in options.checkouts:
        for migrations in migration_folders(checkout):
            name = f"{checkout.name}:{migrations.relative_to(checkout)}"
            reports.append(try_project(name, migrations, options.rows, options.agree))
            said = reports[-1].problem or (f"{len(reports[-1].lost)} tables lost" if reports[-1].lost else "good")
            print(f"{name}: {said}", file=sys.stderr, flush=True)
    if options.json:
        print(json.dumps([asdict(report) for report in reports], indent=1))
    else:
        names = ["name", "files", "failed_statements", "tables", "scaffolded", "errors", "rows", "refused", "empty"]
        names += ["rejected", "verified", "policies", "translated", "writes", "taken", "seconds"]
        rows = [[getattr(report, name) for name in names] + [len(report.lost)] for report in reports]
        print(table_text([*(name.replace("_", " ") for name in names), "lost"], rows))
        for report in reports:
            for title, lines in (
                ("lost", report.lost),
                ("failed", report.touching),
                ("refuses", report.untranslated),
                ("differs", report.differences),
            ):
                for line in lines:
                    print(f"{title}: {report.name} {line}")
        policies, translated = sum(r.policies for r in reports), sum(r.translated for r in reports)
        print(f"Policies translated: {translated} of {policies}.")
        print(f"Tables lost: {sum(len(report.lost) for report in reports)}.")
    return int(any(report.problem or report.lost for report in reports))


if __name__ == "__main__":
    sys.exit(main())
