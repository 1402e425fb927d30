"""README and docs are true: the demo's output is the demo's, the examples work, the tables of codes are complete."""

import re
from pathlib import Path

from supavex.cli.main import COMMANDS
from tests import projects
from tests.projects import ROOT, supavex

#: The pages that docs/generate.py makes of the code.
MADE = ("rejected-rows.md", "reference/commands.md", "reference/settings.md", "reference/codes.md")
#: What differs from run to run.
_VARIES = [
    (r"\d{4}-\d\d-\d\dT[\d:.]+Z", "TIME"),
    (r"\d+\.\d s", "SECONDS"),
    (r"\d+ ms", "MS"),
    (r"PostgreSQL [\d.]+", "PostgreSQL"),
]


def still(text: str) -> str:
    for pattern, word in _VARIES:
        text = re.sub(pattern, word, text)
    return "\n".join(line.rstrip() for line in text.strip().splitlines())


def test_the_demo_prints_what_the_readme_shows() -> None:
    readme = (ROOT / "README.md").read_text()
    shown = readme.partition("<!-- demo output")[2].partition("```\n")[2].partition("```")[0]
    with projects.folder() as folder:
        ran = supavex("demo", "-C", folder)
        assert ran.code == 0, ran.err
        found = re.sub(r"\S*/(?=convex/schema\.ts|\.supavex/|\.planning/)", "projects/my21staff/", ran.out)
    found = (
        found.replace("3 written", "up to date").replace("1 written", "up to date").replace("2 written", "up to date")
    )
    assert still(found) == still(shown.replace("3 written", "up to date"))


def test_the_readmes_example_works() -> None:
    readme = (ROOT / "README.md").read_text()
    schema = readme.partition("```python\n")[2].partition("```")[0]
    with projects.folder() as folder:
        projects.write(
            folder,
            migrations={
                "1.sql": "CREATE TABLE workspaces (id uuid PRIMARY KEY, name text NOT NULL, slug text UNIQUE NOT NULL);"
                "CREATE TABLE articles (id uuid PRIMARY KEY, workspace_id uuid NOT NULL REFERENCES workspaces, "
                "title text NOT NULL, status text NOT NULL, views int, published_at timestamptz);"
            },
        )
        (folder / "schema.py").write_text(schema)
        for command in ("check", "build", "deploy", "migrate", "verify"):
            ran = supavex(command, "-C", folder)
            assert ran.code == 0, ran.out + ran.err


def test_links_in_the_documents_lead_somewhere() -> None:
    for document in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]:
        for link in re.findall(r"\]\(([^)#]+)\)", document.read_text()):
            # `make docs` makes the others, and fails for a link that leads to none of them.
            made = link.removeprefix("../") in MADE
            assert made or (document.parent / link).exists(), f"{document.name}: {link}"


def test_every_command_is_in_the_documents_and_has_help_with_an_example() -> None:
    text = "".join(path.read_text() for path in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")])
    for name in COMMANDS:
        assert f"supavex {name}" in text or f"make {name}" in text, name
        ran = supavex(name, "--help")
        assert ran.code == 0
        assert "Example" in ran.out, name
        assert f"\n    supavex {name}" in ran.out, "examples stand on lines of their own"


def test_every_code_of_coverage_is_in_the_documents() -> None:
    source = (ROOT / "src/supavex/mapping/coverage.py").read_text() + (
        ROOT / "src/supavex/mapping/source.py"
    ).read_text()
    misfits = [ROOT / "src/supavex/mapping" / name for name in ("conversions/conversion.py", "large_values.py")]
    codes = {code for path in misfits for code in re.findall(r'"([A-Z][A-Za-z]+(?:DoesNotFit))"', path.read_text())}
    notes = (ROOT / "src/supavex/mapping/suggestions.py").read_text()
    codes |= set(re.findall(r'_note\(\s*"([A-Za-z]+)"', notes))
    codes |= set(re.findall(r'_finding\(\s*"([A-Za-z]+)"', source)) | set(
        re.findall(r'Diagnostic\(\s*"([A-Za-z]+)"', source)
    )
    documented = (ROOT / "docs/schema.md").read_text()
    assert len(codes) > 10
    assert {code for code in codes if f"`{code}`" not in documented} == set()


def test_every_setting_is_in_the_documents() -> None:
    source = Path(ROOT / "src/supavex/settings/reading.py").read_text()
    settings = set(re.findall(r'\.(?:take|texts)\("([a-z_]+)"', source)) | {
        "to",
        "skip",
        "sql",
        "ids",
        "null",
        "format",
    }
    documented = (ROOT / "docs/configuration.md").read_text()
    assert {name for name in settings if name not in documented} == set()
