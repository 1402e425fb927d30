"""The apps of a checkout, and the packages of npm's that their functions import."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

from tests.official.node import NODE_MODULES

NPM_SECONDS = 600.0
#: What the CLI makes below `_generated/`, as it is imported.
GENERATED = [f"{name}{ending}" for name in ("api", "server", "dataModel") for ending in ("", ".js", ".ts", ".d")]
IMPORTED = re.compile(r"""(?:from|import)\s*\(?\s*["']([^"']+)["']""")
#: A version that the registry does not have, in npm's words.
GONE = re.compile(r"No matching version found for (@?[^@\s]+)@|registry\.\S+?/(@?[^\s]+?)/-/")
#: What may name a package of npm's; a path that a tsconfig.json makes for source of the app's own.
PACKAGE = re.compile(r"(?:@[a-z0-9-][\w.-]*/)?[a-z0-9-][\w.-]*")
ALIAS = re.compile(r'"([\w@~/-]+/)\*"\s*:')
#: What is not copied of a checkout.
LEFT_OUT = (
    "package-lock.json",
    "*.lock",
    "bun.lockb",
    "pnpm-*.yaml",
    "node_modules",
    "public",
    "assets",
    "dist",
    "ios",
    "android",
    "build",
)


def apps(checkout: Path) -> list[tuple[Path, Path]]:
    """The apps of a checkout: for each the folder with its package.json, and the one that holds ``convex/``."""
    found = []
    for path in sorted(checkout.rglob("convex")):
        inside = path.relative_to(checkout).parts
        if any(part.startswith((".", "_")) or part in LEFT_OUT for part in inside) or not any(modules(path)):
            continue
        above = [path.parent, *(p for p in path.parent.parents if p.is_relative_to(checkout))]
        packed = next((folder for folder in above if (folder / "package.json").is_file()), None)
        if packed is not None:
            found.append((packed, path.parent))
    return found


def modules(functions: Path) -> Iterator[Path]:
    """The files that the CLI takes for modules."""
    for path in sorted(functions.rglob("*")):
        named = path.suffix in (".ts", ".tsx", ".js", ".jsx") and path.name.count(".") == 1
        if named and path.is_file() and not {"_generated", "node_modules"} & set(path.parts):
            yield path


@cache
def _builtin() -> frozenset[str]:
    command = ["node", "-p", 'JSON.stringify(require("module").builtinModules)']
    return frozenset(json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout))


def install_imports(copy: Path, path: Path, functions: Path) -> int:
    """Installs the packages that the functions import, and nothing else of what the app names; how many."""
    told = json.loads((path / "package.json").read_text(encoding="utf-8"))
    ranges: dict[str, str] = {}
    for group in ("peerDependencies", "devDependencies", "dependencies"):
        ranges |= told.get(group, {})
    meta = copy / "imports.json"
    found = [str(module) for module in modules(functions)]
    bundled = subprocess.run(
        [
            *(str(NODE_MODULES / ".bin/esbuild"), *found, "--bundle", "--packages=external", "--platform=node"),
            *(f"--external:*/_generated/{name}" for name in GENERATED),
            *(f"--metafile={meta}", f"--outdir={copy / 'imports'}", "--log-level=error"),
        ],
        cwd=path,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    imports: set[str] = set()
    if not bundled.returncode:
        outputs = json.loads(meta.read_text(encoding="utf-8"))["outputs"].values()
        imports = {each["path"] for output in outputs for each in output["imports"] if each.get("external")}
    # A monorepo's own settings lead packages to source that is not built.
    texts = [Path(module).read_text(encoding="utf-8", errors="replace") for module in found]
    imports |= {name for text in texts for name in IMPORTED.findall(text)}
    settings = [file.read_text(encoding="utf-8", errors="replace") for file in path.rglob("tsconfig*.json")]
    aliases = {alias for text in settings for alias in ALIAS.findall(text)}
    names = {
        "/".join(name.split("/")[: 2 if name.startswith("@") else 1]) for name in imports if not _aliased(name, aliases)
    }
    names = {name for name in names if PACKAGE.fullmatch(name) and name not in _builtin()}
    wanted = {name: _range(ranges.get(name, "*")) for name in sorted(names)}
    wanted["convex"] = json.loads((NODE_MODULES / "convex/package.json").read_text())["version"]
    install(copy, wanted, module=told.get("type") == "module")
    if copy != path:
        (path / "package.json").write_text(json.dumps({**told, "dependencies": wanted}))
    return len(wanted)


def _aliased(name: str, aliases: set[str]) -> bool:
    return name.startswith((".", "/", "node:")) or "_generated" in name or any(name.startswith(a) for a in aliases)


def _range(text: str) -> str:
    """The version to install of the registry's: of a package of another name, too, and any for a folder or address."""
    return "*" if ":" in text and not text.startswith("npm:") else text


def install(folder: Path, packages: Mapping[str, str], *, module: bool = True) -> None:
    """Makes ``folder`` one with these packages of npm's: name to version."""
    command = ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "--force", "--loglevel=error"]
    packages = dict(packages)
    for _ in range(5):
        told = {"name": "app", "private": True, "dependencies": packages, **({"type": "module"} if module else {})}
        (folder / "package.json").write_text(json.dumps(told))
        ran = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=NPM_SECONDS, check=False)
        missing = {found for pair in GONE.findall(ran.stderr) for found in pair if found}
        gone = [name for name, wanted in packages.items() if wanted != "*" and name in missing]
        if not ran.returncode or not gone:
            break
        packages |= dict.fromkeys(gone, "*")  # a version that the registry has no more
    if ran.returncode:
        raise AssertionError(f"npm install: {ran.stderr.strip()[-1000:]}")
