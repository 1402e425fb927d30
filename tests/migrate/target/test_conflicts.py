"""What an import would refuse is said before anything is copied."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from supavex.convex.archive_writer import ArchiveWriter
from supavex.convex.ids import encode_id
from supavex.errors import SupavexError
from supavex.migrate.target.archive import ArchiveDocuments
from supavex.migrate.target.conflicts import check_conflicts
from supavex.schema import define_schema, define_table, v
from tests import projects
from tests.projects import supavex

SCHEMA = define_schema(
    {
        "authors": define_table({"name": v.string()}),
        "posts": define_table({"author": v.id("authors")}),
        "notes": define_table({"post": v.optional(v.union(v.id("posts"), v.null()))}),
    }
)


@dataclass
class Target:
    numbers: dict[str, int]
    held: tuple[str, ...]

    def table_numbers(self) -> dict[str, int]:
        return self.numbers

    def count(self, table: str) -> int:
        return int(table in self.held)


def refused(numbers: dict[str, int], target: Target) -> str | None:
    try:
        check_conflicts(SCHEMA, numbers, target)
    except SupavexError as error:
        return error.code
    return None


@pytest.mark.parametrize(
    ("numbers", "target", "held", "code"),
    [
        ({"authors": 1, "posts": 2, "notes": 3}, {}, (), None),
        ({"authors": 1, "posts": 2, "notes": 3}, {"posts": 1, "authors": 3, "notes": 2}, ("notes",), None),
        ({"authors": 1}, {"other": 1}, (), "TableConflict"),
        ({"authors": 1}, {"authors": 2, "posts": 3}, ("posts",), "ImportForeignKey"),
        ({"authors": 1}, {"authors": 2, "posts": 3}, (), None),
        ({"authors": 1}, {"authors": 1, "posts": 3}, ("posts",), None),
        ({"posts": 2}, {"posts": 2}, (), "TableMissing"),
        ({"posts": 2}, {"authors": 1}, (), None),
        ({"notes": 3}, {"authors": 1}, (), "TableMissing"),
        ({"authors": 1}, {f"t{n}": n for n in range(2, 10_002)}, (), "TooManyTables"),
    ],
)
def test_each_conflict(
    numbers: dict[str, int], target: dict[str, int], held: tuple[str, ...], code: str | None
) -> None:
    assert refused(numbers, Target(target, held)) == code


def test_an_export_of_another_deployment_is_refused_before_the_copy(tmp_path: Path) -> None:
    """Its numbers would be the archive's, and the local deployment has others."""
    with projects.folder() as folder:
        projects.copy_of_my21staff(folder)
        assert supavex("deploy", "-C", folder).code == 0
        export = tmp_path / "export.zip"
        with export.open("wb") as file:
            writer = ArchiveWriter(file)
            # No _tables: the number is in the ids.
            line = f'{{"_creationTime":1.0,"_id":"{encode_id(10_003, bytes(16))}"}}\n'
            writer.add("articles/documents.jsonl", line.encode())
            writer.close()
        with ArchiveDocuments(export) as documents:
            assert documents.table_numbers() == {"articles": 10_003}
        ran = supavex("migrate", "-C", folder, "--existing", export, "--tables", "articles")
        assert ran.code == 1
        assert "TableConflict" in ran.err
        assert not (folder / ".supavex/migration/snapshot.zip").exists()
