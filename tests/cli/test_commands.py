"""The command line as a user meets it: exit codes, JSON, messages for what is missing or wrong."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from supavex.postgres import server as servers
from tests import projects
from tests.projects import ROOT, supavex

GOOD = 'schema = define_schema({"t": define_table({"a": v.optional(v.string())})})'
SQL = {"1.sql": "CREATE TABLE t (id uuid PRIMARY KEY, a text);\nINSERT INTO t VALUES (gen_random_uuid(), 'x');"}


@pytest.fixture
def folder() -> Iterator[Path]:
    with projects.folder() as path:
        yield path


@pytest.mark.parametrize("command", ["check", "build", "deploy", "migrate", "verify"])
def test_without_a_project_every_command_says_what_to_do(command: str, folder: Path) -> None:
    ran = supavex(command, "-C", folder)
    assert ran.code == 2
    assert "NoProject" in ran.err
    assert "supavex.toml" in ran.err
    assert ran.out == ""


@pytest.mark.parametrize("command", ["check", "build", "deploy", "migrate", "verify"])
def test_without_a_schema_every_command_says_what_to_do(command: str, folder: Path) -> None:
    projects.write(folder, migrations=SQL)
    ran = supavex(command, "-C", folder, "--json")
    assert ran.code == 2
    assert ran.json["error"]["code"] == "NoSchema"
    assert ran.json["error"]["where"] == "schema.py"


@pytest.mark.parametrize("command", ["check", "migrate", "verify"])
def test_without_migrations_the_source_is_said_to_be_missing(command: str, folder: Path) -> None:
    projects.write(folder, schema=GOOD)
    ran = supavex(command, "-C", folder)
    assert ran.code == 2
    assert "NoMigrations" in ran.err
    assert "supabase/migrations" in ran.err


@pytest.mark.parametrize("command", ["check", "migrate", "verify"])
def test_a_database_that_does_not_answer_is_named_without_its_password(command: str, folder: Path) -> None:
    url = "postgresql://me:hush%20hush@127.0.0.1:1/db?password=second"
    projects.write(folder, schema=GOOD, toml=f'[source]\ndatabase_url = "{url}"\n')
    ran = supavex(command, "-C", folder)
    assert ran.code == 2
    assert "CannotConnect" in ran.err
    assert "me:***@127.0.0.1:1" in ran.err
    for secret in ("hush", "second"):
        assert secret not in ran.err + ran.out


def test_the_transaction_pooler_is_refused_with_the_way_out(folder: Path) -> None:
    toml = '[source]\ndatabase_url = "postgresql://me:secret@pooler.example:6543/postgres"\n'
    projects.write(folder, schema=GOOD, toml=toml)
    ran = supavex("check", "-C", folder)
    assert (ran.code, "5432" in ran.err, "secret" in ran.err) == (2, True, False)


def test_a_schema_that_raises_is_a_diagnostic_with_its_line(folder: Path) -> None:
    projects.write(folder, schema="\nschema = define_schema({'t': nowhere})", migrations=SQL)
    ran = supavex("check", "-C", folder, "--json")
    assert ran.code == 1
    (found,) = ran.json["diagnostics"]
    assert (found["code"], found["severity"], found["where"]) == ("SchemaRaises", "error", "schema.py:3")
    assert "nowhere" in found["message"]


@pytest.mark.parametrize(
    ("schema", "code"),
    [("x = 1", "MissingSchemaExportError"), ("schema = 5", "MissingSchemaExportError"), ("def (", "SchemaSyntaxError")],
)
def test_a_file_without_a_schema_is_a_diagnostic(folder: Path, schema: str, code: str) -> None:
    projects.write(folder, schema=schema, migrations=SQL)
    ran = supavex("check", "-C", folder, "--json")
    assert (ran.code, ran.json["diagnostics"][0]["code"]) == (1, code)


def test_check_finds_errors_of_schema_and_source_at_once(folder: Path) -> None:
    projects.write(
        folder,
        schema='schema = define_schema({"t": define_table({"a": v.number(), "x": v.id("none")}).index("i", ["y"])})',
        migrations={**SQL, "2.sql": "CREATE TABLE lost (id int PRIMARY KEY);"},
    )
    ran = supavex("check", "-C", folder, "--json")
    assert ran.code == 1
    assert set(ran.json) == {"ok", "tables", "diagnostics"}
    assert {d["code"] for d in ran.json["diagnostics"]} >= {
        "UnknownTable", "SchemaDefinitionError", "TypeDoesNotFit", "FieldWithoutColumn", "TableNotMapped"
    }  # fmt: skip
    assert all(set(d) == {"code", "severity", "where", "message", "hint"} for d in ran.json["diagnostics"])
    assert {"source": "public.lost", "target": "", "status": "missing", "columns": 1} in ran.json["tables"]


def test_what_a_command_keeps_is_ignored_by_git(folder: Path) -> None:
    projects.write(folder, schema=GOOD, migrations=SQL)
    subprocess.run(["git", "init", "-q", str(folder)], check=True, timeout=180)
    for command in ("check", "deploy", "migrate", "verify"):
        assert supavex(command, "-C", folder).code == 0
    ran = subprocess.run(
        ["git", "-C", str(folder), "status", "--short", "-uall"], capture_output=True, text=True, timeout=60, check=True
    )
    assert ".supavex" not in ran.stdout
    assert "schema.py" in ran.stdout


def test_migrate_refuses_what_check_refuses(folder: Path) -> None:
    projects.write(folder, schema='schema = define_schema({"t": define_table({"a": v.number()})})', migrations=SQL)
    ran = supavex("migrate", "-C", folder, "--out", folder / "x.zip")
    assert ran.code == 1
    assert "CheckFailed" in ran.err
    assert not (folder / "x.zip").exists()


def test_strict_counts_warnings(folder: Path) -> None:
    projects.write(folder, schema='schema = define_schema({"t": define_table({"a": v.string()})})', migrations=SQL)
    assert supavex("check", "-C", folder).code == 0
    assert supavex("check", "-C", folder, "--strict").code == 1
    assert supavex("check", "-C", folder, "--strict", "--json").json["ok"] is False


def test_a_statement_that_fails_to_replay_is_a_warning_with_file_and_line(folder: Path) -> None:
    projects.write(folder, schema=GOOD, migrations={**SQL, "2.sql": "\n\nSELECT nothing_here();"})
    ran = supavex("check", "-C", folder, "--json")
    assert ran.code == 0
    found = next(d for d in ran.json["diagnostics"] if d["code"] == "CodeNotRun")
    assert found["where"] == "2.sql:3"
    assert "nothing_here" in found["message"]


@pytest.mark.parametrize("arguments", [["nothing"], ["check", "--nothing"], ["migrate", "--max-rejects", "-1"]])
def test_misuse_is_exit_code_2(arguments: list[str]) -> None:
    ran = supavex(*arguments)
    assert ran.code == 2
    assert "Usage" in ran.err or "Error" in ran.err


@pytest.mark.parametrize(
    ("target", "code", "hint"),
    [
        ("https://happy-animal-1.convex.cloud", "NoApp", "convex folder of your app"),
        ("cloud", "NoApp", "convex folder of your app"),
    ],
)
@pytest.mark.parametrize("command", ["deploy", "migrate", "verify"])
def test_a_target_that_is_not_local_needs_the_app(
    folder: Path, command: str, target: str, code: str, hint: str
) -> None:
    projects.write(folder, schema=GOOD, migrations=SQL)
    ran = supavex(command, "-C", folder, "--to", target)
    assert ran.code == 2
    assert code in ran.err
    assert hint in ran.err


def test_what_the_app_lacks_is_said(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    projects.write(folder, schema=GOOD, migrations=SQL)
    for name in ("CONVEX_SELF_HOSTED_ADMIN_KEY", "CONVEX_SELF_HOSTED_URL", "CONVEX_DEPLOYMENT", "CONVEX_DEPLOY_KEY"):
        monkeypatch.delenv(name, raising=False)
    (folder / "package.json").write_text("{}")
    assert "npm install convex" in supavex("deploy", "-C", folder, "--to", "cloud").err
    (folder / "node_modules/convex/bin").mkdir(parents=True)
    (folder / "node_modules/convex/bin/main.js").write_text("")
    assert "npx convex dev" in supavex("deploy", "-C", folder, "--to", "cloud").err
    ran = supavex("deploy", "-C", folder, "--to", "http://127.0.0.1:1")
    assert (ran.code, "CONVEX_SELF_HOSTED_ADMIN_KEY" in ran.err) == (2, True)
    assert "UnknownTarget" in supavex("deploy", "-C", folder, "--to", "somewhere").err
    monkeypatch.setenv("PATH", str(folder))
    assert "Node 20" in supavex("deploy", "-C", folder, "--to", "cloud").err


def test_deploy_refuses_whole_what_a_document_does_not_fit(folder: Path) -> None:
    projects.write(folder, schema=GOOD, migrations=SQL)
    for command in ("deploy", "migrate"):
        assert supavex(command, "-C", folder).code == 0
    projects.write(
        folder, schema='schema = define_schema({"t": define_table({"a": v.number()}), "u": define_table({})})'
    )
    ran = supavex("deploy", "-C", folder, "--json")
    assert ran.code == 1
    assert ran.json["error"]["code"] == "SchemaValidationFailed"
    assert ".a" in ran.json["error"]["message"]
    projects.write(folder, schema=GOOD)
    assert supavex("deploy", "-C", folder, "--json").json["change"]["newTables"] == []


def test_a_deploy_says_what_changed_and_writes_its_summary(folder: Path) -> None:
    projects.write(folder, schema=GOOD, migrations=SQL)
    first = supavex("deploy", "-C", folder, "--json", "--summary", folder / "deep/summary.md")
    assert first.json["change"]["newTables"] == ["t"]
    summary = (folder / "deep/summary.md").read_text()
    assert "| `t` | `public.t` | 1 |" in summary
    again = supavex("deploy", "-C", folder)
    assert "Nothing to change" in again.out
    projects.write(folder, schema=GOOD[:-2] + '.index("by_a", ["a"])})')
    supavex("migrate", "-C", folder)
    dry = supavex("deploy", "-C", folder, "--dry-run", "--json")
    assert (dry.json["dryRun"], dry.json["change"]["newIndexes"]) == (True, ["t.by_a"])
    third = supavex("deploy", "-C", folder, "--json")
    assert third.json["change"]["newIndexes"] == ["t.by_a"]


def test_the_summary_of_the_users_project_lists_what_is_not_carried_over() -> None:
    with projects.folder() as folder:
        projects.copy_of_my21staff(folder)
        assert supavex("deploy", "-C", folder).code == 0
        text = (folder / ".planning/phases/05-data-migration/05-01-SUMMARY.md").read_text()
    assert "Tables: 15 (15 new" in text
    for kind in ("unique", "check", "cascade", "policy", "trigger", "view", "function", "default", "publication"):
        assert f"### {kind} (" in text
    assert "ariScoringConfig" in text


def test_commands_work_from_any_folder(folder: Path, tmp_path: Path) -> None:
    projects.write(folder, schema=GOOD, migrations=SQL)
    command = [sys.executable, "-m", "supavex", "check", "-C", os.path.relpath(folder, tmp_path), "--json"]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=180, check=False)
    assert ran.returncode == 0, ran.stderr
    assert json.loads(ran.stdout)["ok"] is True


def test_a_live_database_is_a_source_too(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with servers.temporary() as server:
        url = f"postgresql://{servers.SUPERUSER}:{server.password}@/postgres?host={server.socket_folder}"
        servers.execute_script(
            server, "CREATE TABLE t (id uuid PRIMARY KEY, a text); INSERT INTO t SELECT gen_random_uuid(), 'live';"
        )
        monkeypatch.setenv("SUPABASE_DB_URL", url)
        projects.write(folder, schema=GOOD, toml='[source]\ndatabase_url_env = "SUPABASE_DB_URL"\n')
        for command in ("check", "deploy", "migrate", "verify"):
            ran = supavex(command, "-C", folder)
            assert ran.code == 0, ran.out + ran.err
        # A row that came after the copy is in the source and not in the target: said, not hidden.
        servers.execute_script(server, "INSERT INTO t VALUES (gen_random_uuid(), 'later');")
        ran = supavex("verify", "-C", folder, "--json")
        (table,) = ran.json["tables"]
        assert (ran.code, table["changed"], table["counts"]) == (1, 1, {})
        assert (ran.json["verdict"], ran.json["ok"]) == ("changed since the copy", False)


def test_row_level_security_raises_instead_of_hiding_rows(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with servers.temporary() as server:
        servers.execute_script(
            server,
            "CREATE TABLE t (id uuid PRIMARY KEY, a text); INSERT INTO t SELECT gen_random_uuid(), 'hidden';"
            "ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE ROLE app LOGIN; GRANT SELECT ON t TO app;",
        )
        toml = f'[source]\ndatabase_url = "postgresql://app@/postgres?host={server.socket_folder}"\n'
        projects.write(folder, schema=GOOD, toml=toml)
        ran = supavex("migrate", "-C", folder, "--out", folder / "x.zip")
        assert ran.code == 2
        assert "PermissionDenied" in ran.err
        assert "role postgres" in ran.err
        assert not (folder / "x.zip").exists()


def test_a_table_that_this_role_may_not_read_is_said(folder: Path) -> None:
    with servers.temporary() as server:
        servers.execute_script(server, "CREATE TABLE t (id uuid PRIMARY KEY, a text); CREATE ROLE app LOGIN;")
        toml = f'[source]\ndatabase_url = "postgresql://app@/postgres?host={server.socket_folder}"\n'
        projects.write(folder, schema=GOOD, toml=toml)
        ran = supavex("migrate", "-C", folder, "--out", folder / "x.zip")
        assert (ran.code, "PermissionDenied" in ran.err, "Traceback" in ran.err) == (2, True, False)


def test_help_imports_no_heavy_package() -> None:
    code = (
        "import sys\nfrom supavex.cli.main import cli\n"
        "try: cli.main(['--help'])\nexcept SystemExit: pass\n"
        "assert not {'psycopg', 'numpy', 'pyarrow', 'pglast', 'rich'} & set(sys.modules), sorted(sys.modules)"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=180, check=False)
    assert ran.returncode == 0, ran.stderr


def test_a_cached_check_starts_no_server_and_imports_neither_its_driver_nor_arrow(folder: Path) -> None:
    projects.write(folder, schema=GOOD, migrations=SQL)
    assert supavex("check", "-C", folder).code == 0
    code = (
        "import sys, supavex.postgres.server as s\ns.running = None\n"
        "from supavex.cli.main import cli\n"
        f"assert cli.main(['check', '-C', {str(folder)!r}], standalone_mode=False) == 0\n"
        "assert not {'psycopg', 'numpy', 'pyarrow', 'pglast', 'rich'} & set(sys.modules)"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=180, check=False)
    assert ran.returncode == 0, ran.stderr


@pytest.mark.slow
def test_a_reader_that_goes_away_is_no_error(folder: Path) -> None:
    command = f"{sys.executable} -m supavex demo -C {folder}/demo | head -1"
    ran = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=300, check=False)
    assert ran.stdout.startswith("1  source")
    assert "Traceback" not in ran.stderr


def test_the_demo_twice_and_as_json(folder: Path) -> None:
    for _ in range(2):
        ran = supavex("demo", "-C", folder / "demo", "--json")
        assert ran.code == 0, ran.err
        assert ran.json["ok"] is True
        assert len(ran.json["migration"]["tables"]) == 15
        assert ran.json["verification"]["proof"] is True


def test_the_tutorial_goes_on_in_the_folder_of_the_demo(folder: Path) -> None:
    place = folder / "first"
    assert supavex("demo", "-C", place).code == 0
    # What the demo left is proven, and then each step by hand.
    steps = re.findall(r"(?m)^ {4}supavex ([^#\n]+)", (ROOT / "docs/tutorial.md").read_text())
    assert steps[0] == "demo -C first" and {"inspect", "check", "migrate", "verify"} <= set(steps)
    for step in ["verify", *steps[1:]]:
        if step not in ("serve", "init"):
            ran = supavex(*step.split(), "-C", place)
            assert ran.code == 0, (step, ran.out, ran.err)


def test_the_demo_takes_no_folder_that_holds_something_else(folder: Path) -> None:
    (folder / "precious.txt").write_text("mine")
    ran = supavex("demo", "-C", folder)
    assert ran.code == 2
    assert "FolderNotEmpty" in ran.err
