"""Whatever is done to a deployment, each of its indexes is all its documents, sorted."""

import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, multiple, rule

from supavex.convex.values import same, to_export_json
from supavex.deployment import Deployment
from supavex.errors import SupavexError
from supavex.schema import define_schema, define_table, v
from tests.deployment.archives import UNIFORM, import_entries
from tests.deployment.order import in_order

TABLES = ["a", "b"]
field_values = st.sampled_from([None, 0, 1, -0.0, 0.0, 1.0, True, "", "x", "x\x00", b"x", [], ["x"], {}, {"y": 1}])
documents = st.dictionaries(st.sampled_from(["f", "g"]), field_values | st.fixed_dictionaries({"h": field_values}))
fields = st.lists(st.sampled_from(["f", "g", "f.h"]), min_size=1, max_size=3, unique=True)
#: For each table its indexes: name to fields and whether it is staged.
indexes = st.dictionaries(st.sampled_from(["i", "j"]), st.tuples(fields, st.booleans()))
schemas = st.fixed_dictionaries(
    # Two indexes on the same fields are refused.
    dict.fromkeys(TABLES, indexes.filter(lambda made: len({tuple(names) for names, _ in made.values()}) == len(made)))
)


class Indexes(RuleBasedStateMachine):
    """A deployment, and beside it what it should hold."""

    ids = Bundle("ids")

    @initialize()
    def open(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name) / "deployment.sqlite3"
        self.deployment = Deployment(self.path)
        self.documents: dict[str, dict[str, dict[str, Any]]] = {}
        self.indexes: dict[str, dict[str, tuple[list[str], bool]]] = {}
        self.push({table: {} for table in TABLES})

    @rule(schema=schemas, dry_run=st.booleans())
    def push(self, schema: dict[str, dict[str, tuple[list[str], bool]]], dry_run: bool = False) -> None:
        tables = {name: define_table(v.any()) for name in schema}
        for name, indexes in schema.items():
            for index, (paths, staged) in indexes.items():
                tables[name].index(index, paths, staged=staged)
        self.deployment.push(define_schema(tables).export(), dry_run=dry_run)
        if not dry_run:
            self.indexes = schema

    @rule(target=ids, table=st.sampled_from(TABLES), document=documents)
    def insert(self, table: str, document: dict[str, Any]) -> str:
        id_ = self.deployment.insert(table, document)
        created = self.deployment.get(id_)["_creationTime"]
        self.documents.setdefault(table, {})[id_] = {**document, "_id": id_, "_creationTime": created}
        return id_

    def table_of(self, id_: str) -> dict[str, dict[str, Any]] | None:
        return next((found for found in self.documents.values() if id_ in found), None)

    @rule(id_=ids, document=documents)
    def replace(self, id_: str, document: dict[str, Any]) -> None:
        found = self.table_of(id_)
        if found is None:
            with pytest.raises(SupavexError, match="no document has it"):
                self.deployment.replace(id_, document)
            return
        self.deployment.replace(id_, document)
        found[id_] = {**document, "_id": id_, "_creationTime": found[id_]["_creationTime"]}

    @rule(id_=consumes(ids))
    def delete(self, id_: str) -> None:
        found = self.table_of(id_)
        if found is not None:
            self.deployment.delete(id_)
            del found[id_]

    @rule(target=ids, table=st.sampled_from(TABLES), kept=st.randoms(use_true_random=False), fails=st.booleans())
    def import_some(self, table: str, kept: Any, fails: bool) -> Any:
        """A snapshot of some of a table's documents takes the place of all; or it breaks in its last line."""
        there = self.documents.get(table, {})
        some = {id_: document for id_, document in there.items() if kept.random() < 0.7}
        text = "".join(to_export_json(document) + "\n" for document in some.values()) + ("{" if fails else "")
        entries = {f"{table}/documents.jsonl": text, f"{table}/generated_schema.jsonl": UNIFORM}
        if fails:
            with pytest.raises(SupavexError):
                import_entries(self.deployment, entries, "replace")
        else:
            import_entries(self.deployment, entries, "replace")
            self.documents[table] = some
            # Convex keeps the staged indexes of no table that it replaces.
            kept_indexes = {name: index for name, index in self.indexes.get(table, {}).items() if not index[1]}
            self.indexes = {**self.indexes, table: kept_indexes}
        return multiple()

    @rule()
    def open_again(self) -> None:
        self.deployment.store.close()
        self.deployment = Deployment(self.path)

    @invariant()
    def every_index_is_all_documents_in_its_order(self) -> None:
        for table in self.deployment.tables():
            expected = self.documents.get(table, {})
            assert self.deployment.count(table) == len(expected)
            for name, (paths, staged) in {**self.indexes.get(table, {}), "by_creation_time": ([], False)}.items():
                if staged:
                    with pytest.raises(SupavexError, match="staged"):
                        self.deployment.query(table).with_index(name)
                    continue
                found = self.deployment.query(table).with_index(name).collect()
                wanted = in_order(expected.values(), paths)
                assert [document["_id"] for document in found] == [document["_id"] for document in wanted]
                assert all(map(same, found, wanted))

    def teardown(self) -> None:
        self.deployment.store.close()
        self.folder.cleanup()


TestIndexes = Indexes.TestCase
TestIndexes.settings = settings(max_examples=40, stateful_step_count=25)
