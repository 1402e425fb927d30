"""Imports as the server runs them: asked for, confirmed, done; and their ends when something is wrong."""

import asyncio
import json
import os
import pickle
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from supavex.convex.snapshot import SnapshotArchive
from supavex.deployment import Deployment
from supavex.deployment.server import imports, jobs, transfers
from supavex.deployment.server.host import Addresses, Host
from supavex.deployment.server.transfers import Transfers
from supavex.deployment.transfer.importing import Mode, import_snapshot
from supavex.deployment.transfer.table_files import TableFile
from supavex.errors import SupavexError
from supavex.schema import define_schema, define_table, v
from tests.deployment.archives import document, documents, everything, id_of, import_entries, tables, write_archive

TOKEN = "0" * 32


@pytest.fixture
def host(deployment: Deployment, tmp_path: Path) -> Host:
    """The deployment as a server has it."""
    return Host(deployment, tmp_path, "name|key", Addresses("http://127.0.0.1:1", "http://127.0.0.1:2"))


def run(host: Host, work: Callable[[Transfers], Awaitable[Any]]) -> Any:
    """Does ``work``, and waits for what it has started."""

    async def whole() -> Any:
        found = Transfers(host)
        result = await work(found)
        while found.tasks:
            await asyncio.wait_for(asyncio.gather(*found.tasks), 20)
        return result

    return asyncio.run(whole())


async def upload(found: Transfers, content: bytes, **wanted: Any) -> str:
    token = found.start_upload()
    half = len(content) // 2
    found.part(token, "1").write_bytes(content[:half])
    found.part(token, "2").write_bytes(content[half:])
    return await found.finish_upload({"import": wanted, "uploadToken": token, "partTokens": ["1", "2"]})


def begun(host: Host, content: bytes, form: str = "jsonLines", mode: str = "requireEmpty", **wanted: Any) -> str:
    if form != "zip":
        wanted = {"tableName": "posts", **wanted}
    return run(host, lambda found: upload(found, content, format=form, mode=mode, **wanted))


def state(host: Host, id_: str) -> dict[str, Any]:
    job = jobs.job_document(host.deployment.store, "import", id_)
    assert job is not None
    return job["state"]


def perform(host: Host, id_: str) -> dict[str, Any]:
    run(host, lambda found: found.perform(id_))
    return state(host, id_)


def archive(path: Path, *entries: dict[str, str]) -> bytes:
    together = {name: text for part in entries for name, text in part.items()}
    return write_archive(path / "upload.zip", together).read_bytes()


# The way of an import


def test_an_import_asks_and_then_writes(host: Host):
    id_ = begun(host, b'{"a":1}\n{"a":2}\n')
    waiting = state(host, id_)
    assert waiting["state"] == "waiting_for_confirmation"
    assert waiting["require_manual_confirmation"] is False
    assert "posts" in waiting["message_to_confirm"]
    assert host.deployment.tables() == []
    done = perform(host, id_)
    assert (done["state"], done["num_rows_written"]) == ("completed", 2)
    assert host.deployment.count("posts") == 2
    assert list((host.folder / "uploads").iterdir()) == []


@pytest.mark.parametrize(
    ("mode", "confirm", "left"),
    [("append", False, 3), ("replace", True, 1), ("replaceAll", True, 1)],
)
def test_what_deletes_wants_confirmation(host: Host, mode: str, confirm: bool, left: int):
    for _ in range(2):
        host.deployment.insert("posts", {"a": 0.0})
    host.deployment.insert("other", {})
    id_ = begun(host, b'{"a":1}\n', mode=mode)
    assert state(host, id_)["require_manual_confirmation"] is confirm
    assert perform(host, id_)["state"] == "completed"
    assert host.deployment.count("posts") == left
    assert ("other" in host.deployment.tables()) == (mode != "replaceAll")


def test_replacing_stored_files_wants_confirmation(host: Host, tmp_path: Path):
    from supavex.deployment.database.stored_files import Files

    files = Files(host.deployment.store, host.folder)
    path = files.new_path()
    path.write_bytes(b"old")
    old = files.keep(path, None)
    id_ = id_of(540, 1)
    content = archive(tmp_path, {"_storage/documents.jsonl": json.dumps({"_id": id_}) + "\n", f"_storage/{id_}": "new"})
    import_id = begun(host, content, "zip", "replace")
    waiting = state(host, import_id)
    assert waiting["require_manual_confirmation"] is True
    assert "_storage" in waiting["message_to_confirm"]
    assert perform(host, import_id)["num_rows_written"] == 1
    assert [file.id for file in files.all()] == [id_]
    assert not old.path.exists()


def test_a_table_with_documents_is_not_written_over_without_being_asked_to(host: Host):
    host.deployment.insert("posts", {"a": 0.0})
    failed = state(host, begun(host, b'{"a":1}\n'))
    assert failed["state"] == "failed"
    assert failed["error_message"].startswith("TableExists")


def test_a_cancelled_import_writes_nothing(host: Host):
    id_ = begun(host, b'{"a":1}\n')
    run(host, lambda found: found.cancel(id_))
    assert state(host, id_)["state"] == "failed"
    assert list((host.folder / "uploads").iterdir()) == []
    for work in (lambda found: found.perform(id_), lambda found: found.cancel(id_)):
        with pytest.raises(SupavexError) as caught:
            run(host, work)
        assert caught.value.code in ("ImportNotWaiting", "CannotCancelImport")


@pytest.mark.parametrize("id_", ["", "abc", id_of(541, 99), id_of(516, 1), id_of(10_001, 1)])
def test_an_import_that_is_not_there(host: Host, id_: str):
    with pytest.raises(SupavexError) as caught:
        run(host, lambda found: found.perform(id_))
    assert caught.value.code == "ImportNotFound"


# What is wrong


def test_an_import_that_fails_in_the_middle_ends_and_changes_nothing(host: Host, tmp_path: Path):
    """Also where its first table has been told of as being imported."""
    host.deployment.push(define_schema({"b": define_table({"n": v.number()})}).export())
    before = host.deployment.count("b"), host.deployment.tables()
    rows = documents(a=[document(10_050, 1)], b=[{"n": "text"}])
    id_ = begun(host, archive(tmp_path, rows), "zip")
    failed = perform(host, id_)
    assert failed["state"] == "failed"
    assert failed["error_message"].startswith("SchemaEnforcementError: Failed to insert or update a document")
    assert host.progress == {}
    assert (host.deployment.count("b"), host.deployment.tables()) == before


def test_a_stored_file_that_is_damaged_imports_no_table_either(host: Host, tmp_path: Path):
    id_ = id_of(540, 1)
    path = tmp_path / "upload.zip"
    with zipfile.ZipFile(path, "w") as made:
        made.writestr("posts/documents.jsonl", '{"a":1}\n')
        made.writestr(f"_storage/{id_}", b"contents")
    content = path.read_bytes().replace(b"contents", b"kontents")
    failed = perform(host, begun(host, content, "zip"))
    assert failed["error_message"].startswith("InvalidArchive")
    assert host.deployment.tables() == []
    assert list((host.folder / "storage").iterdir()) == []


def test_a_bug_ends_the_import_too(host: Host, monkeypatch: pytest.MonkeyPatch):
    id_ = begun(host, b'{"a":1}\n')
    monkeypatch.setattr(imports, "import_snapshot", lambda *given, **named: 1 / 0)
    failed = perform(host, id_)
    assert failed["state"] == "failed"
    assert "ZeroDivisionError" in failed["error_message"]
    monkeypatch.setattr(imports, "_summary", lambda *given, **named: 1 / 0)
    assert state(host, begun(host, b'{"a":1}\n'))["state"] == "failed"


# In a process of its own


@pytest.fixture
def aside(monkeypatch: pytest.MonkeyPatch) -> None:
    """Imports of any size are done by a process of their own."""
    monkeypatch.setattr(imports, "_ASIDE_BYTES", 0)
    monkeypatch.setattr(imports, "processors", lambda: 2)


def test_a_process_of_its_own_imports_as_a_thread_does(host: Host, aside: None):
    told = list[dict[str, Any]]()
    host.progress = Noticed(told)
    id_ = begun(host, b'{"a":1}\n{"a":2}\n')
    asked = state(host, id_)
    assert asked["state"] == "waiting_for_confirmation"
    assert "posts" in asked["message_to_confirm"]
    assert perform(host, id_)["num_rows_written"] == 2
    assert {one["a"] for one in host.deployment.documents("posts")} == {1.0, 2.0}
    assert told[-1]["progress_message"] == 'Importing "posts" (2 documents)'


class Noticed(dict[str, Any]):
    """Progress, and all that was ever told of it."""

    def __init__(self, told: list[Any]) -> None:
        super().__init__()
        self.told = told

    def __setitem__(self, key: str, value: Any) -> None:
        self.told.append(value)
        super().__setitem__(key, value)


def test_what_is_wrong_is_said_as_by_a_thread(host: Host, aside: None):
    host.deployment.push(define_schema({"posts": define_table({"a": v.string()})}).export())
    failed = perform(host, begun(host, b'{"a":1}\n'))
    assert failed["state"] == "failed"
    assert "posts" in failed["error_message"]
    assert host.deployment.count("posts") == 0
    with pytest.raises(SupavexError) as known:
        import_snapshot(host.deployment, file_of(host.deployment, '{"a":1}\n'), "append")
    assert failed["error_message"].startswith(f"{known.value.code}: ")


def test_a_process_that_ends_early_ends_the_import(host: Host, aside: None, monkeypatch: pytest.MonkeyPatch):
    id_ = begun(host, b'{"a":1}\n')
    monkeypatch.setattr(sys, "executable", shutil.which("true"))
    failed = perform(host, id_)
    assert failed["error_message"].startswith("ImportInterrupted")
    assert host.deployment.tables() == []


def test_the_process_ends_with_the_server(host: Host, tmp_path: Path):
    """Nothing is imported that nobody is told of: a server that was killed says that nothing was."""
    content = tmp_path / "content"
    os.mkfifo(content)  # which is read for as long as nobody writes
    wanted = imports.ImportJob(host.deployment.path, tmp_path, "append", "jsonLines", "posts", content)
    command, pipe = [sys.executable, "-m", imports.__name__], subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe) as process:
        assert process.stdin is not None
        pickle.dump(("perform", wanted), process.stdin)
        process.stdin.flush()
        with open(content, "wb"):  # opened when the process reads it
            assert process.poll() is None
            process.stdin.close()
            assert process.wait(30) == 1


def test_an_export_that_fails_makes_room_for_the_next(host: Host, monkeypatch: pytest.MonkeyPatch):
    real = transfers.export_snapshot
    monkeypatch.setattr(transfers, "export_snapshot", lambda *given, **named: 1 / 0)
    run(host, lambda found: found.request_export(storage=False))
    monkeypatch.setattr(transfers, "export_snapshot", real)
    run(host, lambda found: found.request_export(storage=False))
    states = [job["state"]["state"] for job in jobs.job_documents(host.deployment.store, "export")]
    assert states == ["completed", "failed"]


def test_one_export_at_a_time(host: Host):
    async def two(found: Transfers) -> list[Any]:
        return await asyncio.gather(*(found.request_export(storage=False) for _ in range(3)), return_exceptions=True)

    refused = [error for error in run(host, two) if error is not None]
    assert [error.code for error in refused] == ["ExportInProgress"] * 2


def test_what_a_stopped_server_left_is_failed(host: Host):
    waiting = begun(host, b'{"a":1}\n')
    Transfers(host).clean()
    assert "Nothing was imported" in state(host, waiting)["error_message"]
    assert not (host.folder / "uploads").exists()


# Uploads


@pytest.mark.parametrize("token", ["", "x", TOKEN, "../" + TOKEN, "/etc", "0" * 31 + "/", "\0"])
def test_a_token_that_is_none(host: Host, token: str):
    with pytest.raises(SupavexError) as caught:
        Transfers(host).part(token, "1")
    assert caught.value.code == "UploadTokenInvalid"


@pytest.mark.parametrize("number", ["", "0", "-1", "10001", "1.0", " 1", "1/../2", "a", "9" * 5000, "١"])
def test_a_part_number_that_is_none(host: Host, number: str):
    found = Transfers(host)
    with pytest.raises(SupavexError) as caught:
        found.part(found.start_upload(), number)
    assert caught.value.code == "InvalidPartNumber"


@pytest.mark.parametrize(
    ("written", "tokens", "code"),
    [
        (["1", "3"], ["1", "2", "3"], "InvalidPartToken"),
        (["1", "3"], ["1", "3"], "InvalidPartToken"),
        (["1", "2"], ["2", "1"], "InvalidPartToken"),
        (["1"], ["1", "1"], "InvalidPartToken"),
        (["1"], "1", "BadJsonBody"),
        (["1"], None, "BadJsonBody"),
        (["1"], ["../x"], "InvalidPartNumber"),
        (["1"], [None], "InvalidPartNumber"),
    ],
)
def test_parts_that_are_missing_are_noticed(host: Host, written: list[str], tokens: Any, code: str):
    async def finish(found: Transfers) -> None:
        token = found.start_upload()
        for number in written:
            found.part(token, number).write_bytes(b'{"a":1}\n')
        wanted = {"format": "jsonLines", "mode": "append", "tableName": "posts"}
        await found.finish_upload({"import": wanted, "uploadToken": token, "partTokens": tokens})

    with pytest.raises(SupavexError) as caught:
        run(host, finish)
    assert caught.value.code == code


def test_a_part_that_was_not_acknowledged_is_not_taken(host: Host):
    async def finish(found: Transfers) -> str:
        token = found.start_upload()
        found.part(token, "1").write_bytes(b'{"a":1}\n')
        found.part(token, "2").write_bytes(b'{"a":')
        wanted = {"format": "jsonLines", "mode": "append", "tableName": "posts"}
        id_ = await found.finish_upload({"import": wanted, "uploadToken": token, "partTokens": ["1"]})
        with pytest.raises(SupavexError) as caught:
            await found.finish_upload({"import": wanted, "uploadToken": token, "partTokens": []})
        assert caught.value.code == "UploadTokenInvalid"
        return id_

    assert perform(host, run(host, finish))["num_rows_written"] == 1


@pytest.mark.parametrize(
    "wanted",
    [
        {"format": "xml", "mode": "append"},
        {"format": "csv", "mode": "merge"},
        {"format": [], "mode": {}},
        {"format": "csv", "mode": "append", "tableName": ["a"]},
        {"format": "csv", "mode": "append", "tableName": "a", "componentPath": "c/../d"},
    ],
)
def test_an_import_that_is_not_understood(host: Host, wanted: dict[str, Any]):
    with pytest.raises(SupavexError) as caught:
        run(host, lambda found: upload(found, b"a\n1\n", **wanted))
    assert caught.value.code in ("BadJsonBody", "NotSupportedHere", "InvalidComponentPath")


@pytest.mark.parametrize("table", [None, "", "_storage", "a b"])
def test_a_table_that_can_not_be(host: Host, table: str | None):
    failed = state(host, begun(host, b"a\n1\n", "csv", tableName=table))
    assert failed["error_message"].partition(":")[0] in ("TableNameRequired", "InvalidName")


# Modes of an import


def file_of(deployment: Deployment, text: str) -> TableFile:
    path = deployment.path.with_name("posts.jsonl")
    path.write_text(text)
    return TableFile(path, "posts", "jsonLines", deployment.schema)


@pytest.fixture
def posts(deployment: Deployment) -> Iterator[Deployment]:
    """Two posts, number 10001, in a table with an index."""
    deployment.push(define_schema({"posts": define_table({"n": v.number()}).index("by_n", ["n"])}).export())
    import_entries(deployment, documents(posts=[document(10_001, 1, n=1.5), document(10_001, 2, n=2.5)]))
    return deployment


def numbers(deployment: Deployment) -> list[float]:
    return [row["n"] for row in deployment.query("posts").with_index("by_n")]


@pytest.mark.parametrize(
    ("mode", "there"),
    [("append", [0.5, 1.5, 2.5]), ("replace", [0.5]), ("replaceAll", [0.5])],
)
def test_modes_and_the_index(posts: Deployment, mode: Mode, there: list[float]):
    import_snapshot(posts, file_of(posts, '{"n":0.5}\n'), mode)
    assert numbers(posts) == there
    assert posts.table_numbers() == {"posts": 10_001}


def test_append_of_an_id_that_is_there(posts: Deployment):
    before = everything(posts)
    with pytest.raises(SupavexError) as caught:
        import_entries(posts, documents(posts=[document(10_001, 3, n=1.0), document(10_001, 2, n=1.0)]), "append")
    assert caught.value.code == "DuplicateId"
    assert everything(posts) == before


def test_append_under_another_number(posts: Deployment):
    with pytest.raises(SupavexError) as caught:
        import_entries(posts, tables(posts=10_005), "append")
    assert caught.value.code == "TableNumberConflict"


def test_append_makes_tables_that_are_not_there(posts: Deployment, tmp_path: Path):
    rows = documents(users=[document(10_009, 1)], empty=[])
    import_entries(posts, rows, "append")
    assert posts.tables() == ["empty", "posts", "users"]
    assert posts.table_numbers()["users"] == 10_009


def test_append_holds_documents_against_the_schema(posts: Deployment):
    before = everything(posts)
    with pytest.raises(SupavexError) as caught:
        import_snapshot(posts, file_of(posts, '{"n":0.5}\n{"n":"x"}\n'), "append")
    assert caught.value.code == "SchemaEnforcementError"
    assert everything(posts) == before


def test_an_empty_archive_replaces_nothing_and_replace_all_everything(posts: Deployment):
    import_entries(posts, {"README.md": "nothing"}, "replace")
    assert numbers(posts) == [1.5, 2.5]
    posts.insert("extra", {})
    import_entries(posts, {"README.md": "nothing"}, "replaceAll")
    assert posts.tables() == ["posts"]
    assert numbers(posts) == []


def test_a_snapshot_may_lie_in_a_folder(posts: Deployment, tmp_path: Path):
    path = write_archive(tmp_path / "deep.zip", {"a/b/posts/documents.jsonl": '{"n": 9}\n', "__MACOSX/._x": "junk"})
    with SnapshotArchive(path) as opened:
        import_snapshot(posts, opened, "replace")
    assert numbers(posts) == [9.0]
