"""``supavex serve``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from supavex.cli.options import folder_option, open_project
from supavex.cli.verbosity import log
from supavex.errors import UsageError
from supavex.files import STATE_NAME
from supavex.settings.reading import project_folder
from supavex.settings.settings import CONFIG_NAME

if TYPE_CHECKING:
    from supavex.deployment.server.host import Host


@click.command("serve")
@folder_option()
@click.option("--data", metavar="DIR", help="The folder of the deployment. Default: .supavex in the project's folder.")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=3210, show_default=True, help="The port. 0 takes any free port."
)
@click.option(
    "--site-port", type=click.IntRange(0, 65535), default=3211, show_default=True, help="The port of HTTP actions."
)
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option(
    "--allow-fetch",
    "fetch_hosts",
    metavar="HOST",
    multiple=True,
    help="A host that actions may fetch from, and that the keys of auth.config.ts may come from: HOST or HOST:PORT. "
    "Give the option again for more hosts. `*`: any host. Default: none, not even this machine.",
)
def command(folder: str, data: str | None, port: int, site_port: int, host: str, fetch_hosts: tuple[str, ...]) -> int:
    """Serve a Convex deployment on this machine, for the official CLI and clients.

    `npx convex` reads the first two lines of the output: put them into .env.local in your app's folder. Convex's
    CLI needs Node 22 from version 1.49 on. On Node 20, run `npm install convex@1.48`.

    \b
    Example:
      supavex serve --port 3210
    """
    from supavex.deployment.dashboard.sessions import sign_in_link
    from supavex.deployment.serving import ServeOptions, data_folder, serve

    def started(served: Host) -> None:
        click.echo(f"CONVEX_SELF_HOSTED_URL={served.addresses.cloud}")
        click.echo(f"CONVEX_SELF_HOSTED_ADMIN_KEY={served.admin_key}")
        log(f"Serving {served.folder}. Stop with Ctrl-C.")
        log(f"Dashboard: {sign_in_link(served)}  (signs in once, within an hour; then {served.addresses.cloud}/)")
        log("Next: npx convex dev --once, in the app's folder, with these two lines in its .env.local")

    place = Path(data) if data else None
    hosts = frozenset(fetch_hosts)
    try:
        project = open_project(folder, None)
    except UsageError:
        # The project may be missing, or its source unreachable. A deployment needs neither.
        root = project_folder(Path(folder))
        kept = data_folder(place or root / STATE_NAME, ignored=(root / CONFIG_NAME).exists())
        serve(ServeOptions(kept, host, port, site_port, hosts), started)
    else:
        project.serve(started, data=place, port=port, site_port=site_port, host=host, fetch_hosts=hosts)
    log("Stopped.")
    return 0
