"""``make dist``: builds the wheel and the source archive, checks them, and tries them in clean environments.

Each environment is one of the lowest and the highest Python on the PATH with the wheel and one set of extras. In it,
every command's ``--help`` answers, and the demo runs, or asks for all that it lacks by a command that works.
"""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

from supavex.cli.main import COMMANDS
from supavex.installation import EXTRAS

ROOT = Path(__file__).parents[1]
DIST = ROOT / "dist"
_VERSIONS = range(11, 20)


def main() -> None:
    """Builds, checks and tries; exits with 1 where something fails."""
    wheel, source = build()
    check_contents(wheel, source)
    pythons = at_hand()
    print(f"Pythons: {', '.join(map(str, pythons))}")
    for python in pythons:
        for extras in ("", *EXTRAS, "all"):
            with tempfile.TemporaryDirectory(prefix="supavex-dist-") as folder:
                size = try_wheel(Path(folder), python, wheel, extras)
                print(f"{python.name} {wheel.name}{f'[{extras}]' if extras else ''}: ok, {size} MB", flush=True)
    print(f"Built and tried: {wheel.relative_to(ROOT)}, {source.relative_to(ROOT)}")


def build() -> tuple[Path, Path]:
    """The wheel and the source archive, new in ``dist/``; ``twine check`` has passed them."""
    shutil.rmtree(DIST, ignore_errors=True)
    _run([sys.executable, "-m", "build", "--no-isolation", "--outdir", str(DIST), str(ROOT)])
    made = sorted(DIST.iterdir())
    _run([sys.executable, "-m", "twine", "check", "--strict", *map(str, made)])
    return next(DIST.glob("*.whl")), next(DIST.glob("*.tar.gz"))


def check_contents(wheel: Path, source: Path) -> None:
    """What has to be in both, and that the long description has no link that leads nowhere."""
    with zipfile.ZipFile(wheel) as archive:
        metadata = archive.read(next(name for name in archive.namelist() if name.endswith("/METADATA"))).decode()
        assert "supavex/_examples/my21staff/schema.py" in archive.namelist()
    assert "Programming Language :: Python :: 3.11" in metadata
    assert "Operating System :: MacOS" in metadata
    dead = re.findall(r"\]\((?!https?://)[^)]*\)", metadata)
    assert not dead, dead
    with tarfile.open(source) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    docs = {f"docs/{path.relative_to(ROOT / 'docs')}" for path in (ROOT / "docs").rglob("*.md")}
    assert docs <= names, docs - names
    assert {"mkdocs.yml", "SECURITY.md", "CHANGELOG.md"} <= names
    described = set(re.findall(r" \(`([^`]+\.\w+)`\)", metadata))
    assert described, "what a link into the checkout became"
    assert described <= names, described - names
    assert not any(name.startswith("tests/") for name in names)


def at_hand() -> list[Path]:
    """The lowest and the highest Python that supavex runs on: on the PATH, or kept by pyenv."""
    kept = sorted(Path.home().glob(".pyenv/versions/*/bin/python3.*"))
    found = []
    for minor in _VERSIONS:
        named = [shutil.which(f"python3.{minor}"), *(str(path) for path in kept if path.name == f"python3.{minor}")]
        found += [Path(path) for path in named if path and _runs(path)][:1]
    return list(dict.fromkeys([found[0], found[-1]])) if found else [Path(sys.executable)]


def _runs(python: str) -> bool:
    """Whether it is a Python, and not what stands for one that is not there."""
    return subprocess.run([python, "-c", "import venv"], capture_output=True, timeout=180, check=False).returncode == 0


def try_wheel(folder: Path, python: Path, wheel: Path, extras: str) -> int:
    """Installs and tries the wheel; the environment's size in megabytes, without pip's own."""
    _run([str(python), "-m", "venv", str(folder / "venv")])
    programs = folder / "venv/bin"
    empty = _megabytes(folder / "venv")
    constraint = ["--constraint", str(ROOT / "constraints.txt")]
    spec = f"{wheel}[{extras}]" if extras else str(wheel)
    pip = [str(programs / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *constraint]
    _run([*pip, spec])
    supavex = str(programs / "supavex")
    for command in COMMANDS:
        assert "Usage: supavex" in _run([supavex, command, "--help"]), command
    assert re.fullmatch(r"supavex, version \S+\n", _run([supavex, "-V"]))
    size = _megabytes(folder / "venv") - empty
    if extras in ("", "all"):
        demo = [supavex, "demo", "-C", str(folder / "demo")]
        if not extras:
            # The core asks for all that the demo lacks at once, by a command that works as it stands.
            asked = subprocess.run(demo, capture_output=True, text=True, timeout=300, check=False)
            assert asked.returncode == 2, asked.stderr
            assert "MissingExtra" in asked.stderr, asked.stderr
            _run([*shlex.split(asked.stderr.partition("Install them: ")[2].splitlines()[0]), *constraint])
        assert "proven: every row read again" in _run(demo)
    return size


def _run(command: list[str]) -> str:
    ran = subprocess.run(command, capture_output=True, text=True, timeout=1800, check=False, cwd=tempfile.gettempdir())
    if ran.returncode:
        raise SystemExit(f"{shlex.join(command)}\nended with {ran.returncode}:\n{ran.stdout}\n{ran.stderr}")
    return ran.stdout


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())


def _megabytes(folder: Path) -> int:
    return round(sum(path.stat().st_size for path in _files(folder)) / 1e6)


if __name__ == "__main__":
    main()
