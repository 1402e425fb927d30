"""Keys for documents that Convex created, which no row has had."""

from __future__ import annotations

from supavex.convex.ids import InvalidId, decode_id
from supavex.mapping.plan import TablePlan
from supavex.migrate.target.documents import Documents
from supavex.scratch import scratch_database


class NewKeys:
    """Integer keys for documents that Convex created: above all other keys of the table, in the order of their ids."""

    def __init__(self, documents: Documents) -> None:
        self._documents = documents
        self._database = scratch_database()
        self._database.execute("CREATE TABLE numbers (id TEXT PRIMARY KEY, target TEXT, number INTEGER) WITHOUT ROWID")
        self._loaded: set[str] = set()

    def close(self) -> None:
        """Removes the temporary file."""
        self._database.close()

    def number(self, table: TablePlan, id_: str) -> str:
        """The key of a document whose id holds no key. Raises :class:`~supavex.convex.ids.InvalidId` if there is no
        such document.
        """
        if table.target not in self._loaded:
            self._loaded.add(table.target)
            self._load(table)
        row = self._database.execute("SELECT number FROM numbers WHERE id = ?", (id_,)).fetchone()
        if row is None:
            raise InvalidId(id_, f"{table.target} holds no such document")
        return str(row[0])

    def _load(self, table: TablePlan) -> None:
        assert table.key is not None
        highest = new = 0
        for document in self._documents.documents(table.target):
            id_ = str(document["_id"])
            known = table.key.text_of(decode_id(id_)[1])
            if known is not None:
                highest = max(highest, int(known))
                continue
            new += 1
            self._database.execute("INSERT INTO numbers VALUES (?, ?, ?)", (id_, table.target, new))
        self._database.execute("UPDATE numbers SET number = number + ? WHERE target = ?", (highest, table.target))
