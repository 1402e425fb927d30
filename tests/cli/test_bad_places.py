"""Files and folders that are not what a command needs: said, with what to do, and never a traceback."""

import errno
import json
import os
import shutil
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from supavex.deployment import Deployment
from supavex.errors import SupavexError, file_error
from supavex.files import whole_path
from supavex.migrate.proof.findings import Proof
from supavex.migrate.proof.run import verify
from supavex.postgres import server as servers
from supavex.settings.reading import load_settings
from tests import projects
from tests.databases import Database, new_database
from tests.deployment.archives import documents, import_entries, tables
from tests.projects import Ran, supavex

SCHEMA = """schema = define_schema({"a": define_table({"id": v.number(), "v": v.optional(v.string())}),
"b": define_table({"id": v.number(), "a": v.optional(v.id("a"))})})"""


@pytest.fixture(scope="module")
def database(server: servers.Server) -> Iterator[Database]:
    with new_database(server) as found:
        found.run("CREATE TABLE a (id int PRIMARY KEY, v text); INSERT INTO a VALUES (1, 'x'), (2, 'y')")
        found.run("CREATE TABLE b (id int PRIMARY KEY, a int REFERENCES a)")
        yield found


@pytest.fixture
def folder(database: Database) -> Iterator[Path]:
    with projects.folder() as path:
        toml = f"[source]\ndatabase_url = {json.dumps(database.url())}\n"
        yield projects.write(path, schema=SCHEMA, toml=toml)


def error_of(ran: Ran, code: int) -> dict[str, Any]:
    """The error that a command says; each has a place, and what to do."""
    assert ran.code == code, ran.out + ran.err
    found: dict[str, Any] = ran.json["error"]
    assert found["where"]
    assert found["hint"]
    return found


def test_rejects_that_are_none(folder: Path) -> None:
    assert supavex("deploy", "-C", folder, "--json").code == 0
    for name, make, code in (
        ("folder", Path.mkdir, "NoRejects"),
        ("binary", lambda path: path.write_bytes(b'{"table": "\xb5"}\n'), "InvalidRejects"),
        ("missing", lambda path: None, "NoRejects"),
    ):
        path = folder / name
        make(path)
        found = error_of(supavex("verify", "-C", folder, "--rejects", path, "--json"), 2)
        assert (found["code"], str(path) in found["where"]) == (code, True)


def test_a_proof_is_of_what_the_deployment_held_when_it_began(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for command in ("deploy", "migrate"):
        assert supavex(command, "-C", folder, "--json").code == 0

    def verify_amid_an_import(*arguments: Any, **options: Any) -> Proof:
        with Deployment(folder / ".supavex/deployment.sqlite3") as other:
            numbers = {**tables(**other.table_numbers()), **documents(a=[], b=[])}
            assert import_entries(other, numbers, "replace").deleted["a"] == 2
        return verify(*arguments, **options)

    monkeypatch.setattr("supavex.migrate.verifying.verify", verify_amid_an_import)
    assert supavex("verify", "-C", folder, "--json").json["verdict"] == "proven"
    monkeypatch.undo()
    assert supavex("verify", "-C", folder, "--json").json["verdict"] == "not proven"


def test_a_configuration_that_is_a_folder_and_a_folder_that_is_a_file(folder: Path) -> None:
    (folder / "other").mkdir()
    found = error_of(supavex("check", "-C", folder, "--config", "other", "--json"), 2)
    assert (found["code"], found["where"]) == ("InvalidConfig", str(folder / "other"))
    found = error_of(supavex("check", "-C", folder / "supavex.toml", "--json"), 2)
    assert (found["code"], found["where"]) == ("NoProject", str(folder / "supavex.toml"))
    assert supavex("init", "-C", folder / "supavex.toml", "--json").code == 2


@pytest.mark.parametrize("command", [("migrate", "--out", "o.zip"), ("migrate",), ("verify",), ("deploy",)])
def test_a_file_in_the_place_of_the_projects_state(folder: Path, command: tuple[str, ...]) -> None:
    (folder / ".supavex").touch()
    words = [folder / word if word.endswith(".zip") else word for word in command]
    found = error_of(supavex(*words, "-C", folder, "--json"), 2)
    # Whether it is to be written or to be read first.
    assert found["code"] in ("CannotWrite", "CannotUseFile")
    assert found["where"].startswith(str(folder / ".supavex"))
    assert "move it away" in found["hint"]


@contextmanager
def somebody_else() -> Iterator[None]:
    """Of root the rights of a user who owns nothing here; others have none to lose."""
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)


@pytest.mark.parametrize("there", [False, True])
def test_a_folder_that_cannot_be_written_is_found_out_first(folder: Path, there: bool) -> None:
    project = load_settings(folder)
    if there:
        if os.geteuid() != 0:
            pytest.skip("only root has another user's folder")
        project.make_state()
    folder.chmod(0o555)
    with somebody_else(), pytest.raises(SupavexError) as caught:
        project.make_state()
    folder.chmod(0o755)
    code = "UnsafeFile" if there else "CannotWrite"  # one that is there is another user's
    assert (caught.value.code, caught.value.where, caught.value.exit_code) == (code, str(project.state), 2)
    assert ("Run supavex as its owner" if there else "Let this user write there") in (caught.value.hint or "")


def test_what_the_operating_system_says_decides_what_to_do() -> None:
    full = file_error(OSError(errno.ENOSPC, "No space left on device", "/x"))
    assert (full.exit_code, full.retryable, full.where) == (1, True, "/x")
    assert "Make room" in (full.hint or "")
    closed = file_error(OSError(errno.EROFS, "Read-only file system", "/x"))
    assert (closed.exit_code, closed.retryable) == (2, False)
    assert "Make room" not in (closed.hint or "")


def test_an_archive_where_a_folder_is_or_a_file_is_above(folder: Path) -> None:
    (folder / "made").mkdir()
    for name in (folder / "made", "", folder / "schema.py" / "o.zip"):
        found = error_of(supavex("migrate", "-C", folder, "--out", name, "--json"), 2)
        assert found["code"] == "NoArchiveName"
    assert not list(folder.rglob("*.work*"))
    assert not (folder / ".supavex").exists()


def test_an_archive_that_supavex_did_not_write_is_kept(folder: Path) -> None:
    """An export of Convex has the same form, and may be the only copy of what a deployment held."""
    export, other = folder / "export.zip", folder / "notes.zip"
    with zipfile.ZipFile(export, "w") as archive:
        archive.writestr("README.md", "Welcome to your Convex snapshot export!")
    other.write_text("no archive")
    kept = {path: path.read_bytes() for path in (export, other)}
    for path in kept:
        for more in ((), ("--dry-run",), ("--restart",), ("--existing", export)):
            found = error_of(supavex("migrate", "-C", folder, "--out", path, *more, "--json"), 2)
            assert (found["code"], found["where"]) == ("FileInTheWay", str(path))
    assert {path: path.read_bytes() for path in kept} == kept
    own = folder / "own.zip"
    for _ in range(2):
        assert supavex("migrate", "-C", folder, "--out", own, "--json").code == 0
    assert supavex("migrate", "-C", folder, "--out", own, "--restart", "--json").code == 0


def test_other_files_are_kept_as_well(folder: Path) -> None:
    other, remarks = folder / "notes.md", folder / "users.remarks.jsonl"
    for path in (other, remarks):
        path.write_text("mine")
    for option, command in (
        ("--out", ("plan-cutover",)),
        ("--summary", ("deploy",)),
        ("--out", ("users", "--for", "clerk")),
        ("--out", ("users", "--for", "convex-auth")),
    ):
        found = error_of(supavex(*command, "-C", folder, option, other, "--json"), 2)
        assert (found["code"], found["where"]) == ("FileInTheWay", str(other))
        assert option in found["hint"]
    found = error_of(supavex("users", "--for", "clerk", "-C", folder, "--out", folder / "users.json", "--json"), 2)
    assert (found["code"], found["where"]) == ("FileInTheWay", str(remarks))
    assert {path.read_text() for path in (other, remarks)} == {"mine"}
    assert not (folder / ".supavex/deployment.sqlite3").exists()
    summary = folder / "summary.md"
    summary.touch()  # An empty file holds nothing to lose: it is what CI gives.
    for _ in range(2):
        assert supavex("deploy", "-C", folder, "--summary", summary, "--json").code == 0


def test_a_device_is_never_replaced() -> None:
    with pytest.raises(SupavexError, match="neither a file nor a folder"), whole_path(Path("/dev/null")):
        pass
    assert Path("/dev/null").is_char_device()


def test_a_dry_run_makes_no_folder(folder: Path) -> None:
    ran = supavex("migrate", "-C", folder, "--dry-run", "--json")
    assert (ran.code, ran.json["error"]["code"]) == (2, "SchemaNotDeployed")
    assert supavex("migrate", "-C", folder, "--dry-run", "--out", folder / "o.zip", "--json").code == 0
    assert not (folder / ".supavex").exists()
    assert not (folder / "o.zip").exists()


def changed(archive: Path, change: Callable[[bytes], bytes]) -> None:
    old = archive.with_suffix(".old")
    shutil.move(archive, old)
    with zipfile.ZipFile(old) as source, zipfile.ZipFile(archive, "w") as target:
        for name in source.namelist():
            content = source.read(name)
            target.writestr(name, change(content) if name == "a/documents.jsonl" else content)


@pytest.mark.parametrize("fresh", ["verify", "restore", "existing"])
@pytest.mark.parametrize(
    "change",
    [
        lambda lines: b'{"id":1.0,"_creationTime":1.0}\n',
        lambda lines: lines.replace(b'"x"', b'"\\ud800"'),
        lambda lines: b'{"_id":5.0,"id":1.0,"_creationTime":1.0}\n',
    ],
    ids=["no id", "half a surrogate pair", "an id that is a number"],
)
def test_an_archive_with_documents_that_are_none(
    folder: Path, server: servers.Server, fresh: str, change: Callable[[bytes], bytes]
) -> None:
    archive = folder / "a.zip"
    assert supavex("migrate", "-C", folder, "--out", archive, "--json").code == 0
    changed(archive, change)
    if fresh == "verify":
        ran = supavex("verify", archive, "-C", folder, "--json")
    elif fresh == "restore":
        with new_database(server) as target:
            target.run("CREATE TABLE a (id int PRIMARY KEY, v text); CREATE TABLE b (id int PRIMARY KEY, a int)")
            ran = supavex("restore", archive, "-C", folder, "--to", target.url(), "--json")
    else:
        with (folder / "supavex.toml").open("a") as toml:
            toml.write('[tables.a]\nexisting = { match = { v = "v" } }\n')
        ran = supavex("migrate", "-C", folder, "--out", folder / "o.zip", "--existing", archive, "--json")
    if fresh == "verify":
        # A proof goes on behind a document that can't be read: the other tables are compared, too.
        found = {table["target"]: table["counts"] for table in ran.json["tables"]}
        assert (ran.code, ran.json["ok"], found["a"]["damaged document"] >= 1, found["b"]) == (1, False, True, {})
        return
    assert (ran.code, ran.json["error"]["code"]) == (1, "DamagedDocument"), ran.out + ran.err
    assert "documents.jsonl" in ran.json["error"]["where"]
