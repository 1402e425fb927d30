"""Files of storage buckets: into an archive and into the local deployment, proven; missing and odd ones are said."""

import base64
import json
import unicodedata
import uuid
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from supavex.convex.limits import STORAGE_NUMBER
from supavex.convex.snapshot import SnapshotArchive
from supavex.deployment import Deployment
from supavex.deployment.database.stored_files import Files
from supavex.migrate.storage import sources as file_sources
from supavex.migrate.storage.buckets import file_id
from supavex.migrate.storage.entries import address_name
from tests import files, projects
from tests.files import deployed, stored
from tests.projects import supavex


@pytest.fixture
def folder() -> Iterator[Path]:
    with projects.folder() as path:
        yield files.make(path)


def expected(contents: dict[str, bytes] = files.FILES) -> dict[str, bytes]:
    return {file_id(files.ID(n)): content for n, content in enumerate(contents.values(), 1)}


def test_files_move_and_are_proven(folder: Path) -> None:
    assert supavex("check", "--strict", "-C", folder).code == 0
    assert supavex("deploy", "-C", folder).code == 0
    ran = supavex("migrate", "-C", folder, "--json")
    assert ran.code == 0, ran.out + ran.err
    table = ran.json["tables"][-1]
    assert (table["source"], table["target"], table["documents"]) == ("storage.objects", "_storage", 4)
    assert table["bytes"] == sum(map(len, files.FILES.values()))
    assert ran.json["files"]["unlisted"] == 0
    assert stored(folder / ".supavex/migration/snapshot.zip") == expected()
    assert deployed(folder) == expected()
    with Deployment(folder / ".supavex/deployment.sqlite3") as deployment:
        assert {document["cover"] for document in deployment.documents("pages")} == set(expected())
    proof = supavex("verify", "-C", folder, "--json")
    assert proof.code == 0, proof.out
    found = proof.json["tables"][-1]
    assert (found["source"], found["matched"], found["ok"]) == ("storage.objects", 4, True)


def test_the_archive_says_of_each_file_what_convex_does(folder: Path) -> None:
    assert supavex("migrate", "-C", folder, "--out", folder / "out.zip").code == 0
    with zipfile.ZipFile(folder / "out.zip") as archive:
        assert archive.testzip() is None
        lines = [json.loads(line) for line in archive.read("_storage/documents.jsonl").splitlines()]
        first = next(line for line in lines if line["_id"] == file_id(files.ID(1)))
        names = sorted(name for name in archive.namelist() if name.startswith("_storage/k"))
    assert first == {
        "_creationTime": 1704067200000.0,
        "_id": file_id(files.ID(1)),
        "contentType": "text/plain",
        "internalId": first["internalId"],
        "sha256": "LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=",
        "size": 5,
    }
    # Whoever knows a file's id must not know its address.
    assert first["internalId"] != files.ID(1)
    secret = (folder / ".supavex/storage.key").read_bytes()
    assert first["internalId"] == address_name(secret, uuid.UUID(files.ID(1)).bytes)
    assert [name.rpartition(".")[2] for name in names if file_id(files.ID(2)) in name] == ["svg"]
    before = (folder / "out.zip").read_bytes()
    assert supavex("migrate", "-C", folder, "--out", folder / "out.zip").code == 0
    assert (folder / "out.zip").read_bytes() == before


def test_a_second_run_replaces_nothing_twice_and_leaves_the_apps_own_files(folder: Path) -> None:
    supavex("deploy", "-C", folder)
    assert supavex("migrate", "-C", folder).code == 0
    with Deployment(folder / ".supavex/deployment.sqlite3") as deployment:
        own = Files(deployment.store, folder / ".supavex")
        path = own.new_path()
        path.write_bytes(b"uploaded by the app")
        uploaded = own.keep(path, "text/plain").id
        names = {file.id: file.name for file in own.all()}
    assert supavex("migrate", "-C", folder).code == 0
    assert deployed(folder) == {**expected(), uploaded: b"uploaded by the app"}
    with Deployment(folder / ".supavex/deployment.sqlite3") as deployment:
        assert {file.id: file.name for file in Files(deployment.store, folder / ".supavex").all()} == names
    assert len(list((folder / ".supavex/storage").iterdir())) == 5
    assert supavex("verify", "-C", folder).code == 0


def test_files_that_are_missing_cut_short_or_unknown(folder: Path) -> None:
    (folder / "files/covers/a.txt").unlink()
    (folder / "files/covers/large.dat").write_bytes(b"cut short")
    (folder / "files/covers/unknown.txt").write_bytes(b"?")
    (folder / "files/elsewhere").mkdir()
    (folder / "files/elsewhere/no-bucket.txt").write_bytes(b"?")
    supavex("deploy", "-C", folder)
    ran = supavex("migrate", "-C", folder, "--max-rejects", "4", "--json")
    assert ran.code == 0, ran.out
    assert ran.json["reasons"] == {
        "storage.objects.name: FileMissing": 1,
        "storage.objects.metadata: FileSizeDiffers": 1,
        "public.pages.cover: RejectedParent": 2,
    }
    assert (ran.json["files"]["unlisted"], ran.json["files"]["firstUnlisted"]) == (1, ["covers/unknown.txt"])
    rejects = [json.loads(line) for line in Path(ran.json["rejects"]).read_text().splitlines()]
    assert {r["key"] for r in rejects if r["table"] == "storage.objects"} == {files.ID(1), files.ID(4)}
    assert supavex("verify", "-C", folder).code == 0
    # The file came after all: the rejects file explains it no more than it explains a stranger.
    with Deployment(folder / ".supavex/deployment.sqlite3") as deployment:
        own = Files(deployment.store, folder / ".supavex")
        path = own.new_path()
        path.write_bytes(b"hello")
        own.keep(path, "text/plain", id_=file_id(files.ID(1)))
    assert supavex("verify", "-C", folder, "--json").json["tables"][-1]["counts"] == {"rejected but there": 1}


def test_the_proof_sees_every_byte(folder: Path) -> None:
    supavex("deploy", "-C", folder)
    assert supavex("migrate", "-C", folder).code == 0

    def columns() -> set[str]:
        ran = supavex("verify", "-C", folder, "--json")
        assert ran.code == 1
        return {mismatch["column"] for mismatch in ran.json["tables"][-1]["mismatches"]}

    # One byte of the source.
    (folder / "files/covers/large.dat").write_bytes(files.FILES["large.dat"][:-1] + b"x")
    assert columns() == {"contents"}
    (folder / "files/covers/large.dat").write_bytes(files.FILES["large.dat"])
    assert supavex("verify", "-C", folder).code == 0
    # One byte of the target, under what is said of it.
    with Deployment(folder / ".supavex/deployment.sqlite3") as deployment:
        found = {f.id: f for f in Files(deployment.store, folder / ".supavex").all()}[file_id(files.ID(1))]
    found.path.write_bytes(b"jello")
    assert columns() == {"contents", "sha256"}
    found.path.write_bytes(b"hello")
    with Deployment(folder / ".supavex/deployment.sqlite3") as deployment, deployment.store.transaction():
        deployment.store.connection.execute("UPDATE files SET content_type = 'text/html', created = created + 1")
    assert columns() == {"contentType", "_creationTime"}
    with Deployment(folder / ".supavex/deployment.sqlite3") as deployment, deployment.store.transaction():
        deployment.store.connection.execute("DELETE FROM files")
    counts = supavex("verify", "-C", folder, "--json").json["tables"][-1]["counts"]
    assert counts == {"missing file": 4}
    # And a reference to a file that is not there is found among the documents too, when they are looked at.
    assert supavex("verify", "-C", folder).code == 1


def test_an_archive_is_proven_too(folder: Path) -> None:
    out = folder / "out.zip"
    assert supavex("migrate", "-C", folder, "--out", out).code == 0
    assert supavex("verify", out, "-C", folder).code == 0
    other = folder / "other.zip"
    with zipfile.ZipFile(out) as old, zipfile.ZipFile(other, "w") as new:
        for entry in old.infolist():
            content = old.read(entry)
            new.writestr(entry, b"jello" if content == b"hello" else content)
    found = supavex("verify", other, "-C", folder, "--json").json["tables"][-1]
    assert {mismatch["column"] for mismatch in found["mismatches"]} == {"contents", "sha256"}


def test_a_file_that_changes_while_it_is_read_ends_the_copy(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read = file_sources.FolderFiles.read

    def longer(self: file_sources.FolderFiles, bucket: str, name: str) -> Iterator[bytes]:
        yield from read(self, bucket, name)
        yield b"x" * (name == "large.dat")

    assert supavex("migrate", "-C", folder, "--out", folder / "out.zip").code == 0
    before = (folder / "out.zip").read_bytes()
    with monkeypatch.context() as patched:
        patched.setattr(file_sources.FolderFiles, "read", longer)
        ran = supavex("migrate", "-C", folder, "--out", folder / "out.zip", "--json")
    assert (ran.code, ran.json["error"]["code"]) == (1, "FileChanged")
    assert ran.json["error"]["where"] == "covers/large.dat"
    assert (folder / "out.zip").read_bytes() == before
    assert not (folder / "out.zip.partial").exists()
    # What is done is kept, and the next run goes on.
    assert supavex("migrate", "-C", folder, "--out", folder / "out.zip", "--json").json["partsKept"] == 1
    assert (folder / "out.zip").read_bytes() == before


def test_a_file_that_cannot_be_read_ends_the_copy(folder: Path) -> None:
    path = folder / "files/covers/a.txt"

    def vanishing(self: file_sources.FolderFiles, bucket: str, name: str) -> Iterator[bytes]:
        path.unlink(missing_ok=True)
        return original(self, bucket, name)

    original = file_sources.FolderFiles.read
    file_sources.FolderFiles.read = vanishing  # type: ignore[method-assign]
    try:
        ran = supavex("migrate", "-C", folder, "--out", folder / "out.zip", "--json")
    finally:
        file_sources.FolderFiles.read = original  # type: ignore[method-assign]
    assert (ran.code, ran.json["error"]["code"]) == (1, "CannotReadFile")
    assert not (folder / "out.zip").exists()


def test_names_that_a_file_system_takes_apart_are_found(folder: Path) -> None:
    composed = folder / "files/covers/nested/deep/größe é.svg"
    composed.rename(composed.with_name(unicodedata.normalize("NFD", composed.name)))
    out = folder / "out.zip"
    assert supavex("migrate", "-C", folder, "--out", out).code == 0
    assert stored(out) == expected()
    assert supavex("verify", out, "-C", folder).code == 0


def test_nothing_outside_the_folder_is_read(folder: Path) -> None:
    (folder / "secret.txt").write_text("secret")
    (folder / "files/covers/link").symlink_to(folder)
    sql = (
        "INSERT INTO storage.objects (bucket_id, name) VALUES ('covers', '../../secret.txt'), "
        "('covers', 'link/secret.txt'), ('covers', '/etc/passwd');"
    )
    (folder / "supabase/migrations/2.sql").write_text(sql)
    ran = supavex("migrate", "-C", folder, "--out", folder / "out.zip", "--max-rejects", "3", "--json")
    assert ran.json["reasons"] == {"storage.objects.name: FileMissing": 3}
    assert stored(folder / "out.zip") == expected()


def test_some_buckets_only(folder: Path) -> None:
    (folder / "supavex.toml").write_text(files.TOML.replace("files =", 'buckets = ["other"]\nfiles ='))
    ran = supavex("migrate", "-C", folder, "--out", folder / "out.zip", "--tables", "storage.objects", "--json")
    assert (ran.code, ran.json["tables"][0]["documents"]) == (0, 0)
    (folder / "supavex.toml").write_text(files.TOML.replace("files =", 'buckets = ["cover"]\nfiles ='))
    ran = supavex("migrate", "-C", folder, "--out", folder / "out.zip", "--json")
    assert (ran.code, ran.json["error"]["code"]) == (2, "UnknownBucket")
    assert "covers, other" in ran.json["error"]["hint"]


def test_tables_without_their_files_and_files_without_their_tables(folder: Path) -> None:
    out = folder / "out.zip"
    assert supavex("migrate", "-C", folder, "--out", out, "--tables", "pages").code == 0
    assert stored(out) == {}
    assert supavex("migrate", "-C", folder, "--out", out, "--tables", "storage.objects").code == 0
    assert stored(out) == expected()
    with SnapshotArchive(out) as archive:
        assert archive.tables == []


def test_a_dry_run_holds_rows_against_files_and_writes_nothing(folder: Path) -> None:
    supavex("deploy", "-C", folder)
    (folder / "files/covers/a.txt").unlink()
    before = sorted((folder / ".supavex/migration").rglob("*"))
    ran = supavex("migrate", "-C", folder, "--dry-run", "--json")
    assert (ran.code, ran.json["rejected"]) == (1, 2)
    assert sorted((folder / ".supavex/migration").rglob("*")) == before
    assert not (folder / ".supavex/storage.key").exists()


def test_a_target_s_own_files_go_into_the_archive_with_its_export(folder: Path) -> None:
    """Convex's import replaces all stored files: those of the app have to be among them."""
    own = file_id("50000000-0000-4000-8000-000000000001")
    export = folder / "export.zip"
    digest = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
    line = {"_id": own, "_creationTime": 1700000000000.5, "sha256": digest, "contentType": "text/plain"}
    replaced = {"_id": file_id(files.ID(1)), "_creationTime": 1700000000000.0}
    with zipfile.ZipFile(export, "w") as archive:
        archive.writestr("_tables/documents.jsonl", '{"name": "pages", "id": 10001}\n')
        archive.writestr("pages/documents.jsonl", "")
        archive.writestr("_storage/documents.jsonl", "".join(json.dumps(x) + "\n" for x in (line, replaced)))
        archive.writestr(f"_storage/{own}.txt", b"")
        archive.writestr(f"_storage/{replaced['_id']}.txt", b"an earlier hello")
    out = folder / "out.zip"
    ran = supavex("migrate", "-C", folder, "--out", out, "--existing", export, "--json")
    assert (ran.code, ran.json["files"]["kept"]) == (0, 1), ran.out
    assert stored(out) == {**expected(), own: b""}
    with SnapshotArchive(out) as archive:
        kept = next(entry for entry in archive.stored_files(STORAGE_NUMBER) if entry.id == own)
    assert (kept.created, kept.content_type, kept.sha256) == (1700000000000.5, "text/plain", base64.b64decode(digest))
    assert supavex("verify", out, "-C", folder).code == 0


def test_misuse(folder: Path) -> None:
    def error(*arguments: str) -> str:
        ran = supavex("migrate", "-C", folder, "--out", str(folder / "out.zip"), "--json", *arguments)
        assert ran.code == 2, ran.out
        return str(ran.json["error"]["code"])

    assert error("--files", "nowhere") == "NoFiles"
    assert error("--files", "ftp://x/y") == "UnknownFiles"
    (folder / "supavex.toml").write_text(files.TOML.replace('files = "files"\n', ""))
    assert error() == "NoFiles"
    assert supavex("migrate", "-C", folder, "--out", folder / "out.zip", "--files", "files").code == 0
    assert supavex("verify", folder / "out.zip", "-C", folder, "--files", "files").code == 0


def test_columns_and_fields_that_do_not_fit(folder: Path) -> None:
    def finding(schema: str, toml: str = files.TOML) -> str:
        (folder / "schema.py").write_text(f"from supavex.schema import define_schema, define_table, v\n{schema}\n")
        (folder / "supavex.toml").write_text(toml)
        ran = supavex("check", "-C", folder, "--json")
        assert ran.code == 1
        return next(d["message"] + d["hint"] for d in ran.json["diagnostics"] if d["severity"] == "error")

    assert 'Make it v.id("_storage")' in finding(files.SCHEMA.replace('v.id("_storage")', "v.string()"))
    plain = files.TOML.partition("[tables")[0]
    assert 'storage = "BUCKET"' in finding(files.SCHEMA, plain)
    many = files.SCHEMA.replace('v.id("_storage")', 'v.array(v.id("_storage"))')
    assert "a list of files can't be moved yet" in finding(many)


def test_an_empty_bucket_and_a_folder_without_it(folder: Path) -> None:
    (folder / "supabase/migrations/2.sql").write_text("DELETE FROM pages; DELETE FROM storage.objects;")
    ran = supavex("migrate", "-C", folder, "--out", folder / "out.zip", "--json")
    assert (ran.code, ran.json["files"]["files"], ran.json["files"]["unlisted"]) == (0, 0, 4)
    assert stored(folder / "out.zip") == {}


def test_media_types_that_convex_refuses_are_made_to_fit_and_said(folder: Path) -> None:
    sql = "UPDATE storage.objects SET metadata = jsonb_build_object('mimetype', 'Video/WebM;codecs=vp8,opus')"
    (folder / "supabase/migrations/2.sql").write_text(sql)
    out = folder / "out.zip"
    ran = supavex("migrate", "-C", folder, "--out", out)
    assert ran.code == 0 and "with a media type that Convex refuses: " in ran.out
    assert "'Video/WebM;codecs=vp8,opus' becomes video/webm;codecs=\"vp8,opus\"" in ran.out
    with SnapshotArchive(out) as archive:
        kinds = {entry.content_type for entry in archive.stored_files(STORAGE_NUMBER)}
    assert kinds == {'video/webm;codecs="vp8,opus"'}
    assert supavex("verify", out, "-C", folder).code == 0
    data = supavex("migrate", "-C", folder, "--out", out, "--json").json
    assert data["files"]["retyped"] == len(data["files"]["firstRetyped"]) > 0


def test_media_types_that_http_cannot_say_are_left_out(folder: Path) -> None:
    sql = """UPDATE storage.objects SET metadata = jsonb_build_object('mimetype', E'text/plain\\r\\nX: y');
    UPDATE storage.objects SET metadata = NULL, created_at = 'infinity' WHERE name = 'a.txt';"""
    (folder / "supabase/migrations/2.sql").write_text(sql)
    out = folder / "out.zip"
    assert supavex("migrate", "-C", folder, "--out", out).code == 0
    with SnapshotArchive(out) as archive:
        assert {entry.content_type for entry in archive.stored_files(STORAGE_NUMBER)} == {None}
        created = {entry.id: entry.created for entry in archive.stored_files(STORAGE_NUMBER)}
    assert created[file_id(files.ID(1))] == 1.0
    assert supavex("verify", out, "-C", folder).code == 0
