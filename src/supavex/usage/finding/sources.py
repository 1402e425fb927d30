"""Finds an app's source files and reads them as text. Files are untrusted: nothing outside the folder is opened."""

from __future__ import annotations

import os
import re
import stat
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

Language = Literal["typescript", "tsx", "python"]
#: File suffix to grammar. TypeScript's grammar with JSX reads all of JavaScript.
LANGUAGES: dict[str, Language] = {
    ".ts": "typescript", ".mts": "typescript", ".cts": "typescript", ".tsx": "tsx", ".js": "tsx", ".jsx": "tsx",
    ".mjs": "tsx", ".cjs": "tsx", ".vue": "typescript", ".svelte": "typescript", ".py": "python",
}  # fmt: skip
#: Folders of dependencies and of tools' output. They are left out even if git tracks them.
_NEVER = frozenset({"node_modules", "bower_components", ".git", "_generated", "__pycache__", "site-packages"})
#: Folders of build output, if no .gitignore names them.
_BUILT = frozenset({"dist", "build", "out", "coverage", "target", "vendor", "venv", "env", ".venv", "storybook-static"})
MAX_BYTES = 1_000_000
MAX_FILES = 100_000
MAX_TOTAL_BYTES = 200_000_000
GIT_SECONDS = 60
#: A file with a longer line counts as generated.
_MINIFIED = 20_000
_SCRIPT = re.compile(rb"<!--|<script\b[^>]{0,2000}>", re.IGNORECASE)
_TYPES = re.compile(rb"\b(?:interface|type)\s+Database\b")


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file: its path relative to the app's folder (with ``/``), its grammar, its text as UTF-8.

    The text of .vue and .svelte files has only the scripts, on their own lines.
    """

    path: str
    language: Language
    text: bytes

    @property
    def module(self) -> str:
        """The path without its suffix and without ``/index`` or ``/__init__``, as imports name it."""
        bare = self.path.rpartition(".")[0]
        return re.sub(r"/(index|__init__)$", "", bare)


@dataclass(slots=True)
class Sources:
    """An app's files: those to read, Supabase's generated types, and the left-out paths with the reason."""

    files: list[SourceFile] = field(default_factory=list)
    types: list[str] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)


def read_sources(folder: Path) -> Sources:
    """The app's own source files in ``folder``, in the order of their paths.

    In a git checkout they are the files that git does not ignore. Elsewhere, build folders are recognized by their
    names.
    """
    root = folder.resolve()
    found = Sources()
    wanted = sorted(path for path in _listed(root, found) if Path(path).suffix.lower() in LANGUAGES)
    for path in wanted[MAX_FILES:]:
        found.left_out[path] = f"beyond {MAX_FILES:,} files"
    total = 0
    for path in wanted[:MAX_FILES]:
        text = _text(root, path) if total < MAX_TOTAL_BYTES else f"beyond {MAX_TOTAL_BYTES:,} bytes in all"
        total += len(text)
        if isinstance(text, str):
            found.left_out[path] = text
        elif _TYPES.search(text) and re.search(rb"\bTables\s*:", text) and not path.endswith(".py"):
            found.types.append(path)
        else:
            suffix = Path(path).suffix.lower()
            text = _scripts(text) if suffix in (".vue", ".svelte") else text
            found.files.append(SourceFile(path, LANGUAGES[suffix], text))
    return found


def _listed(root: Path, found: Sources) -> Iterator[str]:
    paths = _git_files(root)
    for path in paths if paths is not None else _walked(root):
        *folders, _ = path.split("/")
        if path.endswith("/"):
            found.left_out[path] = "a git repository of its own"
        elif not _NEVER.intersection(folders):
            yield path


def _git_files(root: Path) -> list[str] | None:
    """Paths that git tracks or would track; None if ``root`` is not in a checkout, or is ignored."""
    # The folder's own git configuration may name programs. These settings keep git from running them.
    command = ["git", "-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null", "-C", str(root)]
    command += ["ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    environment = {**os.environ, "GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0"}
    try:
        ran = subprocess.run(
            command, capture_output=True, env=environment, timeout=GIT_SECONDS, check=False, stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    paths = {os.fsdecode(path) for path in ran.stdout.split(b"\0") if path}
    return sorted(paths) if ran.returncode == 0 and paths else None


def _walked(root: Path) -> Iterator[str]:
    for folder, folders, files in os.walk(root):
        folders[:] = sorted(name for name in folders if name not in _NEVER | _BUILT and not name.startswith("."))
        for name in files:
            yield Path(folder, name).relative_to(root).as_posix()


def _text(root: Path, path: str) -> bytes | str:
    """The file's text as UTF-8, or why it is left out."""
    full = root / path
    try:
        if full.is_symlink() or Path(os.path.realpath(full)) != full:
            return "a link"
        # Opening a pipe would block until it has a writer.
        descriptor = os.open(full, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with open(descriptor, "rb") as file:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                return "no ordinary file"
            data = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        return "removed meanwhile"
    except OSError as error:
        return f"can't be read: {error.strerror}"
    if len(data) > MAX_BYTES:
        return f"larger than {MAX_BYTES:,} bytes"
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        data = data.decode("utf-16", "replace").encode("utf-8", "replace")
    if b"\0" in data:
        return "not text"
    if max(map(len, data.split(b"\n"))) > _MINIFIED:
        return "minified"
    return data.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "replace").encode()


def _scripts(text: bytes) -> bytes:
    """Only the content of ``<script>`` elements. The rest is blank, so that line numbers stay."""
    kept, at = [], 0
    lower = text.lower()
    while found := _SCRIPT.search(text, at):
        close = b"-->" if found[0] == b"<!--" else b"</script"
        end = lower.find(close, found.end())
        end = len(text) if end < 0 else end
        kept.append(_blank(text[at : found.end()]))
        kept.append(_blank(text[found.end() : end]) if found[0] == b"<!--" else text[found.end() : end])
        at = end
    return b"".join([*kept, _blank(text[at:])])


def _blank(text: bytes) -> bytes:
    return b"\n" * text.count(b"\n")
