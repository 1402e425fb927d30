"""``supavex serve``."""

from __future__ import annotations

import os
from pathlib import Path

import click

from supavex.errors import UsageError
from supavex.files import STATE_NAME, chosen_folder, write_whole
from supavex.settings.settings import CONFIG_NAME


@click.command("serve")
@click.option("-C", "folder", metavar="DIR", default=".", help="The project's folder. Default: here.")
@click.option("--data", metavar="DIR", help="Where the deployment is kept. Default: .supavex in the project's folder.")
@click.option("--port", type=click.IntRange(0, 65535), default=3210, show_default=True, help="0 takes any free one.")
@click.option("--site-port", type=click.IntRange(0, 65535), default=3211, show_default=True, help="For HTTP actions.")
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option(
    "--allow-fetch",
    "fetch_hosts",
    metavar="HOST",
    multiple=True,
    help="A host that actions, and the keys of auth.config.ts, may be fetched from: HOST or HOST:PORT; may be given "
    "again. `*`: any. Default: none, not even this machine.",
)
def command(folder: str, data: str | None, port: int, site_port: int, host: str, fetch_hosts: tuple[str, ...]) -> int:
    """Serve a Convex deployment on this machine, for the official CLI and clients.

    The first two lines are what `npx convex` reads: put them into .env.local in your app's folder. Convex's CLI needs
    Node 22 from version 1.49 on; on Node 20, `npm install convex@1.48`.

    \b
    Example:
      supavex serve --port 3210
    """
    from supavex.deployment.server.host import Host
    from supavex.deployment.serving import ServeOptions, serve

    root = Path(folder).resolve()
    place = Path(data).resolve() if data else root / STATE_NAME
    try:
        chosen_folder(place)
        if not os.path.lexists(place / ".gitignore") and (root / CONFIG_NAME).exists():
            write_whole(place / ".gitignore", "*\n")
    except OSError as error:
        hint = "Choose another folder with --data."
        raise UsageError("CannotWrite", f"{error.strerror}.", where=str(place), hint=hint) from None

    def say(served: Host) -> None:
        click.echo(f"CONVEX_SELF_HOSTED_URL={served.addresses.cloud}")
        click.echo(f"CONVEX_SELF_HOSTED_ADMIN_KEY={served.admin_key}")
        click.echo(f"Serving {place}. Dashboard: {served.addresses.cloud}/  Stop with Ctrl-C.", err=True)

    serve(ServeOptions(place, host, port, site_port, frozenset(fetch_hosts)), say)
    click.echo("Stopped.", err=True)
    return 0
