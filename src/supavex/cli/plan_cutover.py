"""``supavex plan-cutover``."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from supavex.cli.options import json_option, open_project, print_json, project_options
from supavex.cli.targets import target_option, to_option
from supavex.cli.verbosity import log, next_step
from supavex.errors import SupavexError
from supavex.files import begins_with, check_replaceable, write_whole
from supavex.settings.settings import CONFIG_NAME


@click.command("plan-cutover")
@project_options
@to_option
@json_option
@click.option("--out", metavar="FILE", help="The file of the checklist. Default: standard output.")
def command(folder: str, config: str | None, to: str, as_json: bool, out: str | None) -> int:
    """Write the checklist of the cutover, with the times measured in rehearsal.

    supavex measures every run of deploy, migrate, verify and rollback. If the source now has more rows than in the
    rehearsal, the plan estimates the times from the rows and says so. A plan needs a rehearsal.

    \b
    Examples:
      supavex plan-cutover --to cloud --out CUTOVER.md
    """
    from supavex.migrate.golive.checklist import TITLE, markdown

    project = open_project(folder, config)
    if out is not None:
        check_replaceable(Path(out), lambda path: begins_with(path, (TITLE,)))
    plan = project.plan_cutover(to, command_options=_options(folder, config), log=log)
    if out is not None:
        try:
            write_whole(Path(out), markdown(plan))
        except OSError as error:
            raise SupavexError("CannotWrite", f"{error.strerror}.", where=out, hint="Choose another --out.") from None
    if as_json:
        print_json(plan.to_json())
    elif out is None:
        click.echo(markdown(plan), nl=False)
    else:
        click.echo(f"Written: {out}")
    if not as_json:
        next_step(f"changes{target_option(to)}", f"verify{target_option(to)}")
    return 0


def _options(folder: str, config: str | None) -> str:
    parts = [] if folder == "." else ["-C", folder]
    if config is not None and config != CONFIG_NAME:
        parts += ["--config", config]
    return shlex.join(parts)
