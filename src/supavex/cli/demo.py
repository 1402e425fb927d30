"""``supavex demo``."""

from __future__ import annotations

import os
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from supavex.cli.deploy import push_lines, write_summary
from supavex.cli.options import folder_option, json_option, print_diagnostics, print_json
from supavex.cli.verbosity import log as log_beside
from supavex.errors import SupavexError, UsageError, check_extras
from supavex.settings.reading import load_settings
from supavex.settings.settings import Settings
from supavex.text import counted, table_text

if TYPE_CHECKING:
    from supavex.deployment import Deployment
    from supavex.mapping.check import Check
    from supavex.migrate.migration import Migration
    from supavex.migrate.proof.findings import Proof

_EXAMPLE = "my21staff"


@click.command("demo")
@folder_option("Where the example goes. Default: ./supavex-demo.")
@json_option
def command(folder: str, as_json: bool) -> int:
    """Move an example project, from its Supabase migrations to a proven Convex deployment, on this machine.

    The example is a WhatsApp CRM: twelve tables and the three around them. An embedded PostgreSQL holds the rows,
    and a local deployment takes them. Three rows are broken on purpose. Then some of the app's functions, from
    a file of `supavex bundle`, answer from the migrated rows. The demo needs no account, no network and no Node.

    \b
    Example:
      supavex demo -C /tmp/demo
    """
    check_extras(["embedded", "copy", "serve"], "The demo")
    from supavex.mapping.build import build
    from supavex.mapping.check import checked_plan
    from supavex.migrate.deploying import deploy
    from supavex.migrate.local import migrate_here
    from supavex.migrate.options import MigrateOptions
    from supavex.migrate.verifying import VerifyOptions, verify_project

    started = time.monotonic()
    project = load_settings(_example(None if folder == "." else Path(folder)))
    log = _quiet if as_json else click.echo
    checked = _check(project, log)
    build_result = build(project)
    changed = [project.shown(f.path) for f in build_result.files if f.state == "written"]
    log(f"3  build    {', '.join(project.shown(f.path) for f in build_result.files)}: {_changes(changed)}")
    _fresh_deployment(project)
    deployed = deploy(project)
    if (summary := project.summary) is not None:
        write_summary(project, deployed, "local", summary)
    log(f"4  deploy   {' '.join(push_lines(deployed.push, deployed.schema))}")
    migration = migrate_here(checked_plan(project)[0], MigrateOptions(), lambda *progress: None)
    documents = sum(table.documents for table in migration.copy.tables)
    rejected = f"{counted(len(migration.copy.rejects), 'row')} rejected ({migration.allowed} allowed)"
    log(f"5  migrate  {counted(documents, 'document')} imported, {rejected}, as of {migration.copy.taken_at}")
    proof = verify_project(project, VerifyOptions(), lambda *progress: None)
    fields = sum(table.fields for table in proof.tables)
    log(f"6  verify   {'proven' if proof.ok else 'NOT proven'}: every row read again, {fields} fields compared")
    ran = _run(project, log)
    rules = _rules(project, log)
    ok = checked.ok() and migration.ok and proof.ok and not rules["wrong"]
    if as_json:
        shown = {"migration": migration.to_json(), "verification": proof.to_json(), "functions": ran, "rules": rules}
        print_json({"ok": ok, **shown})
        return 0 if ok else 1
    click.echo("")
    click.echo(_table(project, migration, proof))
    click.echo("")
    for reject in migration.copy.rejects:
        click.echo(
            f"rejected: {reject.table.removeprefix('public.')} {reject.shown_key}: {reject.column}: {reject.reason}"
        )
    click.echo("")
    places = [
        ("schema", project.convex_folder / "schema.ts"),
        ("archive", migration.copy.archive),
        ("rejects", migration.folder.rejects),
        ("report", migration.folder.report),
        ("proof", migration.folder.proof_page),
        ("summary", summary),
    ]
    for name, path in places:
        if path is not None:
            click.echo(f"{name:<8} {_short(path)}")
    click.echo(f"\nDone in {time.monotonic() - started:.1f} s.")
    log_beside("Next: supavex init, in the folder of your own project (the one that holds supabase/)")
    return 0 if ok else 1


#: The Convex tables that the demo writes to.
_WRITTEN = ("contacts", "articles")


def _rules(project: Settings, log: Callable[[str], None]) -> dict[str, Any]:
    """Tests the app's rules.ts against PostgreSQL, with a bundle that contains the proof's functions."""
    from supavex.rules.proof.run import prove_builders

    rules, found = prove_builders(project, 1, _WRITTEN)
    carried = len(rules.found) - len(rules.refused)
    verdict = "as in PostgreSQL" if not found.wrong else f"{counted(found.wrong, 'difference')} from PostgreSQL"
    tried = f"as {counted(len(found.users), 'user')}, {found.reads} reads and {found.writes} writes {verdict}"
    log(f"8  rules    {carried} of {len(rules.found)} policies carried over by convex/rules.ts; {tried}")
    for user, refused in found.refused.items():
        log(f"            as {user[:8]}: {refused}")
    return {"policies": carried, "reads": found.reads, "writes": found.writes, "wrong": found.wrong}


def _run(project: Settings, log: Callable[[str], None]) -> list[dict[str, Any]]:
    """Calls some of the app's functions on the proven rows. None of the calls changes a row."""
    from supavex.convex_cli.bundling import BUNDLE_NAME, inputs_of, stale_because
    from supavex.deployment import FunctionFailed
    from supavex.deployment.functions.bundle import read_bundle
    from supavex.migrate.target.local import local_deployment

    bundle = read_bundle(project.root / BUNDLE_NAME)
    # Files above the example's folder belong to another project.
    inputs = {name: hash_ for name, hash_ in inputs_of(project.root).items() if name in bundle.inputs}
    why = stale_because(bundle, project.root, inputs)
    if why is not None:
        raise SupavexError("StaleBundle", f"{why}.", where=BUNDLE_NAME, hint="Make it anew: supavex bundle")
    with local_deployment(project) as deployment:
        bundle.install(deployment, schema=False)
        started = time.monotonic()
        deployment.functions.warm()
        took = time.monotonic() - started
        count = sum(len(module["functions"]) for module in bundle.functions.values())
        told = f"Convex's own CLI has bundled them into {BUNDLE_NAME}"
        log(f"7  run      {count} functions in V8, up in {took:.1f} s; {told}")
        ran = []
        for path, args, user, words in _calls(deployment):
            started = time.monotonic()
            try:
                answer = words(deployment.run(path, args, user=user))
            except FunctionFailed as failed:
                if not isinstance(failed.data, dict):
                    raise
                answer = f"ConvexError {failed.data['code']}: {failed.data['message']}"
            milliseconds = (time.monotonic() - started) * 1000
            log(f"            {path:<18}  {answer} ({milliseconds:.0f} ms)")
            ran.append({"path": path, "answer": answer, "milliseconds": round(milliseconds, 1)})
    return ran


def _calls(deployment: Deployment) -> Iterator[tuple[str, dict[str, Any], dict[str, Any] | None, Callable[[Any], str]]]:
    """The demo's calls: function, arguments, the signed-in user, and a formatter of the answer."""
    eagle = {"workspace": "eagle-overseas"}
    yield "articles:list", eagle, None, lambda found: f"published: {', '.join(article['slug'] for article in found)}"
    today = datetime.now(timezone(timedelta(hours=7))).date()  # In Jakarta's time zone, as the slots are
    monday = today + timedelta(days=7 - today.weekday())
    slots = {**eagle, "date": monday.isoformat(), "now": time.time() * 1000}
    yield "slots:free", slots, None, lambda found: f"free next Monday: {', '.join(slot['time'] for slot in found)}"
    rina = {"issuer": "https://clerk.test", "subject": "user_2abcT9mKXvQ4rLwZ8sNpYdHfG1e"}
    yield "leads:list", eagle, rina, lambda found: ", ".join(f"{x['temperature']} ({x['score']:.0f})" for x in found)
    webinar = next(w for w in deployment.documents("webinars") if w["slug"] == "info-taiwan")
    fajar = next(c for c in deployment.documents("contacts") if c["phone"] == "+6285598765406")
    yield "webinars:register", {"webinar_id": webinar["_id"], "contact_id": fajar["_id"]}, None, str


def _quiet(text: str) -> None:
    """Ignores a line, because the JSON contains it."""


def _changes(changed: list[str]) -> str:
    return f"{len(changed)} written" if changed else "up to date"


def _check(project: Settings, log: object) -> Check:
    from supavex.mapping.check import check
    from supavex.mapping.source import Source

    assert callable(log)
    started = time.monotonic()
    log(f"1  source   {Source(project).described}, replayed into an embedded PostgreSQL …")
    checked = check(project)
    if not checked.ok():
        print_diagnostics(checked.diagnostics, err=True)
        raise SupavexError("CheckFailed", "the example does not pass its check.", where=str(project.root))
    assert checked.plan is not None
    replay = checked.replay
    if replay is not None:
        said = f"{replay.files} files, {replay.statements} statements, {len(replay.failed)} failed"
        log(f"            {said}; PostgreSQL {checked.plan.catalog.server_version}, {time.monotonic() - started:.1f} s")
    severities = Counter(d.severity for d in checked.diagnostics)
    found = ", ".join(counted(severities[s], s) for s in ("error", "warning", "note"))
    log(f"2  check    {counted(len(checked.plan.tables), 'table')}, each with a Convex table that fits: {found}")
    return checked


def _example(folder: Path | None) -> Path:
    """The example's folder: the checkout's, or a copy of the package's."""
    checkout = Path(__file__).parents[3] / "projects" / _EXAMPLE
    packaged = resources.files("supavex").joinpath("_examples", _EXAMPLE)
    if checkout.is_dir() and folder is None:
        return checkout
    origin = checkout if checkout.is_dir() else Path(str(packaged))
    if not origin.is_dir():
        raise UsageError("NoExample", "this installation does not hold the example project.", where=str(origin))
    folder = folder or Path("supavex-demo")
    if folder.exists() and any(folder.iterdir()) and not (folder / "supavex.toml").exists():
        raise UsageError(
            "FolderNotEmpty", "the folder holds something else.", where=str(folder), hint="Choose another."
        )
    shutil.copytree(origin, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns(".supavex", "node_modules"))
    return folder


def _fresh_deployment(project: Settings) -> None:
    """Removes the demo's deployment, so that each run shows the same."""
    for suffix in ("", "-wal", "-shm"):
        (project.state / f"deployment.sqlite3{suffix}").unlink(missing_ok=True)


def _table(project: Settings, migration: Migration, proof: Proof) -> str:
    proofs = {table.source: table for table in proof.tables}
    schema = build_indexes(project)
    rows = []
    for table in migration.copy.tables:
        found = proofs[table.source]
        reasons = Counter(reject.code for reject in table.rejects)
        rejected = ", ".join(f"{n} {code}" for code, n in reasons.items())
        verdict = "equal" if found.ok else "differs"
        rows.append(
            (
                table.target,
                table.source.removeprefix("public."),
                table.rows,
                table.documents,
                schema.get(table.target, 0),
                f"{verdict} ({found.fields} fields)",
                rejected,
            )
        )
    return table_text(["table", "from", "rows", "documents", "indexes", "verified", "rejected"], rows, left=2)


def build_indexes(project: Settings) -> dict[str, int]:
    """The number of indexes of each table of the local deployment."""
    from supavex.migrate.target.local import local_deployment

    with local_deployment(project) as deployment:
        schema = deployment.schema
    return {} if schema is None else {name: len(table.indexes) for name, table in schema.tables.items()}


def _short(path: Path) -> str:
    shown = os.path.relpath(path)
    return shown if len(shown) < len(str(path)) else str(path)
