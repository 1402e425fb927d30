"""``--to``: which deployment a command works on."""

from __future__ import annotations

import click

to_option = click.option(
    "--to",
    "to",
    default="local",
    metavar="TARGET",
    help="The deployment: `local` (in .supavex/), `cloud` (the app's own), or a URL.",
)
