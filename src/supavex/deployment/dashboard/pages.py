"""The common parts of all pages: the request, and the interface of a page."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

from supavex.deployment.database.components import Component
from supavex.deployment.database.database import Database
from supavex.deployment.server.host import Host
from supavex.errors import SupavexError

#: The name of Convex's system table ``_storage``, whose documents are the stored files.
STORAGE = "_storage"


@dataclass(frozen=True, slots=True)
class Asked:
    """One request: the names in its path, and its query parameters.

    ``deployment`` is seen from ``component``: its tables, its schema and its files.
    """

    host: Host
    deployment: Database
    component: Component
    path: Mapping[str, str]
    query: Mapping[str, str]

    def number(self, name: str, default: int, *, most: int) -> int:
        """The query parameter ``name`` as a number from 1 to ``most``. Raises ``BadParameter`` for other text."""
        text = self.query.get(name, "")
        if not text:
            return default
        if not (text.isascii() and text.isdecimal() and len(text) < 19) or int(text) < 1:
            raise SupavexError("BadParameter", f"the parameter {name} is a number from 1.", hint="Leave it out.")
        return min(int(text), most)


class Page(Protocol):
    """A page. The path with ``.json`` gives the same data as JSON."""

    #: The file in ``templates/`` that shows it.
    template: ClassVar[str]
    #: The section of the navigation to which it belongs.
    section: ClassVar[str]

    @property
    def title(self) -> str:
        """The title of the browser's tab."""

    def to_json(self) -> dict[str, Any]:
        """The page as JSON."""


#: Makes the page of a request. ``routes.py`` shows a :class:`SupavexError` as a page.
Make = Callable[[Asked], Page]
