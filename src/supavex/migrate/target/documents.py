"""The interface through which a proof reads documents, of a deployment or an archive."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Sequence
from typing import Protocol

from supavex.convex.damage import OnDamaged, refuse
from supavex.convex.ids import InvalidId, decode_id
from supavex.convex.values import Document


class Documents(Protocol):
    """Documents by table and id. A local deployment is one; so is :class:`ArchiveDocuments`."""

    def table_numbers(self) -> dict[str, int]:
        """Table name to number."""

    def count(self, table: str) -> int:
        """The number of documents in a table."""

    def get_many(self, table: str, ids: Sequence[str], damaged: OnDamaged = refuse) -> dict[str, Document]:
        """Those of ``ids`` that are documents of ``table``. ``damaged`` is called with unreadable ones."""

    def present(self, table: str, ids: Iterable[str]) -> frozenset[str]:
        """Those of ``ids`` with a document in ``table``, readable or not."""

    def documents(self, table: str, damaged: OnDamaged = refuse) -> Iterator[Document]:
        """All documents of a table. ``damaged`` is called with unreadable ones."""

    def blocks(self, table: str) -> Generator[bytes]:
        """All documents of a table as JSON, one a line, in any order; some megabytes at a time."""

    def uniform(self, table: str) -> bool:
        """Whether bare integers in :meth:`blocks` are int64. Otherwise they are float64."""


def id_problem(id_: object) -> str | None:
    """Why a document's ``_id`` is not an id."""
    if not isinstance(id_, str):
        return "it has no _id, or none that is a text"
    try:
        decode_id(id_)
    except InvalidId as error:
        return error.message
    return None
