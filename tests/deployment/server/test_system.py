"""What system functions read is of one transaction, whatever an import of another process replaces meanwhile."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from supavex.convex.snapshot import SnapshotArchive
from supavex.deployment import Deployment
from supavex.deployment.server import system
from supavex.deployment.server.host import Addresses
from supavex.deployment.transfer.importing import import_snapshot
from supavex.schema import define_schema, define_table, v
from tests.deployment.archives import document, documents, id_of, write_archive

ADDRESSES = Addresses("http://127.0.0.1:1", "http://127.0.0.1:2")
PAGE = {"cursor": None, "numItems": 10}
SCHEMA = define_schema({"posts": define_table({"text": v.string()})}).export()


def function(name: str, arguments: dict[str, Any]) -> Callable[[Deployment], Any]:
    return lambda deployment: system.call(deployment, ADDRESSES, name, arguments)


READS: dict[str, tuple[Callable[[Deployment], Any], Callable[[Any], Any]]] = {
    "queryTable": (function("_system/cli/queryTable", {"tableName": "posts"}), lambda found: found["count"]),
    "tableSize": (function("_system/cli/tableSize", {"tableName": "posts"}), int),
    "tableData": (
        function("_system/cli/tableData", {"table": "posts", "paginationOpts": PAGE}),
        lambda found: len(found["page"]),
    ),
    "count": (lambda deployment: deployment.count("posts"), int),
    "get": (lambda deployment: deployment.get(id_of(10_001, 1)), lambda found: int(found is not None)),
    "get_many": (lambda deployment: deployment.get_many("posts", [id_of(10_001, 1)]), len),
    "present": (lambda deployment: deployment.present("posts", [id_of(10_001, 1)]), len),
    "check_documents": (lambda deployment: deployment.check_documents(SCHEMA), int),
}


@pytest.mark.parametrize("name", READS)
def test_a_table_that_is_replaced_while_it_is_read(tmp_path: Path, name: str):
    read, count_of = READS[name]
    path = tmp_path / "deployment.sqlite3"
    archives = [tmp_path / "one.zip", tmp_path / "none.zip"]
    write_archive(archives[0], documents(posts=[document(10_001, 1, text="a")]))
    write_archive(archives[1], documents(posts=[]))
    with Deployment(path) as reader, Deployment(path) as writer:
        import_snapshot(writer, SnapshotArchive(archives[0]), "replace")
        replaced: list[str] = []

        def replace(statement: str) -> None:
            if "documents_" in statement and not replaced:
                replaced.append(statement)
                import_snapshot(writer, SnapshotArchive(archives[1]), "replace")

        reader.store.connection.set_trace_callback(replace)
        assert count_of(read(reader)) == 1
        assert replaced, "the table was read"
        assert count_of(read(reader)) == 0
