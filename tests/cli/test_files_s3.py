"""Files from a service that speaks S3: moto's server, on this machine, with path style as Supabase's has it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

from supavex.convex.limits import STORAGE_NUMBER
from supavex.convex.snapshot import SnapshotArchive
from tests import files, projects
from tests.projects import supavex

SECRET = "SECRETsecretSECRET"


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        yield f"http://{host}:{port}"
    finally:
        server.stop()


@pytest.fixture
def client(endpoint: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """A client with buckets of its own, and the credentials in the environment alone."""
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    client = boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1")
    yield client
    for bucket in client.list_buckets()["Buckets"]:
        for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket["Name"]):
            for entry in page.get("Contents", ()):
                client.delete_object(Bucket=bucket["Name"], Key=entry["Key"])
        client.delete_bucket(Bucket=bucket["Name"])


def upload(client: Any, bucket: str, prefix: str = "") -> None:
    client.create_bucket(Bucket=bucket)
    for name, content in files.FILES.items():
        client.put_object(Bucket=bucket, Key=f"{prefix}{name}", Body=content)


@pytest.fixture
def folder(endpoint: str) -> Iterator[Path]:
    with projects.folder() as path:
        toml = files.TOML.replace('files = "files"', f'files = "s3://"\nendpoint = "{endpoint}"')
        yield files.make(path, toml=toml, on_disk=False)


def stored(path: Path) -> list[bytes]:
    with SnapshotArchive(path) as archive:
        entries = sorted(archive.stored_files(STORAGE_NUMBER), key=lambda entry: entry.id)
        return [b"".join(archive.read_stored(entry.entry)) for entry in entries]


def test_each_bucket_is_a_bucket_there(folder: Path, client: Any, endpoint: str) -> None:
    """As Supabase's own endpoint has them; a bucket that is not there is an empty one."""
    upload(client, "covers")
    client.put_object(Bucket="covers", Key="unknown.txt", Body=b"?")
    out = folder / "out.zip"
    ran = supavex("migrate", "-C", folder, "--out", out, "--json")
    assert ran.code == 0, ran.out + ran.err
    assert (ran.json["files"]["from"], ran.json["files"]["firstUnlisted"]) == (endpoint, ["covers/unknown.txt"])
    assert stored(out) == list(files.FILES.values())
    assert supavex("verify", out, "-C", folder).code == 0
    client.put_object(Bucket="covers", Key="a.txt", Body=b"jello")
    ran = supavex("verify", out, "-C", folder, "--json")
    assert (ran.code, [m["column"] for m in ran.json["tables"][-1]["mismatches"]]) == (1, ["contents"])


def test_a_bucket_with_a_folder_for_each(folder: Path, client: Any) -> None:
    upload(client, "backup", "of/storage/covers/")
    client.put_object(Bucket="backup", Key="of/storage/covers/", Body=b"")  # what some tools call a folder
    out = folder / "out.zip"
    place = ("--files", "s3://backup/of/storage/")
    assert supavex("migrate", "-C", folder, "--out", out, *place).code == 0
    assert stored(out) == list(files.FILES.values())
    assert supavex("verify", out, "-C", folder, *place).code == 0


def test_more_files_than_a_request_lists(folder: Path, client: Any) -> None:
    upload(client, "covers")
    for number in range(1005):
        client.put_object(Bucket="covers", Key=f"more/{number}", Body=b"")
    ran = supavex("migrate", "-C", folder, "--out", folder / "out.zip", "--json")
    assert (ran.code, ran.json["files"]["files"], ran.json["files"]["unlisted"]) == (0, 4, 1005)


def test_missing_and_cut_short(folder: Path, client: Any) -> None:
    upload(client, "covers")
    client.delete_object(Bucket="covers", Key="a.txt")
    client.put_object(Bucket="covers", Key="large.dat", Body=b"cut")
    ran = supavex("migrate", "-C", folder, "--out", folder / "out.zip", "--max-rejects", "9", "--json")
    reasons = ran.json["reasons"]
    assert reasons["storage.objects.name: FileMissing"] == reasons["storage.objects.metadata: FileSizeDiffers"] == 1


def test_what_goes_wrong_is_said_without_a_secret(
    folder: Path, client: Any, endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def error(*arguments: str) -> tuple[int, str]:
        ran = supavex("migrate", "-C", folder, "--out", folder / "out.zip", "--json", *arguments)
        assert SECRET not in ran.out + ran.err
        assert not (folder / "out.zip").exists()
        return ran.code, ran.json["error"]["code"]

    assert error("--files", "s3://no-such-bucket/files") == (1, "CannotListFiles")
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    assert error() == (2, "NoCredentials")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    text = (folder / "supavex.toml").read_text()
    (folder / "supavex.toml").write_text(text.replace(endpoint, "http://127.0.0.1:9"))
    assert error() == (1, "CannotListFiles")
