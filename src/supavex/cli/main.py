"""The ``supavex`` command. Subcommands are imported when they are called, so that ``--help`` is fast."""

from __future__ import annotations

import difflib
import importlib
import json
import os
import re
import signal
import sys
import traceback
from typing import Any, NoReturn

import click

from supavex.cli import verbosity
from supavex.cli.steps import shown_steps
from supavex.cli.verbosity import shared_options
from supavex.errors import (
    DISK_ERRORS,
    POSIX_MODULES,
    SupavexError,
    check_system,
    database_error,
    file_error,
    missing_extra,
    of_database_file,
    unsupported_system,
)
from supavex.installation import PACKAGES
from supavex.version import __version__

#: Command to its help line, in the order of ``--help``. The module of the same name defines it.
COMMANDS = {
    "init": "Write supavex.toml and scaffold schema.py.",
    "inspect": "Show what a source holds, and what Convex won't carry over.",
    "scaffold": "Write Python definitions for source tables that have none.",
    "explain": "Show what happens to each column of a table, and why.",
    "check": "Check that the schema compiles and covers the source.",
    "build": "Write convex/schema.ts and convex/defaults.ts from schema.py.",
    "rules": "Write convex/rules.ts from policies and constraints.",
    "deploy": "Push the schema to a deployment.",
    "migrate": "Copy the rows, with ids that are computed.",
    "changes": "List the rows inserted, updated and deleted since the last import.",
    "verify": "Prove that every row arrived, field by field.",
    "plan-cutover": "Write the checklist of the cutover, with times from the rehearsal.",
    "rollback": "Restore what a deployment held before a migration.",
    "users": "Write the users of auth.users, for Clerk or Convex Auth.",
    "restore": "Write an archive's documents back into PostgreSQL's tables.",
    "usage": "List the app's code that still calls Supabase, and what to write instead.",
    "serve": "Serve a Convex deployment on this machine, for the official CLI.",
    "bundle": "Write the app's functions as one file, for tests without Node.",
    "demo": "Run every step on an example project, without an account.",
    "help": "Show the help of a command.",
}


#: The exit code of a program that writes to a closed pipe: 128 and SIGPIPE's number, as a shell gives it.
_CLOSED_PIPE = 141


class LazyGroup(click.Group):
    """A group that knows its commands' names, and imports a command only to run it."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The commands, in the order in which a migration uses them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name."""
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"supavex.cli.{cmd_name.replace('-', '_')}")
        command: click.Command = module.command
        known = {option for parameter in command.params for option in parameter.opts}
        command.params += [option for option in shared_options() if known.isdisjoint(option.opts)]
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that the arguments name. Raises an error with the nearest names for an unknown command."""
        name = args[0] if args else ""
        if name and not name.startswith("-") and name not in COMMANDS:
            near = difflib.get_close_matches(name.lower(), COMMANDS, n=2)
            hint = f"Did you mean {' or '.join(near)}?" if near else "The commands are listed by: supavex --help"
            ctx.fail(f"No such command {name!r}. {hint}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list of commands, without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    params=shared_options(),
)
@click.option("-C", "folder", metavar="DIR", help="The folder that the command works in. Default: the current folder.")
@click.version_option(__version__, "-V", "--version", prog_name="supavex")
def cli(folder: str | None) -> None:
    """Takes a Supabase project to Convex: the schema, the data, and the proof.

    Try `supavex demo` first. In the folder of a Supabase project, begin with `supavex init`.
    """


def main(arguments: list[str] | None = None) -> None:
    """Runs the command line and exits: 0 good, 1 findings or failure, 2 misuse or a missing piece, 130 interrupted,
    141 if the reader of the output closed it.
    """
    signal.signal(signal.SIGTERM, _terminate)
    _open_closed_streams()
    arguments = sys.argv[1:] if arguments is None else arguments
    verbosity.start()
    as_json = "--json" in arguments
    output = sys.stdout
    try:
        check_system()
        with shown_steps(as_json):
            code: Any = cli.main(arguments, prog_name="supavex", standalone_mode=False, color=verbosity.colored())
        sys.stdout.flush()
    except click.ClickException as error:
        message = error.format_message()
        if message.startswith("Usage:"):  # No command was given, and Click answers with the help.
            click.echo(message, err=True)
        else:
            click.UsageError(_without_address(message), getattr(error, "ctx", None)).show()
        sys.exit(2)
    except (KeyboardInterrupt, click.Abort):
        click.echo("Interrupted. What was written before is whole; run the command again.", err=True)
        sys.exit(130)
    except SystemExit:
        # If the reader of the output closes the pipe, as `| head` does, Click replaces sys.stdout and exits with 1.
        # 0 and 1 would be verdicts.
        if sys.stdout is output:
            raise
        _exit_of_closed_pipe()
    except BrokenPipeError:
        _exit_of_closed_pipe()
    except Exception as error:
        found = _as_error(error)
        if found is None:
            raise
        if verbosity.current().verbose:
            traceback.print_exc()
        _show(found, as_json=as_json)
        sys.exit(found.exit_code)
    sys.exit(code if isinstance(code, int) else 0)


def _as_error(error: Exception) -> SupavexError | None:
    """The error to show to a person; None for a bug of supavex, which gets a traceback."""
    if isinstance(error, SupavexError):
        return error
    if isinstance(error, ModuleNotFoundError):
        if error.name in POSIX_MODULES:
            return unsupported_system()
        package = (error.name or "").partition(".")[0]
        return missing_extra(package, PACKAGES[package], "This command") if package in PACKAGES else None
    if isinstance(error, OSError):
        # The error concerns a file of the project. No caller foresees all such errors.
        if error.filename is None and error.errno not in DISK_ERRORS:
            return None
        return file_error(error, "CannotWrite" if error.errno in DISK_ERRORS else "CannotUseFile")
    return database_error(error) if of_database_file(error) else None


def _without_address(message: str) -> str:
    """A message of Click's, without an argument that may be an address with a password."""
    if not re.search(r"://|@|\w=|password", message, re.IGNORECASE):
        return message
    return f"{re.split(r'[(:]', message, maxsplit=1)[0].rstrip()}: ***"


def _exit_of_closed_pipe() -> NoReturn:
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # Python writes out the rest of the output as it ends.
    sys.exit(_CLOSED_PIPE)


def _open_closed_streams() -> None:
    """Opens the null device for each standard stream that the caller closed (``>&-``).

    Otherwise the next opened file would get the stream's number, and child processes would write into it.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # The lowest free number is this one.
        if getattr(sys, name) is None:
            setattr(sys, name, open(number, "w" if number else "r", closefd=False))  # noqa: SIM115


def _terminate(signum: int, frame: object) -> None:
    # As with Ctrl-C, an exception lets servers stop and temporary folders be removed.
    raise KeyboardInterrupt


def _show(error: SupavexError, *, as_json: bool) -> None:
    if as_json:
        try:
            click.echo(json.dumps({"ok": False, "error": error.to_json()}, ensure_ascii=False))
        except OSError:  # Standard output itself can't be written.
            as_json = False
    if as_json:
        return
    color = verbosity.colored()
    where = f" {error.where}:" if error.where else ""
    label = click.style("error", fg="red", bold=True)
    click.echo(f"{label}[{error.code}]{where} {error.message}", err=True, color=color)
    if error.hint:
        click.echo(f"    {error.hint}", err=True, color=color)
