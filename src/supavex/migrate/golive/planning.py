"""``supavex plan-cutover``: plans the cutover of a project from its measured runs and the source's present rows."""

from __future__ import annotations

from supavex.callbacks import Log
from supavex.convex_cli.targets import app_variables, deployment_of
from supavex.errors import SupavexError
from supavex.mapping.check import checked_plan
from supavex.mapping.source import Source
from supavex.migrate.golive.cutover import CutoverPlan, Naming, plan_cutover
from supavex.migrate.state.runs import read_runs
from supavex.postgres.connection import connect
from supavex.settings.settings import Settings
from supavex.text import now


def cutover_of(project: Settings, to: str, *, command_options: str = "", log: Log) -> CutoverPlan:
    """The plan of the cutover of ``project`` to the deployment ``to``; see :mod:`supavex.migrate.golive.cutover`.

    The plan's command lines contain ``command_options`` (``-C app``). ``log`` gets a line if the source can't be read.
    """
    runs = read_runs(project.migration_folder)
    rows, database = None, "postgres"
    try:
        plan, _ = checked_plan(project)
        with Source(project).running() as url, connect(url) as connection:
            database = connection.info.dbname
            rows = {}
            for table in plan.moving:
                name = table.source.sql_name
                found = connection.execute(f"SELECT count(*) FROM {name}".encode()).fetchone()
                rows[table.name] = int(found[0]) if found else 0
    except SupavexError as error:
        log(f"note: the source can't be counted: {error.message}")
    deployment = deployment_of(project.convex_folder, to)
    naming = Naming(command_options, to, deployment, database, app_variables(project.convex_folder))
    made = plan_cutover(project.root.name, Source(project).described, now(), runs, rows, naming)
    made.drill = _drill(project, to)
    return made


def _drill(project: Settings, to: str) -> str:
    """Why this source can't go live, or not into this target; empty if it can."""
    reasons = []
    if project.database_url is None:
        reasons.append(
            "the source is a replay of migration files, which has no user's rows. Name the live database in "
            "supavex.toml: [source] database_url_env."
        )
    if to == "local":
        reasons.append("the target is the local deployment, which no app uses. Name the app's own: --to cloud.")
    return " Also, ".join(reasons)
