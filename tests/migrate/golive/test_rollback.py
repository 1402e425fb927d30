"""Kept exports: how they are compared, cut to some tables, and told apart by deployment."""

from __future__ import annotations

import base64
import hashlib
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from supavex.convex.ids import encode_id
from supavex.convex.limits import STORAGE_NUMBER
from supavex.convex.snapshot import SnapshotArchive, tables_entry
from supavex.convex_cli.targets import app_variables, deployment_of
from supavex.errors import SupavexError, UsageError
from supavex.migrate.golive.kept_files import files_that_differ, holds_files, write_files
from supavex.migrate.golive.rollback import choose_export
from supavex.migrate.golive.tables_of_export import write_tables
from supavex.migrate.golive.written_since import written_since
from supavex.migrate.state.baseline import Baseline
from supavex.migrate.state.baselines import Baselines, name_of
from supavex.migrate.state.exports import KeptExport, damaged_notes, every_kept_export, kept_exports, read_export
from supavex.migrate.target.contents import NOTHING, Content, contents, same_content

NUMBERS = {"posts": 10001, "tags": 10002, "logs": 10003}


def document(table: str, number: int, **fields: Any) -> dict[str, Any]:
    return {"_id": encode_id(NUMBERS[table], number.to_bytes(16, "big")), "_creationTime": 1.5, **fields}


def archive(path: Path, *, spaced: bool = False, **tables: list[dict[str, Any]]) -> Path:
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("_tables/documents.jsonl", tables_entry({name: NUMBERS[name] for name in tables}))
        for table, documents in tables.items():
            separators = (", ", ": ") if spaced else (",", ":")
            lines = [json.dumps(one, separators=separators) + "\n" for one in documents]
            file.writestr(f"export/{table}/documents.jsonl", "".join(lines))
    return path


def test_tables_are_cut_out_of_an_export_and_those_it_lacks_are_empty(tmp_path: Path) -> None:
    posts = [document("posts", n, title=f"t{n}") for n in range(3)]
    old = archive(tmp_path / "old.zip", posts=posts, tags=[document("tags", 1)])
    new = archive(tmp_path / "new.zip", posts=[], tags=[], logs=[document("logs", 1)])
    write_tables(old, new, ["logs", "posts"], tmp_path / "cut.zip")
    with SnapshotArchive(tmp_path / "cut.zip") as cut:
        assert cut.tables == ["logs", "posts"]
        assert cut.numbers == {"logs": 10003, "posts": 10001}
        assert list(cut.documents("posts")) == posts
        assert list(cut.documents("logs")) == []
    assert contents(tmp_path / "cut.zip", ["posts", "logs"]) == contents(old, ["posts", "logs"])
    assert contents(old, ["logs"]) == {"logs": NOTHING}


def test_a_table_that_convex_would_take_for_stored_files_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    old = archive(tmp_path / "old.zip", posts=[])
    with zipfile.ZipFile(old, "a") as file:
        file.writestr("user_storage/documents.jsonl", "")
        file.writestr("user_storage/generated_schema.jsonl", '"uniform"\n')
    with pytest.raises(SupavexError, match="takes the entry") as caught:
        write_tables(old, old, ["user_storage"], tmp_path / "back.zip")
    assert caught.value.code == "TableNameLikeStorage" and "does not end with _storage" in (caught.value.hint or "")


def with_files(path: Path, **files: bytes) -> dict[str, str]:
    """Adds stored files to an archive; their ids, by name."""
    ids = {name: encode_id(STORAGE_NUMBER, name.encode().ljust(16, b"-")) for name in files}
    with zipfile.ZipFile(path, "a") as file:
        for name, content in files.items():
            file.writestr(f"export/_storage/{ids[name]}.txt", content)
        digests = {name: base64.b64encode(hashlib.sha256(content).digest()).decode() for name, content in files.items()}
        lines = [
            {"_id": ids[n], "_creationTime": 2.5, "contentType": "text/plain", "sha256": digests[n]} for n in files
        ]
        file.writestr("export/_storage/documents.jsonl", "".join(json.dumps(line) + "\n" for line in lines))
    return ids


def test_stored_files_that_are_gone_or_others_are_put_back(tmp_path: Path) -> None:
    old, new = archive(tmp_path / "old.zip", posts=[]), archive(tmp_path / "new.zip", posts=[])
    assert not holds_files(old)
    ids = with_files(old, same=b"same", other=b"as it was", gone=b"gone")
    ids |= with_files(new, same=b"same", other=b"as it is", came=b"came since")
    assert holds_files(old)
    assert files_that_differ(old, new) == {ids["other"], ids["gone"]}
    assert files_that_differ(old, old) == set()
    with zipfile.ZipFile(tmp_path / "back.zip", "w") as file:
        write_files(old, new, file)
    with SnapshotArchive(tmp_path / "back.zip") as back:
        entries = list(back.stored_files(STORAGE_NUMBER))
        found = {entry.id: b"".join(back.read_stored(entry.entry)) for entry in entries}
        assert {(entry.created, entry.content_type) for entry in entries} == {(2.5, "text/plain")}
        assert all(entry.sha256 == hashlib.sha256(found[entry.id]).digest() for entry in entries)
    expected = {"same": b"same", "other": b"as it was", "gone": b"gone", "came": b"came since"}
    assert found == {ids[name]: content for name, content in expected.items()}
    assert files_that_differ(old, tmp_path / "back.zip") == set()


def test_documents_are_compared_by_their_values(tmp_path: Path) -> None:
    posts = [document("posts", n, title="t", score=1.0) for n in range(3)]
    first = archive(tmp_path / "a.zip", posts=posts)
    second = archive(tmp_path / "b.zip", posts=posts[::-1], spaced=True)
    other = archive(tmp_path / "c.zip", posts=[*posts[:2], {**posts[2], "score": 2.0}])
    with SnapshotArchive(first) as a, SnapshotArchive(second) as b, SnapshotArchive(other) as c:
        assert same_content(a, a, "posts")
        assert same_content(a, b, "posts"), "in another order, and written otherwise"
        assert not same_content(a, c, "posts")
        assert same_content(a, c, "tags"), "neither has it"
    assert written_since("posts", first, other) == (0, 1, 0)
    less = archive(tmp_path / "d.zip", posts=[posts[0], document("posts", 7), document("posts", 8)])
    assert written_since("posts", first, less) == (2, 0, 2)


def test_kept_exports_are_told_apart_by_their_deployment(tmp_path: Path) -> None:
    for number, target in enumerate(("cloud dev:a", "cloud prod:b")):
        path = archive(tmp_path / f"before-{number}.zip", posts=[])
        KeptExport(path, target, "migration", f"2026-01-0{number + 1}", "", {"posts": Content(1, "ab")}).write()
    (tmp_path / "before-9.zip").write_bytes(b"")
    assert [kept.target for kept in kept_exports(tmp_path, "cloud prod:b")] == ["cloud prod:b"]
    assert len(every_kept_export(tmp_path)) == 2
    for path, code in ((tmp_path / "before-9.zip", "UnknownExport"), (tmp_path / "x.zip", "NoExport")):
        with pytest.raises(UsageError) as caught:
            read_export(path)
        assert caught.value.code == code
    assert damaged_notes(tmp_path) == []
    (tmp_path / "before-0.json").write_text("{")
    assert [kept.target for kept in every_kept_export(tmp_path)] == ["cloud prod:b"]
    assert damaged_notes(tmp_path) == [tmp_path / "before-0.json"]
    # What came before the chosen export does not matter; what came after it is put back too, so it has to be known.
    assert choose_export(tmp_path, "cloud prod:b", None).path == tmp_path / "before-1.zip"
    archive(tmp_path / "before-2.zip", posts=[])
    (tmp_path / "before-2.json").write_text("{}")
    for wanted in (None, tmp_path / "before-1.zip"):
        with pytest.raises(UsageError, match="is damaged"):
            choose_export(tmp_path, "cloud prod:b", wanted)


def test_cloud_is_the_deployment_that_the_app_is_connected_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("CONVEX_SELF_HOSTED_URL", "CONVEX_DEPLOYMENT", "CONVEX_DEPLOY_KEY"):
        monkeypatch.delenv(name, raising=False)
    convex = tmp_path / "convex"
    assert deployment_of(convex, "cloud") == "cloud"
    (tmp_path / ".env.local").write_text(
        "CONVEX_DEPLOYMENT=dev:happy-animal-123 # team: t\nVITE_CONVEX_URL=https://x\nVITE_SUPABASE_URL=https://y\n"
    )
    assert deployment_of(convex, "cloud") == "cloud dev:happy-animal-123"
    assert app_variables(convex) == ("VITE_CONVEX_URL", "VITE_SUPABASE_URL")
    for line in ('export CONVEX_DEPLOYMENT="dev:quoted" # "a" comment', "CONVEX_DEPLOYMENT = 'dev:quoted'# x"):
        (tmp_path / ".env.local").write_text(f"# CONVEX_DEPLOYMENT=dev:no\r\n{line}\r\n")
        assert deployment_of(convex, "cloud") == "cloud dev:quoted"
    monkeypatch.setenv("CONVEX_DEPLOYMENT_TOKEN", "prod:other-name|secret")
    assert deployment_of(convex, "cloud") == "cloud prod:other-name"
    monkeypatch.delenv("CONVEX_DEPLOYMENT_TOKEN")
    monkeypatch.setenv("CONVEX_DEPLOY_KEY", "prod:swift-fox-7|secret")
    assert deployment_of(convex, "cloud") == "cloud prod:swift-fox-7"
    assert name_of(deployment_of(convex, "cloud")) == "cloud-prod-swift-fox-7"
    monkeypatch.setenv("CONVEX_DEPLOY_KEY", "onlyasecret")
    assert "secret" not in deployment_of(convex, "cloud")
    monkeypatch.setenv("CONVEX_SELF_HOSTED_URL", "http://127.0.0.1:3210/")
    assert deployment_of(convex, "cloud") == deployment_of(convex, "http://127.0.0.1:3210/") == "http://127.0.0.1:3210"
    assert name_of("http://127.0.0.1:3210") == "127.0.0.1-3210"
    assert (deployment_of(convex, "local"), name_of("local")) == ("local", "local")


def test_the_baseline_that_follows_a_target_goes_before_its_copies(tmp_path: Path) -> None:
    baselines = Baselines(tmp_path)
    assert baselines.latest() is None
    for target, also in (("local", "first"), ("http://127.0.0.1:3210", None), ("local", "second")):
        with Baseline.new(baselines.begun(name_of(target)), target, "2026-01-01T00:00:00Z", {}):
            pass
        baselines.keep(target, also)
    assert baselines.latest() == "local"
    assert set(baselines.names()) == {"local", "first", "second", "127.0.0.1-3210"}
