"""Documents that can't be read: their text is cut short, is not JSON, or is not UTF-8."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from supavex.errors import SupavexError


@dataclass(frozen=True, slots=True)
class Damaged:
    """A document that can't be read.

    ``id`` is None if the text does not show it. ``place`` is the number of the row or line.
    """

    table: str
    id: str | None
    place: str
    problem: str


class DamagedDocument(SupavexError):
    """Raised if a damaged document is read."""

    def __init__(self, damaged: Damaged) -> None:
        self.damaged = damaged
        name = f"{damaged.id} " if damaged.id else ""
        problem = damaged.problem.removesuffix(".")
        super().__init__(
            "DamagedDocument",
            f"the document {name}of {damaged.table} can't be read: {problem}.",
            where=" ".join(part for part in (damaged.table, damaged.id, damaged.place) if part) or None,
            hint="`supavex verify` lists every damaged document. Migrate the table again, or import a backup.",
        )


#: Called with each document that can't be read.
OnDamaged = Callable[[Damaged], None]


def refuse(damaged: Damaged) -> None:
    """Raises :class:`DamagedDocument`. The default for callers that don't collect damaged documents."""
    raise DamagedDocument(damaged)
