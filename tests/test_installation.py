"""The command that adds an extra works for how supavex was installed; systems that are not supported are told once."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from supavex.errors import UsageError, check_extras
from supavex.installation import EXTRAS, PACKAGES, Installation

SOURCE = Path(__file__).parents[1] / "src/supavex"
#: What the core needs, and what a tester has.
CORE = {"click", "psycopg", "dotenv", "pytest"}
REQUIREMENTS = dict.fromkeys(EXTRAS, ("pyarrow>=18", "numpy>=2"))


def installed(
    origin: Path | None = None, tool: str = "pip", *, editable: bool = False, extras: str = ""
) -> Installation:
    return Installation(origin, editable, tool, frozenset(extras.split()), REQUIREMENTS)


def test_an_extra_is_added_to_what_is_there(tmp_path: Path) -> None:
    wheel = tmp_path / "supavex-1.0-py3-none-any.whl"
    wheel.touch()
    assert installed().command(["copy"]).endswith("pip install 'supavex[copy]'")
    assert installed(extras="embedded").command(["copy"]).endswith("'supavex[embedded,copy]'")
    assert installed(wheel).command(["copy"]).endswith(f"pip install '{wheel}[copy]'")
    assert installed(tmp_path, editable=True).command(["copy"]).endswith(f"--editable '{tmp_path}[copy]'")
    assert installed(wheel, "pipx").command(["copy"]) == f"pipx install --force '{wheel}[copy]'"
    assert installed(tmp_path, "uv tool").command(["copy"]) == f"uv tool install --force '{tmp_path}[copy]'"
    assert installed(tool="uv").command(["copy"]).startswith("uv pip install --python ")


def test_all_is_named_where_it_is_all(tmp_path: Path) -> None:
    assert installed(extras="embedded serve usage rich").command(["copy"]).endswith("'supavex[all]'")
    every = installed(extras="embedded serve usage rich copy").command(["cluster"])
    assert every.endswith("'supavex[all,cluster]'")


def test_a_wheel_that_is_gone_is_not_asked_for_again(tmp_path: Path) -> None:
    gone = tmp_path / "gone.whl"
    assert installed(gone).command(["copy"]).endswith("pip install 'pyarrow>=18' 'numpy>=2'")
    assert installed(gone, "pipx").command(["copy"]) == "pipx inject supavex 'pyarrow>=18' 'numpy>=2'"


@pytest.mark.slow
def test_every_package_that_is_imported_belongs_to_the_core_or_to_an_extra() -> None:
    imported = set()
    for file in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module] if isinstance(node, ast.ImportFrom) and node.module and not node.level else []
            imported |= {name.partition(".")[0] for name in names}
    others = imported - sys.stdlib_module_names - {"supavex"} - CORE
    assert others <= set(PACKAGES), others - set(PACKAGES)
    assert set(PACKAGES.values()) == set(EXTRAS)


def test_what_is_missing_is_asked_for_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    check_extras(EXTRAS, "This")
    monkeypatch.setattr("supavex.errors.find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r"pyarrow.*pglast|pglast.*pyarrow") as caught:
        check_extras(["copy", "embedded"], "The demo")
    assert caught.value.code == "MissingExtra"
    assert re.search(r"copy|all", caught.value.hint or "")


#: Makes the process one without the packages of extras, or on another system.
_WITHOUT = """
import importlib.abc, sys
class Finder(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {names!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Finder())
"""


def python(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)


@pytest.mark.slow
def test_every_help_needs_the_core_alone() -> None:
    code = _WITHOUT.format(names=set(PACKAGES)) + (
        "from supavex.cli.main import COMMANDS, cli\n"
        "for name in COMMANDS:\n"
        "    try: cli.main([name, '--help'], prog_name='supavex')\n"
        "    except SystemExit as ended: assert not ended.code, name\n"
    )
    ran = python(code)
    assert ran.returncode == 0, ran.stderr
    assert "Usage: supavex demo" in ran.stdout


def test_without_the_extras_the_demo_says_all_that_it_needs_in_one_command() -> None:
    code = (
        "import importlib.util\n" + _WITHOUT.format(names=set(PACKAGES)) + "import supavex.errors as e\n"
        "e.find_spec = lambda name: None\nfrom supavex.cli.main import main\nmain(['demo'])"
    )
    ran = python(code)
    assert ran.returncode == 2, ran.stderr
    assert "error[MissingExtra]" in ran.stderr
    assert re.search(r"\[(?:embedded,copy,serve|all)", ran.stderr.splitlines()[-1])


@pytest.mark.parametrize("code", ["main(['check'])", "main(['demo'])", "main(['--help'])"])
def test_windows_gets_one_clear_error(code: str) -> None:
    windows = "import click, sys\n" + _WITHOUT.format(names={"fcntl", "pwd", "grp", "resource", "termios"})
    ran = python(f"{windows}sys.platform = 'win32'\nfrom supavex.cli.main import main\n{code}")
    assert ran.returncode == 2, ran.stderr
    assert "error[UnsupportedSystem]" in ran.stderr
    assert "WSL" in ran.stderr
    assert "Traceback" not in ran.stderr


def test_windows_is_told_of_the_library_too() -> None:
    windows = "import click, sys\n" + _WITHOUT.format(names={"fcntl", "pwd", "grp", "resource", "termios"})
    ran = python(
        f"{windows}sys.platform = 'win32'\nimport supavex.pytest_plugin, supavex.schema, supavex\n"
        "try: supavex.Project\nexcept Exception as error: print(error.code)"
    )
    assert ran.stdout == "UnsupportedSystem\n", ran.stderr


#: What Linux has and macOS does not.
LINUX_ONLY = {
    "sched_getaffinity", "posix_fadvise", "memfd_create", "pipe2", "splice", "copy_file_range", "epoll", "eventfd",
    "pidfd_open", "setresuid", "setresgid", "SO_PEERCRED", "O_DIRECT", "O_TMPFILE", "prlimit", "prctl", "unshare",
    "MADV_DONTFORK", "RLIMIT_NICE", "SIGSTKFLT", "SIGPWR", "getrandom", "sched_setscheduler",
}  # fmt: skip


@pytest.mark.slow
def test_nothing_is_called_that_macos_does_not_have() -> None:
    found = []
    for file in SOURCE.rglob("*.py"):
        tree = ast.parse(file.read_text())
        # In a `try` that falls back, or behind a question whether it is there, it may stand.
        guarded = {
            id(inner)
            for node in ast.walk(tree)
            if isinstance(node, ast.Try | ast.If | ast.IfExp)
            for inner in ast.walk(node)
        }
        for node in ast.walk(tree):
            attribute = isinstance(node, ast.Attribute) and node.attr in LINUX_ONLY
            proc = isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.startswith("/proc/")
            if (attribute or proc) and id(node) not in guarded:
                found.append(f"{file.name}:{node.lineno}")
    assert not found
