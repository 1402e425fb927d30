"""``supavex bundle``."""

from __future__ import annotations

from pathlib import Path

import click

from supavex.cli.options import folder_option, json_option, print_json
from supavex.cli.verbosity import log
from supavex.errors import SupavexError, UsageError
from supavex.files import check_inside
from supavex.text import counted


@click.command("bundle")
@folder_option("The app's folder, with convex/ in it. Default: here.")
@click.option("--check", is_flag=True, help="Write nothing. Exit with 1 if the file is not up to date. Needs no Node.")
@json_option
def command(folder: str, check: bool, as_json: bool) -> int:
    """Bundle the app's functions by Convex's own CLI into convex.bundle.json.

    Tests (the pytest plugin) and `supavex demo` run the functions from that file if there is no Node. The CLI
    pushes to a temporary deployment on this machine, and the app's folder stays as it is.

    \b
    Examples:
      supavex bundle -C app
      supavex bundle -C app --check
    """
    from supavex.convex_cli.bundling import BUNDLE_NAME, bundle_app, inputs_of, stale_because
    from supavex.deployment.functions.bundle import read_bundle

    app = Path(folder).resolve()
    path = app / BUNDLE_NAME
    if check:
        why = stale_because(read_bundle(path), app, inputs_of(app))
        if as_json:
            print_json({"ok": why is None, "file": str(path), "stale": why})
        elif why is None:
            click.echo(f"{BUNDLE_NAME} is up to date.")
        else:
            error = SupavexError("StaleBundle", f"{why}.", where=str(path), hint="Make it anew: supavex bundle")
            raise error
        return 0 if why is None else 1
    bundle = bundle_app(app, log=log)
    text = bundle.text()
    check_inside(app, path, "the file", str(path))
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError("CannotWrite", f"{error.strerror}.", where=str(path)) from None
    functions = sum(len(module["functions"]) for module in bundle.functions.values())
    if as_json:
        print_json({"ok": True, "file": str(path), "functions": functions, "bytes": len(text.encode())})
    else:
        click.echo(f"{BUNDLE_NAME}: {counted(functions, 'function')}, bundled by convex {bundle.version}.")
        log("Next: pytest, with the fixtures of supavex's plugin (supavex bundle --check says when the file is old)")
    return 0
