"""The command line itself: names that are nearly right, options before a command, colors, folders, what comes next."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from supavex.cli.main import COMMANDS
from tests import projects
from tests.projects import supavex

GOOD = 'schema = define_schema({"t": define_table({"a": v.optional(v.string())})})'
SQL = {"1.sql": "CREATE TABLE t (id uuid PRIMARY KEY, a text);\nINSERT INTO t VALUES (gen_random_uuid(), 'x');"}
RED = "\x1b[31m"


@pytest.fixture(scope="module")
def project() -> Iterator[Path]:
    """A project that passes its check."""
    with projects.folder() as path:
        yield projects.write(path, schema=GOOD, migrations=SQL)


@pytest.fixture
def folder() -> Iterator[Path]:
    with projects.folder() as path:
        yield path


def process(*arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """The command line in a process of its own, which writes to pipes."""
    known = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "FORCE_COLOR")}
    command = [sys.executable, "-m", "supavex", *map(str, arguments)]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=300, check=False, env={**known, **environment}
    )


@pytest.mark.parametrize(
    ("typed", "meant"), [("verfy", "verify"), ("mirgate", "migrate"), ("chek", "check"), ("Deploy", "deploy")]
)
def test_a_command_that_is_nearly_right_is_guessed(typed: str, meant: str) -> None:
    ran = supavex(typed)
    assert ran.code == 2
    assert f"Did you mean {meant}" in ran.err


def test_a_command_that_is_like_none_leads_to_the_list() -> None:
    ran = supavex("xyzzy")
    assert (ran.code, "supavex --help" in ran.err) == (2, True)


def test_help_is_a_command_too() -> None:
    assert supavex("help", "migrate").out == supavex("migrate", "--help").out
    listed = supavex("help").out
    assert all(f"  {name} " in listed for name in COMMANDS)
    assert (supavex("help", "mirgate").code, "migrate" in supavex("help", "mirgate").err) == (2, True)


def test_the_version_has_a_short_option() -> None:
    assert supavex("-V").out == supavex("--version").out


def test_the_folder_stands_before_the_command_or_behind_it(project: Path) -> None:
    before, behind = supavex("-C", project, "check", "--json"), supavex("check", "-C", project, "--json")
    assert before.json == behind.json
    # Both: the second is seen from the first.
    assert supavex("-C", project.parent, "check", "-C", project.name, "--json").json == before.json


def test_the_project_is_found_from_its_folders(project: Path) -> None:
    inside = project / "app/src"
    inside.mkdir(parents=True, exist_ok=True)
    ran = supavex("check", "-C", inside)
    assert ran.code == 0, ran.err
    assert f"Project: {project}" in ran.err
    assert "Project:" not in supavex("check", "-C", project).err


def test_a_project_above_that_anybody_may_write_is_not_taken(project: Path) -> None:
    inside = project / "open/sub"
    inside.mkdir(parents=True)
    (project / "open/supavex.toml").write_text('schema = "evil.py"')
    (project / "open").chmod(0o777)
    assert f"Project: {project}" in supavex("check", "-C", inside).err


def test_a_folder_that_is_not_there_is_said(folder: Path) -> None:
    ran = supavex("check", "-C", folder / "nowhere")
    assert (ran.code, "no such folder" in ran.err, "supavex init" in ran.err) == (2, True, False)


def test_quiet_says_results_and_nothing_beside_them(project: Path) -> None:
    loud, quiet = supavex("check", "-C", project), supavex("check", "-q", "-C", project)
    assert "Next: supavex build" in loud.err
    assert (quiet.code, quiet.err) == (0, "")
    assert quiet.out.splitlines()[-1] == loud.out.splitlines()[-1]
    assert supavex("-q", "check", "-C", project).err == ""


def test_verbose_shows_where_an_error_comes_from(folder: Path) -> None:
    assert "Traceback" not in supavex("check", "-C", folder).err
    ran = supavex("check", "-v", "-C", folder)
    assert "Traceback" in ran.err
    assert "error[NoProject]" in ran.err


@pytest.mark.slow
def test_colors_are_as_asked(folder: Path) -> None:
    command = ("check", "-C", str(folder))
    assert RED not in process(*command).stderr
    assert RED in process(*command, FORCE_COLOR="1").stderr
    assert RED not in process(*command, FORCE_COLOR="0").stderr
    assert RED not in process(*command, FORCE_COLOR="1", NO_COLOR="1").stderr
    assert RED in process("--color", "always", *command, NO_COLOR="1").stderr
    assert RED not in process(*command, "--color", "never", FORCE_COLOR="1").stderr


@pytest.mark.parametrize("command", [["--help"], ["check"], ["check", "--json"], ["help", "migrate"], ["-V"]])
def test_output_that_nobody_can_take_is_an_error(project: Path, command: list[str]) -> None:
    with open("/dev/full", "w") as full:
        ran = subprocess.run(
            [sys.executable, "-m", "supavex", *command],
            cwd=project, stdout=full, stderr=subprocess.PIPE, text=True, timeout=300, check=False,
        )  # fmt: skip
    assert ran.returncode == 1
    assert "error[CannotWrite]" in ran.stderr
    assert "Traceback" not in ran.stderr
    assert "Exception ignored" not in ran.stderr


def test_without_a_command_the_help_is_shown_once() -> None:
    ran = supavex()
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("Usage: supavex")
    assert "Error" not in ran.err


def test_a_number_out_of_range_is_no_address() -> None:
    assert "99999 is not in the range" in supavex("serve", "--port", "99999").err


@pytest.mark.slow
def test_a_reader_that_goes_gets_no_verdict(project: Path) -> None:
    command = f"'{sys.executable}' -m supavex check -C '{project}' | true; echo ${{PIPESTATUS[0]}}"
    ran = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=300, check=True)
    assert ran.stdout == "141\n", ran.stderr


@pytest.mark.slow
@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_a_stream_that_is_closed_changes_no_exit_code(project: Path, closed: str) -> None:
    command = f"'{sys.executable}' -m supavex check -C '{project}' {closed}"
    ran = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=300, check=False)
    assert (ran.returncode, "Traceback" in ran.stderr) == (0, False), ran.stderr


@pytest.mark.slow
@pytest.mark.parametrize("module", ["fcntl", "resource"])  # pwd is built into CPython, and can't be hidden so
def test_a_system_without_a_module_is_told_to_use_wsl(folder: Path, tmp_path: Path, module: str) -> None:
    projects.write(folder, schema=GOOD, migrations=SQL)
    (tmp_path / f"{module}.py").write_text(f"raise ModuleNotFoundError('none', name={module!r})")
    errors = [process(command, "-C", folder, PYTHONPATH=str(tmp_path)).stderr for command in ("deploy", "verify")]
    assert any("error[UnsupportedSystem]" in error for error in errors), errors
    assert not any("Traceback" in error for error in errors), errors


def test_every_step_ends_with_the_next_one_to_type(folder: Path) -> None:
    projects.write(folder, schema=GOOD, migrations=SQL)
    steps = {
        ("inspect",): "check",
        ("check",): "build",
        ("build",): "deploy",
        ("deploy",): "migrate",
        ("migrate",): "verify",
        ("verify",): "serve",
        ("changes",): "verify",
        ("scaffold",): "check",
        ("explain", "t"): "check",
        ("plan-cutover",): "changes",
        ("rollback", "--list"): "migrate",
        ("rules",): "verify --rules",
    }
    for command, then in steps.items():
        ran = supavex(*command, "-C", folder)
        assert f"Next: supavex {then} -C {folder}" in ran.err, (command, ran.out, ran.err)
        assert "Next:" not in ran.out
        assert "Next:" not in supavex(*command, "-C", folder, "--json").err


def test_a_source_that_is_not_there_says_init(folder: Path) -> None:
    assert "supavex init" in supavex("check", "-C", folder).err
    projects.write(folder, migrations=SQL)
    ran = supavex("check", "-C", folder)
    assert (ran.code, "supavex scaffold" in ran.err, "supavex init" in ran.err) == (2, True, True)


def test_init_where_nothing_is_says_so_and_writes_nothing(folder: Path) -> None:
    ran = supavex("init", "-C", folder)
    assert (ran.code, "nothing is there" in ran.err) == (1, True)
    assert list(folder.iterdir()) == []
    (folder / "supabase/migrations").mkdir(parents=True)
    (folder / "supabase/migrations/1_x.sql").write_text("SELECT 1;")
    ran = supavex("init", "-C", folder)
    assert (ran.code, "nothing is there" in ran.err) == (1, True), ran.err
    assert not (folder / "supavex.toml").exists()
    assert not (folder / "schema.py").exists()


def test_init_names_the_statement_that_made_no_table(folder: Path) -> None:
    (folder / "supabase/migrations").mkdir(parents=True)
    (folder / "supabase/migrations/1_x.sql").write_text("SELECT 1;\nCREATE TABEL t (a int);")
    ran = supavex("init", "-C", folder)
    assert ran.code == 1
    assert "1 statement failed, first 1_x.sql:2: syntax error" in ran.err


def test_init_starts_anew_only_where_it_is_told_to(folder: Path) -> None:
    projects.write(folder, schema="precious = 1", migrations=SQL, toml="max_rejects = 3\n")
    refused = supavex("init", "-C", folder)
    assert (refused.code, "--force" in refused.err) == (2, True)
    ran = supavex("init", "--force", "-C", folder)
    assert ran.code == 0, ran.err
    assert "precious" in (folder / "schema.py.old").read_text()
    assert (folder / "supavex.toml.old").read_text() == "max_rejects = 3\n"
    assert "define_table" in (folder / "schema.py").read_text()


def test_init_that_fails_leaves_what_was_there(folder: Path) -> None:
    projects.write(folder, schema=GOOD, toml="max_rejects = 3\n")
    assert supavex("init", "--force", "-C", folder).code == 1
    assert (folder / "supavex.toml").read_text() == "max_rejects = 3\n"
    assert "define_schema" in (folder / "schema.py").read_text()


def test_a_mark_at_the_beginning_of_a_file_is_no_part_of_it(folder: Path) -> None:
    projects.write(folder, migrations=SQL)
    (folder / "supavex.toml").write_bytes(b"\xef\xbb\xbfmax_rejects = 1\n")
    (folder / "schema.py").write_bytes(
        b"\xef\xbb\xbffrom supavex.schema import define_schema, define_table, v\n" + GOOD.encode()
    )
    (folder / "supabase/config.toml").write_bytes(b'\xef\xbb\xbfproject_id = "x"\n')
    for command in ("check", "scaffold"):
        ran = supavex(command, "-C", folder)
        assert ran.code == 0, ran.err


# --------------------------------------------------------------------------------------------------- the address


LIVE = '[source]\ndatabase_url_env = "SUPABASE_DB_URL"\n'
NOWHERE = "postgresql://me:hush@127.0.0.1:1/db"


@pytest.mark.parametrize("name", [".env", ".env.local"])
def test_the_variable_is_read_from_the_files_that_tools_keep_it_in(
    folder: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SUPABASE_DB_URL", raising=False)
    projects.write(folder, schema=GOOD, toml=LIVE)
    assert ".env.local" in supavex("check", "-C", folder).err
    (folder / name).write_bytes(b'\xef\xbb\xbf# of the project\nexport SUPABASE_DB_URL="' + NOWHERE.encode() + b'"\n')
    ran = supavex("check", "-C", folder)
    assert (ran.code, "CannotConnect" in ran.err) == (2, True)
    assert f"Source: postgresql://me:***@127.0.0.1:1/db (SUPABASE_DB_URL in {name})" in ran.err
    assert "hush" not in ran.out + ran.err
    monkeypatch.setenv("SUPABASE_DB_URL", "postgresql://other@127.0.0.1:1/db")
    assert "other@127.0.0.1:1/db (SUPABASE_DB_URL in the environment)" in supavex("check", "-C", folder).err


def test_a_file_alone_makes_no_live_database_the_source(project: Path) -> None:
    (project / ".env").write_text(f"SUPABASE_DB_URL={NOWHERE}\nDATABASE_URL={NOWHERE}\n")
    ran = supavex("check", "-C", project)
    assert (ran.code, "Source:" in ran.err) == (0, False)


def test_exit_codes_say_misuse_where_a_step_is_missing(folder: Path) -> None:
    projects.write(folder, schema=GOOD, migrations=SQL)
    for command in (("verify", "--rules"), ("migrate",)):
        ran = supavex(*command, "-C", folder, "--json")
        assert (ran.code, ran.json["error"]["code"]) == (2, "SchemaNotDeployed")


def test_a_deployment_that_does_not_answer_is_told_before_node_tries(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    projects.write(folder, schema=GOOD, migrations=SQL)
    (folder / "package.json").write_text("{}")
    (folder / "node_modules/convex/bin").mkdir(parents=True)
    (folder / "node_modules/convex/bin/main.js").write_text("process.exit(3)")
    monkeypatch.setenv("CONVEX_SELF_HOSTED_ADMIN_KEY", "a|b")
    ran = supavex("migrate", "-C", folder, "--to", "http://127.0.0.1:1", "--yes", "--json")
    assert (ran.code, ran.json["error"]["code"]) == (2, "NoDeployment")
    assert "nothing answers" in ran.json["error"]["message"]


def test_a_plan_from_files_is_marked_as_a_drill(folder: Path) -> None:
    projects.write(folder, schema=GOOD, migrations=SQL)
    for command in ("deploy", "migrate", "verify"):
        assert supavex(command, "-C", folder).code == 0
    ran = supavex("plan-cutover", "-C", folder)
    assert ran.code == 0
    assert "(a drill)" in ran.out.splitlines()[0]
    assert "migration files" in ran.out.splitlines()[2]
    assert "local deployment" in ran.out.splitlines()[2]
    assert json.loads(supavex("plan-cutover", "-C", folder, "--json").out)["drill"]


def test_tables_without_rows_are_proven_and_what_needs_rows_says_so(folder: Path) -> None:
    projects.write(folder, schema=GOOD, migrations={"1.sql": "CREATE TABLE t (id uuid PRIMARY KEY, a text);"})
    for command in ("deploy", "migrate"):
        assert supavex(command, "-C", folder).code == 0
    ran = supavex("verify", "-C", folder)
    assert ran.code == 0
    assert "proven: no rows in the source and no documents in the target" in ran.out
    plan = supavex("plan-cutover", "-C", folder)
    assert (plan.code, "that moved rows" in plan.err) == (2, True)


def completed(folder: Path, *words: str) -> list[str]:
    """What bash completes, with the cursor at the end of the last word."""
    line = {
        "COMP_WORDS": " ".join(("supavex", *words)),
        "COMP_CWORD": str(len(words)),
        "_SUPAVEX_COMPLETE": "bash_complete",
    }
    code = "import sys; sys.argv[0] = 'supavex'; from supavex.cli.main import main; main()"
    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, env={**os.environ, **line},
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    return [each.partition(",")[2] for each in ran.stdout.splitlines() if each]


def test_the_shell_completes_commands_tables_and_targets(folder: Path) -> None:
    projects.write(folder, schema=GOOD, migrations={**SQL, "2.sql": "CREATE TABLE things (id int PRIMARY KEY);"})
    assert supavex("check", "-C", folder).code == 1
    assert "migrate" in completed(folder, "mig")
    assert completed(folder, "help", "mi") == ["migrate"]
    assert completed(folder, "explain", "th") == ["things"]
    assert set(completed(folder, "explain", "t")) == {"t", "things"}
    assert completed(folder, "migrate", "--tables", "t,th") == ["t,things"]
    assert completed(folder, "verify", "--to", "clo") == ["cloud"]
    assert completed(folder.parent, "explain", "th") == []
