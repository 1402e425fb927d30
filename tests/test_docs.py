"""The pages that are made from the code: none of the commands, settings and codes is missing, each code has a fix."""

from __future__ import annotations

import importlib.util
import os
import re
import shlex
import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from types import ModuleType

import click
import pytest

from supavex.cli.main import COMMANDS, cli
from supavex.mapping.rejections import REJECTIONS
from tests.projects import ROOT


@pytest.fixture(scope="module")
def generate() -> ModuleType:
    """The hook of the site."""
    spec = importlib.util.spec_from_file_location("supavex_docs", ROOT / "docs/generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["supavex_docs"] = module  # its dataclasses look there
    spec.loader.exec_module(module)
    return module


@pytest.mark.slow
def test_every_code_is_explained_with_an_example_and_a_fix(generate: ModuleType) -> None:
    codes = defaultdict(list)
    for given in generate.found_codes():
        codes[given.code].append(given)
    assert {"NoProject", "TableNotMapped", "RowsRefused", "SchemaTooSlow", "LoginRefused", "MissingExtra"} <= set(codes)
    without = []
    for code, places in codes.items():
        examples = generate.example_and_fix(code, places)
        if not any(fix for (_, fix), _ in examples):
            without.append(code)
    assert without == []
    page = generate.codes_page()
    assert [code for code in codes if f"\n### {code}\n" not in page] == []


def test_every_command_and_every_setting_has_its_place(generate: ModuleType) -> None:
    commands = generate.commands_page()
    assert [name for name in COMMANDS if f"Usage: supavex {name}" not in commands] == []
    settings = generate.settings_page()
    for name in ("max_rejects", "source.replay_gb", "nonfinite", "file_over", "password_hashes", "endpoint"):
        assert f"`{name}`" in settings, name
    rejected = generate.rejections_page()
    assert [code for code in REJECTIONS if f"\n## {code}\n" not in rejected] == []


@pytest.mark.slow
def test_the_site_has_no_dead_link_and_no_page_that_nothing_leads_to(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(tmp_path / "site")]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    ran = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    for page in ("index.html", "reference/commands/index.html", "rejected-rows/index.html", "security/index.html"):
        assert (tmp_path / "site" / page).is_file(), page


def test_a_reader_of_the_sources_meets_no_dead_link() -> None:
    """Pages that are made from the code stand in the sources too: they say where they are."""
    dead = []
    for page in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]:
        targets = re.findall(r"\]\((?!\w+:|#)([^)\s#]+)", page.read_text(encoding="utf-8"))
        dead += [f"{page.relative_to(ROOT)}: {target}" for target in targets if not (page.parent / target).exists()]
    assert dead == []


def commands_of(path: Path) -> list[str]:
    """The commands of supavex that a page or a message names."""
    text = path.read_text()
    if path.suffix == ".py":
        text = re.sub(r'"\n\s*f?"', "", text)  # a message on several lines
        return [re.sub(r"\{[^}]*\}", "x", found) for found in re.findall(r"`(supavex [^`]+)`", text)]
    blocks = re.findall(r"```[^\n]*\n(.*?)```", text, re.DOTALL) + re.findall(r"(?m)^ {4}.*$", text)
    lines = [line.strip().removeprefix("$ ") for block in blocks for line in block.splitlines()]
    return re.findall(r"`(supavex [^`]+)`", text) + [line for line in lines if re.match(r"supavex [a-z]+", line)]


def refusal(line: str) -> str:
    """What the command line says against ``line``; nothing of a file that is not there, or of a value left open."""
    line = re.sub(r"\s+#.*|\s\(.*|\[[^\]]*\]|…|\\$", "", line).split("&&")[0].split("|")[0]
    words = shlex.split(line.replace(" N", " 1").replace("COMMAND", "check"))[1:]
    top = click.Context(cli, info_name="supavex")
    try:
        name, command, rest = cli.resolve_command(top, words)
        assert command is not None
        command.make_context(name, list(rest), parent=top)
    except (click.exceptions.Exit, click.MissingParameter):
        return ""
    except click.UsageError as error:
        said = error.format_message()
        return "" if "does not exist" in said or "requires an argument" in said else f"{line}: {said}"
    return ""


def test_every_command_that_a_page_or_a_message_names_is_one() -> None:
    assert refusal("supavex migrate --too cloud") and refusal("supavex mirgate") and refusal("supavex rules --to cloud")
    files = [ROOT / "README.md", *(ROOT / "docs").glob("*.md"), *(ROOT / "src/supavex").rglob("*.py")]
    found = [(path, line) for path in files for line in commands_of(path)]
    assert len(found) > 200
    assert [f"{path.name}: {said}" for path, line in found if (said := refusal(line))] == []
