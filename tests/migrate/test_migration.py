"""The user's project, moved for real: the archive, the second run, the runs that fail."""

import hashlib
import json
import signal
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from supavex.deployment import Deployment
from tests import projects
from tests.projects import supavex


@pytest.fixture
def folder() -> Iterator[Path]:
    with projects.folder() as path:
        yield projects.copy_of_my21staff(path)


def sha(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_two_runs_on_the_same_source_give_the_same_bytes(folder: Path) -> None:
    assert supavex("migrate", "-C", folder, "--out", folder / "a.zip").code == 0
    assert supavex("migrate", "-C", folder, "--out", folder / "b.zip").code == 0
    assert sha(folder / "a.zip") == sha(folder / "b.zip")
    with zipfile.ZipFile(folder / "a.zip") as archive:
        assert archive.testzip() is None
        lines = archive.read("_tables/documents.jsonl").decode().splitlines()
        assert len([json.loads(line) for line in lines]) == 15


def test_the_archive_is_the_same_from_a_source_replayed_anew(folder: Path) -> None:
    supavex("migrate", "-C", folder, "--out", folder / "a.zip")
    (folder / ".supavex/source/catalog.json").unlink()
    supavex("migrate", "-C", folder, "--out", folder / "b.zip")
    assert sha(folder / "a.zip") == sha(folder / "b.zip")


def test_a_second_migration_gives_the_same_deployment(folder: Path) -> None:
    assert supavex("deploy", "-C", folder).code == 0

    def contents() -> dict[str, list[object]]:
        assert supavex("migrate", "-C", folder).code == 0
        with Deployment(folder / ".supavex/deployment.sqlite3") as deployment:
            return {table: list(deployment.documents(table)) for table in deployment.tables()}

    first = contents()
    assert sum(map(len, first.values())) == 99
    assert contents() == first


def test_out_writes_the_archive_and_touches_no_deployment(folder: Path) -> None:
    ran = supavex("migrate", "-C", folder, "--out", folder / "x.zip", "--json")
    assert ran.code == 0
    assert ran.json["archive"] == str(folder / "x.zip")
    assert ran.json["imported"] is False
    assert not (folder / ".supavex/deployment.sqlite3").exists()


def test_a_dry_run_writes_nothing(folder: Path) -> None:
    assert supavex("deploy", "-C", folder).code == 0
    before = {
        path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file() and "source" not in path.parts
    }
    ran = supavex("migrate", "-C", folder, "--dry-run", "--json")
    assert ran.code == 0
    assert ran.json["rejected"] == 3
    after = {
        path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file() and "source" not in path.parts
    }
    assert {p: t for p, t in after.items() if "sqlite3" not in p.name} == {
        p: t for p, t in before.items() if "sqlite3" not in p.name
    }
    with Deployment(folder / ".supavex/deployment.sqlite3") as deployment:
        assert deployment.count("articles") == 0


def test_rejects_have_key_column_reason_and_fix(folder: Path) -> None:
    supavex("migrate", "-C", folder, "--out", folder / "x.zip")
    lines = (folder / ".supavex/migration/rejects.jsonl").read_text().splitlines()
    rejects = {json.loads(line)["key"]: json.loads(line) for line in lines}
    codes = {key: (r["table"], r["column"], r["code"]) for key, r in rejects.items()}
    assert codes == {
        "bad00000-0001-4000-8000-00000000a001": ("public.ari_appointments", "ari_conversation_id", "DanglingReference"),
        "bad00000-0002-4000-8000-00000000b001": ("public.ari_payments", "status", "NullInRequired"),
        "bad00000-0003-4000-8000-00000000c001": ("public.ari_appointments", "payment_id", "RejectedParent"),
    }
    assert all(reject["reason"] and reject["fix"] for reject in rejects.values())


def test_more_rejects_than_allowed_import_nothing(folder: Path) -> None:
    supavex("deploy", "-C", folder)
    ran = supavex("migrate", "-C", folder, "--max-rejects", "2", "--json")
    assert ran.code == 1
    assert (ran.json["ok"], ran.json["imported"], ran.json["rejected"]) == (False, False, 3)
    with Deployment(folder / ".supavex/deployment.sqlite3") as deployment:
        assert deployment.count("workspaces") == 0


def test_some_tables_only(folder: Path) -> None:
    supavex("deploy", "-C", folder)
    assert supavex("migrate", "-C", folder).code == 0
    with Deployment(folder / ".supavex/deployment.sqlite3") as deployment:
        article = next(deployment.documents("articles"))
        deployment.replace(article["_id"], {k: x for k, x in article.items() if k[0] != "_"} | {"title": "changed"})
        webinar = next(deployment.documents("webinars"))
        deployment.delete(webinar["_id"])
    ran = supavex("migrate", "-C", folder, "--tables", "articles", "--json")
    assert [table["source"] for table in ran.json["tables"]] == ["public.articles"]
    with Deployment(folder / ".supavex/deployment.sqlite3") as deployment:
        assert deployment.get(article["_id"]) == article
        assert deployment.get(webinar["_id"]) is None


def test_an_unknown_table_is_named_with_the_known_ones(folder: Path) -> None:
    ran = supavex("migrate", "-C", folder, "--tables", "artikel")
    assert ran.code == 2
    assert "artikel" in ran.err
    assert "ari_payments" in ran.err


def test_a_deployment_without_the_schema_is_refused(folder: Path) -> None:
    ran = supavex("migrate", "-C", folder)
    assert ran.code == 2
    assert "SchemaNotDeployed" in ran.err
    assert "supavex deploy" in ran.err


def test_the_numbers_of_a_deployment_win_over_the_lock(folder: Path) -> None:
    with Deployment(folder / ".supavex/deployment.sqlite3") as deployment:
        # An older table of the app's own has the number that the lock gives to the first one.
        deployment.insert("zebras", {"name": "z"})
    assert supavex("deploy", "-C", folder).code == 0
    assert supavex("migrate", "-C", folder).code == 0
    assert supavex("verify", "-C", folder).code == 0
    with Deployment(folder / ".supavex/deployment.sqlite3") as deployment:
        assert deployment.table_numbers()["zebras"] == 10001
        assert deployment.table_numbers()["ariAiComparison"] == 10002
        assert deployment.count("zebras") == 1


def test_a_full_disk_or_closed_folder_is_said_and_leaves_the_old_archive(folder: Path) -> None:
    (folder / "out").mkdir()
    (folder / "out/file").write_text("not a folder")
    ran = supavex("migrate", "-C", folder, "--out", folder / "out/file/x.zip")
    assert (ran.code, "NoArchiveName" in ran.err) == (2, True)
    assert supavex("migrate", "-C", folder, "--out", folder / "out/x.zip").code == 0
    old = (folder / "out/x.zip").read_bytes()
    (folder / "out/x.zip.partial").mkdir()
    ran = supavex("migrate", "-C", folder, "--out", folder / "out/x.zip")
    assert (ran.code, "CannotWrite" in ran.err) == (2, True)
    assert "move it away" in ran.err
    assert (folder / "out/x.zip").read_bytes() == old


@pytest.mark.parametrize("stage", ["supavex.migrate.copy.tables.copy_table", "supavex.migrate.copy.run.write_archive"])
def test_a_killed_run_leaves_nothing_that_hurts_the_next(folder: Path, stage: str) -> None:
    assert supavex("deploy", "-C", folder).code == 0
    module, name = stage.rsplit(".", 1)
    code = (
        f"import os, signal, {module} as m\n"
        f"m.{name} = lambda *a: os.kill(os.getpid(), signal.SIGKILL)\n"
        f"from supavex.cli.main import main\nmain(['migrate', '-C', {str(folder)!r}])\n"
    )
    killed = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=180, check=False)
    assert killed.returncode == -signal.SIGKILL
    assert not (folder / ".supavex/migration/snapshot.zip").exists()
    ran = supavex("migrate", "-C", folder)
    assert ran.code == 0, ran.err
    assert supavex("verify", "-C", folder).code == 0
    assert sorted(p.name for p in (folder / ".supavex/migration").iterdir()) == [
        "baselines", "copied", "lock", "proof.html", "proof.json", "rejects.jsonl", "report.json", "report.md",
        "runs.jsonl", "snapshot.zip",
    ]  # fmt: skip
    assert [p.name for p in (folder / ".supavex/migration/baselines").iterdir()] == ["local.sqlite3"]


@pytest.mark.slow
def test_a_terminated_run_stops_its_server(folder: Path) -> None:
    arguments = ["migrate", "-C", str(folder), "--out", str(folder / "x.zip")]
    code = (
        "import os, signal, supavex.migrate.copy.tables as m\n"
        "m.copy_table = lambda *a: os.kill(os.getpid(), signal.SIGTERM)\n"
        f"from supavex.cli.main import main\nmain({arguments!r})\n"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=180, check=False)
    assert ended.returncode == 130
    assert "Interrupted" in ended.stderr
    data = folder / ".supavex/source/database/data"
    assert (data / "PG_VERSION").exists(), "the server was there"
    assert not (data / "postmaster.pid").exists(), "and has stopped"
