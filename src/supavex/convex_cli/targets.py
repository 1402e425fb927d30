"""The deployment that a target names, and the variables that the CLI reads."""

from __future__ import annotations

import os
import re
from pathlib import Path
from urllib.parse import urlsplit

from supavex.errors import UsageError
from supavex.postgres.connection import without_password

CLOUD = "cloud"
URL_VARIABLE, KEY_VARIABLE = "CONVEX_SELF_HOSTED_URL", "CONVEX_SELF_HOSTED_ADMIN_KEY"
#: Other variables that tell the CLI which deployment to use.
_DEPLOY_KEYS = ("CONVEX_DEPLOY_KEY", "CONVEX_DEPLOYMENT_TOKEN")
OTHER_VARIABLES = ("CONVEX_DEPLOYMENT", *_DEPLOY_KEYS)
ENV_FILES = (".env.local", ".env")
#: A line of an .env file, by the CLI's rules: a quoted value ends with the quote, another value at a `#`.
_LINE = re.compile(
    r"""\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(?:"([^"]*)"|'([^']*)'|`([^`]*)`|([^#]*))\s*(?:#.*)?\Z"""
)


def deployment_of(convex_folder: Path, target: str) -> str:
    """The name of the deployment that ``target`` means now, under which state about it is kept.

    It is ``local``, a URL, or ``cloud`` with the name from the app's folder or a deploy key.
    """
    if target == "local":
        return target
    if target != CLOUD:
        return checked_url(target)
    known = {**env_files(convex_folder.parent), **os.environ}
    if url := known.get(URL_VARIABLE):
        return checked_url(url)
    # A key is `prod:name|secret`. For the CLI, it takes precedence over CONVEX_DEPLOYMENT.
    deploy_key = next((key for name in _DEPLOY_KEYS if (key := known.get(name))), "")
    key_name, bar, _ = deploy_key.partition("|")
    name = key_name if bar else known.get("CONVEX_DEPLOYMENT", "")
    return f"{CLOUD} {name.strip()}".strip()


def app_variables(convex_folder: Path) -> tuple[str, ...]:
    """The names of the app's variables for the addresses of Convex and Supabase, from its .env files."""
    names = env_files(convex_folder.parent)
    own = (name for name in names if ("CONVEX" in name or "SUPABASE" in name) and not name.startswith("CONVEX_"))
    return tuple(sorted(own))


def checked_url(target: str) -> str:
    """The URL of a target, without a slash at its end. Raises :class:`~supavex.errors.UsageError` for other texts."""
    try:
        parts = urlsplit(target)
        valid = parts.scheme in ("http", "https") and parts.hostname and not (parts.query or parts.fragment)
        valid = valid and "@" not in target and parts.port != 0
    except ValueError:
        valid = False
    if not valid:
        # A text that was meant for another option may contain a password.
        shown = target if re.fullmatch(r"[\w.\-]{1,60}", target) else without_password(target)
        raise UsageError(
            "UnknownTarget",
            f"{shown} is not a deployment.",
            hint="--to is `local`, `cloud`, or the URL of a deployment, such as http://127.0.0.1:3210.",
        )
    return target.rstrip("/")


def env_files(app: Path) -> dict[str, str]:
    """The variables in those .env files of the app that the CLI reads. The first file has priority."""
    found: dict[str, str] = {}
    for name in ENV_FILES:
        try:
            lines = (app / name).read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError):
            continue
        for line in lines:
            if match := _LINE.match(line):
                name, *values = match.groups()
                found.setdefault(name, next((value for value in values if value is not None), "").strip())
    return found
