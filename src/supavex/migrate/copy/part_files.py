"""The place of the parts until they are joined: a folder, or an address that fsspec knows (``s3://…``)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

from supavex.errors import missing_extra
from supavex.files import chosen_folder, owner_only


@dataclass(frozen=True, slots=True)
class PartFiles:
    """Files by name in ``place``, which the workers and the joining process share.

    ``private``: only the owner may read the files. In a place that other machines share, other users may have to read
    them.
    """

    place: str
    private: bool = False

    @property
    def remote(self) -> bool:
        """Whether the place is an URL."""
        return "://" in self.place

    def _path(self, name: str) -> str:
        return f"{self.place.rstrip('/')}/{name}"

    def _filesystem(self) -> Any:
        try:
            from fsspec.core import url_to_fs
        except ImportError:
            raise missing_extra("fsspec", "cluster", "A place for parts that is an URL") from None
        return url_to_fs(self.place)[0]

    def make(self) -> None:
        """Makes the place if it is missing."""
        if self.remote:
            self._filesystem().makedirs(self.place, exist_ok=True)
        else:
            chosen_folder(Path(self.place))

    @contextmanager
    def write(self, name: str) -> Iterator[IO[bytes]]:
        """A new file, or the replacement of an earlier one."""
        with self._open(name, "wb") as file:
            yield file

    @contextmanager
    def read(self, name: str) -> Iterator[IO[bytes]]:
        """A file's bytes. Raises OSError if it does not exist."""
        with self._open(name, "rb") as file:
            yield file

    def _open(self, name: str, mode: str) -> IO[bytes]:
        if self.remote:
            return cast("IO[bytes]", self._filesystem().open(self._path(name), mode))
        return cast(
            "IO[bytes]", open(self._path(name), mode, opener=owner_only if self.private and mode == "wb" else None)
        )

    def size(self, name: str) -> int | None:
        """The file's size in bytes; None if it does not exist."""
        try:
            if self.remote:
                return int(self._filesystem().size(self._path(name)))
            return Path(self._path(name)).stat().st_size
        except OSError:
            return None

    def keep_only(self, names: set[str]) -> None:
        """Removes every part except ``names``."""
        if self.remote:
            filesystem = self._filesystem()
            for path in filesystem.ls(self.place, detail=False):
                if path.endswith(SUFFIX) and path.rsplit("/", 1)[-1] not in names:
                    filesystem.rm(path)
            return
        for path in Path(self.place).glob(f"*{SUFFIX}"):
            if path.name not in names:
                path.unlink()


SUFFIX = ".deflate"
