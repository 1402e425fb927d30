"""A project whose rows name files of storage, for tests."""

import hashlib
from pathlib import Path

from supavex.convex.limits import STORAGE_NUMBER
from supavex.convex.snapshot import SnapshotArchive
from supavex.deployment import Deployment
from supavex.deployment.database.stored_files import Files
from tests import projects

SCHEMA = 'schema = define_schema({"pages": define_table({"cover": v.optional(v.id("_storage"))})})'
TOML = '[storage]\nfiles = "files"\n\n[tables.pages.columns.cover]\nstorage = "covers"\n'
#: Path in the bucket `covers` to contents; the numbers of their rows go by this order, from 1.
FILES = {
    "a.txt": b"hello",
    "nested/deep/größe é.svg": b"<svg/>",
    "empty.bin": b"",
    "large.dat": bytes(range(256)) * 12_000,
}
ID = "40000000-0000-4000-8000-0000000000{:02}".format


def make(path: Path, *, toml: str = TOML, files: dict[str, bytes] = FILES, on_disk: bool = True) -> Path:
    """Writes the project, and its files into ``files/covers``."""
    rows = []
    for n, (name, content) in enumerate(files.items(), 1):
        metadata = f'{{"size": {len(content)}, "mimetype": "{kind_of(name)}"}}'
        rows.append(f"('{ID(n)}', 'covers', '{name}', '{metadata}', '2024-01-0{n}')")
    sql = (
        "INSERT INTO storage.buckets (id, name, public) VALUES ('covers', 'covers', true), ('other', 'other', false);\n"
        f"INSERT INTO storage.objects (id, bucket_id, name, metadata, created_at) VALUES {', '.join(rows)};\n"
        "CREATE TABLE pages (id uuid PRIMARY KEY, cover text);\n"
        "INSERT INTO pages SELECT id, 'https://x.supabase.co/storage/v1/object/public/covers/' || name "
        "FROM storage.objects;\n"
    )
    projects.write(path, schema=SCHEMA, migrations={"1.sql": sql}, toml=toml)
    for name, content in files.items() if on_disk else ():
        file = path / "files/covers" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    return path


def kind_of(name: str) -> str:
    return {"txt": "text/plain", "svg": "image/svg+xml"}.get(name.rpartition(".")[2], "application/octet-stream")


def digests(files: dict[str, bytes] = FILES) -> set[str]:
    """The SHA-256 of each file."""
    return {hashlib.sha256(content).hexdigest() for content in files.values()}


def stored(path: Path) -> dict[str, bytes]:
    """The stored files of an archive: id to contents."""
    with SnapshotArchive(path) as archive:
        return {entry.id: b"".join(archive.read_stored(entry.entry)) for entry in archive.stored_files(STORAGE_NUMBER)}


def deployed(folder: Path) -> dict[str, bytes]:
    """The stored files of a project's local deployment: id to contents."""
    with Deployment(folder / ".supavex/deployment.sqlite3") as deployment:
        return {f.id: f.path.read_bytes() for f in Files(deployment.store, folder / ".supavex").all()}
