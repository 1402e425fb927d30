"""Where the files of storage buckets lie: a folder with a folder for each bucket, or a service that speaks S3.

DIR/<bucket>/<path>                 what `supabase storage cp -r` and backups of buckets leave
s3://<name>/<prefix>/<bucket>/…     the same, in a bucket of another service
s3://                               each bucket of Supabase is a bucket there: Supabase's own S3 endpoint
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from supavex.errors import SupavexError, UsageError, missing_extra
from supavex.postgres.connection import without_password
from supavex.settings.settings import Settings

_PIECE = 1 << 20


class FileSource(Protocol):
    """Files by bucket and name (the path in the bucket)."""

    def files(self, buckets: Sequence[str]) -> Iterator[tuple[str, str, int]]:
        """Bucket, name and bytes of every file of some buckets, in any order."""

    def read(self, bucket: str, name: str) -> Iterator[bytes]:
        """A file's contents, piece by piece. Raises :class:`~supavex.errors.SupavexError` if they can't be read."""

    @property
    def shown(self) -> str:
        """The place for messages, without secrets."""


def file_source(project: Settings, place: str | None = None) -> FileSource | None:
    """The source of supavex.toml, or ``place``; None if there is neither."""
    rule = project.storage
    place = place or rule.files
    if place is None:
        return None
    if place.startswith("s3://"):
        bucket, _, prefix = place.removeprefix("s3://").partition("/")
        if not re.fullmatch(r"[\w.\-]*", bucket):
            hint = "It is s3://BUCKET/PREFIX; the credentials come from the environment."
            raise UsageError("UnknownFiles", "this names no bucket of S3.", where=without_password(place), hint=hint)
        return S3Files(bucket, prefix.strip("/"), rule.endpoint, rule.region)
    if "://" in place:
        hint = "Name a folder, or s3://BUCKET/PREFIX."
        raise UsageError(
            "UnknownFiles", "files are read from a folder or from S3.", where=without_password(place), hint=hint
        )
    folder = project.root / place
    if not folder.is_dir():
        raise UsageError("NoFiles", "there is no such folder of files.", where=str(folder), hint="DIR/<bucket>/<path>.")
    return FolderFiles(folder, project.shown(folder))


@dataclass(frozen=True, slots=True)
class FolderFiles:
    """A folder. Nothing outside it is ever read: the names of rows are looked up in the list of its files."""

    folder: Path
    shown: str

    def files(self, buckets: Sequence[str]) -> Iterator[tuple[str, str, int]]:
        """Every file below a bucket's folder. Links to folders are not followed."""
        for bucket in buckets:
            waiting = [self.folder / bucket]
            while waiting:
                folder = waiting.pop()
                try:
                    with os.scandir(folder) as entries:
                        for entry in entries:
                            if entry.is_dir(follow_symlinks=False):
                                waiting.append(Path(entry.path))
                            elif entry.is_file():
                                name = Path(entry.path).relative_to(self.folder / bucket).as_posix()
                                yield bucket, name, entry.stat().st_size
                except FileNotFoundError:
                    if folder != self.folder / bucket:
                        raise

    def read(self, bucket: str, name: str) -> Iterator[bytes]:
        """A file's contents, piece by piece."""
        path = self.folder / bucket / name
        try:
            with path.open("rb") as file:
                while piece := file.read(_PIECE):
                    yield piece
        except OSError as error:
            raise _unreadable(f"{bucket}/{name}", error.strerror or type(error).__name__) from None


@dataclass(slots=True)
class S3Files:
    """A service that speaks S3. Credentials come from the environment variables that all S3 clients read."""

    bucket: str
    prefix: str
    endpoint: str | None
    region: str | None
    _client: Any = None

    @property
    def shown(self) -> str:
        """The address for messages."""
        if not self.bucket:
            return without_password(self.endpoint or "s3://")
        return f"s3://{self.bucket}" + (f"/{self.prefix}" if self.prefix else "")

    def _place(self, bucket: str, name: str) -> tuple[str, str]:
        """The bucket and key of a file in the service."""
        if not self.bucket:
            return bucket, name
        return self.bucket, "/".join(part for part in (self.prefix, bucket, name) if part)

    def client(self) -> Any:
        """The client, made at first use. Raises :class:`~supavex.errors.UsageError` if the package or the credentials
        are missing.
        """
        if self._client is None:
            try:
                import boto3
                from botocore.config import Config
            except ImportError:
                raise missing_extra("boto3", "storage", "Reading files from S3") from None
            # Path style, because services other than AWS have no host name for each bucket.
            config = Config(s3={"addressing_style": "path"}, retries={"mode": "standard", "max_attempts": 5})
            session = boto3.session.Session()
            if session.get_credentials() is None:
                hint = "export AWS_ACCESS_KEY_ID=… AWS_SECRET_ACCESS_KEY=… (Supabase: Storage, S3 access keys)"
                raise UsageError("NoCredentials", "no credentials for S3.", where=self.shown, hint=hint)
            region = self.region or session.region_name or "us-east-1"
            self._client = session.client("s3", endpoint_url=self.endpoint, region_name=region, config=config)
        return self._client

    def files(self, buckets: Sequence[str]) -> Iterator[tuple[str, str, int]]:
        """Every object of the buckets, a thousand a request."""
        from botocore.exceptions import BotoCoreError, ClientError

        client = self.client()
        for bucket in buckets:
            place, prefix = self._place(bucket, "")
            prefix = f"{prefix}/" if prefix else ""
            try:
                for page in client.get_paginator("list_objects_v2").paginate(Bucket=place, Prefix=prefix):
                    for entry in page.get("Contents", ()):
                        if not entry["Key"].endswith("/"):
                            yield bucket, entry["Key"].removeprefix(prefix), int(entry["Size"])
            except ClientError as error:
                if _code(error) != "NoSuchBucket" or self.bucket:
                    raise self._failed(place, error) from None
            except BotoCoreError as error:
                raise self._failed(place, error) from None

    def read(self, bucket: str, name: str) -> Iterator[bytes]:
        """An object's contents, piece by piece."""
        from botocore.exceptions import BotoCoreError, ClientError

        place, key = self._place(bucket, name)
        try:
            yield from self.client().get_object(Bucket=place, Key=key)["Body"].iter_chunks(_PIECE)
        except (ClientError, BotoCoreError) as error:
            raise _unreadable(f"{bucket}/{name}", _code(error)) from None

    def _failed(self, bucket: str, error: Exception) -> SupavexError:
        hint = "See that endpoint, region and credentials are right, and run the command again."
        message = f"S3 does not list the bucket {bucket}: {_code(error)}."
        return SupavexError("CannotListFiles", message, where=self.shown, hint=hint, retryable=True)


def _code(error: Exception) -> str:
    """S3's code of an error, or the error's class. S3's message could contain an address with a signature."""
    response = getattr(error, "response", None)
    return str(response["Error"]["Code"]) if response else type(error).__name__


def _unreadable(where: str, why: str) -> SupavexError:
    hint = "Nothing was replaced. Run the command again."
    return SupavexError("CannotReadFile", f"the file can't be read: {why}.", where=where, hint=hint, retryable=True)
