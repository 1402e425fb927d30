"""Stored files, as functions see them."""

from __future__ import annotations

import base64
import hashlib
import threading

import pytest

from supavex.deployment.database.usage import Limits

from .app import App


def test_actions_store_and_load(app: App):
    id_ = app.run("files:store", text="é", type="text/plain")
    assert app.run("files:load", id=id_) == ["é", "text/plain", 2]
    assert app.run("reading:normalize", table="rows", id=id_) is None
    assert app.run("files:roundTrip") is True
    plain = app.run("files:store", text="abc")
    assert app.run("files:load", id=plain) == ["abc", "", 3]


def test_a_file_of_another_digest_is_refused(app: App):
    digest = hashlib.sha256(b"abc").digest()
    assert app.run("files:store", text="abc", sha256=digest.hex())
    assert app.error("files:store", text="abd", sha256=digest.hex())
    assert len(app.run("files:all")) == 1


def test_metadata_and_address(app: App):
    id_ = app.run("files:store", text="abc", type="text/plain")
    digest = hashlib.sha256(b"abc").digest()
    told, document = app.run("files:metadata", id=id_)
    assert told == {"storageId": id_, "size": 3, "contentType": "text/plain", "sha256": digest.hex()}
    assert document["_id"] == id_ and document["sha256"] == base64.b64encode(digest).decode()
    assert (document["size"], document["contentType"]) == (3, "text/plain")
    url = app.run("files:url", id=id_)
    assert url.startswith("http://127.0.0.1:3210/api/storage/")
    assert app.run("files:url", id=url.rpartition("/")[2]) == url


def test_ids_that_name_no_file(app: App):
    id_ = app.run("files:store", text="abc")
    app.run("files:remove", id=id_)
    assert app.run("files:url", id=id_) is None
    assert app.run("files:metadata", id=id_) == [None, None]
    assert app.run("files:load", id=id_) is None
    assert app.error("files:remove", id=id_)
    (row,) = app.rows(1)
    for odd in (row, "nonsense"):
        for function in ("url", "load", "remove"):
            assert app.error(f"files:{function}", id=odd)


def test_removal_is_part_of_the_mutation(app: App):
    id_ = app.run("files:store", text="abc")
    assert app.error("files:remove", id=id_, fail=True) == "Error: no"
    assert app.run("files:load", id=id_) == ["abc", "", 3]
    assert app.run("files:remove", id=id_) is None, "and is seen at once"
    assert app.run("files:load", id=id_) is None
    assert app.run("files:all") == []
    folder = app.deployment.path.parent / "storage"
    assert list(folder.iterdir()) == [], "its bytes are gone"


def test_actions_remove(app: App):
    id_ = app.run("files:store", text="abc")
    app.run("files:removeInAction", id=id_)
    assert app.run("files:all") == []


def test_files_in_the_order_in_which_they_came(app: App):
    ids = [app.run("files:store", text=str(n)) for n in range(3)]
    assert [file["_id"] for file in app.run("files:all")] == ids


def test_a_query_of_files_changes_with_them(app: App):
    outcome = app.outcome("files:all")
    since = app.functions.engine.log.last
    app.rows(1)
    assert app.functions.engine.valid(outcome.reads, since)
    app.run("files:store", text="abc")
    assert not app.functions.engine.valid(outcome.reads, since)


def test_nothing_listens_for_uploads_without_a_server(app: App):
    assert "is not served" in app.error("files:uploadUrl")


def contents(app: App) -> list[bytes]:
    """What lies in the folder of the stored files."""
    folder = app.deployment.path.parent / "storage"
    return sorted(path.read_bytes() for path in folder.iterdir()) if folder.is_dir() else []


def test_mutations_store_and_load(app: App):
    told = app.run("files:storeInMutation", text="é", type="text/plain")
    assert (told["text"], told["type"], told["size"], told["listed"]) == ("é", "text/plain", 2, [told["id"]])
    assert told["used"] == [1, 2, 1, 2] and not told["gone"]
    assert app.run("files:load", id=told["id"]) == ["é", "text/plain", 2]
    assert app.run("files:loadInMutation", id=told["id"]) == ["é", "text/plain"]
    assert app.run("files:url", id=told["id"]) == told["url"]
    assert contents(app) == ["é".encode()]
    app.run("files:remove", id=told["id"])
    assert app.run("files:loadInMutation", id=told["id"]) is None


def test_what_a_mutation_stores_is_part_of_it(app: App):
    assert app.error("files:storeInMutation", text="a", fail=True) == "Error: no"
    assert app.run("files:storeInMutation", text="b", remove=True)["gone"]
    digest = hashlib.sha256(b"abc").digest()
    assert app.error("files:storeInMutation", text="abd", sha256=base64.b64encode(digest).decode())
    assert (app.run("files:all"), contents(app)) == ([], [])
    for fails in (True, False):
        told = app.run("files:storeAndCall", fails=fails)
        assert told["failed"] is fails
        assert told["kept"] in told["listed"] and len(told["listed"]) == (1 if fails else 3)
        assert [file["_id"] for file in app.run("files:all")] == told["listed"]
    assert contents(app) == [b"called", b"kept", b"kept"]


def test_a_mutation_that_is_run_again_stores_once(app: App):
    threads = [threading.Thread(target=app.run, args=("files:storeAndCount",)) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert contents(app) == [str(n).encode() for n in range(6)]


def test_files_of_a_mutation_have_limits(app: App, monkeypatch: pytest.MonkeyPatch):
    # Lower ones than Convex's: a mutation that stores 16 MiB may take more than its second.
    monkeypatch.setattr("supavex.deployment.database.usage.LIMITS", Limits(files_written=4, file_write_bytes=10_000))
    app.run("files:storeLarge", count=2.0, size=5_000.0)
    assert "Too many bytes of files written" in app.error("files:storeLarge", count=3.0, size=5_000.0)
    app.run("files:storeLarge", count=4.0, size=1.0)
    assert "Too many files written" in app.error("files:storeLarge", count=5.0, size=1.0)
    assert len(contents(app)) == 6


def test_what_is_no_storage_id(app: App):
    said = app.fails("files:url", id="INVALID").message
    assert said.startswith(
        'Uncaught Error: Invalid argument `storageId` for `storage.getUrl`: Invalid storage ID: "INVALID". '
        f"Storage ID should be an\n{' ' * 20}Id of '_storage' table, or a UUID string.\n"
    )
    (row,) = app.rows(1.0)
    assert app.error("files:metadata", id=row) == (
        "Error: Invalid argument `storageId` for `storage.getMetadata`: Invalid storage ID. "
        "Storage ID cannot be an ID on any table other than '_storage'."
    )
