"""``supavex help``."""

from __future__ import annotations

import click


def _commands(context: click.Context, _: click.Parameter, incomplete: str) -> list[str]:
    top = context.find_root()
    assert isinstance(top.command, click.Group)
    return [name for name in top.command.list_commands(top) if name.startswith(incomplete)]


@click.command("help")
@click.argument("name", required=False, metavar="[COMMAND]", shell_complete=_commands)
@click.pass_context
def command(context: click.Context, name: str | None) -> int:
    """Show the help of COMMAND, or the list of commands.

    \b
    Example:
      supavex help migrate
    """
    top = context.find_root()
    if name is None:
        click.echo(top.get_help())
        return 0
    assert isinstance(top.command, click.Group)
    _, found, _ = top.command.resolve_command(top, [name])
    assert found is not None
    with click.Context(found, info_name=name, parent=top) as inner:
        click.echo(found.get_help(inner))
    return 0
