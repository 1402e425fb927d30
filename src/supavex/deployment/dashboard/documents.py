"""One document: its fields, its references, and the references to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from supavex.convex.ids import decode_id
from supavex.convex.values import Document, to_internal_json
from supavex.deployment.dashboard import files
from supavex.deployment.dashboard.pages import STORAGE, Asked
from supavex.deployment.dashboard.reading import Budget
from supavex.deployment.dashboard.references import (
    Reference,
    Referring,
    known_tables,
    label_of,
    references,
    referring,
)
from supavex.errors import SupavexError


@dataclass(frozen=True, slots=True)
class DocumentPage:
    """A document of a table, or of ``_storage``."""

    template: ClassVar[str] = "document.html"
    section: ClassVar[str] = "tables"
    #: The name of the document's table.
    table: str
    #: The document with its system fields. For ``_storage``: the metadata of the stored file.
    document: Document
    #: The types of fields in the schema, by field.
    types: Mapping[str, str]
    #: The ids in the document, each with its path, as far as the page's budget of reads allows.
    references: list[Reference]
    #: None without a schema, which names the fields that may refer to the document.
    referring: list[Referring] | None
    #: The names of the deployment's tables, by table number.
    names: Mapping[int, str]
    #: For ``_storage``: the path under which the dashboard serves the file. Empty for another table.
    address: str

    @property
    def label(self) -> str:
        """The document's label, or its id."""
        return label_of(self.document)

    @property
    def title(self) -> str:
        """The document's name, and its table's."""
        return f"{self.label or self.document['_id']} · {self.table}"

    def followed(self, field: str) -> list[Reference]:
        """The references in one of its fields."""
        starts = (f"{field}.", f"{field}[")
        return [r for r in self.references if r.path == field or r.path.startswith(starts)]

    @property
    def fields(self) -> list[str]:
        """Its fields: the id, those of the schema in order (some may be absent), the others, the creation time."""
        others = sorted(field for field in self.document if not field.startswith("_"))
        return list(dict.fromkeys(["_id", *self.types, *others, "_creationTime"]))

    def to_json(self) -> dict[str, Any]:
        """The page as JSON; the document in Convex's internal JSON."""
        return {
            "table": self.table,
            "document": to_internal_json(self.document),
            "references": [reference.to_json() for reference in self.references],
            "referring": None if self.referring is None else [entry.to_json() for entry in self.referring],
        }


def document_page(asked: Asked) -> DocumentPage:
    """The document with the id in the path. Raises ``DocumentNotFound``, and ``InvalidId`` for other text."""
    deployment, id_ = asked.deployment, asked.path["id"]
    number, internal_id = decode_id(id_)
    names = known_tables(deployment)
    table = names.get(number)
    stored = files.file_document(deployment, internal_id) if table == STORAGE else None
    document, address = (deployment.get(id_), "") if stored is None else stored
    if document is None or table is None:
        known = f"The table {table} has no document with this id." if table else "No table has this id's number."
        raise SupavexError("DocumentNotFound", known, hint="It may have been deleted, or be of another deployment.")
    schema = deployment.schema
    definition = None if schema is None else schema.tables.get(table)
    declared = {} if definition is None else definition.fields
    budget = Budget()
    return DocumentPage(
        table=table,
        document=document,
        types={field: str(validator) for field, validator in declared.items()},
        references=references(deployment, document, budget),
        referring=None if schema is None else referring(deployment, schema, id_, table, budget),
        names=names,
        address=address,
    )
