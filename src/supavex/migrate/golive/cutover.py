"""The plan of a cutover: the steps in order, with the commands to type, and their times in rehearsal.

Measured times are marked as measured. If the source has another size, times are estimated from the numbers of rows, and
marked as estimated: table by table for the copy, by all rows for the other steps.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from supavex.errors import UsageError
from supavex.migrate.state.runs import Run

#: Sources that differ by less than this share count as equal in size.
_SAME = 0.05
_END_SESSIONS = """\
-- Open sessions keep the old setting. This ends them. The pools then open sessions with the new setting.
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'
  AND usename NOT IN (SELECT rolname FROM pg_roles WHERE rolsuper);
"""
FREEZE = f'ALTER DATABASE "{{database}}" SET default_transaction_read_only = on;\n{_END_SESSIONS}'
#: The session that thaws the database is itself read-only at first.
THAW = f"""\
BEGIN READ WRITE;
ALTER DATABASE "{{database}}" SET default_transaction_read_only = off;
COMMIT;
{_END_SESSIONS}"""


@dataclass(frozen=True, slots=True)
class Step:
    """A step of the cutover."""

    #: What the step does, as a heading.
    title: str
    #: The commands to type.
    commands: tuple[str, ...] = ()
    #: SQL to run in place of commands.
    sql: str = ""
    #: What to know about the step.
    note: str = ""
    #: The expected seconds.
    seconds: float | None = None
    #: The seconds in rehearsal, if the step was rehearsed.
    measured: float | None = None
    #: Whether the app must not write during the step.
    down: bool = False


@dataclass(slots=True)
class CutoverPlan:
    """The plan of a cutover."""

    #: The name of the project's folder.
    project: str
    #: The deployment, as ``--to`` names it.
    target: str
    #: The words for the deployment in commands.
    deployment: str
    #: The source without its password.
    source: str
    #: When the plan was made (ISO 8601, UTC).
    made_at: str
    #: The migration that counts as the rehearsal.
    rehearsal: Run
    #: The source's rows now.
    rows: int
    #: The rows now divided by the rows in rehearsal; None if the source could not be counted.
    factor: float | None
    #: The steps while the app still writes to Supabase.
    before: list[Step] = field(default_factory=list)
    #: The steps of the cutover itself.
    night: list[Step] = field(default_factory=list)
    #: The steps back to Supabase.
    back: list[Step] = field(default_factory=list)
    #: Why the plan can't be followed; empty if it can.
    drill: str = ""

    @property
    def downtime(self) -> float:
        """The seconds from freezing the writes to switching the app, without the app's own release."""
        return sum(step.seconds or 0.0 for step in self.night if step.down)

    @property
    def estimated(self) -> bool:
        """Whether the source's size differs from the rehearsed one."""
        return self.factor is not None and abs(self.factor - 1) > _SAME

    def to_json(self) -> dict[str, Any]:
        """The JSON of ``plan-cutover --json``."""

        def steps(some: list[Step]) -> list[dict[str, Any]]:
            return [
                {
                    "title": step.title,
                    "commands": list(step.commands),
                    "sql": step.sql,
                    "seconds": step.seconds,
                    "measured": step.measured,
                    "down": step.down,
                }
                for step in some
            ]

        return {
            "ok": True,
            "drill": self.drill,
            "target": self.target,
            "madeAt": self.made_at,
            "rehearsal": {"at": self.rehearsal.at, "target": self.rehearsal.target, "rows": self.rehearsal.rows},
            "rows": self.rows,
            "estimated": self.estimated,
            "downtimeSeconds": round(self.downtime, 1),
            "before": steps(self.before),
            "night": steps(self.night),
            "back": steps(self.back),
        }


def rehearsal_of(runs: list[Run]) -> Run:
    """The migration that counts as the rehearsal: the last proven one by Convex's CLI, else one into ``local``."""
    whole = [run for run in runs if run.command == "migrate" and run.ok and run.target != "archive" and run.rows]
    by_cli = [run for run in whole if "export before" in run.steps]
    if not whole:
        raise UsageError(
            "NoRehearsal",
            "no migration of this project that moved rows has been measured: there is nothing to plan with.",
            hint="Rehearse first, with the rows of the live database: `supavex deploy`, `supavex migrate` and `supavex "
            "verify`. With --to and the address of `supavex serve`, Convex's own tools are measured, too "
            "(docs/going-live.md).",
        )
    return (by_cli or whole)[-1]


def _last(runs: list[Run], command: str, target: str) -> Run | None:
    found = [run for run in runs if run.command == command and run.ok]
    return next((run for run in reversed(found) if run.target == target), found[-1] if found else None)


@dataclass(frozen=True, slots=True)
class Naming:
    """The notation of commands: ``options`` (of the project's file), ``to``; the app's variables and its database."""

    options: str
    to: str
    deployment: str
    database: str
    variables: tuple[str, ...]

    @property
    def local(self) -> bool:
        """Whether the target is the local deployment, whose exports are not kept."""
        return self.deployment == "local"

    def plain(self, verb: str) -> str:
        """A command line of supavex that needs no deployment."""
        return f"supavex {verb} {self.options}".rstrip()

    def command(self, verb: str, *more: str) -> str:
        """A command line of supavex for the deployment."""
        return " ".join([self.plain(verb), "--to", self.to, *more])


@dataclass(frozen=True, slots=True)
class _Times:
    """The seconds of the steps. The optional ones are measured (None: not rehearsed); the others are estimated for the
    present source.
    """

    #: The migration of the rehearsal.
    rehearsal: float
    #: The rehearsed deployment of the schema.
    deploy: float | None
    #: The last rehearsed migration of the changes.
    changes: float | None
    #: The rehearsed proof.
    verified: float | None
    #: The rehearsed rollback.
    rolled: float | None
    #: The copy of all rows, for the present source.
    whole: float
    #: The last migration: of the changes, or of all rows if those were not rehearsed.
    last: float
    #: The proof, for the present source.
    proof: float
    #: The rollback, for the present source; None: not rehearsed.
    back: float | None


def plan_cutover(
    project: str,
    source: str,
    made_at: str,
    runs: list[Run],
    rows: Mapping[str, int] | None,
    naming: Naming,
) -> CutoverPlan:
    """The plan of a cutover. ``rows``: source table to its present rows, if they could be counted.

    Raises :class:`~supavex.errors.SupavexError` without a rehearsal.
    """
    rehearsal = rehearsal_of(runs)
    total = sum(rows.get(name, 0) for name in rehearsal.tables) if rows is not None else rehearsal.rows
    factor = total / rehearsal.rows if rows is not None else None
    plan = CutoverPlan(project, naming.to, naming.deployment, source, made_at, rehearsal, total, factor)
    times = _times(plan, runs, rows)
    plan.before, plan.night, plan.back = _before(naming, times), _night(naming, times), _back(naming, times)
    return plan


def _times(plan: CutoverPlan, runs: list[Run], rows: Mapping[str, int] | None) -> _Times:
    """The times: the copy's grows table by table, the others with the number of rows."""
    rehearsal = plan.rehearsal
    scale = plan.factor if plan.factor is not None and plan.estimated else 1.0
    copied = rehearsal.steps.get("copy", 0.0)
    if plan.estimated and rows is not None:
        tables = rehearsal.tables
        per_table = sum(table["seconds"] for table in tables.values())
        grown = sum(t["seconds"] * rows.get(name, 0) / t["rows"] for name, t in tables.items() if t["rows"])
        copied = copied * (grown / per_table if per_table else scale)
    whole = copied + sum(seconds for name, seconds in rehearsal.steps.items() if name != "copy") * scale
    deploy = _last(runs, "deploy", rehearsal.target)
    changes = _last([run for run in runs if run.at >= rehearsal.at], "changes", rehearsal.target)
    verified = _last(runs, "verify", rehearsal.target)
    rolled = _last(runs, "rollback", rehearsal.target)
    return _Times(
        rehearsal=rehearsal.seconds,
        deploy=None if deploy is None else deploy.seconds,
        changes=None if changes is None else changes.seconds,
        verified=None if verified is None else verified.seconds,
        rolled=None if rolled is None else rolled.seconds,
        whole=whole,
        last=whole if changes is None else changes.seconds * scale,
        proof=whole if verified is None else verified.seconds * (plan.rows / verified.rows if verified.rows else scale),
        back=None if rolled is None else rolled.seconds * scale,
    )


def _before(naming: Naming, times: _Times) -> list[Step]:
    """The steps while the app still writes to Supabase."""
    return [
        Step(
            "Deploy the schema",
            (naming.plain("check"), naming.command("deploy")),
            seconds=times.deploy,
            measured=times.deploy,
        ),
        Step(
            "Migrate everything, while the app goes on writing to Supabase",
            (naming.command("migrate"),),
            note="" if naming.local else "The export from before is kept: it is the way back.",
            seconds=times.whole,
            measured=times.rehearsal,
        ),
        Step(
            "Follow the changes, until there are few",
            (naming.command("changes"), naming.command("migrate", "--changes")),
            note="Again and again; the last time shortly before the night's first step. Rows that are rejected now are "
            "easier to fix than later.",
            seconds=times.last,
            measured=times.changes,
        ),
    ]


def _night(naming: Naming, times: _Times) -> list[Step]:
    """The steps of the cutover itself."""
    return [
        Step("Announce it, and show the app's maintenance page"),
        Step(
            "Freeze the writes to Supabase (as the database's owner: the role postgres)",
            sql=FREEZE.format(database=naming.database.replace('"', '""')),
            note="Signing in, uploads and pg_cron's jobs write too: they fail from here on. Where the role may not end "
            "other sessions, restart the database instead (Supabase: Project settings). A session can still ask for "
            "writing (SET transaction_read_only = off): the next steps show whether any did.",
            down=True,
        ),
        Step(
            "The last changes, until it says that nothing has changed",
            (naming.command("migrate", "--changes", "--yes"), naming.command("migrate", "--changes", "--yes")),
            note=""
            if times.changes is not None
            else "Not rehearsed: estimated as long as a whole migration, the longest it can take.",
            seconds=times.last,
            measured=times.changes,
            down=True,
        ),
        Step(
            "Prove all of it",
            (naming.command("verify"),),
            note="" if times.verified is not None else "Not rehearsed: estimated as long as a whole migration.",
            seconds=times.proof,
            measured=times.verified,
            down=True,
        ),
        Step(
            "Switch the app",
            note="Release the version that reads and writes Convex"
            + (f" (its variables: {', '.join(naming.variables)})" if naming.variables else "")
            + ", and take the maintenance page away. How long that takes, your own releases tell: it comes on top.",
            down=True,
        ),
        Step(
            "Watch",
            (naming.command("changes"),),
            note="Convex's logs and the app's errors. `changes` must go on saying that no row changed: else something "
            "still writes to Supabase. Leave Supabase read-only for some days.",
        ),
    ]


def _back(naming: Naming, times: _Times) -> list[Step]:
    """The steps back to Supabase."""
    return [
        Step("Switch the app back to the version that uses Supabase, its maintenance page up"),
        Step(
            "Thaw Supabase",
            sql=THAW.format(database=naming.database.replace('"', '""')),
            note="From here on the app writes to Supabase as before. What it wrote to Convex since is missing there.",
        ),
        Step(
            "Put Convex back, when there is time for it",
            () if naming.local else (naming.command("rollback", "--list"), naming.command("rollback")),
            note="Of the local deployment no exports are kept: `supavex migrate` writes it anew."
            if naming.local
            else "What was written to Convex since is listed, and kept in an export, before anything is replaced.",
            seconds=None if naming.local else times.back,
            measured=None if naming.local else times.rolled,
        ),
    ]
